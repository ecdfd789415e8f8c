import { z } from "zod";

/**
 * The definition of a flow as its author writes it, in YAML or JSON. Reference: docs/specs/flow.md.
 * Defaults are applied when a flow is compiled, never written back: the hash names what was written.
 */

export const flowLimits = {
  /** Bytes of the source text, and of its canonical JSON after aliases are resolved. */
  definitionBytes: 262_144,
  steps: 1_000,
  /** Levels of nesting of the whole definition. */
  depth: 64,
  parallel: 64,
  retryAttempts: 50,
} as const;

const units = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const durationShape = /^(\d{1,12})(ms|s|m|h|d)$/;

/** Milliseconds of `500ms`, `2s`, `5m`, `1h`, `1d`; undefined for any other text. */
export function durationMs(text: string): number | undefined {
  const [, amount, unit] = durationShape.exec(text) ?? [];
  return amount === undefined ? undefined : Number(amount) * units[unit as keyof typeof units]; // the shape admits these units
}

const duration = (min: string, max: string) =>
  z
    .string()
    .regex(durationShape, { error: "must be a whole number and a unit: 500ms, 2s, 5m, 1h, 1d", abort: true })
    .refine(
      (text) => {
        const ms = durationMs(text) ?? -1;
        return ms >= (durationMs(min) ?? 0) && ms <= (durationMs(max) ?? 0);
      },
      { error: `must be from ${min} to ${max}` },
    )
    .meta({ examples: ["30s"] });

const stepName = z.string().regex(/^[A-Za-z][A-Za-z0-9_-]{0,62}$/, {
  error: "must start with a letter and hold at most 63 letters, digits, dashes and underscores",
});

const paramName = z.string().regex(/^[A-Za-z][A-Za-z0-9_]{0,62}$/, {
  error: "must start with a letter and hold at most 63 letters, digits and underscores",
});

const semver =
  /^(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})(?:-((?:0|[1-9]\d{0,8}|\d*[A-Za-z-][0-9A-Za-z-]*)(?:\.(?:0|[1-9]\d{0,8}|\d*[A-Za-z-][0-9A-Za-z-]*))*))?$/;

const description = z.string().max(2_000);

export const flowParam = z
  .strictObject({
    type: z.enum(["string", "number", "integer", "boolean", "object", "array"]),
    required: z.boolean().optional(),
    default: z.unknown().optional(),
    enum: z.array(z.unknown()).min(1).max(200).optional(),
    description: description.optional(),
    secret: z
      .boolean()
      .optional()
      .meta({ description: "The value is sealed in receipts and hidden in lists." }),
  })
  .meta({ id: "FlowParam" });

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
    retry: flowRetry.optional(),
    timeout: duration("10ms", "30d").optional(),
    onError: flowOnError.optional(),
    durable: z.boolean().optional(),
    description: description.optional(),
  })
  .meta({ id: "FlowStep" });

export const flowWebhook = z
  .strictObject({
    slug: z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/, {
      error: "must be 1 to 63 lower-case letters, digits and dashes",
    }),
    auth: z.strictObject({
      hmac: z.strictObject({
        secret: z.string().regex(/^vault:[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/, {
          error: "must name a secret of the vault, as in vault:orders-hmac; never write the secret itself",
        }),
      }),
    }),
    params: z.record(paramName, z.unknown()).optional().meta({
      description: "Parameters of the run from the request: {{ trigger.json }}, {{ trigger.text }}.",
    }),
  })
  .meta({ id: "FlowWebhook" });

export const flowTrigger = z.strictObject({ webhook: flowWebhook }).meta({ id: "FlowTrigger" });

export const flowDefinition = z
  .strictObject({
    flow: z
      .string()
      .max(100)
      .regex(/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/, {
        error: "must be lower-case words joined by dashes, as in order-to-warehouse",
      }),
    version: z
      .string()
      .max(100)
      .regex(semver, { error: "must be a semantic version without build data, as in 1.0.0 or 1.1.0-rc.1" }),
    description: description.optional(),
    owner: z.string().min(1).max(100).optional(),
    labels: z.record(z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._/-]{0,62}$/), z.string().max(200)).optional(),
    params: z.record(paramName, flowParam).optional(),
    limits: z
      .strictObject({
        parallel: z
          .int()
          .min(1)
          .max(flowLimits.parallel)
          .optional()
          .meta({ description: "Steps of one run that may be under way at once. Default 4." }),
        timeout: duration("1s", "30d").optional().meta({ description: "Longest life of a run. Default 1d." }),
      })
      .optional(),
    triggers: z.array(flowTrigger).max(20).optional(),
    steps: z.record(stepName, flowStep).meta({ minProperties: 1, maxProperties: flowLimits.steps }),
    output: z
      .unknown()
      .optional()
      .meta({ description: "What the run answers; strings may hold {{ JSONata }}." }),
  })
  .meta({ id: "FlowDefinition", title: "OARS flow" });

export type FlowParam = z.infer<typeof flowParam>;
export type FlowRetry = z.infer<typeof flowRetry>;
export type FlowOnError = z.infer<typeof flowOnError>;
export type FlowStep = z.infer<typeof flowStep>;
export type FlowTrigger = z.infer<typeof flowTrigger>;
export type FlowDefinition = z.infer<typeof flowDefinition>;
