/**
 * One run in the hands of its owner. Owns: which step runs now, what its result means. Does not own: leases,
 * slots and timers (engine.ts), what is written and when (run-writer.ts).
 *
 * R5 pure steps do not wait for their own commit: their entries ride with the next barrier, which is a
 *    durable step, an effect, a wait or the end. Nothing leaves before what led to it is durable.
 * R6 a guard that does not hold ends the execution: another owner or an operator has the run. What an effect
 *    came to is recorded all the same.
 */
import { durationMs } from "@oars/contract";
import type { Actions } from "#act/actions";
import type { CompiledFlow, CompiledStep } from "#orchestrate/flows";
import type { Caller } from "#platform/access";
import { type Committer, type Database, WriteSet } from "#platform/db";
import type { Outbox, OutboxEvent } from "#platform/jobs";
import type { JournalEvent, StepState, WaitKind } from "./domain.ts";
import { runEffect } from "./effect.ts";
import type { StepKinds, WaitConfig } from "./kinds.ts";
import { OwedOutcomes } from "./owed.ts";
import { RunState } from "./run-state.ts";
import { RunWriter } from "./run-writer.ts";
import { type Attempt, completeStep, failStep, skipStep } from "./step-end.ts";
import { isToldError, toInputError, toJsonText, toStepError } from "./step-error.ts";
import { type ClaimedRun, type JournalEntry, readLease, readWaits, type WaitEntry } from "./store.ts";
import { finishRun, parkRun } from "./writes.ts";

export interface ExecutionDeps {
  readonly db: Database;
  readonly committer: Committer;
  readonly kinds: StepKinds;
  readonly actions: Pick<Actions, "propose" | "perform" | "settle" | "record" | "handOn" | "retry" | "load">;
  readonly outbox: Pick<Outbox, "emit">;
  readonly callerFor: (tenantId: string, principalId: string) => Promise<Caller>;
  readonly fault: (point: string) => void;
  readonly onStep: (kind: string, status: JournalEvent, ms: number) => void;
  /** A timer of this run is due in so many milliseconds. */
  readonly onTimer: (ms: number) => void;
  /** New journal entries are durable. */
  readonly onJournal: (runId: string) => void;
  readonly onError: (error: unknown, what: string) => void;
}

/** `released`: handed back in the middle, for this process stops. */
export type ExecutionEnd = "completed" | "failed" | "parked" | "released" | "lost";

/** The run has ended while something of it may still wait. */
export const leftWaits = ({ tenantId, id, principalId }: ClaimedRun): OutboxEvent => ({
  tenantId,
  topic: "run.left-waits",
  payload: { runId: id, principalId },
});

export class RunExecution {
  readonly run: ClaimedRun;
  readonly deps: ExecutionDeps;
  readonly state: RunState;
  readonly writer: RunWriter;
  readonly abort = new AbortController();
  /** Outcomes of effects that are not durable yet. */
  readonly owed = new OwedOutcomes();
  #wakeSeq: number;
  #active = 0;
  #dirty = false;
  #news = false;
  #draining = false;
  #expired = false;
  #broken: { readonly error: unknown } | undefined;
  #wake: (() => void) | undefined;

