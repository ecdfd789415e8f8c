import type { CompiledFlow, CompiledStep } from "#orchestrate/flows";

/** Names of the steps whose outputs a step reads while it runs. */
export function refsOf(step: CompiledStep): string[] {
  const { forEach, gate, onError } = step;
  return [
    ...step.input.refs,
    ...(step.when?.refs ?? []),
    ...(forEach?.items.refs ?? []),
    ...(forEach?.key?.refs ?? []),
    ...(gate?.question.refs ?? []),
    ...(onError.do === "fallback" ? onError.output.refs : []),
  ];
}

/** Which steps read a step's output, for every step of the flow. */
export function readersOf(flow: CompiledFlow): ReadonlyMap<string, readonly CompiledStep[]> {
  const readers = new Map<string, CompiledStep[]>(flow.steps.map((s) => [s.name, []]));
  for (const step of flow.steps) for (const name of new Set(refsOf(step))) readers.get(name)?.push(step);
  return readers;
}
