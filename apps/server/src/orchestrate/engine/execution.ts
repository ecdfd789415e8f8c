/**
 * One run in the hands of its owner. Owns: which step runs now, and when the run parks or ends. Does not own:
 * leases, slots and timers (engine.ts), what a step does (step-run.ts), what is written and when (run-writer.ts).
 *
 * R5 pure steps do not wait for their own commit: their entries ride with the next barrier, which is a
 *    durable step, an effect, a wait or the end. Nothing leaves before what led to it is durable.
 * R6 a guard that does not hold ends the execution: another owner or an operator has the run. What an effect
 *    came to is recorded all the same.
 */
import type { CompiledFlow, CompiledStep } from "#orchestrate/flows";
import { WriteSet } from "#platform/db";
import type { OutboxEvent } from "#platform/jobs";
import { readSignals, type SignalEntry } from "./control-store.ts";
import type { ExecutionDeps } from "./deps.ts";
import type { StepState, WaitKind } from "./domain.ts";
import { joinItems } from "./for-each.ts";
import { OwedOutcomes } from "./owed.ts";
import { type Kept, keepLarge, load, type RunKey } from "./payloads.ts";
import { RunState, type Unit } from "./run-state.ts";
import { type Birth, RunWriter } from "./run-writer.ts";
import { type Attempt, failStep, skipStep } from "./step-end.ts";
import { isToldError, toJsonText, toStepError } from "./step-error.ts";
import { runStep } from "./step-run.ts";
import { type ClaimedRun, type JournalEntry, readLease, readWaits, type WaitEntry } from "./store.ts";
import { parkRun } from "./writes.ts";

/** `released`: handed back in the middle, for this process stops. */
export type ExecutionEnd = "completed" | "failed" | "aborted" | "parked" | "released" | "lost";

/** What is known of a run when its owner takes it. */
export interface Known {
  readonly journal: readonly JournalEntry[];
  readonly waits: readonly WaitEntry[];
  readonly signals: readonly SignalEntry[];
  /** The run's own row, when it is not durable yet: it rides with the first commit. */
  readonly birth?: Birth;
}

/** The run has ended while something of it may still wait. */
export const leftWaits = ({ tenantId, id, principalId }: ClaimedRun): OutboxEvent => ({
  tenantId,
  topic: "run.left-waits",
  payload: { runId: id, principalId },
});

/** The end of a run that others wait for: its parent, or those behind it under one key. */
export const runEnded = ({ tenantId, id, parentRunId, concurrencyKey }: ClaimedRun): OutboxEvent => ({
  tenantId,
  topic: "run.ended",
  payload: { runId: id, parentRunId, concurrencyKey },
});

export class RunExecution {
  readonly run: ClaimedRun;
  readonly deps: ExecutionDeps;
  readonly state: RunState;
  readonly writer: RunWriter;
  readonly abort = new AbortController();
  /** Outcomes of effects that are not durable yet. */
  readonly owed = new OwedOutcomes();
  /** JSON text of what the run gave, once it has completed. */
  output: string | null = null;
  /** Its end is being written, and with it all that is not durable yet. */
  ending = false;
  #wakeSeq: number;
  #active = 0;
  /** Of these, steps: items have a limit of their own. */
  #activeSteps = 0;
  #dirty = false;
  #news = false;
  #draining = false;
  #expired = false;
  #broken: { readonly error: unknown } | undefined;
  #wake: (() => void) | undefined;

  constructor(deps: ExecutionDeps, run: ClaimedRun, flow: CompiledFlow, known: Known) {
    this.deps = deps;
    this.run = run;
    this.#wakeSeq = run.wakeSeq;
    this.state = new RunState(run, flow, known.journal, known.waits);
    this.state.noteSignals(known.signals);
    const seq = Math.max(run.lastSeq, known.journal.at(-1)?.seq ?? 0);
    const { committer, onJournal } = deps;
    const onLost = (): void => this.surrender();
    const onBroken = (error: unknown): void => this.#break(error);
    this.writer = new RunWriter({ committer, onJournal, onLost, onBroken }, run, seq, known.birth);
  }

