/**
 * What happens to an action after its proposal: an approval resolves, a process dies in mid-call, a failed
 * attempt is repeated. Each is one commit with its receipts; executions run detached and are awaited at stop.
 */

import { type Approval, tally } from "#act/approvals";
import type { Caller } from "#platform/access";
import { type CommitResult, isOutage, WriteSet } from "#platform/db";
import type { Outbox } from "#platform/jobs";
import { decisionOf } from "./action-row.ts";
import { sealAskedAgain } from "./asked.ts";
import type { ActionState } from "./domain.ts";
import { type Executable, type ExecutionDeps, perform, settle } from "./execution.ts";
import { decideFor } from "./proposal.ts";
import { addDecision, addEnd, recordedAction, recordedOf } from "./record.ts";
import { changed, reopen, tryReopen } from "./reopening.ts";
import * as store from "./store.ts";
import { tellDenial } from "./tell.ts";

export interface ContinuationDeps extends ExecutionDeps {
  readonly outbox: Pick<Outbox, "emit">;
  /** The principal that proposed the action, with the roles it holds now. Throws PRINCIPAL_DISABLED. */
  readonly callerFor: (tenantId: string, principalId: string) => Promise<Caller>;
  /** The same for receipts: also when it may not act any more. */
  readonly whoIs: (tenantId: string, principalId: string) => Promise<Caller>;
  readonly onError: (error: unknown, what: string) => void;
  readonly inFlight: Set<Promise<void>>;
  /** Breaks off what runs detached, for this process stops. */
  readonly stopping: AbortSignal;
}

/** Handler of `approval.resolved`. Repeatable: an action that has moved on is left alone. */
export async function afterApproval(
  deps: ContinuationDeps,
  tenantId: string,
  actionId: string,
  approvalId: string,
): Promise<void> {
  const action = await deps.db.read(tenantId, (db) => store.findAction(db, tenantId, actionId));
  const approval = await deps.approvals.load(tenantId, approvalId);
  if (action?.state !== "pending_approval" || !approval) return;
  if (approval.state === "approved") return startApproved(deps, action, approval);
  const state = approval.state === "rejected" ? "rejected" : "expired";
  await endUnrun(deps, action, state, `APPROVAL_${state.toUpperCase()}`, `The approval was ${state}.`);
}

/** [X4] The policy is asked again with the real votes; the digest is taken again from what would be sent. */
async function startApproved(
  deps: ContinuationDeps,
  action: store.StoredAction,
  approval: Approval,
): Promise<void> {
  const reopened = await tryReopen(deps, action);
  if ("refusal" in reopened) {
    const { state, code, message } = reopened.refusal;
    return endUnrun(deps, action, state, code, message);
  }
  const { proposal, resolved } = reopened;
  if (resolved.digest !== approval.actionDigest) {
    return endUnrun(deps, action, "cancelled", "ACTION_CHANGED", changed);
  }
  const decision = await decideFor(
    deps.policy,
    proposal,
    resolved,
    tally(approval),
    deps.clock.now(),
    action.id,
  );
  if (decision.effect !== "allow") {
    return endUnrun(deps, action, "denied", "ACTION_DENIED", decision.message);
  }
  const set = new WriteSet();
  const recorded = recordedOf(proposal, resolved, action.id, action.attempt);
  const receiptId = await addDecision(deps.receipts, set, recorded, decision);
  set.add(store.startAction, {
    tenant_id: action.tenantId,
    id: action.id,
    from_state: "pending_approval",
    attempt: action.attempt,
    next_attempt: action.attempt,
    executor: deps.workerId,
    decision: JSON.stringify(decisionOf(decision, proposal.released)),
    receipt_id: receiptId,
    asked: await sealAskedAgain(deps, action, decision),
  });
  await deps.approvals.consume(set, approval, action.tenantId);
  deps.fault("actions.before-consume");
  if (!(await deps.db.committer.commit(set)).ok) return notStarted(deps, action, approval);
  deps.fault("actions.after-consume");
  runDetached(deps, { recorded, resolved, effectKey: action.effectKey, timeoutMs: action.timeoutMs });
}

/** Another process was first, or the approval ran out between the vote and its use: then the action ends with it. [A4] */
async function notStarted(
  deps: ContinuationDeps,
  action: store.StoredAction,
  approval: Approval,
): Promise<void> {
  const { tenantId, id } = action;
  const now = await deps.db.read(tenantId, (db) => store.findAction(db, tenantId, id));
  if (now?.state !== "pending_approval") return;
  if (await deps.approvals.expire(tenantId, approval.id)) return; // tells of itself
  throw new Error(`approved action ${id} could not be started`); // the event comes again
}

