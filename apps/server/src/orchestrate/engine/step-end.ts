/** How a unit ends: it completes, is tried again, falls back, fails or is skipped. */
import type { Scope, Template } from "#orchestrate/flows";
import { referenceText } from "#platform/blobs";
import type { WriteSet } from "#platform/db";
import { type Operator, retryDelay, type StepError, triesOf } from "./domain.ts";
import type { RunExecution } from "./execution.ts";
import { openGate } from "./open-gate.ts";
import { Outside } from "./payloads.ts";
import type { Unit } from "./run-state.ts";
import { type JsonText, toJsonText, toStepError } from "./step-error.ts";
import { storeCached } from "./writes.ts";

/** One attempt of a unit, from `started` (performance.now) on. */
export interface Attempt extends Unit {
  readonly execution: RunExecution;
  readonly started: number;
}

export interface Failure {
  readonly error: StepError;
  /** Undefined: not worth a retry. */
  readonly retryAfterMs?: number | undefined;
  /** No retry and no `onError`: what failed is the fallback itself, or a person ended the run. */
  readonly isFinal?: boolean;
  /** Its gate has been put: what stands in for the failure needs no other. */
  readonly passed?: boolean;
}

export interface Completion {
  /** Written with the entry. */
  readonly into?: WriteSet | undefined;
  /** What a fallback stands in for. */
  readonly standsFor?: StepError;
  /** Who decided, or where the output came from. */
  readonly operator?: Operator;
  /** Under which the output may be used again. */
  readonly cacheKey?: Uint8Array | null;
  /** Its gate has been passed. */
  readonly passed?: boolean;
}

/** [R3] Journals the completion; a durable step's dependents wait until that is on disk. */
export async function completeStep(attempt: Attempt, output: unknown, how: Completion = {}): Promise<void> {
  const { execution, step, iteration } = attempt;
  const { writer } = execution;
  const { into, standsFor = null } = how;
  const joined = step.forEach !== null && iteration === 0 && how.operator === undefined;
  const json: JsonText = joined ? { text: null } : textOf(output); // its items hold it
  if ("fault" in json) return failStep(attempt, { error: json.fault, isFinal: standsFor !== null }, into);
  const keeping = output instanceof Outside ? undefined : execution.keep(json.text);
  const kept = keeping && (await keeping);
  if (kept) writer.merge(kept.along);
  const text = kept?.text ?? json.text;
  if (how.cacheKey) storeOutput(attempt, how.cacheKey, text);
  if (step.gate && iteration === 0 && !how.passed) return openGate(attempt, { value: output, text }, how);
  const ms = Math.round(performance.now() - attempt.started);
  writer.journal(attempt, {
    event: "completed",
    output: text,
    error: standsFor,
    operator: how.operator ?? null,
    ms,
  });
  if (into) writer.merge(into);
  if ((step.durable || into) && !execution.state.isLast(attempt)) {
    if (!(await writer.flush())) return;
    execution.deps.fault(iteration > 0 ? "engine.after-item" : "engine.after-step");
  }
  execution.state.settle(attempt, "completed", output, standsFor, kept?.outside);
  execution.deps.onStep(step.kind, "completed", ms);
}

/** What is kept as a blob already is not kept again. */
const textOf = (output: unknown): JsonText =>
  output instanceof Outside ? { text: referenceText(output.reference) } : toJsonText(output);

/** Retries, or ends the unit as its `onError` says. */
export async function failStep(attempt: Attempt, failure: Failure, into?: WriteSet): Promise<void> {
  const { execution, step, iteration, state } = attempt;
  const { writer } = execution;
  const { retryAfterMs, isFinal } = failure;
  const item = iteration > 0 ? execution.state.items(step).value(iteration) : undefined;
  const place = item ? { index: item.index, key: item.key } : {};
  const error: StepError = { ...failure.error, step: step.name, ...place };
  const ms = Math.round(performance.now() - attempt.started);
  const again = retryAfterMs !== undefined && triesOf(state) < step.retry.attempts && !isFinal;
  if (again && !execution.state.failure) {
    writer.journal(attempt, { event: "retrying", error, ms });
    if (into) writer.merge(into);
    const next = triesOf(state) + 1;
    const delay = Math.max(retryAfterMs, retryDelay(step.retry, next, Math.random()));
    execution.wait(attempt, "retry", delay);
    writer.onCommit(() => execution.deps.fault("engine.after-retry"));
  } else if (step.onError.do === "fallback" && iteration === 0 && !isFinal) {
    return fallBack(attempt, error, step.onError.output, { into, passed: failure.passed === true });
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
  how: Pick<Completion, "into" | "passed">,
): Promise<void> {
  let output: unknown;
  try {
    await attempt.execution.bring(template.refs);
    output = await template.render({ ...attempt.execution.state.scope, error } as Scope); // the error is there for fallbacks
  } catch (cause) {
    return failStep(attempt, { error: toStepError(cause), isFinal: true }, how.into);
  }
  return completeStep(attempt, output, { ...how, standsFor: error, operator: { command: "fallback" } });
}

export const skipStep = (attempt: Attempt): void => endStep(attempt, "skipped", null, 0);

function endStep(attempt: Attempt, status: "skipped" | "failed", error: StepError | null, ms: number): void {
  const { execution, step } = attempt;
  execution.writer.journal(attempt, { event: status, error, ms });
  execution.state.settle(attempt, status, null, error);
  execution.deps.onStep(step.kind, status, ms);
}

function storeOutput({ execution, step }: Attempt, key: Uint8Array, output: string | null): void {
  const { tenantId, id } = execution.run;
  execution.writer.add(storeCached, {
    tenant_id: tenantId,
    key,
    output,
    run_id: id,
    step: step.name,
    ttl_ms: step.cache?.ttlMs ?? 0,
  });
  execution.writer.onCommit(() => execution.deps.fault("engine.after-cache"));
}
