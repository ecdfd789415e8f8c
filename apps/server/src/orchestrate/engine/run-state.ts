/** A run's steps in memory, as its journal and its waits tell them. */
import type { CompiledFlow, CompiledStep, Scope } from "#orchestrate/flows";
import { formatId } from "#platform/kernel";
import { freshState, type Readiness, readiness, type StepError, type StepState } from "./domain.ts";
import type { ClaimedRun, JournalEntry, WaitEntry } from "./store.ts";

export class RunState {
  readonly flow: CompiledFlow;
  readonly steps: readonly StepState[];
  /** What expressions of this run read. */
  readonly scope: Scope;
  /** Why the run is going to fail. */
  failure: StepError | null = null;
  /** A wait is open that nobody waits for: what it was for had come before it was written. */
  looseWaits = false;
  readonly #sources: readonly (readonly CompiledStep[])[];

  constructor(
    run: ClaimedRun,
    flow: CompiledFlow,
    journal: readonly JournalEntry[],
    waits: readonly WaitEntry[],
  ) {
    this.flow = flow;
    this.steps = flow.steps.map(freshState);
    this.#sources = flow.steps.map((s) =>
      flow.steps.filter((o) => o.onError.do === "goto" && o.onError.step === s.index),
    );
    this.scope = {
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
    const byName = new Map(flow.steps.map((s) => [s.name, s]));
    for (const entry of journal) {
      const step = byName.get(entry.step);
      if (step) this.#replay(step, entry);
    }
    this.noteWaits(waits);
  }

  of(step: CompiledStep): StepState {
    return this.steps[step.index] as StepState; // one state for each step
  }

  readiness(step: CompiledStep): Readiness {
    return readiness(step, this.#sources[step.index] ?? [], this.steps);
  }

  settle(
    step: CompiledStep,
    status: "completed" | "failed" | "skipped",
    output: unknown,
    error: StepError | null,
  ): void {
    const state = this.of(step);
    state.status = status;
    state.output = output ?? null;
    state.error = error;
    state.diverted = status === "failed" && step.onError.do === "goto";
    const handled = step.onError.do === "continue" || step.onError.do === "goto";
    if (status === "failed" && !handled) this.failure ??= error; // a fallback that failed too is no way out
    this.scope.steps[step.name] = { output: state.output, status, ...(error ? { error } : {}) };
  }

  /** Which of the waiting steps may go on. */
  noteWaits(waits: readonly WaitEntry[]): void {
    for (const w of waits) {
      const step = this.flow.steps.find((s) => s.name === w.step);
      const state = step && this.of(step);
      if (state?.status !== "waiting" || state.attempt !== w.attempt) {
        if (w.status === "open") this.looseWaits = true;
        continue;
      }
      state.wait = { kind: w.kind, key: w.key, resolved: w.status === "resolved" };
    }
  }

  get waiting(): boolean {
    return this.steps.some((s) => s.status === "waiting");
  }

  /** What some step waited for has come. */
  get resumable(): boolean {
    return this.steps.some((s) => s.status === "waiting" && s.wait?.resolved === true);
  }

  get unsettled(): boolean {
    return this.steps.some((s) => s.status === "pending" || s.status === "running");
  }

  /** Nothing comes after this step: its entry and the run's end can share one commit. */
  isLast(step: CompiledStep): boolean {
    return step.dependents.length === 0 && this.steps.every((s, i) => i === step.index || isOver(s));
  }

  /** The flow's `output`, or the output of its last steps: one as it is, several by name. */
  output(): unknown | Promise<unknown> {
    if (this.flow.output) return this.flow.output.render(this.scope);
    const last = this.flow.steps.filter(
      (s) => s.dependents.length === 0 && this.of(s).status === "completed",
    );
    const [only] = last;
    if (only && last.length === 1) return this.of(only).output;
    return last.length === 0 ? null : Object.fromEntries(last.map((s) => [s.name, this.of(s).output]));
  }

  #replay(step: CompiledStep, entry: JournalEntry): void {
    const state = this.of(step);
    state.attempt = entry.attempt;
    if (entry.event === "waiting" || entry.event === "retrying") {
      if (entry.event === "waiting") state.waited = entry.attempt;
      state.status = "waiting";
      state.wait = { kind: entry.event === "retrying" ? "retry" : "timer", key: null, resolved: false };
    } else this.settle(step, entry.event, entry.output, entry.error);
  }
}

const isOver = (s: StepState): boolean =>
  s.status === "completed" || s.status === "failed" || s.status === "skipped";
