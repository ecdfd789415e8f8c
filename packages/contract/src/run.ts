import { z } from "zod";
import { gate } from "./gate.ts";
import { principalId, runId } from "./id.ts";
import { pageQuery } from "./page.ts";
import { digest, instant, json, jsonObject, resourceName, searchText, stepError } from "./scalar.ts";

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

const labelName = z.string().min(1).max(60);
const labelValue = z.string().max(200);
export const labels = z.record(labelName, labelValue);

export const startRunRequest = z
  .strictObject({
    flow: resourceName,
    version: z.string().min(1).max(60).optional().meta({ description: "Newest published when absent." }),
    params: jsonObject.default({}),
    labels: labels.optional().meta({ description: "Over those of the flow." }),
    priority: z.int().min(-100).max(100).optional().meta({ description: "That of the flow when absent." }),
    respond: z.enum(["accepted", "sync"]).optional().meta({
      description:
        "`sync`: answer with the run's end when it comes within 10 s, or within what `Prefer: wait=N` says.",
    }),
  })
  .meta({ id: "StartRunRequest" });

const labelText = z
  .string()
  .max(261)
  .regex(/^[^=\0]{1,60}=[^\0]*$/, { error: "must be name=value" });

/** What runs may have in common. All that is given must hold. */
export const runMatch = z.strictObject({
  status: runStatus.optional(),
  flow: resourceName.optional(),
  label: z
    .union([labelText.transform((one) => [one]), z.array(labelText).min(1).max(10)])
    .optional()
    .meta({ description: "name=value; several must all be there.", examples: ["shop=eu"] }),
  parent: runId.optional().meta({ description: "Sub-runs of this run." }),
  origin: runId.optional().meta({ description: "Runs that repeat this run." }),
  startedAfter: instant.optional().meta({ description: "Started at this instant or later." }),
  startedBefore: instant.optional().meta({ description: "Started before this instant." }),
  search: searchText.optional().meta({
    description: "Text in the flow's name, in a label's value, or in the error; or the id of a run.",
  }),
});

export const runFilter = pageQuery.extend(runMatch.shape);

const runPlace = z.object({ runId, step: z.string(), item: z.int().nullable() });

export const run = z
  .object({
    id: runId,
    flow: z.string(),
    version: z.string(),
    flowHash: digest,
    status: runStatus,
    etag: z.string().meta({ description: "Changes whenever the run moves; for If-Match." }),
    pausedAt: instant.nullable().meta({ description: "Set while an operator holds the run back." }),
    blocked: z.boolean().meta({ description: "It waits for its turn under its concurrency key." }),
    labels,
    priority: z.int(),
    params: json.optional().meta({ description: "Not in lists." }),
    output: json.optional().meta({ description: "Not in lists." }),
    error: stepError.nullable(),
    startedBy: principalId,
    trigger: json.optional().meta({ description: "Not in lists." }),
    parent: runPlace.nullable().meta({ description: "The step that started this run." }),
    origin: runId.nullable().meta({ description: "The run that this one repeats." }),
    createdAt: instant,
    startedAt: instant.nullable(),
    endedAt: instant.nullable(),
    deadlineAt: instant.nullable(),
  })
  .meta({ id: "Run" });

const itemCounts = z.object({
  total: z.int().nullable().meta({ description: "Null until the step has ended." }),
  completed: z.int(),
  failed: z.int(),
  skipped: z.int(),
  waiting: z.int(),
});

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
    operator: z
      .object({
        command: z.string(),
        principalId: principalId.optional(),
        reason: z.string().optional(),
        fromRunId: runId.optional(),
      })
      .nullable()
      .meta({ description: "Who or what put this in place of the engine." }),
    items: itemCounts.nullable().meta({ description: "Of a step with forEach." }),
  })
  .meta({ id: "RunStep" });

export const runItem = z
  .object({
    index: z.int().meta({ description: "From 0, as in the list." }),
    status: stepStatus,
    attempt: z.int(),
    output: json.optional(),
    error: stepError.nullable(),
    startedAt: instant.nullable(),
    endedAt: instant.nullable(),
  })
  .meta({ id: "RunItem" });

export const runProgress = z
  .object({
    total: z.int(),
    completed: z.int().meta({ description: "Steps that completed or were skipped." }),
    percent: z.int().min(0).max(100),
  })
  .meta({ id: "RunProgress" });

export const runWithSteps = run
  .extend({
    steps: z.array(runStep),
    progress: runProgress,
    gates: z.array(gate).meta({ description: "Questions that are open." }),
    children: z
      .array(
        z.object({ id: runId, flow: z.string(), version: z.string(), status: runStatus, step: z.string() }),
      )
      .meta({ description: "The newest 20 sub-runs; all of them by the filter `parent`." }),
  })
  .meta({ id: "RunWithSteps" });

/**
 * One entry of a run's history. `seq` grows within the run; pass the last one seen as `Last-Event-ID`
 * (or `?after=`) to go on after it: nothing is lost and nothing is repeated.
 */
export const runEvent = z
  .object({
    seq: z.int(),
    type: z.string(),
    at: instant,
    data: json,
    end: z.literal(true).optional().meta({
      description:
        "The run has ended with this event. Absent from a failure that a person let the run go on from.",
    }),
  })
  .meta({ id: "RunEvent" });

export type RunStatus = z.infer<typeof runStatus>;
export type StepStatus = z.infer<typeof stepStatus>;
export type StartRunRequest = z.input<typeof startRunRequest>;
export type RunMatch = z.input<typeof runMatch>;
export type RunFilter = z.input<typeof runFilter>;
export type Run = z.infer<typeof run>;
export type RunStep = z.infer<typeof runStep>;
export type RunItem = z.infer<typeof runItem>;
export type RunProgress = z.infer<typeof runProgress>;
export type RunWithSteps = z.infer<typeof runWithSteps>;
export type RunEvent = z.infer<typeof runEvent>;
