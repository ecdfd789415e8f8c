import {
  actionId,
  differenceQuery,
  importPolicyRequest,
  pageOf,
  pageQuery,
  policyExplanation,
  policyId,
  policyImport,
  policyReplay,
  replayId,
  replayPolicyRequest,
  shadowDifference,
  simulatePolicyDocument,
  simulatePolicyRequest,
} from "@oars/contract";
import { z } from "zod";
import { caseRequestSchema, requestOf } from "#act/policy";
import { OarsError } from "#platform/kernel";
import { afterId, pageOfRows } from "./page.ts";
import { toExplanation, toPolicy, toReplay } from "./policy-view.ts";
import { route, type ServiceRoute } from "./services.ts";
import { idOf, idOrUndefined, shown } from "./wire-id.ts";
import { fieldProblemsOf } from "./zod-problems.ts";

const tag = "policies";
const byPolicy = z.strictObject({ id: policyId });
const mostReplayed = 200_000;

type Wish = z.infer<typeof simulatePolicyDocument>;

function imaginedOf(body: Wish) {
  if ("request" in body) {
    const parsed = caseRequestSchema.safeParse(body.request);
    if (!parsed.success)
      throw new OarsError("REQUEST_INVALID", {}, { errors: fieldProblemsOf(parsed.error, "request") });
    const { tenantId: _, ...request } = requestOf(parsed.data);
    return { request: { ...request, tenantId: "" } }; // the room puts the caller's tenant in
  }
  const { agentId, context, input } = body;
  const { requestedAt, ...overrides } = context ?? {};
  const [connection = "", operation = ""] =
    "resource" in body ? body.resource.toolId.split("/") : [body.connection, body.operation];
  return {
    connection,
    operation,
    input,
    principalId: idOrUndefined("principal", agentId),
    context: { ...overrides, now: requestedAt === undefined ? undefined : new Date(requestedAt) },
  };
}

export const rehearsalRoutes: readonly ServiceRoute[] = [
  route({
    method: "POST",
    path: "/v1/policies/simulate",
    access: "policies:read",
    tag,
    summary: "Ask any version about one action, and why",
    description:
      "Nothing is stored and nothing is sent. Three forms: `connection` and `operation` or `resource.toolId` as in `POST /v1/actions`, or `request` as in golden cases.",
    body: simulatePolicyRequest,
    bodyDocument: simulatePolicyDocument,
    answer: { status: 200, body: policyExplanation },
    handle: async ({ rehearsals }, { caller, body }) => {
      const id = idOrUndefined("policy", body.policyId) ?? null;
      return toExplanation(await rehearsals.simulate(caller, id, imaginedOf(body)));
    },
  }),
  route({
    method: "GET",
    path: "/v1/actions/:id/explanation",
    access: "policies:read",
    tag: "actions",
    summary: "Why an action was decided as it was",
    description: "With `policyId` it is explained as that version would decide it.",
    params: z.strictObject({ id: actionId }),
    query: z.strictObject({ policyId: policyId.optional() }),
    notFound: "ACTION_NOT_FOUND",
    answer: { status: 200, body: policyExplanation },
    handle: async ({ rehearsals }, { caller, params, query }) =>
      toExplanation(
        await rehearsals.explain(caller, idOf("action", params.id), idOrUndefined("policy", query.policyId)),
      ),
  }),
  route({
    method: "POST",
    path: "/v1/policies/import",
    access: "policies:write",
    tag,
    summary: "Turn rules of the simple form into a policy bundle",
    body: importPolicyRequest,
    answer: { status: 200, body: policyImport },
    idempotency: "door",
    handle: async ({ policy }, { caller, body }) => {
      const { rules, unmatched, approverRole, dryRun } = body;
      const name = body.name ?? body.version;
      const made = await policy.importRules(caller, { rules, unmatched, approverRole, dryRun, name });
      return { ...made, policy: made.policy && toPolicy(made.policy) };
    },
  }),
  route({
    method: "POST",
    path: "/v1/policies/:id/replays",
    access: "policies:write",
    tag,
    summary: "Ask a candidate about the decisions of the past, in the background",
    params: byPolicy,
    notFound: "POLICY_NOT_FOUND",
    body: replayPolicyRequest.default({}),
    answer: { status: 202, body: policyReplay },
    idempotency: "door",
    handle: async ({ rehearsals }, { caller, params, body }) => {
      const days = body.days ?? (body.actions === undefined ? 30 : null);
      const how = { days, most: body.actions ?? mostReplayed };
      return toReplay(await rehearsals.replay(caller, idOf("policy", params.id), how));
    },
  }),
  route({
    method: "GET",
    path: "/v1/policies/:id/replays",
    access: "policies:read",
    tag,
    summary: "List the replays of a candidate, newest first",
    params: byPolicy,
    query: pageQuery,
    notFound: "POLICY_NOT_FOUND",
    answer: { status: 200, body: pageOf(policyReplay) },
    handle: async ({ rehearsals }, { caller, params, query: { limit, cursor } }) => {
      const page = { before: afterId(cursor) ?? null, limit: limit + 1, policyId: idOf("policy", params.id) };
      return pageOfRows(await rehearsals.listReplays(caller, page), limit, (r) => r.id, toReplay);
    },
  }),
  route({
    method: "GET",
    path: "/v1/policies/replays/:id",
    access: "policies:read",
    tag,
    summary: "Show a replay and what it found",
    params: z.strictObject({ id: replayId }),
    notFound: "POLICY_REPLAY_NOT_FOUND",
    answer: { status: 200, body: policyReplay },
    handle: async ({ rehearsals }, { caller, params }) =>
      toReplay(await rehearsals.findReplay(caller, idOf("replay", params.id))),
  }),
  route({
    method: "GET",
    path: "/v1/policies/shadow/differences",
    access: "policies:read",
    tag,
    summary: "Actions that the candidate beside the policy would have decided otherwise",
    query: differenceQuery,
    answer: { status: 200, body: pageOf(shadowDifference) },
    handle: async ({ rehearsals }, { caller, query }) => {
      const { limit, cursor, policyId: candidate } = query;
      const page = {
        before: afterId(cursor) ?? null,
        limit: limit + 1,
        policyId: idOrUndefined("policy", candidate) ?? null,
      };
      return pageOfRows(
        await rehearsals.differences(caller, page),
        limit,
        (d) => d.id,
        ({ id, principalId, effect, reasons, ...d }) => ({
          ...d,
          actionId: shown("action", id),
          requestedBy: shown("principal", principalId),
          decision: { effect, reasons },
        }),
      );
    },
  }),
];