  constructor(
    deps: ExecutionDeps,
    run: ClaimedRun,
    flow: CompiledFlow,
    journal: readonly JournalEntry[],
    waits: readonly WaitEntry[],
  ) {
    this.deps = deps;
    this.run = run;
    this.#wakeSeq = run.wakeSeq;
    this.state = new RunState(run, flow, journal, waits);
    const seq = Math.max(run.lastSeq, journal.at(-1)?.seq ?? 0);
    const { committer, onJournal } = deps;
    const onLost = (): void => this.surrender();
    const onBroken = (error: unknown): void => this.#break(error);
    this.writer = new RunWriter({ committer, onJournal, onLost, onBroken }, run, seq);
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
      if (this.#active === 0) {
        const { failure, waiting, unsettled, resumable } = this.state;
        if (failure || (!waiting && !unsettled)) return this.#finish();
        if (this.#draining && (unsettled || resumable))
          return (await this.writer.flush()) ? "released" : "lost";
        if (!waiting) throw new Error(`run ${this.run.id} has steps that can neither run nor end`);
        if (await this.#park()) return "parked";
      } else if (!this.#dirty) await this.#signalled();
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
    this.#news = true;
    this.#signal();
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
    this.state.noteWaits(await this.deps.db.read(tenantId, (db) => readWaits(db, tenantId, id)));
  }

  #launchReady(): void {
    if (this.writer.lost || this.#draining) return;
    const { flow } = this.state;
    for (let moved = true; moved && !this.state.failure; ) {
      moved = false;
      for (const step of flow.steps) {
        if (this.state.failure) return; // a pure step ends while it is launched
        const state = this.state.of(step);
        const free = this.#active < flow.parallel;
        if (state.status === "waiting" && state.wait?.resolved && free) this.#launch(step, state);
        if (state.status !== "pending") continue;
        const ready = this.state.readiness(step);
        if (ready === "skip") {
          skipStep({ execution: this, step, state, started: 0 });
          moved = true;
        } else if (ready === "run" && free) this.#launch(step, state);
      }
    }
  }

  #launch(step: CompiledStep, state: StepState): void {
    const resumed = state.wait;
    if (resumed?.kind === "retry") state.attempt++;
    state.status = "running";
    state.wait = null;
    this.#active++;
    const attempt: Attempt = { execution: this, step, state, started: performance.now() };
    this.#execute(attempt, resumed)
      .catch((error) => {
        if (!isToldError(error)) this.deps.onError(error, `step ${step.name} of run ${this.run.id}`);
        return failStep(attempt, { error: toStepError(error) });
      })
      .catch((error) => this.#break(error))
      .finally(() => {
        this.#active--;
        this.#signal();
      });
  }

  async #execute(attempt: Attempt, resumed: StepState["wait"]): Promise<void> {
    const { step, state } = attempt;
    if (resumed?.kind === "timer") return completeStep(attempt, null);
    if (step.when && !resumed && !(await step.when.render(this.state.scope))) return skipStep(attempt);
    const kind = this.deps.kinds.find(`${step.kind}@${step.kindVersion}`);
    if (!kind) throw new Error(`step kind ${step.kind}@${step.kindVersion} is not in this program`);
    const rendered = step.input.render(this.state.scope);
    const input = kind.config.safeParse(rendered instanceof Promise ? await rendered : rendered);
    if (!input.success) return failStep(attempt, { error: toInputError(input.error.issues) });
    if (kind.mode === "effect") return runEffect(attempt, kind.operation, input.data, resumed);
    if (kind.mode === "wait") {
      const { for: time = "0ms" } = input.data as WaitConfig; // parsed by the kind
      this.writer.journalWaiting(step.name, state);
      return this.wait(step, state, "timer", durationMs(time) ?? 0);
    }
    if (kind.mode === "child") throw new Error("sub-runs are not there yet");
    const result = kind.run(input.data);
    const done = result instanceof Promise ? await result : result;
    await (done.ok ? completeStep(attempt, done.output) : failStep(attempt, { error: done.error }));
  }

  /** Leaves the step waiting for a time; the run parks once nothing else is under way. */
  wait(step: CompiledStep, state: StepState, kind: WaitKind, dueInMs: number): void {
    this.writer.addWait(step.name, state.attempt, { kind, key: null, dueInMs });
    this.writer.onCommit(() => this.deps.onTimer(dueInMs));
    state.wait = { kind, key: null, resolved: false };
    state.status = "waiting";
  }

  /** Leaves the step waiting for an action; the wait is written already. */
  held(state: StepState, actionId: string, resolved = false): void {
    state.wait = { kind: "action", key: actionId, resolved };
    state.status = "waiting";
    if (resolved) this.state.looseWaits = true;
  }

  async #finish(): Promise<ExecutionEnd> {
    const output = this.state.failure ? null : await this.#output();
    const { failure } = this.state;
    const set = new WriteSet().add(finishRun, {
      tenant_id: this.run.tenantId,
      id: this.run.id,
      epoch: this.run.epoch,
      status: failure ? "failed" : "completed",
      output,
      error: failure ? JSON.stringify(failure) : null,
      last_seq: this.writer.seq,
    });
    if (this.state.waiting || this.state.looseWaits) this.deps.outbox.emit(set, leftWaits(this.run));
    this.deps.fault("engine.before-finish");
    const { ok } = await this.writer.commitWith(set);
    if (this.#broken) throw this.#broken.error;
    if (!ok) return "lost";
    return failure ? "failed" : "completed";
  }

  /** JSON text of the run's output. A flow whose output cannot be made or kept has failed. */
  async #output(): Promise<string | null> {
    try {
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
    if ((await this.writer.commitWith(set)).ok) return true;
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
