import {
  pageOf,
  pageQuery,
  policyBundle,
  policyId,
  policyValidation,
  policyVersion,
  policyVersionDetail,
  publishPolicyRequest,
} from "@oars/contract";
import { z } from "zod";
import type { BundleSource, PolicyVersion } from "#act/policy";
import { afterNumber, pageOfRows } from "./page.ts";
import { route, type ServiceRoute } from "./services.ts";
import { idOf, shown, shownOrNull } from "./wire-id.ts";

const tag = "policies";
const byId = z.strictObject({ id: policyId });

/** The most that the room lists at once, less the one that tells whether there is more. */
const mostListed = 99;

const toPolicy = <P extends PolicyVersion>(p: P) => ({
  ...p,
  id: shown("policy", p.id),
  createdBy: shown("principal", p.createdBy),
  publishedBy: shownOrNull("principal", p.publishedBy),
});

/** The room checks the cases in full and names every problem of theirs. */
const toSource = (body: z.infer<typeof policyBundle>): BundleSource => body as unknown as BundleSource;

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
      const problems = await policy.check(caller, toSource(body));
      return { valid: problems.length === 0, problems };
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
      const { replaces } = body;
      const options =
        replaces === undefined ? {} : { replaces: replaces === null ? null : idOf("policy", replaces) };
      return toPolicy(await policy.publish(caller, idOf("policy", params.id), options));
    },
  }),
];
