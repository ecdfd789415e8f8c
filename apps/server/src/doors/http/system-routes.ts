import { jobList, jobName, jobStarted } from "@oars/contract";
import { z } from "zod";
import type { JobRow } from "#platform/jobs";
import { route, type ServiceRoute } from "./services.ts";
import { shownOrNull } from "./wire-id.ts";

const tag = "operation";

const toJob = (row: JobRow) => ({
  name: row.name,
  everyMs: row.everyMs,
  state: row.holder !== null ? "running" : row.due ? "due" : "idle",
  nextAt: row.nextAt,
  worker: shownOrNull("worker", row.holder),
  host: row.host,
  startedAt: row.startedAt,
  endedAt: row.endedAt,
  lastMs: row.lastMs,
  lastError: row.lastError,
  failures: row.failures,
});

export const systemRoutes: readonly ServiceRoute[] = [
  route({
    method: "GET",
    path: "/v1/system/jobs",
    access: "system:read",
    tag,
    summary: "List the background jobs of the installation",
    description:
      "Each job runs in one process at a time: `worker` and `host` say in which one now. `lastError` and `failures` tell of the runs since the last good one.",
    answer: { status: 200, body: jobList },
    handle: async ({ scheduler }, { caller }) => ({ items: (await scheduler.list(caller)).map(toJob) }),
  }),
  route({
    method: "POST",
    path: "/v1/system/jobs/:name/run",
    access: "platform:operate",
    tag,
    summary: "Run a background job now",
    description: "Answers once the job has begun, in this process; the list of jobs tells how it ended.",
    params: z.strictObject({ name: jobName }),
    notFound: "JOB_NOT_FOUND",
    idempotency: "door",
    answer: { status: 202, body: jobStarted },
    handle: async ({ scheduler }, { caller, params }) => {
      await scheduler.runNow(caller, params.name);
      return { name: params.name, started: true };
    },
  }),
];
