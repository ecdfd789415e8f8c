import { z } from "zod";
import { gate } from "./gate.ts";
import { runId } from "./id.ts";
import { run, runProgress, runStep, stepStatus } from "./run.ts";
import { json, jsonObject } from "./scalar.ts";

/** Where a run is, without what its steps gave: small enough to ask for again and again. */
export const runAtAGlance = z
  .object({
    run: run.omit({ params: true, output: true, trigger: true }),
    steps: z.array(runStep.omit({ output: true })),
    currentSteps: z
      .array(z.object({ name: z.string(), status: stepStatus }))
      .meta({ description: "Those under way or waiting." }),
    pendingGates: z.array(gate),
    progress: runProgress,
  })
  .meta({ id: "RunAtAGlance" });

/** What a person needs in order to begin a run like this one; `POST /v1/runs/:id/replay` begins it. */
export const replayContext = z
  .object({
    run: run.omit({ params: true, output: true, trigger: true }),
    params: json,
    trigger: json,
    output: json,
    plan: z.array(z.object({ name: z.string(), kind: z.string() })).meta({ description: "Steps in order." }),
    results: jsonObject.meta({ description: "Outputs by step, of those that completed or were skipped." }),
    origin: runId.nullable().meta({ description: "The run that this one repeats." }),
  })
  .meta({ id: "ReplayContext" });

export type RunAtAGlance = z.infer<typeof runAtAGlance>;
export type ReplayContext = z.infer<typeof replayContext>;
