/**
 * What a run's owner writes. Entries gather here until a barrier makes them durable; one commit is under way
 * at a time, and whoever comes meanwhile shares the next one. Owns the numbering of the journal: entries become
 * visible in the order of their numbers, so a reader that has seen one has seen all before it.
 */
import { type CommitResult, type Committer, type Write, WriteSet } from "#platform/db";
import { newId, OarsError } from "#platform/kernel";
import type { JournalEvent, Operator, StepError, WaitKind } from "./domain.ts";
import type { Unit } from "./run-state.ts";
import type { ClaimedRun } from "./store.ts";
import {
  type FinishRow,
  finishRun,
  holdRun,
  insertEnded,
  insertJournal,
  insertRun,
  insertWait,
  type RunRow,
} from "./writes.ts";

export interface Entry {
  readonly event: JournalEvent;
  /** JSON text. */
  readonly output?: string | null;
  readonly error?: StepError | null;
  readonly operator?: Operator | null;
  readonly ms: number;
}

/** The run's own row: it rides with the run's first commit. */
export interface Birth {
  readonly row: RunRow;
  /** What belongs to the row. */
  readonly along?: WriteSet | undefined;
  /** Called once: it is durable, or its start key is taken. */
  readonly settle: (born: boolean) => void;
  /** Called when nobody can tell whether it is durable, or when it was given up before it was written. */
  readonly fail: (error: unknown) => void;
}

export interface RunWriterDeps {
  readonly committer: Committer;
  /** New entries are durable. */
  readonly onJournal: (runId: string) => void;
  /** A guard did not hold: the run is not ours any more. */
  readonly onLost: () => void;
  /** A commit failed, and nobody knows what of it is durable: only the journal can tell, from the start. */
  readonly onBroken: (error: unknown) => void;
}

const lostHere: CommitResult = { ok: false, fence: "engine.lost" };

export class RunWriter {
  readonly #deps: RunWriterDeps;
  readonly #run: ClaimedRun;
  #seq: number;
  #pending = new WriteSet();
  /** Number of the set that gathers, and of the newest that is durable. */
  #gathering = 1;
  #durable = 0;
  #committing: Promise<CommitResult> | undefined;
  #lost = false;
  readonly #birth: Birth | undefined;
  /** The run's own row, until the first set is taken. */
  #unborn: RunRow | undefined;

  constructor(deps: RunWriterDeps, run: ClaimedRun, seq: number, birth?: Birth) {
    this.#deps = deps;
    this.#run = run;
    this.#seq = seq;
    this.#birth = birth;
    if (!birth) return;
    this.#unborn = birth.row;
    this.#pending.onCommit(() => birth.settle(true));
    if (birth.along) this.#pending.merge(birth.along);
  }

  /** Number of the newest entry. */
  get seq(): number {
    return this.#seq;
  }

  /** False while the run's own row is not durable. */
  get born(): boolean {
    return this.#birth === undefined || this.#durable > 0;
  }

  get lost(): boolean {
    return this.#lost;
  }

