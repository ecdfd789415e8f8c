import { durationMs } from "@oars/contract";
import type { ZodType } from "zod";
import { z } from "zod";
import type { TransformResult } from "#orchestrate/transforms";

/** What a step does. Versioned: a run keeps the kind versions that its flow was published with. */
export type StepKind = StepKindBase &
  (
    | { readonly mode: "transform"; run(config: unknown): TransformResult | Promise<TransformResult> }
    /** Proposes an action with this operation; config is its input and names the connection. */
    | { readonly mode: "effect"; readonly operation: string }
    | { readonly mode: "timer" }
  );

interface StepKindBase {
  readonly name: string;
  readonly version: number;
  /** Pure kinds may run again after a crash: their journal entry rides with the next barrier. */
  readonly pure: boolean;
  readonly config: ZodType;
}

export interface StepKinds {
  /** By `name` (newest version) or `name@version`. */
  find(use: string): StepKind | undefined;
  names(): string[];
}

/** Kinds that the engine brings itself. `noop` does nothing; `wait` completes after a time. */
export const builtInKinds: readonly StepKind[] = [
  {
    name: "noop",
    version: 1,
    pure: true,
    mode: "transform",
    config: z.strictObject({ output: z.json().optional() }),
    run: (config) => ({ ok: true, output: (config as { output?: never }).output ?? null }), // parsed by `config`
  },
  {
    name: "wait",
    version: 1,
    pure: false,
    mode: "timer",
    config: z.strictObject({
      for: z
        .string()
        .refine((text) => durationMs(text) !== undefined, "must be a duration: 500ms, 2s, 5m, 1h, 1d"),
    }),
  },
];

export function createStepKinds(kinds: readonly StepKind[]): StepKinds {
  const byName = new Map<string, StepKind>();
  for (const kind of kinds) {
    byName.set(`${kind.name}@${kind.version}`, kind);
    const newest = byName.get(kind.name);
    if (!newest || newest.version < kind.version) byName.set(kind.name, kind);
  }
  return {
    find: (use) => byName.get(use),
    names: () => [...new Set(kinds.map((k) => k.name))].sort(),
  };
}
