import { replayContext, runAtAGlance, runId } from "@oars/contract";
import { z } from "zod";
import { tag as etag } from "./if-match.ts";
import { toRunWithSteps } from "./run-view.ts";
import { route, type ServiceRoute } from "./services.ts";
import { idOf } from "./wire-id.ts";

const tag = "runs";
const byId = z.strictObject({ id: runId });

/** Extracts of a run for those who ask often, and for those who want to begin another one like it. */
export const runGlanceRoutes: readonly ServiceRoute[] = [
  route({
    method: "GET",
    path: "/v1/runs/:id/status",
    access: "runs:read",
    tag,
    summary: "Show where a run is",
    description: "Without parameters and outputs. To follow a run without asking again, read its events.",
    params: byId,
    notFound: "RUN_NOT_FOUND",
    answer: { status: 200, body: runAtAGlance },
    handle: async ({ runs }, { caller, params, reply }) => {
      const found = await runs.find(caller, idOf("run", params.id));
      etag(reply, found.etag);
      const {
        steps,
        progress,
        gates,
        children: _,
        params: _p,
        output: _o,
        trigger: _t,
        ...run
      } = toRunWithSteps(found);
      const shown = steps.map(({ output: _output, ...step }) => step);
      const currentSteps = shown
        .filter(({ status }) => status === "running" || status === "waiting")
        .map(({ name, status }) => ({ name, status }));
      return { run, steps: shown, currentSteps, pendingGates: gates, progress };
    },
  }),
  route({
    method: "GET",
    path: "/v1/runs/:id/replay",
    access: "runs:read",
    tag,
    summary: "Show what a run like this one would begin with",
    description: "`POST` to the same path begins it, with other parameters where they are given.",
    params: byId,
    notFound: "RUN_NOT_FOUND",
    answer: { status: 200, body: replayContext },
    handle: async ({ runs }, { caller, params: path, reply }) => {
      const found = await runs.find(caller, idOf("run", path.id));
      etag(reply, found.etag);
      const {
        steps,
        progress: _,
        gates: _g,
        children: _c,
        params,
        output,
        trigger,
        ...run
      } = toRunWithSteps(found);
      const done = steps.filter(({ status }) => status === "completed" || status === "skipped");
      return {
        run,
        params: params ?? null,
        trigger: trigger ?? null,
        output: output ?? null,
        plan: steps.map(({ name, kind }) => ({ name, kind })),
        results: Object.fromEntries(done.map((step) => [step.name, step.output ?? null])),
        origin: run.origin,
      };
    },
  }),
];
