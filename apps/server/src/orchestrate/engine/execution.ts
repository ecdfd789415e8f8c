/**
 * One run in the hands of its owner. Owns: which step runs now, what its result means. Does not own: leases,
 * slots and timers (engine.ts), what is written and when (run-writer.ts).
 *
 * R5 pure steps do not wait for their own commit: their entries ride with the next barrier, which is a
 *    durable step, an effect, a wait or the end. Nothing leaves before what led to it is durable.
 * R6 a guard that does not hold ends the execution: another owner or an operator has the run.
 */
import { durationMs } from "@oars/contract";
import type { Actions } from "#act/actions";
import type { CompiledFlow, CompiledStep, Scope } from "#orchestrate/flows";
import type { Caller } from "#platform/access";
import type { Committer, Database, WriteSet } from "#platform/db";
import type { Outbox } from "#platform/jobs";
import { type JournalEvent, retryDelay, type StepError, type StepState, type WaitKind } from "./domain.ts";
import { runEffect } from "./effect.ts";
import type { StepKinds } from "./kinds.ts";
import { RunState } from "./run-state.ts";
import { RunWriter } from "./run-writer.ts";
import { toInputError, toStepError } from "./step-error.ts";
import { type ClaimedRun, type JournalEntry, readLease, readWaits, type WaitEntry } from "./store.ts";
import { finishRun, parkRun } from "./writes.ts";

export interface ExecutionDeps {
  readonly db: Database;
  readonly committer: Committer;
  readonly kinds: StepKinds;
  readonly actions: Pick<Actions, "propose" | "perform" | "settle" | "retry" | "load">;
  readonly outbox: Pick<Outbox, "emit">;
  readonly callerFor: (tenantId: string, principalId: string) => Promise<Caller>;
  readonly fault: (point: string) => void;
  readonly onStep: (kind: string, status: JournalEvent, ms: number) => void;
  /** A timer of this run is due in so many milliseconds. */
  readonly onTimer: (ms: number) => void;
  /** New journal entries are durable. */
  readonly onJournal: (runId: string) => void;
}

export type ExecutionEnd = "completed" | "failed" | "parked" | "lost";

