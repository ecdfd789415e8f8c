/** A run's steps in memory, as its journal, its waits and its signals tell them. */
import type { CompiledFlow, CompiledStep, Scope } from "#orchestrate/flows";
import { formatId } from "#platform/kernel";
import type { SignalEntry } from "./control-store.ts";
import {
  freshState,
  gateAborted,
  order,
  type Readiness,
  readiness,
  type StepError,
  type StepState,
  type WaitKind,
} from "./domain.ts";
import { Items } from "./items.ts";
import { fromRow, isOutside, Outside } from "./payloads.ts";
import { readersOf } from "./readers.ts";
import type { ClaimedRun, JournalEntry, WaitEntry } from "./store.ts";

/** A step, or one item of its `forEach`. */
export interface Unit {
  readonly step: CompiledStep;
  /** 0 is the step itself; items count from 1. */
  readonly iteration: number;
  readonly state: StepState;
}

type Settled = Record<string, { output: unknown; status: string; error?: unknown; errors?: unknown }>;

export class RunState {
  readonly flow: CompiledFlow;
  readonly steps: readonly StepState[];
  /** What expressions of this run read. */
  readonly scope: Scope & { readonly steps: Settled };
  /** Why the run is going to fail, or by `aborted` to end without having failed. */
  failure: StepError | null = null;
  aborted = false;
  /** A wait is open that nobody waits for: what it was for had come before it was written. */
  looseWaits = false;
  readonly #items = new Map<number, Items>();
  readonly #sources: readonly (readonly CompiledStep[])[];
  readonly #byName: ReadonlyMap<string, CompiledStep>;
  /** Some output is not in memory, or was not once. */
  hasOutside = false;
  /** Outputs in memory that are kept as blobs too. */
  readonly #kept = new Map<StepState, Outside>();
  #readers: ReadonlyMap<string, readonly CompiledStep[]> | undefined;
  /** Signals that a step has been given and whose delivery may not be durable yet. */
  readonly #taken = new Set<string>();

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
    this.#byName = new Map(flow.steps.map((s) => [s.name, s]));
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
    const ordered = journal.findLast((e) => e.operator && isOrder(e.operator.command))?.seq ?? 0;
    for (const entry of journal) {
      const step = this.#byName.get(entry.step);
      if (step) this.#replay(step, entry);
      if (entry.seq <= ordered) this.failure = null; // a person has seen it and ordered what comes next
    }
    const retries = [...this.units()].filter(({ state }) => state.wait?.kind === "retry");
    const before = retries.map(({ state }) => ({ state, wait: state.wait }));
    this.noteWaits(waits);
    // a retry without a row of its own was ordered for at once
    for (const { state, wait } of before) if (wait && state.wait === wait) wait.resolved = true;
  }

  of(step: CompiledStep): StepState {
    return this.steps[step.index] as StepState; // one state for each step
  }

  items(step: CompiledStep): Items {
    const known = this.#items.get(step.index);
    if (known) return known;
    const items = new Items();
    this.#items.set(step.index, items);
    return items;
  }

  unit(step: CompiledStep, iteration: number): Unit {
    return {
      step,
      iteration,
      state: iteration === 0 ? this.of(step) : this.items(step).state(iteration),
    };
  }

  *units(): Generator<Unit> {
    for (const step of this.flow.steps) {
      yield this.unit(step, 0);
      for (const [iteration, state] of this.#items.get(step.index)?.states ?? [])
        yield { step, iteration, state };
    }
  }

  /** What expressions of this unit read. */
  scopeOf({ step, iteration }: Pick<Unit, "step" | "iteration">): Scope {
    return iteration === 0 ? this.scope : { ...this.scope, ...this.items(step).value(iteration) };
  }

  readiness(step: CompiledStep): Readiness {
    return readiness(step, this.#sources[step.index] ?? [], this.steps);
  }

  settle(
    { step, iteration, state }: Unit,
    status: "completed" | "failed" | "skipped",
    output: unknown,
    error: StepError | null,
    kept?: Outside,
  ): void {
    state.status = status;
    state.output = output ?? null;
    if (kept) this.#kept.set(state, kept);
    state.error = error;
    state.gated = null;
    if (iteration > 0) {
      this.items(step).end(iteration);
      return;
    }
    state.diverted = status === "failed" && step.onError.do === "goto" && error?.code !== gateAborted;
    const handled = step.onError.do === "continue" || step.onError.do === "goto";
    const ended = error?.code === gateAborted && status === "failed";
    if (ended) this.aborted = true;
    state.fatal = status === "failed" && (ended || !handled); // a fallback that failed too is no way out
    if (state.fatal) this.failure ??= error;
    const errors = step.forEach ? { errors: this.items(step).errors() } : {};
    this.scope.steps[step.name] = { output: state.output, status, ...(error ? { error } : {}), ...errors };
    if (this.#kept.size > 0) this.#letGo();
  }

  /** Names among these whose outputs are not in memory. */
  missing(names: readonly string[]): string[] {
    return names.filter((name) => isOutside(this.scope.steps[name]?.output));
  }

  /** Brings outputs into memory. */
  async bring(names: readonly string[], load: (value: Outside) => Promise<unknown>): Promise<void> {
    for (const name of names) {
      const step = this.#byName.get(name);
      const settled = this.scope.steps[name];
      if (!step || !settled) continue;
      for (const state of this.#statesOf(step)) {
        const { output } = state;
        if (!(output instanceof Outside)) continue;
        state.output = await load(output);
        this.#kept.set(state, output);
      }
      this.#show(step, settled);
    }
  }

  /** The step's own state, and those of its items where they hold its output. */
  #statesOf(step: CompiledStep): StepState[] {
    return [this.of(step), ...(this.#items.get(step.index)?.states.values() ?? [])];
  }

  #show(step: CompiledStep, settled: Settled[string]): void {
    const own = this.of(step);
    if (step.forEach && Array.isArray(own.output) && this.items(step).states.size > 0)
      own.output = this.items(step).outputs();
    settled.output = own.output;
  }

  /** Outputs that nothing of the run will read again, but for its end, are given back. */
  #letGo(): void {
    this.#readers ??= readersOf(this.flow);
    for (const [name, readers] of this.#readers) {
      const step = this.#byName.get(name);
      const settled = this.scope.steps[name];
      if (!step || !settled || !isOver(this.of(step)) || !readers.every((r) => isOver(this.of(r)))) continue;
      let changed = false;
      for (const state of this.#statesOf(step)) {
        const kept = this.#kept.get(state);
        if (!kept?.durable) continue;
        this.hasOutside = true;
        state.output = kept;
        changed = this.#kept.delete(state);
      }
      if (changed) this.#show(step, settled);
    }
  }

  /** Which of the waiting units may go on. */
  noteWaits(waits: readonly WaitEntry[]): void {
    for (const w of waits) {
      if (w.status === "cancelled") continue;
      const step = this.#byName.get(w.step);
      const state = step && this.unit(step, w.iteration).state;
      if (state?.status !== "waiting" || state.attempt !== w.attempt || !fits(state.wait?.kind, w.kind)) {
        if (w.status === "open") this.looseWaits = true;
        continue;
      }
      const signal = state.wait?.signal;
      const resolved = w.status === "resolved" || signal !== undefined;
      state.wait = { kind: w.kind, key: w.key, resolved, resolvedAt: w.resolvedAt };
      if (signal) state.wait.signal = signal;
    }
  }

  get awaitsSignals(): boolean {
    for (const { state } of this.units()) if (state.wait?.kind === "signal") return true;
    return false;
  }

  /**
   * Each signal goes to one unit that waits for its name: the oldest to the first of the flow. Of a signal and a
   * timeout the first wins, however late the run looks.
   */
  noteSignals(signals: readonly SignalEntry[]): void {
    for (const { id, name, payload, sentAt } of signals) {
      if (this.#taken.has(id)) continue;
      for (const { state } of this.units()) {
        const { wait } = state;
        if (state.status !== "waiting" || wait?.kind !== "signal" || wait.key !== name || wait.signal)
          continue;
        if (wait.resolvedAt && sentAt > wait.resolvedAt) continue;
        state.wait = { ...wait, resolved: true, signal: { id, payload } };
        this.#taken.add(id);
        break;
      }
    }
  }

  get waiting(): boolean {
    if (this.steps.some((s) => s.status === "waiting")) return true;
    for (const [index, items] of this.#items) {
      const step = this.steps[index];
      if (step && !isOver(step) && items.waiting) return true;
    }
    return false;
  }

  /** What some unit waited for has come. */
  get resumable(): boolean {
    if (this.steps.some((s) => s.status === "waiting" && s.wait?.resolved === true)) return true;
    for (const items of this.#items.values()) if (items.resumable().length > 0) return true;
    return false;
  }

  /** Why the run cannot complete, once nothing of it is under way: a failure that nobody has dealt with. */
  get left(): StepError | null {
    return this.failure ?? this.steps.find((s) => s.fatal)?.error ?? null;
  }

  get unsettled(): boolean {
    return this.steps.some((s) => s.status === "pending" || s.status === "running");
  }

  /** Nothing comes after this unit: its entry and the run's end can share one commit. */
  isLast({ step, iteration }: Unit): boolean {
    if (iteration > 0 && !this.items(step).isLast(iteration)) return false;
    return step.dependents.length === 0 && this.steps.every((s, i) => i === step.index || isOver(s));
  }

  /** The flow's `output`, or the output of its last steps: one as it is, several by name. */
  output(): unknown | Promise<unknown> {
    if (this.flow.output) return this.flow.output.render(this.scope);
    const last = this.flow.steps.filter((s) => {
      const state = this.of(s);
      return s.dependents.length === 0 && (state.status === "completed" || state.given);
    });
    const [only] = last;
    if (only && last.length === 1) return this.of(only).output;
    return last.length === 0 ? null : Object.fromEntries(last.map((s) => [s.name, this.of(s).output]));
  }

  #replay(step: CompiledStep, entry: JournalEntry): void {
    const unit = this.unit(step, entry.iteration);
    const { state } = unit;
    const { operator } = entry;
    state.attempt = entry.attempt;
    switch (entry.event) {
      case "waiting":
        state.waited = entry.attempt;
        state.status = "waiting";
        state.wait = { kind: "timer", key: null, resolved: false };
        return;
      case "gated":
        state.status = "waiting";
        state.gated = { output: this.#outputOf(step, entry), standsFor: entry.error ?? undefined };
        state.wait = { kind: "gate", key: null, resolved: false };
        return;
      case "retrying":
        if (operator) {
          if (step.forEach && entry.iteration === 0)
            this.items(step).restart(state.gated ? "all" : "failed", operator.edits);
          order(state, operator.edits);
          delete this.scope.steps[step.name];
        }
        state.status = "waiting";
        state.wait = { kind: "retry", key: null, resolved: false };
        return;
      default: {
        state.wait = null;
        state.given = entry.event === "skipped" && operator !== null;
        this.settle(unit, entry.event, this.#outputOf(step, entry), entry.error);
      }
    }
  }

  /** What the items of a step gave stands in their entries, unless a person or a fallback gave something else. */
  #outputOf(step: CompiledStep, { event, iteration, output, operator }: JournalEntry): unknown {
    const joined =
      step.forEach && iteration === 0 && output === null && (event === "completed" || event === "gated");
    const found =
      joined && (operator === null || operator.command === "rerun")
        ? this.items(step).outputs()
        : fromRow(output);
    if (isOutside(found)) this.hasOutside = true;
    return found;
  }
}

const isOrder = (command: string): boolean =>
  command === "retry" || command === "skip" || command === "edit-output";

/** Whether a row says what a unit waits for: the journal's `waiting` leaves the kind to the row. */
const fits = (unit: WaitKind | undefined, row: WaitKind): boolean =>
  unit === row || (unit !== "retry" && unit !== "gate" && row !== "retry" && row !== "gate");

const isOver = (s: StepState): boolean =>
  s.status === "completed" || s.status === "failed" || s.status === "skipped";
