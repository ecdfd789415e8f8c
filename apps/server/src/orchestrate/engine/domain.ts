/**
 * The life of a run and of its steps, as tables. docs/specs/run.md explains them.
 *
 * R1 a run has one status at a time and moves only along `runTransitions`.
 * R2 every write of a run's owner is fenced on the lease epoch: an owner that lost its lease changes nothing.
 * R3 a step's end is journaled at most once for each attempt.
 * R4 a run that waits holds no lease, and something open will wake it.
 */
export const runStatuses = ["queued", "running", "waiting", "completed", "failed", "aborted"] as const;
export type RunStatus = (typeof runStatuses)[number];

export type RunEvent =
  | "claim"
  | "park"
  | "wake"
  | "release"
  | "complete"
  | "fail"
  | "abort"
  | "pause"
  | "resume"
  | "reopen";

const nothing = {
  claim: null,
  park: null,
  wake: null,
  release: null,
  complete: null,
  fail: null,
  abort: null,
  pause: null,
  resume: null,
  reopen: null,
} as const;

/** Total: what each event does in each status; null means that it does nothing there. */
export const runTransitions: Record<RunStatus, Record<RunEvent, RunStatus | null>> = {
  queued: { ...nothing, claim: "running", wake: "queued", abort: "aborted", pause: "waiting" },
  running: {
    ...nothing,
    park: "waiting",
    wake: "running",
    release: "queued",
    complete: "completed",
    fail: "failed",
    abort: "aborted",
    pause: "waiting",
  },
  waiting: { ...nothing, wake: "queued", abort: "aborted", pause: "waiting", resume: "queued" },
  completed: nothing,
  failed: { ...nothing, abort: "aborted", reopen: "queued" },
  aborted: nothing,
};

export const isEnded = (status: RunStatus): boolean =>
  status === "completed" || status === "failed" || status === "aborted";

export type StepStatus = "pending" | "running" | "waiting" | "completed" | "failed" | "skipped";
export type JournalEvent = "completed" | "failed" | "retrying" | "waiting" | "skipped" | "gated";

/** Code of a step whose gate ended the run: no `onError` stands against it. */
export const gateAborted = "GATE_ABORTED";

/** What a person is asked after a step: go on, run it again, or end the run. */
export type GateDecision = "continue" | "retry" | "abort";

/** Who wrote an entry in place of the engine, and why; or where the engine took its output from. */
export interface Operator {
  readonly command:
    | "retry"
    | "skip"
    | "edit-output"
    | "pause"
    | "resume"
    | "abort"
    | "rerun"
    | "gate"
    | "cache"
    | "fallback";
  readonly principalId?: string;
  readonly reason?: string;
  readonly at?: string;
  /** Deep-merged into the step's input from the next attempt on. */
  readonly edits?: Readonly<Record<string, unknown>> | null;
  readonly fromRunId?: string;
}

/** Why a step or a run did not complete. `line`, `column` and `path` point into the input where known. */
export interface StepError {
  readonly code: string;
  readonly message: string;
  readonly step?: string;
  readonly line?: number;
  readonly column?: number;
  readonly path?: string;
  readonly details?: unknown;
  /** Which item of the step's `forEach`, from 0, and its key. */
  readonly index?: number;
  readonly key?: string;
}

/** State of a step, or of one item of its `forEach`. */
export interface StepState {
  status: StepStatus;
  attempt: number;
  /** Times that an operator or a gate had it run again: each is a new idempotency key outward. */
  group: number;
  /** The first attempt since then: each order has all the attempts of `retry`. */
  first: number;
  /** Changes to its input that came with that. */
  edits: Readonly<Record<string, unknown>> | null;
  /** The attempt whose waiting is journaled, 0 for none. */
  waited: number;
  output: unknown;
  error: StepError | null;
  /** Set while the step waits; `resolved` once what it waited for has come. */
  wait: StepWait | null;
  /** The failure was handled by `onError: {goto}`: it neither fails the run nor feeds the step's dependents. */
  diverted: boolean;
  /** The failure was not handled: the run fails, and nothing that needs the step runs. */
  fatal: boolean;
  /** An operator skipped it with a value for its dependents to read. */
  given: boolean;
  /** The output that a gate asks about, and the failure that it stands in for. */
  gated: { readonly output: unknown; readonly standsFor?: StepError | undefined } | null;
}

