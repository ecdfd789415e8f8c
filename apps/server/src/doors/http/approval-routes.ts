import { approval, approvalFilter, approvalId, decideApprovalRequest, pageOf } from "@oars/contract";
import { z } from "zod";
import type { Approval } from "#act/approvals";
import { afterId, pageOfRows } from "./page.ts";
import { route, type ServiceRoute } from "./services.ts";
import { idOf, shown, shownOrNull } from "./wire-id.ts";

const byApproval = z.strictObject({ id: approvalId });

const toApproval = ({ requesterId, requesterName, votes, ...a }: Approval) => ({
  ...a,
  id: shown("approval", a.id),
  actionId: shown("action", a.actionId),
  requestedBy: shown("principal", requesterId),
  requestedByName: requesterName,
  subject: { ...a.subject, runId: shownOrNull("run", a.subject.runId) },
  votes: votes.map(({ vote, principalId, principalName, roles, reason, receiptDigest, at }) => ({
    principalId: shown("principal", principalId),
    principalName,
    decision: vote,
    roles,
    reason,
    receiptDigest,
    at,
  })),
});

export const approvalRoutes: readonly ServiceRoute[] = [
  route({
    method: "GET",
    path: "/v1/approvals",
    access: "approvals:read",
    tag: "approvals",
    summary: "List approvals, newest first",
    query: approvalFilter,
    answer: { status: 200, body: pageOf(approval) },
    handle: async ({ approvals }, { caller, query }) => {
      const { limit, cursor, state } = query;
      const rows = await approvals.list(caller, { state, before: afterId(cursor), limit: limit + 1 });
      return pageOfRows(rows, limit, (a) => a.id, toApproval);
    },
  }),
  route({
    method: "GET",
    path: "/v1/approvals/:id",
    access: "approvals:read",
    tag: "approvals",
    summary: "Show an approval with its votes",
    params: byApproval,
    notFound: "APPROVAL_NOT_FOUND",
    answer: { status: 200, body: approval },
    handle: async ({ approvals }, { caller, params }) =>
      toApproval(await approvals.find(caller, idOf("approval", params.id))),
  }),
  route({
    method: "POST",
    path: "/v1/approvals/:id/decision",
    access: "approvals:read",
    tag: "approvals",
    summary: "Approve or reject",
    description:
      "Votes as the caller. Needs `approvals:decide` and a role that the approval asks for; who requested the action cannot vote.",
    params: byApproval,
    notFound: "APPROVAL_NOT_FOUND",
    body: decideApprovalRequest,
    answer: { status: 200, body: approval },
    idempotency: "door",
    handle: async ({ approvals }, { caller, params, body }) =>
      toApproval(await approvals.decide(caller, idOf("approval", params.id), body)),
  }),
];
