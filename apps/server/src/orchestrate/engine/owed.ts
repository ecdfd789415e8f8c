/**
 * What effects of a run came to, until it is durable. Usually it rides with the run's next commit; when the run is
 * lost before that, it is recorded apart from it: what happened has happened, whoever has the run now. [R6]
 */
import type { WriteSet } from "#platform/db";
import type { ExecutionDeps } from "./deps.ts";
import { isEnded } from "./domain.ts";
import { type ClaimedRun, readLease } from "./store.ts";

export interface Owed {
  readonly actionId: string;
  /** This process broke the call off, and sending it again does no harm. */
  readonly brokenOff: boolean;
}

export class OwedOutcomes {
  readonly #sets = new Map<WriteSet, Owed>();

  add(outcome: WriteSet, owed: Owed): void {
    this.#sets.set(outcome, owed);
    outcome.onCommit(() => this.#sets.delete(outcome));
  }

  get empty(): boolean {
    return this.#sets.size === 0;
  }

  /** What was broken off here is left to the run's next owner, unless the run has ended. */
  async pay(deps: Pick<ExecutionDeps, "db" | "actions">, run: ClaimedRun): Promise<void> {
    const { tenantId, id } = run;
    const lease = await deps.db.read(tenantId, (db) => readLease(db, tenantId, id));
    const ended = lease === undefined || isEnded(lease.status);
    for (const [outcome, { actionId, brokenOff }] of this.#sets) {
      if (brokenOff && !ended) await deps.actions.handOn(tenantId, actionId);
      else await deps.actions.record(outcome, { tenantId, actionId, runId: id });
    }
  }
}
