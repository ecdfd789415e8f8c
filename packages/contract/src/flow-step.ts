import { z } from "zod";
import { duration } from "./flow-duration.ts";

/** One step of a flow as its author writes it. Reference: docs/specs/flow.md. */

export const flowLimits = {
  /** Bytes of the source text, and of its canonical JSON after aliases are resolved. */
  definitionBytes: 262_144,
  steps: 1_000,
  /** Levels of nesting of the whole definition. */
  depth: 64,
  parallel: 64,
  retryAttempts: 50,
  /** Items of one `forEach`. */
  items: 10_000,
  /** Items of one `forEach` that may be under way at once. */
  itemsAtOnce: 1_000,
  /** Runs inside of runs, the outermost not counted. */
  runDepth: 8,
} as const;

export const stepName = z.string().regex(/^[A-Za-z][A-Za-z0-9_-]{0,62}$/, {
  error: "must start with a letter and hold at most 63 letters, digits, dashes and underscores",
});

export const flowDescription = z.string().max(2_000);

export const flowRetry = z
  .strictObject({
    attempts: z
      .int()
      .min(1)
      .max(flowLimits.retryAttempts)
      .optional()
      .meta({ description: "Attempts in all, the first included. Default 3." }),
    backoff: z.enum(["fixed", "exponential"]).optional().meta({ description: "Default exponential (x2)." }),
    initial: duration("1ms", "1h")
      .optional()
      .meta({ description: "Wait before the second attempt. Default 1s." }),
    max: duration("1ms", "1d").optional().meta({ description: "Longest wait. Default 1m." }),
  })
  .meta({ id: "FlowRetry" });

export const flowOnError = z
  .union([
    z.enum(["fail", "continue"]),
    z.strictObject({ goto: stepName }),
    z.strictObject({ fallback: z.unknown() }),
  ])
  .meta({ id: "FlowOnError" });

export const flowForEach = z
  .strictObject({
    items: z
      .union([z.string(), z.array(z.unknown()).max(flowLimits.items)])
      .meta({ description: "One {{ JSONata }} that gives a list, or a list. At most 10,000 items." }),
    concurrency: z
      .int()
      .min(1)
      .max(flowLimits.itemsAtOnce)
      .optional()
      .meta({ description: "Items that may be under way at once. Default 10." }),
    key: z
      .string()
      .min(1)
      .max(2_000)
      .optional()
      .meta({
        description: "Name of an item in journal and errors, from {{ item }} and {{ index }}.",
        examples: ["{{ item.id }}"],
      }),
    onItemError: z
      .enum(["fail", "continue"])
      .optional()
      .meta({ description: "Default fail: the step fails with the first item that does." }),
  })
  .meta({ id: "FlowForEach" });

export const gateDecision = z.enum(["continue", "retry", "abort"]).meta({ id: "GateDecision" });

export const flowGate = z
  .strictObject({
    question: z
      .string()
      .min(1)
      .max(4_000)
      .meta({ description: "Asked when the step is done; may hold {{ output }} of the step." }),
    options: z
      .array(gateDecision)
      .min(1)
      .max(3)
      .optional()
      .meta({ description: "What may be answered. Default all of them." }),
    approvers: z
      .array(z.string().regex(/^[a-z][a-z0-9_-]{0,62}$/, { error: "must be the name of a role" }))
      .min(1)
      .max(20)
      .optional()
      .meta({ description: "Roles that may answer. Default [approver]." }),
    excludeRequester: z
      .boolean()
      .optional()
      .meta({ description: "Whoever started the run may not answer. Default true." }),
    timeout: duration("10ms", "30d")
      .optional()
      .meta({ description: "Longest wait for an answer. Default: that of the run." }),
    default: gateDecision.optional().meta({
      description: "Taken when the time is over. Without one the step fails with GATE_TIMEOUT.",
    }),
  })
  .meta({ id: "FlowGate" });

export const flowCache = z
  .strictObject({
    ttl: duration("1s", "30d")
      .optional()
      .meta({ description: "How long an output may be used again. Default 10m." }),
    scope: z.enum(["tenant", "principal"]).optional().meta({
      description: "Who shares it: only runs of the same principal (default), or the whole tenant.",
    }),
  })
  .meta({ id: "FlowCache" });

export const flowStep = z
  .strictObject({
    use: z
      .string()
      .min(1)
      .max(100)
      .meta({
        description: "Step kind, with its version or without: http.request@1",
        examples: ["http.request"],
      }),
    with: z
      .record(z.string(), z.unknown())
      .optional()
      .meta({ description: "Input of the step kind; strings may hold {{ JSONata }}." }),
    needs: z.array(stepName).max(flowLimits.steps).optional(),
    when: z
      .union([z.boolean(), z.string()])
      .optional()
      .meta({ description: "Condition {{ JSONata }}; the step is skipped when it is not true." }),
    forEach: flowForEach.optional().meta({
      description: "Runs the step once for each item; `with` reads item and index.",
    }),
    retry: flowRetry.optional(),
    timeout: duration("10ms", "30d").optional(),
    onError: flowOnError.optional(),
    cache: flowCache.optional().meta({
      description: "Uses the output of an earlier step with the same resolved input again.",
    }),
    gate: flowGate.optional().meta({ description: "Asks a person before the run goes on." }),
    skippable: z
      .boolean()
      .optional()
      .meta({ description: "An operator may skip the step when it fails or waits. Default false." }),
    durable: z.boolean().optional(),
    description: flowDescription.optional(),
  })
  .meta({ id: "FlowStep" });

export type FlowRetry = z.infer<typeof flowRetry>;
export type FlowOnError = z.infer<typeof flowOnError>;
export type FlowForEach = z.infer<typeof flowForEach>;
export type GateDecision = z.infer<typeof gateDecision>;
export type FlowGate = z.infer<typeof flowGate>;
export type FlowCache = z.infer<typeof flowCache>;
export type FlowStep = z.infer<typeof flowStep>;
