/** What an operator does to runs. */
import {
  abortRunRequest,
  bulkRunRequest,
  bulkRunResult,
  editOutputRequest,
  pauseRunRequest,
  replayRunRequest,
  rerunRequest,
  resumeRunRequest,
  retryRunRequest,
  run,
  runId,
  skipStepRequest,
} from "@oars/contract";
import type { FastifyReply, FastifyRequest } from "fastify";
import { type ZodType, z } from "zod";
import type { RunView } from "#orchestrate/runs";
import type { Caller } from "#platform/access";
import { tag as etag, ifMatchHeader, ifMatchOf } from "./if-match.ts";
import { afterId, cursorOf } from "./page.ts";
import { toMatch, toRun } from "./run-view.ts";
import { route, type ServiceRoute, type Services } from "./services.ts";
import { linkRun } from "./sync-answer.ts";
import { idOf, shown } from "./wire-id.ts";

const tag = "runs";
const byId = z.strictObject({ id: runId });
const moved =
  "409 says how the run stands in `current`. Whoever ordered it and why is in the journal and in a receipt.";

interface Ordered<B> {
  readonly caller: Caller;
  readonly id: string;
  readonly body: B;
  readonly ifMatch: readonly string[] | undefined;
}

/** A command on one run, answered with the run as it stands then. */
const command = <B>(
  name: string,
  about: { readonly summary: string; readonly description?: string; readonly body: ZodType<B> },
  work: (runs: Services["runs"], ordered: Ordered<B>) => Promise<RunView>,
): ServiceRoute =>
  route({
    method: "POST",
    path: `/v1/runs/:id/${name}`,
    access: "runs:operate",
    tag,
    summary: about.summary,
    description: [about.description, moved].filter(Boolean).join(" "),
    params: byId,
    notFound: "RUN_NOT_FOUND",
    body: about.body,
    headers: [ifMatchHeader],
    answer: { status: 200, body: run },
    idempotency: "door",
    handle: async ({ runs }, { caller, params, body, request, reply }) => {
      const id = idOf("run", params.id);
      return tagged(reply, await work(runs, { caller, id, body, ifMatch: ifMatchOf(request) }));
    },
  });

/** A command that begins a new run. */
const repeat = <B>(
  name: string,
  about: { readonly summary: string; readonly description: string; readonly body: ZodType<B> },
  work: (
    runs: Services["runs"],
    ordered: Ordered<B> & { readonly idempotencyKey: string | undefined },
  ) => Promise<RunView>,
): ServiceRoute =>
  route({
    method: "POST",
    path: `/v1/runs/:id/${name}`,
    access: "runs:operate",
    tag,
    summary: about.summary,
    description: about.description,
    params: byId,
    notFound: "RUN_NOT_FOUND",
    body: about.body,
    startsWork: true,
    headers: [ifMatchHeader],
    answer: { status: 202, body: run, description: "Accepted; `location` is the new run" },
    idempotency: "service",
    handle: async ({ runs }, { caller, params, body, request, reply, idempotencyKey }) => {
      const ifMatch = ifMatchOf(request as FastifyRequest);
      const begun = await work(runs, { caller, id: idOf("run", params.id), body, ifMatch, idempotencyKey });
      linkRun(reply, begun.id, "location");
      return tagged(reply, begun);
    },
  });

function tagged(reply: FastifyReply, view: RunView) {
  etag(reply, view.etag);
  return toRun(view);
}

export const runCommandRoutes: readonly ServiceRoute[] = [
  command(
    "retry",
    {
      summary: "Run failed steps again",
      description:
        "Of a run that failed, or that waits with a failed step. A retry is a new attempt with a new idempotency key outward, and is not counted against the step's `retry.attempts`.",
      body: retryRunRequest,
    },
    (runs, { caller, id, body, ifMatch }) => runs.retry(caller, id, { ...body, ifMatch }),
  ),
  command(
    "skip",
    {
      summary: "Skip a step",
      description:
        "Only steps that are `skippable`; what depends on the step runs and reads `output` as its output.",
      body: skipStepRequest,
    },
    (runs, { caller, id, body, ifMatch }) => runs.skip(caller, id, { ...body, ifMatch }),
  ),
  command(
    "edit-output",
    {
      summary: "Put another output in place of a step's own",
      description: "Only while nothing has begun with it.",
      body: editOutputRequest,
    },
    (runs, { caller, id, body, ifMatch }) => runs.editOutput(caller, id, { ...body, ifMatch }),
  ),
  command(
    "abort",
    {
      summary: "Abort a run",
      description: "And its sub-runs; held actions are cancelled.",
      body: abortRunRequest,
    },
    (runs, { caller, id, body, ifMatch }) => runs.abort(caller, id, body.reason, ifMatch),
  ),
  command(
    "pause",
    {
      summary: "Hold a run back",
      description: "What is being sent comes to its end; nothing begins until it is resumed.",
      body: pauseRunRequest,
    },
    (runs, { caller, id, body, ifMatch }) => runs.pause(caller, id, body.reason, ifMatch),
  ),
  command(
    "resume",
    {
      summary: "Let a paused run go on",
      description: "The time that it was paused does not count against its limit.",
      body: resumeRunRequest,
    },
    (runs, { caller, id, body, ifMatch }) => runs.resume(caller, id, body.reason, ifMatch),
  ),
  repeat(
    "rerun",
    {
      summary: "Repeat a run from a step on",
      description:
        "A new run with the same parameters, started by the caller. Steps that do not follow from `from` and are the same in both versions are not run again. Also needs `runs:start`.",
      body: rerunRequest,
    },
    (runs, { caller, id, body, ifMatch, idempotencyKey }) =>
      runs.rerun(caller, id, { ...body, ifMatch, idempotencyKey }),
  ),
  repeat(
    "replay",
    {
      summary: "Repeat a run from the beginning",
      description:
        "A new run, started by the caller, with `params` in place of those of the same names. Also needs `runs:start`.",
      body: replayRunRequest,
    },
    (runs, { caller, id, body, ifMatch, idempotencyKey }) =>
      runs.replay(caller, id, { ...body, ifMatch, idempotencyKey }),
  ),
  route({
    method: "POST",
    path: "/v1/runs/bulk",
    access: "runs:operate",
    tag,
    summary: "One command over many runs",
    description:
      "Over all runs that match, the oldest first, each in a transaction of its own; refusals are told run by run. At most 1,000 in one call: go on with `nextCursor`. Try `dryRun` first.",
    body: bulkRunRequest,
    answer: { status: 200, body: bulkRunResult },
    idempotency: "door",
    handle: async ({ runs }, { caller, body }) => {
      const { filter, cursor, ...order } = body;
      const done = await runs.bulk(caller, { ...order, match: toMatch(filter), after: afterId(cursor) });
      const { next, items, ...result } = done;
      return {
        ...result,
        items: items.map((item) => ({ ...item, runId: shown("run", item.runId) })),
        nextCursor: next === null ? null : cursorOf(next),
      };
    },
  }),
];
