import { z } from "zod";
import { principalId, runId } from "./id.ts";
import { pageQuery } from "./page.ts";
import { digest, instant, json, jsonObject, reason, resourceName, stepError } from "./scalar.ts";

export const runStatus = z.enum(["queued", "running", "waiting", "completed", "failed", "aborted"]);
export const stepStatus = z.enum([
  "pending",
  "running",
  "waiting",
  "completed",
  "failed",
  "skipped",
  "aborted",
]);

const label = z.string().max(200);

export const startRunRequest = z
  .strictObject({
    flow: resourceName,
    version: z.string().min(1).max(60).optional().meta({ description: "Newest published when absent." }),
    params: jsonObject.default({}),
    labels: z.record(z.string().min(1).max(60), label).optional(),
    priority: z.int().min(-100).max(100).optional(),
  })
  .meta({ id: "StartRunRequest" });

export const abortRunRequest = z.strictObject({ reason }).meta({ id: "AbortRunRequest" });

export const runFilter = pageQuery.extend({
  status: runStatus.optional(),
  flow: resourceName.optional(),
});

export const run = z
  .object({
    id: runId,
    flow: z.string(),
    version: z.string(),
    flowHash: digest,
    status: runStatus,
    labels: z.record(z.string(), z.string()),
    priority: z.int(),
    params: json.optional().meta({ description: "Not in lists." }),
    output: json.optional().meta({ description: "Not in lists." }),
    error: stepError.nullable(),
    startedBy: principalId,
    trigger: json.optional().meta({ description: "Not in lists." }),
    createdAt: instant,
    startedAt: instant.nullable(),
    endedAt: instant.nullable(),
  })
  .meta({ id: "Run" });

export const runStep = z
  .object({
    name: z.string(),
    kind: z.string(),
    status: stepStatus,
    attempt: z.int(),
    output: json.optional(),
    error: stepError.nullable(),
    startedAt: instant.nullable(),
    endedAt: instant.nullable(),
  })
  .meta({ id: "RunStep" });

export const runWithSteps = run.extend({ steps: z.array(runStep) }).meta({ id: "RunWithSteps" });

/**
 * One entry of a run's history. `seq` grows within the run; pass the last one seen as `Last-Event-ID`
 * (or `?after=`) to go on after it: nothing is lost and nothing is repeated.
 */
export const runEvent = z
  .object({ seq: z.int(), type: z.string(), at: instant, data: json })
  .meta({ id: "RunEvent" });

export type RunStatus = z.infer<typeof runStatus>;
export type StepStatus = z.infer<typeof stepStatus>;
export type StartRunRequest = z.input<typeof startRunRequest>;
export type AbortRunRequest = z.input<typeof abortRunRequest>;
export type RunFilter = z.input<typeof runFilter>;
export type Run = z.infer<typeof run>;
export type RunStep = z.infer<typeof runStep>;
export type RunWithSteps = z.infer<typeof runWithSteps>;
export type RunEvent = z.infer<typeof runEvent>;
