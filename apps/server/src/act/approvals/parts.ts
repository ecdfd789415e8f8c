/** What the use-cases of this room share: their dependencies, and what each of them writes when something happened. */
import type { Factors } from "#act/factors";
import type { Workflows } from "#act/workflows";
import type { Caller } from "#platform/access";
import type { Database, Tx, WriteSet } from "#platform/db";
import type { Outbox } from "#platform/jobs";
import { OarsError } from "#platform/kernel";
import type { ReceiptDraft, Receipts } from "#sign/receipts";
import { type Approval, type ApprovalState, approvalTransitions, needed, tally } from "./domain.ts";
import { nextEscalation, opened, openTo, progressOf } from "./stages.ts";
import * as store from "./store.ts";
import { type ApprovalEvents, tellOf } from "./tell.ts";

export interface ApprovalsDeps {
  readonly db: Database;
  readonly receipts: Pick<Receipts, "add">;
  readonly outbox: Pick<Outbox, "emit">;
  /** Told of what becomes of approvals. */
  readonly events: ApprovalEvents;
  readonly workflows: Pick<Workflows, "follow">;
  readonly factors: Pick<Factors, "prove" | "challenge">;
}

export type ApprovalReceipt = Extract<
  ReceiptDraft["type"],
  `approval.${string}` | "breakglass.used" | "breakglass.reviewed"
>;

type More = Pick<ReceiptDraft, "principal" | "operation" | "disclose"> & {
  readonly approval?: Partial<NonNullable<ReceiptDraft["approval"]>>;
};

/** Who did it, with what it was confirmed by. */
export const principalOf = (
  caller: Caller,
  factor: string | null = null,
): NonNullable<ReceiptDraft["principal"]> => ({
  id: caller.principalId,
  kind: caller.principalKind,
  ownerId: caller.ownerId,
  auth: { method: caller.credential.kind, ...(factor ? { amr: [factor] } : {}) },
});

/** Adds a receipt about the approval to the set. */
export const addReceipt = async (
  deps: Pick<ApprovalsDeps, "receipts" | "events">,
  set: WriteSet,
  about: {
    readonly tenantId: string;
    readonly approval: Approval;
    readonly type: ApprovalReceipt;
    readonly within?: Tx;
  },
  more: More = {},
): Promise<{ readonly digest: string }> => {
  const { tenantId, approval, type, within } = about;
  const { approval: section, ...rest } = more;
  const draft: ReceiptDraft = {
    tenantId,
    type,
    runId: approval.subject.runId,
    step: approval.subject.step,
    action: { id: approval.actionId, digest: approval.actionDigest },
    approval: {
      request: approval.id,
      state: approval.state,
      quorum: { need: needed(approval), got: tally(approval).count },
      votes: approval.votes.map((v) => v.receiptDigest),
      ...section,
    },
    ...rest,
  };
  tellOf(deps.events, set, about, more.principal);
  return deps.receipts.add(set, draft, within);
};

/** [A2] Moves the approval, signs what became of it and tells who waits for the action. */
export async function resolve(
  deps: ApprovalsDeps,
  tx: Tx,
  set: WriteSet,
  move: { readonly tenantId: string; readonly from: ApprovalState; readonly after: Approval },
): Promise<void> {
  const { tenantId, from, after } = move;
  const moved = await store.moveApproval(tx, tenantId, after.id, from, after.state);
  if (moved.length !== 1) throw new OarsError("APPROVAL_CLOSED", { state: from });
  const type = after.state === "expired" ? "approval.expired" : "approval.resolved";
  await addReceipt(deps, set, { tenantId, approval: after, type, within: tx });
  deps.outbox.emit(set, {
    tenantId,
    topic: "approval.resolved",
    payload: { approvalId: after.id, actionId: after.actionId, state: after.state },
  });
}

/** [A2] [A5] What the votes make of it: an end, the next stages, or nothing yet. */
export async function advance(
  deps: ApprovalsDeps,
  tx: Tx,
  set: WriteSet,
  tenantId: string,
  approval: store.LockedApproval,
): Promise<Approval> {
  const progress = progressOf(approval.stages, approval.votes);
  const rejected = approval.votes.some((v) => v.vote === "reject");
  const event = rejected ? "reject" : progress.open.length === 0 ? "grant" : null;
  const state = event ? approvalTransitions[approval.state][event] : null;
  if (state) {
    const after = { ...approval, state };
    await resolve(deps, tx, set, { tenantId, from: approval.state, after });
    return after;
  }
  const stages = opened(approval.stages, progress.open, approval.now);
  const escalateAt = nextEscalation(stages, progress);
  await store.writeStages(tx, {
    tenantId,
    id: approval.id,
    stages,
    openTo: openTo(stages, progress.open),
    escalateAt,
  });
  return { ...approval, stages, escalateAt };
}

/** Who may not vote stays inside; an approval whose time is up says so, also before the timer has come by. */
export function toView({
  excluded: _excluded,
  expired,
  now: _now,
  ...approval
}: store.LockedApproval): Approval {
  return expired && approval.state === "pending" ? { ...approval, state: "expired" } : approval;
}

/** How it stands to a caller: a pending one whose time is up is expired. */
export const stateOf = (approval: store.LockedApproval): ApprovalState =>
  approval.state === "pending" && approval.expired ? "expired" : approval.state;

/** Neither they nor whoever acts for them: an agent of the requester is the requester's hand. */
export const isExcluded = (caller: Caller, excluded: readonly string[]): boolean =>
  excluded.includes(caller.principalId) || (caller.ownerId !== null && excluded.includes(caller.ownerId));