  /**
   * Runs until the run ends, waits for something outside, or is lost to another owner. Throws when it cannot go
   * on: the run is still this worker's then. In any case nothing of it is under way any more.
   */
  async drive(): Promise<ExecutionEnd> {
    try {
      return await this.#drive();
    } finally {
      if (this.#active > 0 || !this.owed.empty) await this.#wrapUp();
    }
  }

  async #drive(): Promise<ExecutionEnd> {
    for (;;) {
      this.#dirty = false;
      if (this.#broken) throw this.#broken.error;
      if (this.writer.lost) return "lost";
      if (this.run.deadlineAt && Date.now() > this.run.deadlineAt.getTime()) this.expire();
      if (this.#news) await this.#readNews();
      this.#launchReady();
      if (this.#active === 0 && !this.#news) {
        const { failure, left, waiting, unsettled, resumable } = this.state;
        if (failure || (!waiting && (left || !unsettled))) return this.#finish();
        if (this.#draining && (unsettled || resumable))
          return (await this.writer.flush()) ? "released" : "lost";
        if (!waiting) throw new Error(`run ${this.run.id} has steps that can neither run nor end`);
        if (await this.#park()) return "parked";
      } else if (!this.#dirty && !this.#news) await this.#signalled();
    }
  }

  /** Lets come back what is under way, and records what effects came to though the run is not ours any more. */
  async #wrapUp(): Promise<void> {
    this.surrender();
    while (this.#active > 0) await this.#signalled();
    if (this.owed.empty) return;
    await this.owed
      .pay(this.deps, this.run)
      .catch((error) => this.deps.onError(error, `effects of run ${this.run.id}`)); // the sweep finds them
  }

  /** Something that the run waits for may have come. */
  nudge(): void {
    if (this.#active === 0 || !this.state.waiting) return; // it looks by itself before it parks
    this.lookAgain();
  }

  /** Has the waits and signals read once more before the run goes on. */
  lookAgain(): void {
    this.#news = true;
    this.#signal();
  }

  /** Outputs that are about to be read are in memory after this. */
  async bring(names: readonly string[]): Promise<void> {
    const missing = this.state.missing(names);
    if (missing.length > 0)
      await this.state.bring(missing, (value) => load(this.deps.blobs, this.key, value));
  }

  /** Undefined for what stands in its column itself. */
  keep(text: string | null): Promise<Kept> | undefined {
    return keepLarge(this.deps.blobs, this.key, text);
  }

  get key(): RunKey {
    return { tenantId: this.run.tenantId, runId: this.run.id };
  }

  /** Begins no further step; the run is handed back, for this process stops. */
  drain(): void {
    this.#draining = true;
    this.#signal();
  }

  /** Someone else has the run, or this process stops: nothing more is written. */
  surrender(): void {
    this.writer.lose();
    this.abort.abort();
    this.#signal();
  }

  /** The run's time is up: it fails once what is under way has come back. */
  expire(): void {
    if (this.#expired) return; // each signal is a turn of `drive`, which looks at the time in each turn
    this.#expired = true;
    const message = `The run took longer than its limit of ${this.state.flow.timeoutMs} ms.`;
    this.state.failure ??= { code: "RUN_TIMEOUT", message };
    this.abort.abort();
    this.#signal();
  }

  #break(error: unknown): void {
    this.#broken ??= { error };
    this.surrender();
  }

  /** Waits that are not written yet are written first, so that the newest of a step is the one that counts. */
  async #readNews(): Promise<void> {
    this.#news = false;
    if (!(await this.writer.flush())) return;
    const { tenantId, id } = this.run;
    const { awaitsSignals } = this.state;
    const [waits, signals] = await this.deps.db.read(tenantId, (db) =>
      Promise.all([readWaits(db, tenantId, id), awaitsSignals ? readSignals(db, tenantId, id) : []]),
    );
    this.state.noteWaits(waits);
    this.state.noteSignals(signals);
  }

  #launchReady(): void {
    if (this.writer.lost || this.#draining) return;
    const { flow } = this.state;
    for (let moved = true; moved && !this.state.failure; ) {
      moved = false;
      for (const step of flow.steps) {
        if (this.state.failure) return; // a pure step ends while it is launched
        const state = this.state.of(step);
        if (step.forEach && state.status === "running") this.#launchItems(step);
        const free = this.#activeSteps < flow.parallel;
        if (state.status === "waiting" && state.wait?.resolved && free)
          this.#launch({ step, iteration: 0, state });
        if (state.status !== "pending") continue;
        const ready = this.state.readiness(step);
        if (ready === "skip") {
          skipStep({ execution: this, step, iteration: 0, state, started: 0 });
          moved = true;
        } else if (ready === "run" && free) this.#launch({ step, iteration: 0, state });
      }
    }
  }

  /** [R7] Items do not count against the flow's `parallel`: the step has a limit of its own. */
  #launchItems(step: CompiledStep): void {
    const items = this.state.items(step);
    if (!step.forEach || !items.expanded || items.joining) return;
    const { concurrency, onItemError } = step.forEach;
    for (const iteration of items.resumable()) this.#launch(this.state.unit(step, iteration));
    while (!this.state.failure) {
      const iteration = items.next(concurrency, onItemError);
      if (iteration === 0) break;
      this.#launch(this.state.unit(step, iteration));
    }
    if (!items.isOver(onItemError)) return;
    items.joining = true;
    this.#begin({ ...this.state.unit(step, 0), execution: this, started: performance.now() }, joinItems);
  }

  #launch(unit: Unit): void {
    const { state } = unit;
    const resumed = state.wait;
    if (resumed?.kind === "retry") state.attempt++;
    state.status = "running";
    state.wait = null;
    this.#begin({ ...unit, execution: this, started: performance.now() }, (a) => runStep(a, resumed));
  }

  #begin(attempt: Attempt, work: (attempt: Attempt) => Promise<void>): void {
    const step = attempt.iteration === 0 ? 1 : 0;
    this.#active++;
    this.#activeSteps += step;
    work(attempt)
      .catch((error) => {
        if (!isToldError(error)) this.deps.onError(error, `step ${attempt.step.name} of run ${this.run.id}`);
        return failStep(attempt, { error: toStepError(error) });
      })
      .catch((error) => this.#break(error))
      .finally(() => {
        this.#active--;
        this.#activeSteps -= step;
        this.#signal();
      });
  }

  /** Leaves the unit waiting for a time; the run parks once nothing else is under way. */
  wait(unit: Unit, kind: "timer" | "retry", dueInMs: number): void {
    const wait = { kind, key: null, dueInMs };
    this.writer.addWait(unit, wait);
    this.writer.onCommit(() => this.deps.onTimer(dueInMs));
    unit.state.wait = { kind, key: null, resolved: false };
    unit.state.status = "waiting";
  }

  /** Leaves the unit waiting for something with a key; the wait is written already. */
  held(state: StepState, kind: WaitKind, key: string, resolved = false): void {
    state.wait = { kind, key, resolved };
    state.status = "waiting";
    if (resolved) this.state.looseWaits = true;
  }

  async #finish(): Promise<ExecutionEnd> {
    this.ending = true;
    this.state.failure ??= this.state.left;
    if (!this.state.failure) this.output = await this.#output();
    const kept = await this.keep(this.output);
    const { failure, aborted } = this.state;
    const status = aborted ? "aborted" : failure ? "failed" : "completed";
    const signed = new WriteSet();
    if (this.run.signed)
      await this.deps.receipts.ended(signed, this.run, { status, output: this.output, error: failure });
    const set = this.writer.finish({
      tenant_id: this.run.tenantId,
      id: this.run.id,
      epoch: this.run.epoch,
      status,
      output: kept?.text ?? this.output,
      error: failure ? JSON.stringify(failure) : null,
      last_seq: this.writer.seq,
    });
    set.merge(signed);
    if (kept) set.merge(kept.along);
    const { parentRunId, concurrencyKey } = this.run;
    if (this.state.waiting || this.state.looseWaits) this.deps.outbox.emit(set, leftWaits(this.run));
    if (parentRunId || concurrencyKey) this.deps.outbox.emit(set, runEnded(this.run));
    this.deps.fault("engine.before-finish");
    const { ok } = await this.writer.commitWith(set);
    if (this.#broken) throw this.#broken.error;
    this.deps.fault("engine.after-finish");
    return ok ? status : "lost";
  }

  /** JSON text of the run's output. A flow whose output cannot be made or kept has failed. */
  async #output(): Promise<string | null> {
    try {
      await this.bring(this.state.flow.output?.refs ?? this.state.flow.steps.map((s) => s.name));
      const json = toJsonText(await this.state.output());
      if (!("fault" in json)) return json.text;
      this.state.failure = json.fault;
    } catch (error) {
      if (!isToldError(error)) this.deps.onError(error, `output of run ${this.run.id}`);
      this.state.failure = toStepError(error);
    }
    return null;
  }

  /** [R4] True once the run waits without a lease. False: something woke it meanwhile, and the waits were read again. */
  async #park(): Promise<boolean> {
    const { tenantId, id, epoch } = this.run;
    const set = new WriteSet().add(parkRun, {
      tenant_id: tenantId,
      id,
      epoch,
      wake_seq: this.#wakeSeq,
      last_seq: this.writer.seq,
    });
    this.deps.fault("engine.before-park");
    if ((await this.writer.commitWith(set)).ok) {
      this.deps.fault("engine.after-park");
      return true;
    }
    if (this.writer.lost) return false;
    const lease = await this.deps.db.read(tenantId, (db) => readLease(db, tenantId, id));
    if (lease?.status !== "running" || lease.epoch !== epoch) {
      this.surrender();
      return false;
    }
    this.#wakeSeq = lease.wakeSeq;
    await this.#readNews();
    return false;
  }

  #signalled(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  #signal(): void {
    this.#dirty = true;
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }
}