export interface StepWait {
  readonly kind: WaitKind;
  readonly key: string | null;
  resolved: boolean;
  /** When its time was up: what came later is too late. */
  readonly resolvedAt?: Date | null;
  /** The signal that came. */
  signal?: { readonly id: string; readonly payload: unknown };
}

export type WaitKind = "action" | "timer" | "retry" | "child" | "signal" | "gate";

export const freshState = (): StepState => ({
  status: "pending",
  attempt: 1,
  group: 0,
  first: 1,
  edits: null,
  waited: 0,
  output: null,
  error: null,
  wait: null,
  diverted: false,
  fatal: false,
  given: false,
  gated: null,
});

/** How often it was tried since it began, or since a person had it run again. */
export const triesOf = (state: StepState): number => state.attempt - state.first + 1;

/** Ready for another attempt on the order of a person. */
export function restart(state: StepState, edits: Operator["edits"]): void {
  state.status = "pending";
  order(state, edits);
  state.attempt++;
  state.wait = null;
}

/** A person's order to run it again is known; the next attempt may still have to wait. */
export function order(state: StepState, edits: Operator["edits"]): void {
  state.group++;
  state.first = state.attempt + 1;
  if (edits) state.edits = mergeEdits(state.edits, edits);
  state.gated = null;
  state.error = null;
  state.output = null;
  state.diverted = false;
  state.fatal = false;
}

export const mergeEdits = (known: StepState["edits"], edits: NonNullable<Operator["edits"]>) =>
  mergeInto(known ?? {}, edits) as StepState["edits"]; // two objects give one

/** Objects are merged member by member; anything else of `edits` takes the place of what was there. */
export function mergeInto(value: unknown, edits: unknown): unknown {
  if (!isObject(value) || !isObject(edits)) return edits;
  const merged = new Map(Object.entries(value));
  for (const [key, edit] of Object.entries(edits)) merged.set(key, mergeInto(merged.get(key), edit));
  return Object.fromEntries(merged);
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

export interface StepShape {
  readonly index: number;
  /** Runs only when a failure leads to it. */
  readonly handler: boolean;
  readonly needs: readonly number[];
}

export type Readiness = "run" | "skip" | "blocked";

/**
 * Whether a pending step may run now. It runs once every need has ended and at least one gave something; it is
 * skipped when all its needs were skipped or diverted. A failure that goes to it (`sources`) makes it run too;
 * a handler runs only so, and is skipped once nothing can lead to it any more.
 */
export function readiness(
  step: StepShape,
  sources: readonly StepShape[],
  states: readonly StepState[],
): Readiness {
  if (sources.some((s) => states[s.index]?.diverted)) return "run";
  const mayStillCome = sources.some((s) => !hasEnded(states[s.index]));
  if (step.handler) return mayStillCome ? "blocked" : "skip";
  if (step.needs.length === 0) return "run";
  if (!step.needs.every((n) => hasEnded(states[n]) && !states[n]?.fatal)) return "blocked";
  if (step.needs.some((n) => gives(states[n]))) return "run";
  return mayStillCome ? "blocked" : "skip";
}

const hasEnded = (s: StepState | undefined): boolean =>
  s?.status === "completed" || s?.status === "failed" || s?.status === "skipped";
const gives = (s: StepState | undefined): boolean =>
  s?.status === "completed" || s?.given === true || (s?.status === "failed" && !s.diverted && !s.fatal);

/** Milliseconds before attempt `next` (2 is the first retry). Exponential doubles; `jitter` in [0, 1) spreads by up to a tenth. */
export function retryDelay(
  retry: { readonly backoff: "fixed" | "exponential"; readonly initialMs: number; readonly maxMs: number },
  next: number,
  jitter: number,
): number {
  const base = retry.backoff === "fixed" ? retry.initialMs : retry.initialMs * 2 ** (next - 2);
  return Math.round(Math.min(retry.maxMs, base) * (1 + jitter / 10));
}
