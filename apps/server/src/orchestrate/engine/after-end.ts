/** What follows from the end of a run: its waits close, its sub-runs end, its parent goes on. */
import type { Actions } from "#act/actions";
import type { Caller } from "#platform/access";
import type { Database } from "#platform/db";
import { applyWrites, WriteSet } from "#platform/db";
import type { Outbox } from "#platform/jobs";
import type { Fault } from "#platform/kernel";
import type { Receipts } from "#sign/receipts";
import { cancelGates, findLiveChildren } from "./control-store.ts";
import { lockEnded } from "./operator-store.ts";
import { addRunEnd } from "./run-receipts.ts";
import { abortRun, cancelWaits, findRunKin, resolveWaits } from "./store.ts";

export interface AfterEndDeps {
  readonly db: Database;
  readonly outbox: Pick<Outbox, "emit" | "on">;
  readonly receipts: Pick<Receipts, "add">;
  readonly actions: Pick<Actions, "cancelOf">;
  readonly whoIs: (tenantId: string, principalId: string) => Promise<Caller>;
  /** These runs may go on: nudge those in hand, claim the others. */
  readonly onWoken: (runIds: readonly string[]) => void;
  readonly fault: Fault;
  /** An operator, or the end of its parent, took the run away. */
  readonly onAborted: (runId: string) => void;
}

/** Handlers are repeatable: an event may come twice, and the second time finds nothing to do. */
export function handleEnds(deps: AfterEndDeps): void {
  const resolve = async (tenantId: string, kind: "action" | "child", key: string): Promise<void> => {
    deps.fault("engine.before-wake");
    const woken = await deps.db.tx(tenantId, (tx) => resolveWaits(tx, tenantId, kind, key));
    if (woken.length > 0) deps.fault("engine.after-wake");
    if (woken.length > 0) deps.onWoken(woken.map(({ runId }) => runId));
  };
  deps.outbox.on("action.ended", ({ tenantId, payload }) =>
    resolve(tenantId, "action", String(payload.actionId)),
  );
  deps.outbox.on("run.ended", async ({ tenantId, payload }) => {
    if (payload.parentRunId) await resolve(tenantId, "child", String(payload.runId));
  });
  deps.outbox.on("run.left-waits", async ({ tenantId, payload }) => {
    const runId = String(payload.runId);
    const principalId = String(payload.principalId);
    const requester = await deps.whoIs(tenantId, principalId);
    const children = await deps.db.tx(tenantId, async (tx) => {
      if (!(await lockEnded(tx, tenantId, runId))) return []; // an operator let it go on meanwhile
      await cancelWaits(tx, tenantId, runId);
      await cancelGates(tx, tenantId, runId);
      await deps.actions.cancelOf(tx, tenantId, runId, requester);
      return findLiveChildren(tx, tenantId, runId);
    });
    deps.fault("engine.after-cancel");
    const because = { principalId, reason: "Its parent run has ended.", unlessLive: runId };
    for (const { id } of children) await abandon(deps, tenantId, id, because);
  });
  deps.outbox.on("run.abandoned", ({ tenantId, payload }) =>
    abandon(deps, tenantId, String(payload.runId), {
      principalId: String(payload.principalId),
      reason: String(payload.reason),
    }),
  );
}

/** The sub-run ends, and with it by the same way everything below it. */
async function abandon(
  deps: AfterEndDeps,
  tenantId: string,
  runId: string,
  because: {
    readonly principalId: string;
    readonly reason: string;
    /** A run that must have ended: it may have been reopened. */
    readonly unlessLive?: string;
  },
): Promise<void> {
  const { principalId, reason, unlessLive } = because;
  const starter = await deps.whoIs(tenantId, principalId); // a sub-run is its parent's principal's
  await deps.db.tx(tenantId, async (tx) => {
    if (unlessLive !== undefined && !(await lockEnded(tx, tenantId, unlessLive))) return;
    const error = { code: "RUN_ABANDONED", message: reason };
    const run = await abortRun(tx, tenantId, runId, error);
    if (!run) return; // it has ended
    const set = await endOf(deps, tx, tenantId, runId, principalId);
    if (run.signed) await addRunEnd(deps.receipts, set, run, { status: "aborted", error }, starter, tx);
    await applyWrites(tx, set);
    tx.onCommit(() => deps.fault("engine.after-abandon"));
    tx.onCommit(() => deps.onAborted(runId));
  });
}

/** Events that tell of the end of a run which its owner did not write. */
export async function endOf(
  deps: { readonly outbox: Pick<Outbox, "emit"> },
  tx: Parameters<typeof findRunKin>[0],
  tenantId: string,
  runId: string,
  principalId: string,
): Promise<WriteSet> {
  const set = new WriteSet();
  deps.outbox.emit(set, { tenantId, topic: "run.left-waits", payload: { runId, principalId } });
  const kin = await findRunKin(tx, tenantId, runId);
  if (kin?.parentRunId || kin?.concurrencyKey)
    deps.outbox.emit(set, { tenantId, topic: "run.ended", payload: { runId, ...kin } });
  return set;
}
