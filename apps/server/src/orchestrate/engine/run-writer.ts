/**
 * What a run's owner writes. Entries gather here until a barrier makes them durable; one commit is under way
 * at a time, and whoever comes meanwhile shares the next one. Owns the numbering of the journal.
 */
import { type Committer, WriteSet } from "#platform/db";
import { newId } from "#platform/kernel";
import type { JournalEvent, StepError, StepState, WaitKind } from "./domain.ts";
import type { ClaimedRun } from "./store.ts";
import { insertJournal, insertWait } from "./writes.ts";

export interface Entry {
  readonly step: string;
  readonly attempt: number;
  readonly event: JournalEvent;
  readonly output?: unknown;
  readonly error?: StepError | null;
  readonly ms: number;
}

export interface RunWriterDeps {
  readonly committer: Committer;
  /** New entries are durable. */
  readonly onJournal: (runId: string) => void;
  /** A guard did not hold: the run is not ours any more. */
  readonly onLost: () => void;
}

export class RunWriter {
  readonly #deps: RunWriterDeps;
  readonly #run: ClaimedRun;
  #seq: number;
  #pending = new WriteSet();
  #committing: Promise<boolean> | undefined;
  #lost = false;

  constructor(deps: RunWriterDeps, run: ClaimedRun, seq: number) {
    this.#deps = deps;
    this.#run = run;
    this.#seq = seq;
  }

  /** Number of the newest entry. */
  get seq(): number {
    return this.#seq;
  }

  get lost(): boolean {
    return this.#lost;
  }

  /** From now on nothing is written. */
  lose(): void {
    this.#lost = true;
  }

  journal(entry: Entry, into: WriteSet = this.#pending): void {
    const { output, error } = entry;
    into.add(insertJournal, {
      tenant_id: this.#run.tenantId,
      run_id: this.#run.id,
      epoch: this.#run.epoch,
      step: entry.step,
      iteration: 0,
      attempt: entry.attempt,
      event: entry.event,
      seq: ++this.#seq,
      output: output === null || output === undefined ? null : JSON.stringify(output),
      error: error ? JSON.stringify(error) : null,
      at: Date.now() / 1000,
      ms: entry.ms,
    });
  }

  /** Once for each attempt: an attempt that waits again has its entry already. */
  journalWaiting(step: string, state: StepState, into: WriteSet = this.#pending): void {
    if (state.waited === state.attempt) return;
    state.waited = state.attempt;
    this.journal({ step, attempt: state.attempt, event: "waiting", ms: 0 }, into);
  }

  addWait(
    step: string,
    attempt: number,
    wait: { readonly kind: WaitKind; readonly key: string | null; readonly dueInMs: number | null },
    into: WriteSet = this.#pending,
  ): void {
    into.add(insertWait, {
      tenant_id: this.#run.tenantId,
      id: newId(),
      run_id: this.#run.id,
      step,
      iteration: 0,
      attempt,
      kind: wait.kind,
      key: wait.key,
      due_in_ms: wait.dueInMs,
    });
  }

  /** Adds writes of others to what the next commit carries. */
  merge(set: WriteSet): void {
    this.#pending.merge(set);
  }

  onCommit(fn: () => void): void {
    this.#pending.onCommit(fn);
  }

  /** Takes what is not yet written, for a commit that the caller makes. Earlier commits are durable by then. */
  async take(): Promise<WriteSet> {
    while (this.#committing !== undefined) await this.#committing;
    const taken = this.#pending;
    this.#pending = new WriteSet();
    return taken;
  }

  /** Puts back what a refused commit did not write, before whatever came since. */
  putBack(taken: WriteSet): void {
    this.#pending = taken.merge(this.#pending);
  }

  /** Makes everything so far durable. False: the run is lost. */
  async flush(): Promise<boolean> {
    while (this.#committing !== undefined) await this.#committing;
    if (this.#lost) return false;
    const set = this.#pending;
    this.#pending = new WriteSet();
    this.#committing = this.commit(set);
    try {
      const ok = await this.#committing;
      if (!ok) {
        this.#lost = true;
        this.#deps.onLost();
      }
      return ok;
    } finally {
      this.#committing = undefined;
    }
  }

  /** Commits a set that was taken. False: a guard did not hold, and nothing of it is written. */
  async commit(set: WriteSet): Promise<boolean> {
    const { ok } = await this.#deps.committer.commit(set);
    if (ok) this.#deps.onJournal(this.#run.id);
    return ok;
  }
}
