/**
 * Which steps of a run that is repeated need not run again. Pure.
 *
 * O6 a step is used again only if it does not follow from the first one that is to run, is written the same in both
 *    versions and runs by the same version of its kind, and everything that it follows from is used again as well.
 */
import type { CompiledFlow, CompiledStep } from "#orchestrate/flows";
import { canonicalJson } from "#platform/kernel";

/** Steps whose end decides whether and with what a step runs: what it needs, and what may go to it. */
const sources = (flow: CompiledFlow, step: CompiledStep): CompiledStep[] =>
  flow.steps.filter(
    (s) => step.needs.includes(s.index) || (s.onError.do === "goto" && s.onError.step === step.index),
  );

const sameStep = (before: CompiledFlow, after: CompiledFlow, step: CompiledStep): boolean => {
  const old = before.steps.find((s) => s.name === step.name);
  if (!old || old.kind !== step.kind || old.kindVersion !== step.kindVersion) return false;
  const texts = [before, after].map((flow) => canonicalJson(flow.definition.steps[step.name] ?? null));
  return texts[0] === texts[1];
};

/** Names of the steps of `after` to use again. `ended` holds those that completed or were skipped in the run. */
export function reusable(
  before: CompiledFlow,
  after: CompiledFlow,
  from: string,
  ended: ReadonlySet<string>,
): string[] {
  const reused = new Set<string>();
  for (const step of after.steps) {
    // topological: what a step follows from stands before it
    const follows = sources(after, step);
    const same = follows.every((s) => reused.has(s.name)) && sameSources(before, step, follows);
    if (step.name !== from && ended.has(step.name) && same && sameStep(before, after, step))
      reused.add(step.name);
  }
  return [...reused];
}

/** A goto may lead to a step in one version that did not in the other, without the step's own text being changed. */
function sameSources(before: CompiledFlow, step: CompiledStep, after: readonly CompiledStep[]): boolean {
  const old = before.steps.find((s) => s.name === step.name);
  if (!old) return false;
  const names = (list: readonly CompiledStep[]): string => JSON.stringify(list.map((s) => s.name).sort());
  return names(sources(before, old)) === names(after);
}
