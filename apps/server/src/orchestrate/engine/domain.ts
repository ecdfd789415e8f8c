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

export type RunEvent = "claim" | "park" | "wake" | "release" | "complete" | "fail" | "abort";

/** Total: what each event does in each status; null means that it does nothing there. */
export const runTransitions: Record<RunStatus, Record<RunEvent, RunStatus | null>> = {
  queued: {
    claim: "running",
    park: null,
    wake: "queued",
    release: null,
    complete: null,
    fail: null,
    abort: "aborted",
  },
  running: {
    claim: null,
    park: "waiting",
    wake: "running",
    release: "queued",
    complete: "completed",
    fail: "failed",
    abort: "aborted",
  },
  waiting: {
    claim: null,
    park: null,
    wake: "queued",
    release: null,
    complete: null,
    fail: null,
    abort: "aborted",
  },
  completed: { claim: null, park: null, wake: null, release: null, complete: null, fail: null, abort: null },
  failed: { claim: null, park: null, wake: null, release: null, complete: null, fail: null, abort: null },
  aborted: { claim: null, park: null, wake: null, release: null, complete: null, fail: null, abort: null },
};

export const isEnded = (status: RunStatus): boolean =>
  status === "completed" || status === "failed" || status === "aborted";

export type StepStatus = "pending" | "running" | "waiting" | "completed" | "failed" | "skipped";
export type JournalEvent = "completed" | "failed" | "retrying" | "waiting" | "skipped";

/** Why a step or a run did not complete. `line`, `column` and `path` point into the input where known. */
export interface StepError {
  readonly code: string;
  readonly message: string;
  readonly step?: string;
  readonly line?: number;
  readonly column?: number;
  readonly path?: string;
  readonly details?: unknown;
}

export interface StepState {
  status: StepStatus;
  attempt: number;
  /** The attempt whose waiting is journaled, 0 for none. */
  waited: number;
  output: unknown;
  error: StepError | null;
  /** Set while the step waits; `resolved` once what it waited for has come. */
  wait: { readonly kind: WaitKind; readonly key: string | null; resolved: boolean } | null;
  /** The failure was handled by `onError: {goto}`: it neither fails the run nor feeds the step's dependents. */
  diverted: boolean;
}

export type WaitKind = "action" | "timer" | "retry";

export const freshState = (): StepState => ({
  status: "pending",
  attempt: 1,
  waited: 0,
  output: null,
  error: null,
  wait: null,
  diverted: false,
});

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
  if (!step.needs.every((n) => hasEnded(states[n]))) return "blocked";
  if (step.needs.some((n) => gives(states[n]))) return "run";
  return mayStillCome ? "blocked" : "skip";
}

const hasEnded = (s: StepState | undefined): boolean =>
  s?.status === "completed" || s?.status === "failed" || s?.status === "skipped";
const gives = (s: StepState | undefined): boolean =>
  s?.status === "completed" || (s?.status === "failed" && !s.diverted);

/** Milliseconds before attempt `next` (2 is the first retry). Exponential doubles; `jitter` in [0, 1) spreads by up to a tenth. */
export function retryDelay(
  retry: { readonly backoff: "fixed" | "exponential"; readonly initialMs: number; readonly maxMs: number },
  next: number,
  jitter: number,
): number {
  const base = retry.backoff === "fixed" ? retry.initialMs : retry.initialMs * 2 ** (next - 2);
  return Math.round(Math.min(retry.maxMs, base) * (1 + jitter / 10));
}