  /** From now on nothing is written. */
  lose(): void {
    this.#lost = true;
    if (this.#committing === undefined) this.#birth?.fail(new OarsError("SERVER_STOPPING"));
  }

  journal({ step, iteration, state }: Unit, entry: Entry): void {
    const { output, error, operator } = entry;
    this.#pending.add(insertJournal, {
      tenant_id: this.#run.tenantId,
      run_id: this.#run.id,
      epoch: this.#run.epoch,
      step: step.name,
      iteration,
      attempt: state.attempt,
      event: entry.event,
      seq: ++this.#seq,
      output: output ?? null,
      error: error ? JSON.stringify(error) : null,
      operator: operator ? JSON.stringify(operator) : null,
      at: Date.now() / 1000,
      ms: entry.ms,
    });
  }

  /** Once for each attempt: an attempt that waits again has its entry already. */
  journalWaiting(unit: Unit): void {
    const { state } = unit;
    const { attempt } = state;
    if (state.waited === attempt) return;
    this.#pending.onCommit(() => {
      state.waited = attempt;
    });
    this.journal(unit, { event: "waiting", ms: 0 });
  }

  addWait(
    { step, iteration, state }: Unit,
    wait: { readonly kind: WaitKind; readonly key: string | null; readonly dueInMs: number | null },
  ): void {
    this.#pending.add(insertWait, {
      tenant_id: this.#run.tenantId,
      id: newId(),
      run_id: this.#run.id,
      step: step.name,
      iteration,
      attempt: state.attempt,
      kind: wait.kind,
      key: wait.key,
      due_in_ms: wait.dueInMs,
    });
  }

  add<Row>(write: Write<Row>, row: Row): void {
    this.#pending.add(write, row);
  }

  /** Adds writes of others to what the next commit carries. */
  merge(set: WriteSet): void {
    this.#pending.merge(set);
  }

  onCommit(fn: () => void): void {
    this.#pending.onCommit(fn);
  }

  /**
   * Makes everything so far durable. False: the run is lost. Of many who wait one writes for all of them, and
   * nobody waits for what came after him.
   */
  async flush(): Promise<boolean> {
    const mine = this.#gathering;
    while (this.#committing !== undefined) {
      await this.#committing;
      if (this.#durable >= mine) return true;
    }
    if (this.#lost || (this.#pending.empty && !this.#unborn)) return !this.#lost;
    const { set, number } = this.#take();
    const { ok } = await this.#write(set, number);
    if (!ok) this.#deps.onLost();
    return ok;
  }

  #take(): { readonly set: WriteSet; readonly number: number } {
    if (this.#unborn) this.#pending = new WriteSet().add(insertRun, this.#unborn).merge(this.#pending);
    this.#unborn = undefined;
    const taken = { set: this.#pending, number: this.#gathering++ };
    this.#pending = new WriteSet();
    return taken;
  }

  /** The run's end, for the next commit. A plain start that is not durable yet is written as it has ended. */
  finish(end: FinishRow): WriteSet {
    const row = this.#unborn;
    if (!row || !isPlain(row)) return new WriteSet().add(finishRun, end);
    const { epoch: lease_epoch, ...ended } = end;
    this.#unborn = undefined;
    this.#pending = new WriteSet().add(insertEnded, { ...row, ...ended, lease_epoch }).merge(this.#pending);
    return new WriteSet();
  }

  /**
   * Makes everything so far durable together with `own`. `prepare` adds entries that belong to `own` alone.
   * Refused: nothing of it is written, and what had gathered before waits for the next commit.
   */
  async commitWith(own: WriteSet, prepare?: () => void): Promise<CommitResult> {
    while (this.#committing !== undefined) await this.#committing;
    if (this.#lost) return lostHere;
    const gathered = this.#take().set;
    prepare?.();
    const prepared = this.#take();
    const set = new WriteSet().merge(gathered).merge(prepared.set).merge(own);
    return this.#write(set, prepared.number, gathered);
  }

  /** [R2] An effect's own writes: refused, and with them the effect, once another has the run. */
  commitEffect(own: WriteSet, prepare?: () => void): Promise<CommitResult> {
    const { tenantId, id, epoch } = this.#run;
    return this.commitWith(own.with(holdRun, { tenant_id: tenantId, id, epoch }), prepare);
  }

  /**
   * Called when no commit is under way, which is looked at right before: of several that wait one goes on. What a
   * refusal gives back is `restored` before they do, for they would find nothing left to write.
   */
  async #write(set: WriteSet, number: number, restored?: WriteSet): Promise<CommitResult> {
    const work = this.#deps.committer.commit(set).catch((error): CommitResult => {
      this.#lost = true;
      this.#birth?.fail(error);
      this.#deps.onBroken(error);
      return lostHere;
    });
    this.#committing = work;
    const result = await work;
    this.#committing = undefined;
    if (!result.ok && restored) this.#pending = restored.merge(this.#pending);
    const unborn = !result.ok && (result.fence === insertRun.name || result.fence === insertEnded.name);
    if (unborn && this.#birth) {
      this.#lost = true;
      this.#birth.settle(false);
    }
    if (result.ok) {
      this.#durable = number;
      this.#deps.onJournal(this.#run.id);
    }
    return result;
  }
}

/** Nobody waits for it and it repeats nothing: it is told by what `insertEnded` writes. */
const isPlain = (row: RunRow): boolean => !row.parent_run_id && !row.origin_run_id && !row.concurrency_key;
