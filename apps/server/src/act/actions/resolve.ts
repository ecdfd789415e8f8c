/** What becomes of an action in doubt: a person found out, and says. */
import type { OperationOutcome } from "#act/connectors";
import { type Caller, requirePermission } from "#platform/access";
import { WriteSet } from "#platform/db";
import { OarsError } from "#platform/kernel";
import { announce, type ContinuationDeps, restart, runDetached } from "./continuation.ts";
import { addOutcome, recordedAction } from "./record.ts";
import { sealFor } from "./sealing.ts";
import * as store from "./store.ts";
import { mustLoad } from "./submit.ts";
import type { ActionView } from "./views.ts";

export interface Finding {
  readonly outcome: "completed" | "failed" | "retry";
  readonly reason: string;
}

export async function resolveDoubt(
  deps: ContinuationDeps,
  caller: Caller,
  id: string,
  by: Finding,
): Promise<ActionView> {
  requirePermission(caller, "runs:operate");
  const action = await deps.db.read(caller.tenantId, (db) => store.findAction(db, caller.tenantId, id));
  if (!action) throw new OarsError("ACTION_NOT_FOUND");
  if (action.state !== "in_doubt")
    throw new OarsError("ACTION_STATE", { state: action.state, needed: "in_doubt" });
  if (by.outcome === "retry") {
    const started = await restart(deps, action);
    if (started.kind === "refused")
      throw new OarsError("ACTION_STATE", { state: "denied by policy", needed: "allowed" });
    if (started.kind === "lost")
      throw new OarsError("ACTION_STATE", { state: "no longer in_doubt", needed: "in_doubt" });
    runDetached(deps, started.action);
    return mustLoad(deps, caller, id);
  }
  await settleDoubt(deps, caller, action, by.outcome, by.reason);
  return mustLoad(deps, caller, id);
}

async function settleDoubt(
  deps: ContinuationDeps,
  caller: Caller,
  action: store.StoredAction,
  outcome: "completed" | "failed",
  reason: string,
): Promise<void> {
  const error = {
    code: "ACTION_SETTLED_FAILED",
    message: `Settled by a person as failed: ${reason}`,
    retry: "terminal" as const,
  };
  const told: OperationOutcome =
    outcome === "completed"
      ? { status: "completed", output: { settledBy: "person", reason } }
      : { status: "failed", error, retryable: false };
  const set = new WriteSet();
  const receiptId = await addOutcome(deps.receipts, set, recordedAction(action, caller), told, null);
  set.add(store.endAction, {
    tenant_id: action.tenantId,
    id: action.id,
    from_state: "in_doubt",
    executor: action.executor,
    state: outcome,
    output:
      told.status === "completed"
        ? await sealFor(
            deps.vault,
            await deps.whoIs(action.tenantId, action.principalId),
            `action.output:${action.id}`,
            Buffer.from(JSON.stringify(told.output)),
          )
        : null,
    error: told.status === "completed" ? null : JSON.stringify(error),
    http: null,
    receipt_id: receiptId,
    at: deps.clock.now().getTime(),
  });
  announce(deps, set, { tenantId: action.tenantId, actionId: action.id, runId: action.runId });
  set.onCommit(() => deps.onOutcome(action.id));
  if (!(await deps.db.committer.commit(set)).ok) {
    throw new OarsError("ACTION_STATE", { state: "no longer in_doubt", needed: "in_doubt" });
  }
}
