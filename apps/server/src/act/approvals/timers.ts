/** What time does to approvals. State is in the rows, found under a lock that other processes skip: each fires once. */
import { applyWrites, type Tx, WriteSet } from "#platform/db";
import { formatId } from "#platform/kernel";
import { type Approval, approvalTransitions } from "./domain.ts";
import { type ApprovalsDeps, addReceipt, advance, resolve, stateOf } from "./parts.ts";
import { escalated, openTo, progressOf } from "./stages.ts";
import * as store from "./store.ts";

/** [A4] Ends an approval whose time is up, also a granted one that was not used. */
export async function expire(deps: ApprovalsDeps, tenantId: string, id: string): Promise<boolean> {
  return deps.db.tx(tenantId, async (tx) => {
    const approval = await store.lockApproval(tx, tenantId, id);
    if (!approval?.expired || approvalTransitions[approval.state].expire === null) return false;
    const set = new WriteSet();
    await resolve(deps, tx, set, {
      tenantId,
      from: approval.state,
      after: { ...approval, state: "expired" },
    });
    await applyWrites(tx, set);
    return true;
  });
}

/** [A4] What is overdue expires in one transaction with its receipts. */
export async function expireDue(deps: ApprovalsDeps, limit: number): Promise<number> {
  return deps.db.system.tx(async (tx) => {
    const due = await store.findExpired(tx, limit);
    const set = new WriteSet();
    for (const { tenantId, id } of due) {
      const approval = await store.findApproval(tx, tenantId, id);
      if (approval)
        await resolve(deps, tx, set, { tenantId, from: "pending", after: { ...approval, state: "expired" } });
    }
    await applyWrites(tx, set);
    return due.length;
  });
}

export interface Escalation {
  readonly approvalId: string;
  readonly actionId: string;
  readonly tenantId: string;
  readonly stage: string;
  /** Tokens of who may vote from now on. */
  readonly escalateTo: readonly string[];
  readonly overdueSeconds: number;
}

/** [A6] Escalates overdue stages of every tenant, or of one. */
export async function escalateDue(
  deps: ApprovalsDeps,
  limit: number,
  tenantId?: string,
): Promise<Escalation[]> {
  return deps.db.system.tx(async (tx) => {
    const done: Escalation[] = [];
    const set = new WriteSet();
    for (const due of await store.findOverdue(tx, limit, tenantId)) {
      const approval = await store.findApproval(tx, due.tenantId, due.id);
      if (approval && stateOf(approval) === "pending")
        done.push(...(await escalate(deps, tx, set, due.tenantId, approval)));
    }
    await applyWrites(tx, set);
    return done;
  });
}

async function escalate(
  deps: ApprovalsDeps,
  tx: Tx,
  set: WriteSet,
  tenantId: string,
  approval: store.LockedApproval,
): Promise<Escalation[]> {
  const progress = progressOf(approval.stages, approval.votes);
  const { stages, which } = escalated(approval.stages, progress, approval.now);
  const open = openTo(stages, progress.open);
  await store.writeStages(tx, { tenantId, id: approval.id, stages, openTo: open, escalateAt: null });
  const after: Approval = { ...approval, stages };
  const done: Escalation[] = [];
  for (const i of which) {
    const stage = stages[i];
    if (!stage) continue;
    const due = Date.parse(stage.openedAt ?? "") + (stage.slaMs ?? 0);
    const overdueSeconds = Math.floor((approval.now.getTime() - due) / 1000);
    await addReceipt(
      deps,
      set,
      { tenantId, approval: after, type: "approval.escalated", within: tx },
      {
        approval: { role: stage.escalateTo.map(shownToken).join(" ") },
        operation: { command: "stage.escalated", to: stage.name },
      },
    );
    const payload = { approvalId: approval.id, actionId: approval.actionId, stage: stage.name };
    deps.outbox.emit(set, { tenantId, topic: "approval.escalated", payload });
    done.push({
      approvalId: approval.id,
      actionId: approval.actionId,
      tenantId,
      stage: stage.name,
      escalateTo: stage.escalateTo,
      overdueSeconds,
    });
  }
  await advance(deps, tx, set, tenantId, { ...approval, stages }); // votes that are there may be enough by now
  return done;
}

/** `role:approver` and `prn_…`, as people and receipts read it. */
export const shownToken = (token: string): string =>
  token.replace(/^principal:(.+)$/, (_, id: string) => formatId("principal", id));

export async function cancelFor(
  deps: ApprovalsDeps,
  tx: Tx,
  tenantId: string,
  actionIds: readonly string[],
): Promise<void> {
  const set = new WriteSet();
  for (const open of await store.findOpenOf(tx, tenantId, actionIds)) {
    const approval = await store.findApproval(tx, tenantId, open.id);
    if (!approval) continue;
    await store.moveApproval(tx, tenantId, open.id, open.state, "cancelled");
    const after: Approval = { ...approval, state: "cancelled" };
    await addReceipt(deps, set, { tenantId, approval: after, type: "approval.resolved", within: tx });
  }
  await applyWrites(tx, set);
}