export class RunExecution {
  readonly run: ClaimedRun;
  readonly deps: ExecutionDeps;
  readonly state: RunState;
  readonly writer: RunWriter;
  readonly abort = new AbortController();
  #wakeSeq: number;
  #active = 0;
  #dirty = false;
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
    this.writer = new RunWriter({ committer, onJournal, onLost: () => this.surrender() }, run, seq);
  }

  /** Runs until the run ends, waits for something outside, or is lost to another owner. */
  async drive(): Promise<ExecutionEnd> {
    for (;;) {
      this.#dirty = false;
      if (this.writer.lost) return "lost";
      if (this.run.deadlineAt && Date.now() > this.run.deadlineAt.getTime()) this.expire();
      this.#launchReady();
      if (this.#active === 0) {
        const { failure, waiting, unsettled } = this.state;
        if (failure || (!waiting && !unsettled)) return this.#finish();
        if (!waiting) throw new Error(`run ${this.run.id} has steps that can neither run nor end`);
        if (await this.#park()) return "parked";
      } else if (!this.#dirty) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    }
  }

  /** Someone else has the run, or this process stops: nothing more is written. */
  surrender(): void {
    this.writer.lose();
    this.abort.abort();
    this.#signal();
  }

  /** The run's time is up: it fails once what is under way has come back. */
  expire(): void {
    const message = `The run took longer than its limit of ${this.state.flow.timeoutMs} ms.`;
    this.state.failure ??= { code: "RUN_TIMEOUT", message };
    this.abort.abort();
    this.#signal();
  }

  #launchReady(): void {
    const { flow } = this.state;
    for (let moved = true; moved && !this.state.failure; ) {
      moved = false;
      for (const step of flow.steps) {
        const state = this.state.of(step);
        const free = this.#active < flow.parallel;
        if (state.status === "waiting" && state.wait?.resolved && free) this.#launch(step, state);
        if (state.status !== "pending") continue;
        const ready = this.state.readiness(step);
        if (ready === "skip") {
          this.#end(step, state, "skipped", null, 0);
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
    this.#execute(step, state, resumed)
      .catch((error) => this.fail(step, state, toStepError(error), performance.now()))
      .finally(() => {
        this.#active--;
        this.#signal();
      });
  }

  async #execute(step: CompiledStep, state: StepState, resumed: StepState["wait"]): Promise<void> {
    const started = performance.now();
    if (resumed?.kind === "timer") return this.complete(step, state, null, started);
    if (step.when && !resumed && !(await step.when.render(this.state.scope))) {
      return this.#end(step, state, "skipped", null, 0);
    }
    const kind = this.deps.kinds.find(`${step.kind}@${step.kindVersion}`);
    if (!kind) throw new Error(`step kind ${step.kind}@${step.kindVersion} is not in this program`);
    const rendered = step.input.render(this.state.scope);
    const input = kind.config.safeParse(rendered instanceof Promise ? await rendered : rendered);
    if (!input.success) return this.fail(step, state, toInputError(input.error.issues), started);
    if (kind.mode === "effect") {
      return runEffect(this, step, state, kind.operation, input.data, resumed, started);
    }
    if (kind.mode === "timer") {
      const { for: time } = input.data as { for: string }; // parsed by the kind
      this.writer.journalWaiting(step.name, state);
      return this.wait(step, state, "timer", durationMs(time) ?? 0);
    }
    const result = kind.run(input.data);
    const done = result instanceof Promise ? await result : result;
    if (done.ok) await this.complete(step, state, done.output, started);
    else await this.fail(step, state, done.error, started);
  }

  /** [R3] Journals the completion; a durable step's dependents wait until that is on disk. */
  async complete(
    step: CompiledStep,
    state: StepState,
    output: unknown,
    started: number,
    into?: WriteSet,
  ): Promise<void> {
    const ms = Math.round(performance.now() - started);
    this.writer.journal({ step: step.name, attempt: state.attempt, event: "completed", output, ms });
    if (into) this.writer.merge(into);
    if ((step.durable || into) && !this.state.isLast(step) && !(await this.writer.flush())) return;
    this.state.settle(step, "completed", output, null);
    this.deps.onStep(step.kind, "completed", ms);
  }

  /** Retries, or ends the step as its `onError` says. `retryAfterMs` undefined: not worth a retry. */
  async fail(
    step: CompiledStep,
    state: StepState,
    error: StepError,
    started: number,
    retryAfterMs?: number,
    into?: WriteSet,
  ): Promise<void> {
    const ms = Math.round(performance.now() - started);
    const told: StepError = { ...error, step: step.name };
    if (into) this.writer.merge(into);
    const entry = { step: step.name, attempt: state.attempt, error: told, ms };
    if (retryAfterMs !== undefined && state.attempt < step.retry.attempts && !this.state.failure) {
      this.writer.journal({ ...entry, event: "retrying" });
      const delay = Math.max(retryAfterMs, retryDelay(step.retry, state.attempt + 1, Math.random()));
      this.wait(step, state, "retry", delay);
    } else if (step.onError.do === "fallback") {
      this.writer.journal({ ...entry, event: "failed" });
      const output = await step.onError.output.render({ ...this.state.scope, error: told } as Scope); // the error is there for fallbacks
      return this.complete(step, state, output, started);
    } else this.#end(step, state, "failed", told, ms);
    if (into) await this.writer.flush();
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
  }

  #end(
    step: CompiledStep,
    state: StepState,
    status: "skipped" | "failed",
    error: StepError | null,
    ms: number,
  ): void {
    this.writer.journal({ step: step.name, attempt: state.attempt, event: status, error, ms });
    this.state.settle(step, status, null, error);
    this.deps.onStep(step.kind, status, ms);
  }

  async #finish(): Promise<ExecutionEnd> {
    const { failure } = this.state;
    const output = failure ? null : await this.state.output();
    const set = await this.writer.take();
    set.add(finishRun, {
      tenant_id: this.run.tenantId,
      id: this.run.id,
      epoch: this.run.epoch,
      status: failure ? "failed" : "completed",
      output: output === null || output === undefined ? null : JSON.stringify(output),
      error: failure ? JSON.stringify(failure) : null,
      last_seq: this.writer.seq,
    });
    if (this.state.waiting) {
      const payload = { runId: this.run.id };
      this.deps.outbox.emit(set, { tenantId: this.run.tenantId, topic: "run.left-waits", payload });
    }
    this.deps.fault("engine.before-finish");
    if (!(await this.writer.commit(set))) return "lost";
    return failure ? "failed" : "completed";
  }

  /** [R4] True once the run waits without a lease. False: something woke it meanwhile, and the waits were read again. */
  async #park(): Promise<boolean> {
    const { tenantId, id, epoch } = this.run;
    const set = await this.writer.take();
    const parked = set.with(parkRun, {
      tenant_id: tenantId,
      id,
      epoch,
      wake_seq: this.#wakeSeq,
      last_seq: this.writer.seq,
    });
    this.deps.fault("engine.before-park");
    if (await this.writer.commit(parked)) return true;
    this.writer.putBack(set);
    const lease = await this.deps.db.read(tenantId, (db) => readLease(db, tenantId, id));
    if (lease?.status !== "running" || lease.epoch !== epoch) {
      this.surrender();
      return false;
    }
    if (!(await this.writer.flush())) return false;
    this.#wakeSeq = lease.wakeSeq;
    this.state.noteWaits(await this.deps.db.read(tenantId, (db) => readWaits(db, tenantId, id)));
    return false;
  }

  #signal(): void {
    this.#dirty = true;
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }
}
