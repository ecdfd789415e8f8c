/** What becomes of an execution whose process died. */
import type { Caller } from "#platform/access";
import { WriteSet } from "#platform/db";
import { type ContinuationDeps, runDetached } from "./continuation.ts";
import { addOutcome, recordedAction } from "./record.ts";
import { tryReopen } from "./reopening.ts";
import * as store from "./store.ts";
import { tellOutcome } from "./tell.ts";

/**
 * Handler of `action.left`: the process that executed it died. [X3] Only what was decided is sent again: when the
 * connection or the requester is another one by now, a person decides.
 */
export async function afterDeath(
  deps: ContinuationDeps,
  tenantId: string,
  actionId: string,
  dead: string,
): Promise<void> {
  const action = await deps.db.read(tenantId, (db) => store.findAction(db, tenantId, actionId));
  if (action?.state !== "executing" || action.executor !== dead) return;
  const caller = await deps.whoIs(tenantId, action.principalId);
  if (!action.idempotent) return markInDoubt(deps, action, caller);
  const reopened = await tryReopen(deps, action);
  if ("refusal" in reopened || reopened.resolved.digest !== action.digest) {
    return markInDoubt(deps, action, caller);
  }
  const { resolved } = reopened;
  deps.fault("actions.before-adopt");
  const adopted = await deps.db.committer.commit(
    new WriteSet().add(store.adoptAction, {
      tenant_id: tenantId,
      id: actionId,
      dead,
      executor: deps.workerId,
    }),
  );
  if (!adopted.ok) return;
  deps.fault("actions.after-adopt");
  const recorded = { ...recordedAction(action, caller), attempt: action.attempt + 1 };
  runDetached(deps, { recorded, resolved, effectKey: action.effectKey, timeoutMs: action.timeoutMs });
}

async function markInDoubt(
  deps: ContinuationDeps,
  action: store.StoredAction,
  caller: Caller,
): Promise<void> {
  const error = {
    code: "ACTION_IN_DOUBT",
    message:
      "The server stopped while this was being sent; whether it arrived is not known. Check the other system, then resolve the action.",
    retry: "terminal" as const,
  };
  const set = new WriteSet();
  const unknown = { status: "unknown", error } as const;
  const receiptId = await addOutcome(deps.receipts, set, recordedAction(action, caller), unknown, null);
  set.add(store.endAction, {
    tenant_id: action.tenantId,
    id: action.id,
    from_state: "executing",
    executor: action.executor,
    state: "in_doubt",
    output: null,
    error: JSON.stringify(error),
    http: null,
    receipt_id: receiptId,
    at: deps.clock.now().getTime(),
  });
  set.onCommit(() => deps.onOutcome(action.id));
  tellOutcome(deps.events, set, recordedAction(action, caller), unknown, null);
  await deps.db.committer.commit(set);
  deps.fault("actions.after-doubt");
}
