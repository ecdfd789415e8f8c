import { z } from "zod";
import { instant } from "./scalar.ts";

export const jobName = z
  .string()
  .regex(/^[a-z][a-z-]{0,99}$/)
  .meta({ examples: ["approval-expiry"] });

/**
 * A background job of the installation. It runs in one process at a time; `worker` and `host` say in which one now.
 * `failures` counts the runs that failed since the last one that did not.
 */
export const job = z
  .object({
    name: jobName,
    everyMs: z.int(),
    state: z.enum(["idle", "due", "running"]),
    nextAt: instant,
    worker: z.string().nullable(),
    host: z.string().nullable(),
    startedAt: instant.nullable(),
    endedAt: instant.nullable(),
    lastMs: z.int().nullable(),
    lastError: z.string().nullable(),
    failures: z.int(),
  })
  .meta({ id: "Job" });

export const jobList = z.object({ items: z.array(job) });

export const jobStarted = z.object({ name: jobName, started: z.literal(true) }).meta({ id: "JobStarted" });

export type Job = z.infer<typeof job>;
export type JobStarted = z.infer<typeof jobStarted>;
