/**
 * [X8] What becomes of a quarantined action: somebody whose action it is not releases or rejects it. A release asks
 * policy again, without the policies that quarantine, for that is what was looked at: what the others deny ends denied,
 * what they want votes for is held, and the rest is sent.
 */

import { type Caller, requirePermission } from "#platform/access";
import { WriteSet } from "#platform/db";
import { OarsError } from "#platform/kernel";
import { decisionOf } from "./action-row.ts";
import { sealAskedAgain } from "./asked.ts";
import { assertMatch, inState } from "./cancel.ts";
import { type ContinuationDeps, endUnrun, runDetached } from "./continuation.ts";
import { hold } from "./hold.ts";
import { decideFor } from "./proposal.ts";
import { addDecision, addEnd, type Operated, recordedAction, recordedOf } from "./record.ts";
import { type Reopened, tryReopen } from "./reopening.ts";
import * as store from "./store.ts";
import { mustLoad } from "./submit.ts";
import { tellOperated } from "./tell.ts";
import { type ActionView, isPartyTo } from "./views.ts";

export interface Judgement {
  readonly reason: string;
  readonly ifMatch?: readonly string[] | undefined;
}

/** Errors: ACTION_NOT_FOUND, AUTH_FORBIDDEN, ACTION_REQUESTER, ACTION_STATE, PRECONDITION_FAILED, TOOL_UNREVIEWED. */
export async function releaseAction(
  deps: ContinuationDeps,
  caller: Caller,
  id: string,
  { reason, ifMatch }: Judgement,
): Promise<ActionView> {
  const action = await quarantined(deps, caller, id, ifMatch);
  if (action.runId !== null) throw inState(action, "of no run; retry the step instead");
  const reopened = await tryReopen(deps, action);
  if ("refusal" in reopened) {
    const { state, code, message } = reopened.refusal;
    await endUnrun(deps, action, state, code, message);
    return mustLoad(deps, caller, id);
  }
  if (reopened.resolved.standing.status === "changed")
    throw new OarsError("TOOL_UNREVIEWED", { tool: action.tool });
  await released(deps, caller, action, reopened, reason);
  return mustLoad(deps, caller, id);
}

async function released(
  deps: ContinuationDeps,
  caller: Caller,
  action: store.StoredAction,
  { proposal, resolved }: Reopened,
  reason: string,
): Promise<void> {
  const now = deps.clock.now();
  const nobody = { count: 0, roles: [] };
  const released = { ...proposal, released: true };
  const decision = await decideFor(deps.policy, released, resolved, nobody, now, action.id);
  if (decision.effect === "deny" || decision.effect === "quarantine")
    return endUnrun(deps, action, "denied", "ACTION_DENIED", decision.message);
  if (resolved.digest !== action.digest)
    return endUnrun(deps, action, "cancelled", "ACTION_CHANGED", "It is another action by now.");
  const set = new WriteSet();
  const isHeld = decision.effect === "require_approval";
  const held = isHeld ? await hold(deps, set, proposal, resolved, decision, action.id) : null;
  if (held && "refused" in held) return endUnrun(deps, action, "denied", "ACTION_DENIED", held.refused);
  const to = isHeld ? "pending_approval" : "executing";
  const by: Operated = { command: "action.release", from: "quarantined", to, reason };
  const told = recordedAction(action, caller);
  const receiptId = await addDecision(deps.receipts, set, told, decision, undefined, by);
  const stated = decisionOf(decision, true);
  const asked = await sealAskedAgain(deps, action, decision);
  const row = { tenant_id: action.tenantId, id: action.id, decision: JSON.stringify(stated), asked };
  if (held) {
    set.add(store.holdAction, { ...row, approval_id: held.id, receipt_id: receiptId });
  } else {
    set.add(store.startAction, {
      ...row,
      from_state: "quarantined",
      attempt: action.attempt,
      next_attempt: action.attempt,
      executor: deps.workerId,
      receipt_id: receiptId,
    });
  }
  tellOperated(deps.events, set, told, "action.resolved", { command: by.command, to });
  if (!(await deps.db.committer.commit(set)).ok) throw inState(action, "quarantined, and it no longer is");
  if (isHeld) return;
  const recorded = recordedOf(proposal, resolved, action.id, action.attempt);
  runDetached(deps, { recorded, resolved, effectKey: action.effectKey, timeoutMs: action.timeoutMs });
}

/** Errors: as of a release. */
export async function rejectAction(
  deps: ContinuationDeps,
  caller: Caller,
  id: string,
  { reason, ifMatch }: Judgement,
): Promise<ActionView> {
  const action = await quarantined(deps, caller, id, ifMatch);
  const set = new WriteSet();
  const told = recordedAction(action, caller);
  const by: Operated = { command: "action.reject", from: "quarantined", to: "rejected", reason };
  const code = "ACTION_REJECTED";
  const receiptId = await addEnd(deps.receipts, set, told, "not_executed", code, undefined, by);
  set.add(store.endAction, {
    tenant_id: action.tenantId,
    id: action.id,
    from_state: "quarantined",
    executor: action.executor,
    state: "rejected",
    output: null,
    error: JSON.stringify({ code, message: "A person rejected the quarantined action." }),
    http: null,
    receipt_id: receiptId,
    at: deps.clock.now().getTime(),
  });
  set.onCommit(() => deps.onOutcome(action.id));
  tellOperated(deps.events, set, told, "action.resolved", { command: by.command, to: by.to });
  if (!(await deps.db.committer.commit(set)).ok) throw inState(action, "quarantined, and it no longer is");
  return mustLoad(deps, caller, id);
}

async function quarantined(
  deps: ContinuationDeps,
  caller: Caller,
  id: string,
  ifMatch: readonly string[] | undefined,
): Promise<store.StoredAction> {
  requirePermission(caller, "actions:operate");
  const { tenantId } = caller;
  const action = await deps.db.read(tenantId, (db) => store.findAction(db, tenantId, id));
  if (!action) throw new OarsError("ACTION_NOT_FOUND");
  if (await isPartyTo(deps, action, caller)) throw new OarsError("ACTION_REQUESTER");
  assertMatch(action, ifMatch);
  if (action.state !== "quarantined") throw inState(action, "quarantined");
  return action;
}