/** Performs and settles in the background, then tells who waits. */
export function runDetached(deps: ContinuationDeps, action: Executable): void {
  const { tenantId, actionId, runId } = action.recorded;
  const work = (async () => {
    const done = await perform(deps, action, deps.stopping);
    const { outcome } = done;
    if (deps.stopping.aborted && outcome.status === "failed" && outcome.error.code === "NET_ABORTED") return; // the death hook hands it on
    const set = new WriteSet();
    await settle(deps, action, done, set);
    await record(deps, set, { tenantId, actionId, runId });
  })()
    .catch((error) => deps.onError(error, "action execution"))
    .finally(() => deps.inFlight.delete(work));
  deps.inFlight.add(work);
}

export interface Ended {
  readonly tenantId: string;
  readonly actionId: string;
  readonly runId: string | null;
}

const recordTries = 8;

/**
 * Makes an outcome durable and tells the run that waits for it. What happened has happened: while the database is
 * out of reach it is tried again for some seconds; after that the sweep finds the action.
 */
export async function record(deps: ContinuationDeps, outcome: WriteSet, ended: Ended): Promise<CommitResult> {
  announce(deps, outcome, ended);
  for (let tries = 1; ; tries++) {
    try {
      const committed = await deps.db.committer.commit(outcome);
      deps.fault("actions.after-record");
      return committed;
    } catch (error) {
      if (!isOutage(error) || tries === recordTries) throw error;
      await new Promise((done) => setTimeout(done, 25 * 2 ** tries));
    }
  }
}

export function announce(deps: ContinuationDeps, set: WriteSet, { tenantId, actionId, runId }: Ended): void {
  if (runId) deps.outbox.emit(set, { tenantId, topic: "action.ended", payload: { actionId, runId } });
}

export async function endUnrun(
  deps: ContinuationDeps,
  action: store.StoredAction,
  state: ActionState,
  code: string,
  message: string,
): Promise<void> {
  const caller = await deps.whoIs(action.tenantId, action.principalId);
  const set = new WriteSet();
  const how = state === "cancelled" ? "cancelled" : "not_executed";
  const receiptId = await addEnd(deps.receipts, set, recordedAction(action, caller), how, code);
  set.add(store.endAction, {
    tenant_id: action.tenantId,
    id: action.id,
    from_state: action.state,
    executor: action.executor,
    state,
    output: null,
    error: JSON.stringify({ code, message }),
    http: null,
    receipt_id: receiptId,
    at: deps.clock.now().getTime(),
  });
  if (state === "denied") tellDenial(deps.events, set, recordedAction(action, caller), code, message);
  announce(deps, set, { tenantId: action.tenantId, actionId: action.id, runId: action.runId });
  set.onCommit(() => deps.onOutcome(action.id));
  await deps.db.committer.commit(set);
}

/** Begins the next attempt of an action that failed or whose outcome a person settled as "send again". */
export async function restart(
  deps: ContinuationDeps,
  action: store.StoredAction,
  commit?: (set: WriteSet) => Promise<CommitResult>,
): Promise<
  { kind: "execute"; action: Executable } | { kind: "refused"; message: string } | { kind: "lost" }
> {
  const { proposal, resolved } = await reopen(deps, action);
  const approval = action.approvalId
    ? await deps.approvals.load(action.tenantId, action.approvalId)
    : undefined;
  const counted =
    approval && approval.actionDigest === resolved.digest ? tally(approval) : { count: 0, roles: [] };
  const decision = await decideFor(deps.policy, proposal, resolved, counted, deps.clock.now(), action.id);
  const attempt = action.attempt + 1;
  const recorded = { ...recordedOf(proposal, resolved, action.id, attempt) };
  if (decision.effect !== "allow") return { kind: "refused", message: decision.message };
  const set = new WriteSet();
  const receiptId = await addDecision(deps.receipts, set, recorded, decision);
  set.add(store.startAction, {
    tenant_id: action.tenantId,
    id: action.id,
    from_state: action.state,
    attempt: action.attempt,
    next_attempt: attempt,
    executor: deps.workerId,
    decision: JSON.stringify(decisionOf(decision, proposal.released)),
    receipt_id: receiptId,
    asked: await sealAskedAgain(deps, action, decision),
  });
  if (!(await (commit ? commit(set) : deps.db.committer.commit(set))).ok) return { kind: "lost" };
  deps.fault("actions.after-resend");
  return {
    kind: "execute",
    action: { recorded, resolved, effectKey: action.effectKey, timeoutMs: action.timeoutMs },
  };
}
