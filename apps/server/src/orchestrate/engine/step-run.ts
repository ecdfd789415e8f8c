/** One attempt of a unit, from its condition and its input to what its kind does. */
import { childStep, followChild } from "./child.ts";
import { mergeInto, type StepState } from "./domain.ts";
import { runEffect } from "./effect.ts";
import { expandItems } from "./for-each.ts";
import { followGate } from "./gate.ts";
import { refsOf } from "./readers.ts";
import { findCached, keyOfStep } from "./step-cache.ts";
import { type Attempt, completeStep, failStep, skipStep } from "./step-end.ts";
import { toInputError } from "./step-error.ts";
import { followSignal, waitStep } from "./wait-step.ts";

/** `resumed` is what the unit had waited for. */
export async function runStep(attempt: Attempt, resumed: StepState["wait"]): Promise<void> {
  const { execution, step, iteration, state } = attempt;
  switch (resumed?.kind) {
    case "timer":
      return completeStep(attempt, null);
    case "signal":
      return followSignal(attempt, resumed);
    case "child":
      return followChild(attempt, resumed.key ?? "");
    case "gate":
      return followGate(attempt, resumed.key ?? "");
  }
  if (execution.state.hasOutside) await execution.bring(refsOf(step));
  if (iteration === 0 && step.when && !resumed && !(await step.when.render(execution.state.scope)))
    return skipStep(attempt);
  if (step.forEach && iteration === 0) return expandItems(attempt);
  const kind = execution.deps.kinds.find(`${step.kind}@${step.kindVersion}`);
  if (!kind) throw new Error(`step kind ${step.kind}@${step.kindVersion} is not in this program`);
  const rendered = step.input.render(execution.state.scopeOf(attempt));
  const ready = rendered instanceof Promise ? await rendered : rendered;
  const input = kind.config.safeParse(state.edits ? mergeInto(ready, state.edits) : ready);
  if (!input.success) return failStep(attempt, { error: toInputError(input.error.issues) });
  const cacheKey = step.cache ? keyOfStep(attempt, input.data) : null;
  if (kind.mode === "effect") return runEffect(attempt, kind.operation, input.data, resumed, cacheKey);
  if (kind.mode === "wait") return waitStep(attempt, input.data as never); // parsed by the kind
  if (kind.mode === "child") return childStep(attempt, input.data as never); // likewise
  const cached = cacheKey && (await findCached(execution, cacheKey));
  if (cached) return completeStep(attempt, cached.output, { operator: cached.operator });
  const result = kind.run(input.data);
  const done = result instanceof Promise ? await inTime(result, step.timeoutMs) : result;
  if (done === "late") {
    const message = `The step took longer than its limit of ${step.timeoutMs} ms.`;
    return failStep(attempt, { error: { code: "STEP_TIMEOUT", message }, retryAfterMs: 0 });
  }
  await (done.ok
    ? completeStep(attempt, done.output, { cacheKey })
    : failStep(attempt, { error: done.error }));
}

async function inTime<T>(work: Promise<T>, limitMs: number | null): Promise<T | "late"> {
  if (limitMs === null) return work;
  const { promise, resolve } = Promise.withResolvers<"late">();
  const timer = setTimeout(() => resolve("late"), limitMs);
  try {
    return await Promise.race([work, promise]);
  } finally {
    clearTimeout(timer);
  }
}
