import {
  approval,
  approvalDetail,
  approvalFilter,
  approvalId,
  breakGlassRequest,
  challenge,
  challengeApprovalRequest,
  decideApprovalRequest,
  type Proof,
  pageOf,
  reviewApprovalRequest,
} from "@oars/contract";
import { z } from "zod";
import type { Cast } from "#act/approvals";
import type { Caller } from "#platform/access";
import { OarsError } from "#platform/kernel";
import { toApproval, toDetail } from "./approval-view.ts";
import { afterId, pageOfRows } from "./page.ts";
import { route, type ServiceRoute } from "./services.ts";
import { idOf, idOrUndefined, shown } from "./wire-id.ts";

const tag = "approvals";
export const byApproval = z.strictObject({ id: approvalId });

/** A second factor as the rooms take it. */
export const toProof = ({ stepUpCode, assertion }: Proof): NonNullable<Cast["proof"]> => ({
  code: stepUpCode,
  ...(assertion
    ? { assertion: { ...assertion, challengeId: idOf("challenge", assertion.challengeId) } }
    : {}),
});

/** Who votes is who sent the request; a body that names another is refused, not obeyed. */
function assertSelf(caller: Caller, approverId: string | undefined): void {
  const own = [shown("principal", caller.principalId), caller.principalName];
  if (approverId !== undefined && !own.includes(approverId)) throw new OarsError("APPROVAL_IDENTITY");
}

const isOpen = (body: unknown): boolean => (body as { state?: unknown }).state === "pending"; // the handler's own answer

export const approvalRoutes: readonly ServiceRoute[] = [
  route({
    method: "GET",
    path: "/v1/approvals",
    access: "approvals:read",
    tag,
    summary: "List approvals, newest first",
    query: approvalFilter,
    answer: { status: 200, body: pageOf(approval) },
    handle: async ({ approvals }, { caller, query }) => {
      const { limit, cursor, state, mine, tool, requester, dueBefore, batch, review } = query;
      const filter = {
        state,
        mine: mine === "true",
        tool,
        requesterId: idOrUndefined("principal", requester),
        dueBefore: dueBefore === undefined ? undefined : new Date(dueBefore),
        batchId: idOrUndefined("approval", batch),
        review,
        before: afterId(cursor),
        limit: limit + 1,
      };
      return pageOfRows(await approvals.list(caller, filter), limit, (a) => a.id, toApproval);
    },
  }),
  route({
    method: "GET",
    path: "/v1/approvals/:id",
    access: "approvals:read",
    tag,
    summary: "Show an approval with all that its approvers must see",
    params: byApproval,
    notFound: "APPROVAL_NOT_FOUND",
    answer: { status: 200, body: approvalDetail },
    handle: async ({ approvals }, { caller, params }) =>
      toDetail(await approvals.detail(caller, idOf("approval", params.id))),
  }),
  route({
    method: "POST",
    path: "/v1/approvals/:id/decision",
    access: "approvals:read",
    tag,
    summary: "Approve or reject",
    description:
      "Votes as the caller, by a right of their own or a lent one. 202 while further votes are needed, 200 once the approval has its answer. Nobody votes on what they asked for, and nothing is approved with changes.",
    params: byApproval,
    notFound: "APPROVAL_NOT_FOUND",
    body: decideApprovalRequest,
    answer: { status: 200, body: approval, description: "The approval has its answer" },
    otherAnswers: [{ status: 202, body: approval, description: "The vote counts; others are needed" }],
    statusOf: (body) => (isOpen(body) ? 202 : 200),
    idempotency: "door",
    handle: async ({ approvals }, { caller, params, body }) => {
      if (body.changes !== undefined) throw new OarsError("APPROVAL_CHANGES");
      assertSelf(caller, body.approverId);
      const { decision, reason } = body;
      const cast = { decision, reason, proof: toProof(body) };
      return toApproval(await approvals.decide(caller, idOf("approval", params.id), cast));
    },
  }),
  route({
    method: "POST",
    path: "/v1/approvals/:id/challenge",
    access: "approvals:read",
    tag,
    summary: "Ask one's security key to confirm a decision",
    description: "The answer counts for this decision about exactly this action, once, within five minutes.",
    params: byApproval,
    notFound: "APPROVAL_NOT_FOUND",
    body: challengeApprovalRequest,
    answer: { status: 201, body: challenge },
    idempotency: "door",
    handle: async ({ approvals }, { caller, params, body }) => {
      const made = await approvals.challenge(caller, idOf("approval", params.id), body.decision);
      return { challengeId: shown("challenge", made.id), options: made.options, expiresAt: made.expiresAt };
    },
  }),
  route({
    method: "POST",
    path: "/v1/approvals/:id/break-glass",
    access: "approvals:break_glass",
    tag,
    summary: "Run a held action without its votes, in an emergency",
    description:
      "Signed, told as a security event, and open until another person reviews it. Policies can forbid it; what they forbid besides stays forbidden.",
    params: byApproval,
    notFound: "APPROVAL_NOT_FOUND",
    body: breakGlassRequest,
    answer: { status: 200, body: approval },
    idempotency: "door",
    handle: async ({ approvals }, { caller, params, body }) => {
      const given = { reason: body.reason, proof: toProof(body) };
      return toApproval(await approvals.breakGlass(caller, idOf("approval", params.id), given));
    },
  }),
  route({
    method: "POST",
    path: "/v1/approvals/:id/review",
    access: "approvals:decide",
    tag,
    summary: "Review a broken glass",
    description: "By another person than the one who broke it and those who asked for the action.",
    params: byApproval,
    notFound: "APPROVAL_NOT_FOUND",
    body: reviewApprovalRequest,
    answer: { status: 200, body: approval },
    idempotency: "door",
    handle: async ({ approvals }, { caller, params, body }) =>
      toApproval(await approvals.review(caller, idOf("approval", params.id), body)),
  }),
];
