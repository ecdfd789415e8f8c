import { z } from "zod";
import { duration } from "./flow-duration.ts";
import { flowDescription, flowLimits, flowStep, stepName } from "./flow-step.ts";

/**
 * The definition of a flow as its author writes it, in YAML or JSON. Reference: docs/specs/flow.md.
 * Defaults are applied when a flow is compiled, never written back: the hash names what was written.
 */

const paramName = z.string().regex(/^[A-Za-z][A-Za-z0-9_]{0,62}$/, {
  error: "must start with a letter and hold at most 63 letters, digits and underscores",
});

const semver =
  /^(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})(?:-((?:0|[1-9]\d{0,8}|\d*[A-Za-z-][0-9A-Za-z-]*)(?:\.(?:0|[1-9]\d{0,8}|\d*[A-Za-z-][0-9A-Za-z-]*))*))?$/;

export const flowName = z
  .string()
  .max(100)
  .regex(/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/, {
    error: "must be lower-case words joined by dashes, as in order-to-warehouse",
  });

export const flowVersionName = z
  .string()
  .max(100)
  .regex(semver, { error: "must be a semantic version without build data, as in 1.0.0 or 1.1.0-rc.1" });

export const flowParam = z
  .strictObject({
    type: z.enum(["string", "number", "integer", "boolean", "object", "array"]),
    required: z.boolean().optional(),
    default: z.unknown().optional(),
    enum: z.array(z.unknown()).min(1).max(200).optional(),
    description: flowDescription.optional(),
    secret: z
      .boolean()
      .optional()
      .meta({ description: "The value is sealed in receipts and hidden in lists." }),
  })
  .meta({ id: "FlowParam" });

export const flowRespond = z
  .strictObject({
    mode: z
      .enum(["accepted", "sync"])
      .optional()
      .meta({ description: "accepted (default): 202 at once; sync: the output of the run." }),
    timeout: duration("100ms", "60s").optional().meta({
      description: "How long a synchronous answer is waited for; then 202 as with accepted. Default 10s.",
    }),
  })
  .meta({ id: "FlowRespond" });

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
    respond: flowRespond.optional().meta({ description: "What the request is answered with." }),
  })
  .meta({ id: "FlowWebhook" });

export const flowTrigger = z.strictObject({ webhook: flowWebhook }).meta({ id: "FlowTrigger" });

export const flowConcurrency = z
  .strictObject({
    key: z
      .string()
      .min(1)
      .max(2_000)
      .meta({
        description: "Runs with the same key exclude each other; reads params and trigger.",
        examples: ["{{ params.customer }}"],
      }),
    limit: z.int().min(1).max(1_000).optional().meta({ description: "Runs of one key at once. Default 1." }),
    mode: z.enum(["queue", "cancel-oldest", "reject"]).optional().meta({
      description: "What happens to a run over the limit, or to the oldest one. Default queue.",
    }),
  })
  .meta({ id: "FlowConcurrency" });

const limits = z.strictObject({
  parallel: z
    .int()
    .min(1)
    .max(flowLimits.parallel)
    .optional()
    .meta({ description: "Steps of one run that may be under way at once. Default 4." }),
  timeout: duration("1s", "30d").optional().meta({ description: "Longest life of a run. Default 1d." }),
  runs: z.int().min(1).max(100_000).optional().meta({
    description: "Runs of this flow that may be running at once, all workers together. Default no limit.",
  }),
});

const receipts = z.strictObject({
  runs: z.boolean().meta({
    description:
      "Whether the start and the end of each run are signed. Default: as the server is set (OARS_RUN_RECEIPTS).",
  }),
});

export const flowDefinition = z
  .strictObject({
    flow: flowName,
    version: flowVersionName,
    description: flowDescription.optional(),
    owner: z.string().min(1).max(100).optional(),
    labels: z.record(z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._/-]{0,62}$/), z.string().max(200)).optional(),
    params: z.record(paramName, flowParam).optional(),
    priority: z
      .int()
      .min(-100)
      .max(100)
      .optional()
      .meta({ description: "Runs of higher priority start first, within a tenant. Default 0." }),
    concurrency: flowConcurrency.optional(),
    limits: limits.optional(),
    receipts: receipts.optional(),
    triggers: z.array(flowTrigger).max(20).optional(),
    steps: z.record(stepName, flowStep).meta({ minProperties: 1, maxProperties: flowLimits.steps }),
    output: z
      .unknown()
      .optional()
      .meta({ description: "What the run answers; strings may hold {{ JSONata }}." }),
  })
  .meta({ id: "FlowDefinition", title: "OARS flow" });

export type FlowParam = z.infer<typeof flowParam>;
export type FlowRespond = z.infer<typeof flowRespond>;
export type FlowConcurrency = z.infer<typeof flowConcurrency>;
export type FlowTrigger = z.infer<typeof flowTrigger>;
export type FlowDefinition = z.infer<typeof flowDefinition>;
