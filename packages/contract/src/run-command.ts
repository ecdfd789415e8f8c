/** What an operator does to runs. docs/guides/operate-runs.md shows each. */
import { z } from "zod";
import { stepName } from "./flow-step.ts";
import { runId } from "./id.ts";
import { withSeedNames } from "./request-alias.ts";
import { labels, runMatch, runStatus } from "./run.ts";
import { json, jsonObject, reason } from "./scalar.ts";

const anyStep = stepName.optional().meta({
  description: "Absent: every step whose failure ended the run.",
});
const oneStep = stepName;
const version = z.string().min(1).max(60);

const retryFields = z
  .strictObject({
    reason,
    step: anyStep,
    edits: jsonObject.optional().meta({
      description:
        "Deep-merged into the step's resolved input for this and all later attempts. Needs `step`.",
    }),
    delaySeconds: z.int().min(0).max(600).default(0),
  })
  .refine((r) => r.edits === undefined || r.step !== undefined, {
    error: "needs the step whose input it changes",
    path: ["edits"],
  })
  .meta({ id: "RetryRunRequest" });

/** Also reads `modifications` and `note`. */
export const retryRunRequest = withSeedNames({ modifications: "edits", note: "reason" }, retryFields);

const skipFields = z
  .strictObject({
    reason,
    step: anyStep,
    output: json.optional().meta({
      description: "What the step's dependents read in place of its output; null when absent. Needs `step`.",
    }),
  })
  .refine((r) => r.output === undefined || r.step !== undefined, {
    error: "needs the step that it stands for",
    path: ["output"],
  })
  .meta({ id: "SkipStepRequest" });

/** Also reads `replacementOutput` and `note`. */
export const skipStepRequest = withSeedNames({ replacementOutput: "output", note: "reason" }, skipFields);

export const editOutputRequest = z
  .strictObject({ reason, step: oneStep, output: json })
  .meta({ id: "EditOutputRequest" });

const reasonFields = z.strictObject({ reason }).meta({ id: "OperateRunRequest" });

/** Also reads `note`. */
export const abortRunRequest = withSeedNames({ note: "reason" }, reasonFields);
export const pauseRunRequest = abortRunRequest;
export const resumeRunRequest = abortRunRequest;

export const rerunRequest = z
  .strictObject({
    reason,
    from: oneStep.meta({
      description:
        "This step and all that follows from it run again; others are used again where nothing changed.",
    }),
    version: version
      .optional()
      .meta({ description: "That of the run when absent; `latest` for the newest." }),
    labels: labels.optional(),
  })
  .meta({ id: "RerunRequest" });

export const replayRunRequest = z
  .strictObject({
    reason,
    params: jsonObject
      .optional()
      .meta({ description: "In place of the run's own parameters of these names." }),
    version: version
      .optional()
      .meta({ description: "That of the run when absent; `latest` for the newest." }),
    labels: labels.optional(),
  })
  .meta({ id: "ReplayRunRequest" });

export const bulkCommand = z.enum(["retry", "skip", "abort", "pause", "resume"]);

/** Commands over all runs that match, the oldest first. */
export const bulkRunRequest = z
  .strictObject({
    command: bulkCommand,
    filter: runMatch.refine((f) => Object.values(f).some((v) => v !== undefined), {
      error: "must name at least one thing that the runs have in common",
    }),
    reason,
    step: stepName.optional().meta({ description: "Of retry and skip." }),
    dryRun: z.boolean().default(false).meta({ description: "Tell what would happen, and do nothing." }),
    limit: z.int().min(1).max(1000).default(1000),
    cursor: z.string().min(1).max(512).optional(),
  })
  .refine((b) => b.step === undefined || b.command === "retry" || b.command === "skip", {
    error: "goes with the commands retry and skip",
    path: ["step"],
  })
  .meta({ id: "BulkRunRequest" });

export const bulkRunResult = z
  .object({
    command: bulkCommand,
    dryRun: z.boolean(),
    matched: z.int().meta({ description: "Runs that this call looked at." }),
    outcomes: z
      .record(z.string(), z.int())
      .meta({ description: "Runs by `ok` or by the code of the refusal." }),
    items: z
      .array(
        z.object({
          runId,
          outcome: z.string().meta({ description: "`ok`, or the code of the refusal." }),
          status: runStatus
            .nullable()
            .meta({ description: "Of the run, after the command or, of a dry run and a refusal, as it is." }),
          message: z.string().optional(),
        }),
      )
      .meta({ description: "One for each run; of a dry run, the first 100." }),
    nextCursor: z.string().nullable(),
  })
  .meta({ id: "BulkRunResult" });

export type RetryRunRequest = z.input<typeof retryFields>;
export type SkipStepRequest = z.input<typeof skipFields>;
export type EditOutputRequest = z.input<typeof editOutputRequest>;
export type OperateRunRequest = z.input<typeof reasonFields>;
export type AbortRunRequest = OperateRunRequest;
export type RerunRequest = z.input<typeof rerunRequest>;
export type ReplayRunRequest = z.input<typeof replayRunRequest>;
export type BulkCommand = z.infer<typeof bulkCommand>;
export type BulkRunRequest = z.input<typeof bulkRunRequest>;
export type BulkRunResult = z.infer<typeof bulkRunResult>;
