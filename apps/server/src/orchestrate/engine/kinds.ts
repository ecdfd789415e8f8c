import { durationMs } from "@oars/contract";
import type { ZodType } from "zod";
import { z } from "zod";
import { createSchemas, type TransformResult } from "#orchestrate/transforms";

/** What a step does. Versioned: a run keeps the kind versions that its flow was published with. */
export type StepKind = StepKindBase &
  (
    | { readonly mode: "transform"; run(config: unknown): TransformResult | Promise<TransformResult> }
    /** Proposes an action with this operation; config is its input and names the connection. */
    | { readonly mode: "effect"; readonly operation: string }
    /** Waits for a time or for a signal; config is a `WaitConfig`. */
    | { readonly mode: "wait" }
    /** Starts a run of another flow and waits for its end; config is a `ChildConfig`. */
    | { readonly mode: "child" }
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

const duration = z
  .string()
  .refine((text) => durationMs(text) !== undefined, "must be a duration: 500ms, 2s, 5m, 1h, 1d");

const schemas = createSchemas(); // a bounded cache that never shows in a result

const waitConfig = z
  .strictObject({
    for: duration.optional().meta({ description: "A time from now." }),
    until: z.iso
      .datetime({ offset: true, error: "must be an instant with its zone, as in 2027-01-31T09:00:00Z" })
      .optional()
      .meta({ description: "An instant; one that has passed waits for nothing." }),
    signal: z
      .string()
      .regex(/^[A-Za-z][A-Za-z0-9_.-]{0,62}$/, {
        error: "must start with a letter and hold at most 63 letters, digits, dots, dashes and underscores",
      })
      .optional()
      .meta({ description: "Name of a signal; its payload is the step's output." }),
    timeout: duration.optional().meta({ description: "How long a signal is waited for." }),
    schema: z.json().optional().meta({ description: "JSON Schema of the signal's payload." }),
  })
  .superRefine((config, context) => {
    const ways = [config.for, config.until, config.signal].filter((way) => way !== undefined);
    if (ways.length !== 1)
      context.addIssue({ code: "custom", message: "must have exactly one of for, until and signal" });
    if (config.signal !== undefined) {
      const compiled = config.schema === undefined ? undefined : schemas.compile(config.schema);
      if (compiled && !compiled.ok)
        context.addIssue({ code: "custom", path: ["schema"], message: compiled.message });
      return;
    }
    for (const field of ["timeout", "schema"] as const)
      if (config[field] !== undefined)
        context.addIssue({ code: "custom", path: [field], message: "belongs to a wait for a signal" });
  });

export type WaitConfig = z.infer<typeof waitConfig>;

const childConfig = z.strictObject({
  flow: z.string().min(1).max(100).meta({ description: "Name of the flow to run." }),
  version: z
    .string()
    .min(1)
    .max(100)
    .optional()
    .meta({ description: "Newest when the step starts, if absent." }),
  params: z.record(z.string(), z.json()).optional(),
});

export type ChildConfig = z.infer<typeof childConfig>;

/** Kinds that the engine brings itself. `noop` does nothing; `wait` completes after a time or with a signal. */
export const builtInKinds: readonly StepKind[] = [
  {
    name: "noop",
    version: 1,
    pure: true,
    mode: "transform",
    config: z.strictObject({ output: z.json().optional() }),
    run: (config) => ({ ok: true, output: (config as { output?: never }).output ?? null }), // parsed by `config`
  },
  { name: "wait", version: 1, pure: false, mode: "wait", config: waitConfig },
  { name: "flow", version: 1, pure: false, mode: "child", config: childConfig },
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
