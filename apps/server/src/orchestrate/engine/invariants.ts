/**
 * Looks for runs that nothing would ever move again, and moves them. None should be found: what is found is a fault
 * of the server or a change by hand, and is counted and reported.
 *
 * Z1 a run that is `running` has a worker that lives.
 * Z2 a run that waits has something open that will wake it, unless it is paused or blocked.
 * Z3 a blocked run has as many holders of its key before it as the key allows.
 * Z4 a run that has ended waits for nothing and asks nobody; a wait has its run.
 *
 * What comes right by itself within a moment is not taken for a violation: it must be there in two looks.
 */
import { applyWrites, type Database, type Tx, WriteSet } from "#platform/db";
import type { Outbox } from "#platform/jobs";
import { newId } from "#platform/kernel";
import {
  cancelOrphans,
  findLostWaits,
  findViolations,
  insertLostWait,
  lockStranded,
  requeueStranded,
  takeFromDead,
  type Violation,
} from "./invariant-store.ts";

export interface InvariantSweepDeps {
  readonly db: Database;
  readonly outbox: Pick<Outbox, "emit">;
  /** Each violation, once for each sweep that finds it; `first` is false when this process has reported it before. */
  readonly onViolation: (violation: Violation, first: boolean) => void;
  /** Runs were queued. */
  readonly onWoken: () => void;
  readonly onError: (error: unknown, what: string) => void;
  /** Between the two looks. */
  readonly pauseMs?: number;
}

const limit = 200;
const remembered = 10_000;

/** Each call is one sweep over all tenants and returns how many violations it repaired. */
export function createInvariantSweep(deps: InvariantSweepDeps): () => Promise<number> {
  const reported = new Set<string>();
  return async () => {
    const seen = await findViolations(deps.db, limit);
    if (seen.length === 0) return 0;
    await new Promise((done) => setTimeout(done, deps.pauseMs ?? 5_000));
    const before = new Set(seen.map(keyOf));
    const violations = (await findViolations(deps.db, limit)).filter((v) => before.has(keyOf(v)));
    let repaired = 0;
    for (const violation of violations) {
      const key = keyOf(violation);
      deps.onViolation(violation, !reported.has(key));
      if (reported.size < remembered) reported.add(key);
      try {
        await deps.db.system.tx((tx) => repair(deps, tx, violation));
        repaired++;
      } catch (error) {
        deps.onError(error, `repair of run ${violation.runId}`); // the others are repaired all the same
      }
    }
    if (repaired > 0) deps.onWoken();
    return repaired;
  };
}

const keyOf = (v: Violation): string => `${v.invariant} ${v.tenantId} ${v.runId} ${v.detail}`;

/** Looks again under locks before it changes anything. What an event handler does already is asked of it again. */
async function repair(deps: InvariantSweepDeps, tx: Tx, v: Violation): Promise<void> {
  const { tenantId, runId, detail } = v;
  switch (v.invariant) {
    case "running_without_worker":
      if (detail !== null) await takeFromDead(tx, detail);
      return;
    case "waiting_without_wait": {
      if (!(await lockStranded(tx, tenantId, runId))) return;
      for (const lost of await findLostWaits(tx, tenantId, runId))
        await insertLostWait(tx, { tenantId, runId, id: newId() }, lost);
      await requeueStranded(tx, tenantId, runId);
      return;
    }
    case "blocked_without_holder":
      return tell(deps, tx, tenantId, "run.ended", { runId, parentRunId: null, concurrencyKey: detail });
    case "ended_with_waits":
      return tell(deps, tx, tenantId, "run.left-waits", { runId, principalId: detail });
    case "wait_without_run":
      await cancelOrphans(tx, tenantId, runId);
  }
}

async function tell(
  deps: InvariantSweepDeps,
  tx: Tx,
  tenantId: string,
  topic: string,
  payload: Record<string, unknown>,
): Promise<void> {
  const set = new WriteSet();
  deps.outbox.emit(set, { tenantId, topic, payload });
  await applyWrites(tx, set);
}
