/** [X7] An action is called off before it is sent, in one transaction with its approval and its receipt. */
import { type Caller, requirePermission } from "#platform/access";
import { applyWrites, type Tx, WriteSet } from "#platform/db";
import { OarsError } from "#platform/kernel";
import { announce, type ContinuationDeps } from "./continuation.ts";
import { actionTransitions, cancellable } from "./domain.ts";
import { addEnd, recordedAction } from "./record.ts";
import * as store from "./store.ts";
import { mustLoad } from "./submit.ts";
import { tellOperated } from "./tell.ts";
import { type ActionView, etagOf, isPartyTo } from "./views.ts";

export interface Cancellation {
  readonly reason?: string | undefined;
  /** ETags of which one must be the action's own; undefined: any. */
  readonly ifMatch?: readonly string[] | undefined;
}

/** Errors: ACTION_NOT_FOUND, AUTH_FORBIDDEN, PRECONDITION_FAILED and ACTION_STATE with how it stands. */
export async function cancelAction(
  deps: ContinuationDeps,
  caller: Caller,
  id: string,
  { reason, ifMatch }: Cancellation,
): Promise<ActionView> {
  requirePermission(caller, "actions:write");
  const { tenantId } = caller;
  const first = await deps.db.read(tenantId, (db) => store.findAction(db, tenantId, id));
  if (!first) throw new OarsError("ACTION_NOT_FOUND");
  if (!(await isPartyTo(deps, first, caller))) requirePermission(caller, "actions:operate");
  await deps.db.tx(tenantId, async (tx) => {
    const action = await store.lockAction(tx, tenantId, id);
    if (!action) throw new OarsError("ACTION_NOT_FOUND");
    assertMatch(action, ifMatch);
    if (actionTransitions[action.state].cancel === null) throw inState(action, cancellable.join(", "));
    await calledOff(deps, tx, caller, action, reason ?? null);
  });
  return mustLoad(deps, caller, id);
}

async function calledOff(
  deps: ContinuationDeps,
  tx: Tx,
  caller: Caller,
  action: store.StoredAction,
  reason: string | null,
): Promise<void> {
  const set = new WriteSet();
  const recorded = recordedAction(action, caller);
  const by = { command: "action.cancel", from: action.state, to: "cancelled", reason } as const;
  const receiptId = await addEnd(deps.receipts, set, recorded, "cancelled", "ACTION_CANCELLED", tx, by);
  set.add(store.endAction, {
    tenant_id: action.tenantId,
    id: action.id,
    from_state: action.state,
    executor: action.executor,
    state: "cancelled",
    output: null,
    error: JSON.stringify({ code: "ACTION_CANCELLED", message: "The action was called off." }),
    http: null,
    receipt_id: receiptId,
    at: deps.clock.now().getTime(),
  });
  tellOperated(deps.events, set, recorded, "action.cancelled", { from: action.state });
  announce(deps, set, { tenantId: action.tenantId, actionId: action.id, runId: action.runId });
  await applyWrites(tx, set);
  await deps.approvals.cancelFor(tx, action.tenantId, [action.id]);
  tx.onCommit(() => {
    deps.onState(action.tool, "cancelled");
    deps.onOutcome(action.id);
  });
}

/** Throws PRECONDITION_FAILED with how the action stands. */
export function assertMatch(action: store.StoredAction, ifMatch: readonly string[] | undefined): void {
  if (ifMatch === undefined || ifMatch.includes("*") || ifMatch.includes(etagOf(action))) return;
  throw new OarsError("PRECONDITION_FAILED", {}, { current: standOf(action) });
}

/** ACTION_STATE with how the action stands. */
export const inState = (action: store.StoredAction, needed: string): OarsError =>
  new OarsError("ACTION_STATE", { state: action.state, needed }, { current: standOf(action) });

const standOf = (action: store.StoredAction) => ({
  state: action.state,
  attempt: action.attempt,
  etag: etagOf(action),
});
