/** How a step ends: it completes, is tried again, falls back, fails or is skipped. */
import type { CompiledStep, Scope, Template } from "#orchestrate/flows";
import type { WriteSet } from "#platform/db";
import { retryDelay, type StepError, type StepState } from "./domain.ts";
import type { RunExecution } from "./execution.ts";
import { toJsonText, toStepError } from "./step-error.ts";

/** One attempt of a step, from `started` (performance.now) on. */
export interface Attempt {
  readonly execution: RunExecution;
  readonly step: CompiledStep;
  readonly state: StepState;
  readonly started: number;
}

export interface Failure {
  readonly error: StepError;
  /** Undefined: not worth a retry. */
  readonly retryAfterMs?: number | undefined;
  /** What failed is the fallback itself. */
  readonly isFallback?: boolean;
}

/**
 * [R3] Journals the completion; a durable step's dependents wait until that is on disk. `into` is written with
 * it, and `error` is what a fallback stands in for.
 */
export async function completeStep(
  attempt: Attempt,
  output: unknown,
  into?: WriteSet,
  error: StepError | null = null,
): Promise<void> {
  const { execution, step, state } = attempt;
  const { writer } = execution;
  const json = toJsonText(output);
  if ("fault" in json) {
    return failStep(attempt, { error: json.fault, isFallback: error !== null }, into);
  }
  const ms = Math.round(performance.now() - attempt.started);
  const entry = { step: step.name, attempt: state.attempt, output: json.text, error, ms };
  writer.journal({ ...entry, event: "completed" });
  if (into) writer.merge(into);
  if ((step.durable || into) && !execution.state.isLast(step) && !(await writer.flush())) return;
  execution.state.settle(step, "completed", output, null);
  execution.deps.onStep(step.kind, "completed", ms);
}

/** Retries, or ends the step as its `onError` says. */
export async function failStep(attempt: Attempt, failure: Failure, into?: WriteSet): Promise<void> {
  const { execution, step, state } = attempt;
  const { writer } = execution;
  const { retryAfterMs } = failure;
  const error: StepError = { ...failure.error, step: step.name };
  const ms = Math.round(performance.now() - attempt.started);
  if (retryAfterMs !== undefined && state.attempt < step.retry.attempts && !execution.state.failure) {
    writer.journal({ step: step.name, attempt: state.attempt, event: "retrying", error, ms });
    if (into) writer.merge(into);
    const delay = Math.max(retryAfterMs, retryDelay(step.retry, state.attempt + 1, Math.random()));
    execution.wait(step, state, "retry", delay);
  } else if (step.onError.do === "fallback" && !failure.isFallback) {
    return fallBack(attempt, error, step.onError.output, into);
  } else {
    if (into) writer.merge(into);
    endStep(attempt, "failed", error, ms);
  }
  if (into) await writer.flush();
}

/** [R3] The fallback's value and the failure behind it are one entry: a step ends once. */
async function fallBack(
  attempt: Attempt,
  error: StepError,
  template: Template,
  into?: WriteSet,
): Promise<void> {
  let output: unknown;
  try {
    output = await template.render({ ...attempt.execution.state.scope, error } as Scope); // the error is there for fallbacks
  } catch (cause) {
    return failStep(attempt, { error: toStepError(cause), isFallback: true }, into);
  }
  return completeStep(attempt, output, into, error);
}

export const skipStep = (attempt: Attempt): void => endStep(attempt, "skipped", null, 0);

function endStep(
  { execution, step, state }: Attempt,
  status: "skipped" | "failed",
  error: StepError | null,
  ms: number,
): void {
  execution.writer.journal({ step: step.name, attempt: state.attempt, event: status, error, ms });
  execution.state.settle(step, status, null, error);
  execution.deps.onStep(step.kind, status, ms);
}
