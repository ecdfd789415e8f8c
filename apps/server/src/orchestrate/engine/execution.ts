/**
 * One run in the hands of its owner. Owns: the run's state in memory, what is written next. Does not own:
 * leases, slots, timers (engine.ts).
 *
 * R5 pure steps do not wait for their own commit: their entries ride with the next barrier, which is a
 *    durable step, an effect, a wait or the end. Nothing leaves before what led to it is durable.
 * R6 a guard that does not hold ends the execution: another owner or an operator has the run.
 */

import { durationMs } from "@oars/contract";
import type { Actions } from "#act/actions";
import type { CompiledFlow, CompiledStep, Scope } from "#orchestrate/flows";
import type { Caller } from "#platform/access";
import { type Committer, type Database, WriteSet } from "#platform/db";
import type { Outbox } from "#platform/jobs";
import { formatId, newId } from "#platform/kernel";
import {
  freshState,
  type JournalEvent,
  readiness,
  retryDelay,
  type StepError,
  type StepState,
  type WaitKind,
} from "./domain.ts";
import { runEffect } from "./effect.ts";
import type { StepKinds } from "./kinds.ts";
import { type ClaimedRun, type JournalEntry, readLease, readWaits, type WaitEntry } from "./store.ts";
import { finishRun, insertJournal, insertWait, parkRun } from "./writes.ts";

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
  readonly flow: CompiledFlow;
  readonly deps: ExecutionDeps;
  readonly states: StepState[];
  readonly abort = new AbortController();
  readonly #scope: Scope;
  readonly #sources: CompiledStep[][];
  #pending = new WriteSet();
  #committing: Promise<boolean> | undefined;
  #seq: number;
  #wakeSeq: number;
  #active = 0;
  #failure: StepError | null = null;
  #lost = false;
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
    this.flow = flow;
    this.#seq = Math.max(run.lastSeq, journal.at(-1)?.seq ?? 0);
    this.#wakeSeq = run.wakeSeq;
    this.states = flow.steps.map(freshState);
    this.#sources = flow.steps.map((s) =>
      flow.steps.filter((o) => o.onError.do === "goto" && o.onError.step === s.index),
    );
    this.#scope = {
      params: run.params,
      steps: {},
      run: {
        id: formatId("run", run.id),
        flow: run.flowName,
        version: run.flowVersion,
        startedAt: run.startedAt.toISOString(),
      },
      trigger: run.trigger ?? {},
    };
    this.#restore(journal);
    this.#noteWaits(waits);
  }

  /** Runs until the run ends, waits for something outside, or is lost to another owner. */
  async drive(): Promise<ExecutionEnd> {
    for (;;) {
      this.#dirty = false;
      if (this.#lost) return "lost";
      if (this.run.deadlineAt && Date.now() > this.run.deadlineAt.getTime()) this.expire();
      const unsettled = this.#launchReady();
      if (this.#active === 0) {
        const waiting = this.states.some((s) => s.status === "waiting");
        if (this.#failure || (!waiting && !unsettled)) return this.#finish();
        if (!waiting) throw new Error(`run ${this.run.id} has steps that can neither run nor end`);
        if (waiting && (await this.#park())) return "parked";
        continue;
      }
      if (!this.#dirty) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    }
  }

  /** Someone else has the run, or this process stops: nothing more is written. */
  surrender(): void {
    this.#lost = true;
    this.abort.abort();
    this.#signal();
  }

  /** The run's time is up: it fails once what is under way has come back. */
  expire(): void {
    this.#failure ??= {
      code: "RUN_TIMEOUT",
      message: `The run took longer than its limit of ${this.flow.timeoutMs} ms.`,
    };
    this.abort.abort();
    this.#signal();
  }

  /** Launches what may run; true when some step is neither ended nor waiting. */
  #launchReady(): boolean {
    let moved = true;
    while (moved && !this.#failure) {
      moved = false;
      for (const step of this.flow.steps) {
        const state = this.states[step.index] as StepState; // one state for each step
        if (state.status === "waiting" && state.wait?.resolved && this.#active < this.flow.parallel)
          this.#launch(step, state);
        if (state.status !== "pending") continue;
        const ready = readiness(step, this.#sources[step.index] ?? [], this.states);
        if (ready === "skip") {
          this.#end(step, state, "skipped", null, null, 0);
          moved = true;
        } else if (ready === "run" && this.#active < this.flow.parallel) this.#launch(step, state);
      }
    }
    return this.states.some((s) => s.status === "pending" || s.status === "running");
  }

  #launch(step: CompiledStep, state: StepState): void {
    const resumed = state.wait;
    if (resumed?.kind === "retry") state.attempt++;
    state.status = "running";
    state.wait = null;
    this.#active++;
    this.#execute(step, state, resumed)
      .catch((error) => this.fail(step, state, toStepError(error), 0))
      .finally(() => {
        this.#active--;
        this.#signal();
      });
  }

  async #execute(step: CompiledStep, state: StepState, resumed: StepState["wait"]): Promise<void> {
    const started = performance.now();
    if (resumed?.kind === "timer") return this.complete(step, state, null, started);
    if (step.when && !resumed && !(await step.when.render(this.#scope))) {
      this.#end(step, state, "skipped", null, null, 0);
      return;
    }
    const kind = this.deps.kinds.find(`${step.kind}@${step.kindVersion}`);
    if (!kind) throw new Error(`step kind ${step.kind}@${step.kindVersion} is not in this program`);
    const rendered = step.input.render(this.#scope);
    const input = kind.config.safeParse(rendered instanceof Promise ? await rendered : rendered);
    if (!input.success) return this.fail(step, state, toInputError(input.error.issues), started);
    if (kind.mode === "effect")
      return runEffect(this, step, state, kind.operation, input.data, resumed, started);
    if (kind.mode === "timer")
      return this.wait(step, state, "timer", null, durationMs((input.data as { for: string }).for) ?? 0); // parsed by the kind
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
    this.#journal(step, state, "completed", output, null, ms);
    if (into) this.#pending.merge(into);
    if ((step.durable || into) && !this.#isLast(step) && !(await this.flush())) return;
    this.#settle(step, state, "completed", output, null, ms);
  }

  /** Nothing comes after this step: its entry and the run's end share one commit. */
  #isLast(step: CompiledStep): boolean {
    return step.dependents.length === 0 && this.states.every((s, i) => i === step.index || isOver(s));
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
    const ms = started === 0 ? 0 : Math.round(performance.now() - started);
    const told: StepError = { ...error, step: step.name };
    if (into) this.#pending.merge(into);
    if (retryAfterMs !== undefined && state.attempt < step.retry.attempts && !this.#failure) {
      this.#journal(step, state, "retrying", null, told, ms);
      const delay = Math.max(retryAfterMs, retryDelay(step.retry, state.attempt + 1, Math.random()));
      this.wait(step, state, "retry", null, delay, false);
      if (into) await this.flush();
      return;
    }
    if (step.onError.do === "fallback") {
      this.#journal(step, state, "failed", null, told, ms);
      const output = await step.onError.output.render({ ...this.#scope, error: told } as Scope);
      return this.complete(step, state, output, started);
    }
    this.#end(step, state, "failed", null, told, ms);
    state.diverted = step.onError.do === "goto";
    if (step.onError.do === "fail") this.#failure ??= told;
    if (into) await this.flush();
  }

  /** Leaves the step waiting; the run parks once nothing else is under way. */
  wait(
    step: CompiledStep,
    state: StepState,
    kind: WaitKind,
    key: string | null,
    dueInMs: number | null,
    journal = true,
  ): void {
    if (journal) this.#journal(step, state, "waiting", null, null, 0);
    this.#pending.add(insertWait, this.waitRow(step, state, kind, key, dueInMs));
    if (dueInMs !== null) this.#pending.onCommit(() => this.deps.onTimer(dueInMs));
    state.wait = { kind, key, resolved: false };
    state.status = "waiting";
  }

  /** Like `wait`, for a step whose writes went out with a commit of its own. */
  held(state: StepState, key: string): void {
    state.wait = { kind: "action", key, resolved: false };
    state.status = "waiting";
  }

  waitRow(step: CompiledStep, state: StepState, kind: WaitKind, key: string | null, dueInMs: number | null) {
    return {
      tenant_id: this.run.tenantId,
      id: newId(),
      run_id: this.run.id,
      step: step.name,
      iteration: 0,
      attempt: state.attempt,
      kind,
      key,
      due_in_ms: dueInMs,
    };
  }

  /** Takes what is not yet written, for a commit that the step makes itself. Earlier commits are durable by then. */
  async take(): Promise<WriteSet> {
    while (this.#committing !== undefined) await this.#committing;
    const taken = this.#pending;
    this.#pending = new WriteSet();
    return taken;
  }

  /** Puts back what a refused commit did not write. */
  restore(taken: WriteSet): void {
    this.#pending = taken.merge(this.#pending);
  }

  /** Once for each attempt: an attempt that waits again has its entry already. */
  journalWaiting(into: WriteSet, step: CompiledStep, state: StepState): void {
    if (state.waited === state.attempt) return;
    state.waited = state.attempt;
    this.#journal(step, state, "waiting", null, null, 0, into);
  }

  /** Makes everything so far durable. False: the run is lost. One commit at a time, later callers share the next. */
  async flush(): Promise<boolean> {
    while (this.#committing !== undefined) await this.#committing;
    if (this.#lost) return false;
    const set = this.#pending;
    this.#pending = new WriteSet();
    this.#committing = this.deps.committer.commit(set).then((r) => r.ok);
    try {
      const ok = await this.#committing;
      if (!ok) this.surrender();
      else this.deps.onJournal(this.run.id);
      return ok;
    } finally {
      this.#committing = undefined;
    }
  }

  #journal(
    step: CompiledStep,
    state: StepState,
    event: JournalEvent,
    output: unknown,
    error: StepError | null,
    ms: number,
    into = this.#pending,
  ): void {
    into.add(insertJournal, {
      tenant_id: this.run.tenantId,
      run_id: this.run.id,
      epoch: this.run.epoch,
      step: step.name,
      iteration: 0,
      attempt: state.attempt,
      event,
      seq: ++this.#seq,
      output: output === null || output === undefined ? null : JSON.stringify(output),
      error: error === null ? null : JSON.stringify(error),
      at: Date.now() / 1000,
      ms,
    });
  }

  #end(
    step: CompiledStep,
    state: StepState,
    status: "skipped" | "failed",
    output: unknown,
    error: StepError | null,
    ms: number,
  ): void {
    this.#journal(step, state, status, output, error, ms);
    this.#settle(step, state, status, output, error, ms);
  }

  #settle(
    step: CompiledStep,
    state: StepState,
    status: "completed" | "failed" | "skipped",
    output: unknown,
    error: StepError | null,
    ms: number,
  ): void {
    state.status = status;
    state.output = output ?? null;
    state.error = error;
    this.#scope.steps[step.name] = { output: state.output, status, ...(error ? { error } : {}) };
    this.deps.onStep(step.kind, status, ms);
  }

  #restore(journal: readonly JournalEntry[]): void {
    const byName = new Map(this.flow.steps.map((s) => [s.name, s]));
    for (const entry of journal) {
      const step = byName.get(entry.step);
      const state = step && this.states[step.index];
      if (!step || !state) continue;
      state.attempt = entry.attempt;
      if (entry.event === "waiting") state.waited = entry.attempt;
      if (entry.event === "waiting" || entry.event === "retrying") {
        state.status = "waiting";
        state.wait = { kind: entry.event === "retrying" ? "retry" : "timer", key: null, resolved: false };
        continue;
      }
      state.status = entry.event;
      state.output = entry.output;
      state.error = entry.error;
      state.diverted = entry.event === "failed" && step.onError.do === "goto";
      if (entry.event === "failed" && step.onError.do === "fail") this.#failure ??= entry.error;
      this.#scope.steps[step.name] = {
        output: entry.output,
        status: entry.event,
        ...(entry.error ? { error: entry.error } : {}),
      };
    }
  }

  #noteWaits(waits: readonly WaitEntry[]): void {
    for (const w of waits) {
      const step = this.flow.steps.find((s) => s.name === w.step);
      const state = step && this.states[step.index];
      if (state?.status !== "waiting" || state.attempt !== w.attempt) continue;
      state.wait = { kind: w.kind, key: w.key, resolved: w.status === "resolved" };
    }
  }

  async #finish(): Promise<ExecutionEnd> {
    const failure = this.#failure;
    const open = this.states.some((s) => s.status === "waiting");
    const output = failure ? null : await this.#output();
    const set = await this.take();
    set.add(finishRun, {
      tenant_id: this.run.tenantId,
      id: this.run.id,
      epoch: this.run.epoch,
      status: failure ? "failed" : "completed",
      output: output === null || output === undefined ? null : JSON.stringify(output),
      error: failure ? JSON.stringify(failure) : null,
      last_seq: this.#seq,
    });
    if (open) {
      this.deps.outbox.emit(set, {
        tenantId: this.run.tenantId,
        topic: "run.left-waits",
        payload: { runId: this.run.id },
      });
    }
    this.deps.fault("engine.before-finish");
    const committed = await this.deps.committer.commit(set);
    if (!committed.ok) return "lost";
    this.deps.onJournal(this.run.id);
    return failure ? "failed" : "completed";
  }

  /** The flow's `output`, or the output of its last steps: one as it is, several by name. */
  async #output(): Promise<unknown> {
    if (this.flow.output) return this.flow.output.render(this.#scope);
    const last = this.flow.steps.filter(
      (s) => s.dependents.length === 0 && this.states[s.index]?.status === "completed",
    );
    const [only] = last;
    if (only && last.length === 1) return this.states[only.index]?.output;
    return last.length === 0
      ? null
      : Object.fromEntries(last.map((s) => [s.name, this.states[s.index]?.output]));
  }

  /** [R4] True once the run waits without a lease. False: something woke it meanwhile, and the waits were read again. */
  async #park(): Promise<boolean> {
    const set = await this.take();
    set.add(parkRun, {
      tenant_id: this.run.tenantId,
      id: this.run.id,
      epoch: this.run.epoch,
      wake_seq: this.#wakeSeq,
      last_seq: this.#seq,
    });
    this.deps.fault("engine.before-park");
    const committed = await this.deps.committer.commit(set);
    if (committed.ok) {
      this.deps.onJournal(this.run.id);
      return true;
    }
    set.rows.delete(parkRun as never); // its row type is private to the set
    this.restore(set);
    const { tenantId, id } = this.run;
    const lease = await this.deps.db.read(tenantId, (db) => readLease(db, tenantId, id));
    if (lease?.status !== "running" || lease.epoch !== this.run.epoch) {
      this.#lost = true;
      return false;
    }
    if (!(await this.flush())) return false;
    this.#wakeSeq = lease.wakeSeq;
    this.#noteWaits(await this.deps.db.read(tenantId, (db) => readWaits(db, tenantId, id)));
    return false;
  }

  #signal(): void {
    this.#dirty = true;
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }
}

const isOver = (s: StepState): boolean =>
  s.status === "completed" || s.status === "failed" || s.status === "skipped";

function toStepError(error: unknown): StepError {
  const code =
    typeof error === "object" && error !== null && "code" in error ? String(error.code) : "STEP_FAILED";
  const message = error instanceof Error ? error.message : "The step failed.";
  const errors = typeof error === "object" && error !== null && "errors" in error ? error.errors : undefined;
  return { code, message, ...(Array.isArray(errors) && errors.length > 0 ? { details: errors } : {}) };
}

const toInputError = (issues: readonly { path: PropertyKey[]; message: string }[]): StepError => ({
  code: "STEP_INPUT_INVALID",
  message: issues.map((i) => `${i.path.map(String).join(".") || "with"}: ${i.message}`).join("; "),
  details: issues.map((i) => ({ path: i.path.map(String).join("."), message: i.message })),
});
