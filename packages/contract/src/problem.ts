import { z } from "zod";
import { runId } from "./id.ts";
import { json } from "./scalar.ts";

/** One fault at one place of the request. `path` is dotted: `steps.ship.with.path`, `query.limit`. */
export const fieldProblem = z
  .object({
    path: z.string(),
    code: z.string(),
    message: z.string(),
    line: z.int().positive().optional(),
    column: z.int().positive().optional(),
  })
  .meta({ id: "FieldProblem" });

/**
 * RFC 9457 problem document, sent as `application/problem+json` with every status from 400 up.
 * `code` is stable and belongs in programs; `title` and `detail` are for people. `errors` lists every
 * fault of the request at once and is empty where the problem is not about single fields.
 */
export const problem = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.int().min(400).max(599),
    detail: z.string(),
    instance: z.string(),
    code: z.string(),
    requestId: z.string(),
    runId: runId.optional(),
    errors: z.array(fieldProblem),
    current: z.record(z.string(), json).optional().meta({
      description: "With 409 and 412: how the thing stands now, as `status`, `etag`, `step`, `decision`.",
    }),
  })
  .meta({ id: "Problem" });

export type FieldProblem = z.infer<typeof fieldProblem>;
export type Problem = z.infer<typeof problem>;
