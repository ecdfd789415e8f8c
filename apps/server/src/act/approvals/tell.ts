/** Security events of approvals, one with each of their receipts. */
import type { WriteSet } from "#platform/db";
import type { EventType, SecurityEvents } from "#platform/events";
import { formatId } from "#platform/kernel";
import type { DraftPrincipal } from "#sign/receipts";
import type { Approval } from "./domain.ts";

export type ApprovalEvents = Pick<SecurityEvents, "record">;

const byReceipt: Readonly<Record<string, EventType>> = {
  "approval.requested": "action.held",
  "approval.vote": "approval.voted",
  "approval.expired": "approval.expired",
  "approval.escalated": "approval.escalated",
  "breakglass.used": "approval.break_glass",
};
const byState: Readonly<Record<string, EventType>> = {
  approved: "approval.approved",
  rejected: "approval.rejected",
};

/** Adds the event that belongs to a receipt of the approval, where there is one. */
export function tellOf(
  events: ApprovalEvents | undefined,
  into: WriteSet,
  about: { readonly tenantId: string; readonly approval: Approval; readonly type: string },
  by: DraftPrincipal | undefined,
): void {
  const { tenantId, approval, type } = about;
  const told = type === "approval.resolved" ? byState[approval.state] : byReceipt[type];
  if (told === undefined) return;
  const { subject } = approval;
  const name = approval.override?.by === by?.id ? (approval.override?.byName ?? "") : "";
  const actor = by === undefined ? null : { principalId: by.id, principalKind: by.kind, principalName: name };
  void events?.record(into, {
    tenantId,
    type: told,
    actor,
    target: { kind: "action", id: formatId("action", approval.actionId) },
    details: {
      approval: formatId("approval", approval.id),
      requester: approval.requesterName || formatId("principal", approval.requesterId),
      tool: subject.tool,
      resource: subject.target,
      environment: subject.environment,
      risk: subject.risk,
      reason: approval.reason.slice(0, 300),
      expiresAt: approval.expiresAt.toISOString(),
    },
  }); // nothing to wait for
}
