import {
  pageOf,
  pageQuery,
  policyBundle,
  policyDiff,
  policyId,
  policyRollback,
  policySettings,
  policySettingsRequest,
  policyShadowRequest,
  policyValidation,
  policyVersion,
  policyVersionDetail,
  publishPolicyRequest,
  rollbackPolicyRequest,
} from "@oars/contract";
import { z } from "zod";
import type { BundleSource, RolledBack } from "#act/policy";
import { afterNumber, pageOfRows } from "./page.ts";
import { toPolicy, toSettings } from "./policy-view.ts";
import { route, type ServiceRoute } from "./services.ts";
import { idOf, idOrUndefined, shownOrNull } from "./wire-id.ts";

const tag = "policies";
const byId = z.strictObject({ id: policyId });

/** The most that the room lists at once, less the one that tells whether there is more. */
const mostListed = 99;

/** The room checks the cases in full and names every problem of theirs. */
const toSource = (body: z.infer<typeof policyBundle>): BundleSource => body as unknown as BundleSource;

const replacing = ({ replaces }: z.infer<typeof publishPolicyRequest>) =>
  replaces === undefined ? {} : { replaces: replaces === null ? null : idOf("policy", replaces) };

const againstQuery = z.strictObject({ against: policyId.optional() });

const toRollback = ({ policy, previousId }: RolledBack) => ({
  policy: toPolicy(policy),
  previousPublishedPolicyId: shownOrNull("policy", previousId),
});

export const policyRoutes: readonly ServiceRoute[] = [
  route({
    method: "POST",
    path: "/v1/policies/validate",
    access: "policies:read",
    tag,
    summary: "Check a policy bundle and its golden cases",
    body: policyBundle,
    answer: { status: 200, body: policyValidation },
    handle: async ({ policy }, { caller, body }) => {
      const source = toSource(body);
      const problems = await policy.check(caller, source);
      const warnings = problems.length > 0 ? [] : await policy.warnings(caller, source);
      return { valid: problems.length === 0, problems, warnings };
    },
  }),
  route({
    method: "POST",
    path: "/v1/policies",
    access: "policies:write",
    tag,
    summary: "Draft a policy bundle",
    body: policyBundle,
    answer: { status: 201, body: policyVersion },
    idempotency: "door",
    handle: async ({ policy }, { caller, body }) =>
      toPolicy(await policy.createVersion(caller, toSource(body))),
  }),
  route({
    method: "GET",
    path: "/v1/policies",
    access: "policies:read",
    tag,
    summary: "List policy bundles",
    query: pageQuery,
    answer: { status: 200, body: pageOf(policyVersion) },
    handle: async ({ policy }, { caller, query }) => {
      const limit = Math.min(query.limit, mostListed);
      const page = { limit: limit + 1, before: afterNumber(query.cursor) ?? null };
      return pageOfRows(await policy.list(caller, page), limit, (p) => p.version, toPolicy);
    },
  }),
  route({
    method: "GET",
    path: "/v1/policies/:id",
    access: "policies:read",
    tag,
    summary: "Show a policy bundle with its source",
    params: byId,
    notFound: "POLICY_NOT_FOUND",
    answer: { status: 200, body: policyVersionDetail },
    handle: async ({ policy }, { caller, params }) =>
      toPolicy(await policy.find(caller, idOf("policy", params.id))),
  }),
  route({
    method: "POST",
    path: "/v1/policies/:id/publish",
    access: "policies:publish",
    tag,
    summary: "Put a policy bundle in force",
    description:
      "Publishing an older bundle is the rollback. With `replaces` it is refused when another was published meanwhile.",
    params: byId,
    notFound: "POLICY_NOT_FOUND",
    body: publishPolicyRequest.default({}),
    answer: { status: 200, body: policyVersion },
    idempotency: "door",
    handle: async ({ policy }, { caller, params, body }) => {
      return toPolicy(await policy.publish(caller, idOf("policy", params.id), replacing(body)));
    },
  }),
  route({
    method: "POST",
    path: "/v1/policies/:id/rollback",
    access: "policies:publish",
    tag,
    summary: "Go back to a policy bundle that was in force before",
    params: byId,
    notFound: "POLICY_NOT_FOUND",
    body: rollbackPolicyRequest.default({}),
    answer: { status: 200, body: policyRollback },
    idempotency: "door",
    handle: async ({ policy }, { caller, params, body }) =>
      toRollback(await policy.rollback(caller, idOf("policy", params.id), replacing(body))),
  }),
  route({
    method: "POST",
    path: "/v1/policies/rollback",
    access: "policies:publish",
    tag,
    summary: "Go back to the policy bundle that was in force last",
    body: rollbackPolicyRequest.default({}),
    answer: { status: 200, body: policyRollback },
    idempotency: "door",
    handle: async ({ policy }, { caller, body }) =>
      toRollback(await policy.rollback(caller, null, replacing(body))),
  }),
  route({
    method: "GET",
    path: "/v1/policies/:id/diff",
    access: "policies:read",
    tag,
    summary: "Compare a policy bundle with another, or with the one in force",
    params: byId,
    query: againstQuery,
    notFound: "POLICY_NOT_FOUND",
    answer: { status: 200, body: policyDiff },
    handle: async ({ policy }, { caller, params, query }) => {
      const against = idOrUndefined("policy", query.against);
      const { from, to, diff } = await policy.diff(caller, idOf("policy", params.id), against);
      return { from: from && toPolicy(from), to: toPolicy(to), ...diff };
    },
  }),
  route({
    method: "GET",
    path: "/v1/policies/schema",
    access: "policies:read",
    tag,
    summary: "The Cedar schema that bundles are checked against",
    answer: { status: 200, body: z.object({ schema: z.string() }) },
    handle: async ({ policy }, { caller }) => ({ schema: await policy.schema(caller) }),
  }),
  route({
    method: "GET",
    path: "/v1/policies/settings",
    access: "policies:read",
    tag,
    summary: "Shadow mode, and what a publication needs",
    answer: { status: 200, body: policySettings },
    handle: async ({ policy }, { caller }) => toSettings(await policy.settings(caller)),
  }),
  route({
    method: "PUT",
    path: "/v1/policies/settings",
    access: "policies:publish",
    tag,
    summary: "Say whether a publication needs a replay",
    body: policySettingsRequest,
    answer: { status: 200, body: policySettings },
    idempotency: "door",
    handle: async ({ policy }, { caller, body }) =>
      toSettings(await policy.setReplayRequired(caller, body.replayRequired)),
  }),
  route({
    method: "PUT",
    path: "/v1/policies/shadow",
    access: "policies:publish",
    tag,
    summary: "Set a candidate beside the policy in force, or take it away",
    description:
      "The candidate is asked about the same actions and decides nothing: its verdict is recorded with the action and in a receipt of mode `shadow`.",
    body: policyShadowRequest,
    answer: { status: 200, body: policySettings },
    idempotency: "door",
    handle: async ({ policy }, { caller, body }) =>
      toSettings(
        await policy.setShadow(
          caller,
          idOrUndefined("policy", body.policyId ?? undefined) ?? null,
          body.share,
        ),
      ),
  }),
];
