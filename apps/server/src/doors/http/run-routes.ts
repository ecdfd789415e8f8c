import {
  pageOf,
  pageQuery,
  run,
  runEvent,
  runFilter,
  runId,
  runItem,
  runWithSteps,
  startRunRequest,
  stepName,
} from "@oars/contract";
import type { FastifyRequest } from "fastify";
import { z } from "zod";
import { isEnded } from "#orchestrate/engine";
import { OarsError } from "#platform/kernel";
import { streamEvents } from "./event-stream.ts";
import { tag as etag } from "./if-match.ts";
import { afterId, afterNumber, pageOfRows } from "./page.ts";
import { toMatch, toRun, toRunWithSteps } from "./run-view.ts";
import { route, type ServiceRoute } from "./services.ts";
import { jsonType, linkRun, preferHeader, requireOutput, waitOf, whenGone } from "./sync-answer.ts";
import { idOf } from "./wire-id.ts";

const tag = "runs";
const byId = z.strictObject({ id: runId });

export const runRoutes: readonly ServiceRoute[] = [
  route({
    method: "POST",
    path: "/v1/runs",
    access: "runs:start",
    tag,
    summary: "Start a run",
    description:
      "The run is durable before this answers. With `respond: sync` (10 s) or `Prefer: wait=N` the answer waits for its end: 200 with its output, 422 when it failed, 202 when it goes on after that time or was not waited for.",
    body: startRunRequest,
    startsWork: true,
    headers: [preferHeader],
    answer: { status: 202, body: run, description: "Accepted; `location` is the run" },
    otherAnswers: [{ status: 200, body: run, description: "Completed" }],
    idempotency: "service",
    handle: async ({ runs }, { caller, body: { respond, ...start }, idempotencyKey, request, reply }) => {
      const withinMs = waitOf(request, reply, respond === "sync");
      const begun = { ...start, idempotencyKey };
      const view = await (withinMs === 0
        ? runs.start(caller, begun)
        : runs.answer(caller, begun, { withinMs, gone: whenGone(reply) }));
      if (withinMs === 0 || !isEnded(view.status)) {
        linkRun(reply, view.id, "location");
        return toRun(view);
      }
      requireOutput(view.id, view, true);
      return reply
        .code(200)
        .header("content-type", jsonType)
        .send(JSON.stringify(toRun(view)));
    },
  }),
  route({
    method: "GET",
    path: "/v1/runs",
    access: "runs:read",
    tag,
    summary: "List runs, newest first",
    query: runFilter,
    answer: { status: 200, body: pageOf(run) },
    handle: async ({ runs }, { caller, query }) => {
      const { limit, cursor, ...match } = query;
      const filter = { ...toMatch(match), before: afterId(cursor), limit: limit + 1 };
      const rows = await runs.list(caller, filter);
      return pageOfRows(rows, limit, (r) => r.id, toRun);
    },
  }),
  route({
    method: "GET",
    path: "/v1/runs/:id",
    access: "runs:read",
    tag,
    summary: "Show a run with its steps",
    params: byId,
    notFound: "RUN_NOT_FOUND",
    answer: { status: 200, body: runWithSteps },
    handle: async ({ runs }, { caller, params, reply }) => {
      const found = await runs.find(caller, idOf("run", params.id));
      etag(reply, found.etag);
      return toRunWithSteps(found);
    },
  }),
  route({
    method: "GET",
    path: "/v1/runs/:id/steps/:step/items",
    access: "runs:read",
    tag,
    summary: "List the items of a step with forEach",
    description: "In their order, those that have begun.",
    params: z.strictObject({ id: runId, step: stepName }),
    notFound: "RUN_NOT_FOUND",
    query: pageQuery,
    answer: { status: 200, body: pageOf(runItem) },
    handle: async ({ runs }, { caller, params, query }) => {
      const page = { after: afterNumber(query.cursor) ?? -1, limit: query.limit + 1 };
      const rows = await runs.items(caller, idOf("run", params.id), params.step, page);
      return pageOfRows(
        rows,
        query.limit,
        (item) => item.index,
        (item) => item,
      );
    },
  }),
  route({
    method: "GET",
    path: "/v1/runs/:id/events",
    access: "runs:read",
    tag,
    summary: "Follow a run",
    description:
      "Server-sent events until the run ends; `Last-Event-ID` (or `after`) goes on after that event. With `Accept: application/json`, the events so far as a list.",
    params: byId,
    notFound: "RUN_NOT_FOUND",
    query: z.strictObject({ after: z.coerce.number().int().min(-1).max(999_999_999).optional() }),
    answer: { status: 200, body: z.object({ items: z.array(runEvent) }) },
    otherAnswers: [{ status: 200, type: "text/event-stream" }],
    handle: async ({ runs, streams }, { caller, params, query, request, reply }) => {
      const id = idOf("run", params.id);
      const after = lastEventId(request) ?? query.after ?? -1;
      if (wantsList(request)) return { items: await runs.eventList(caller, id, after) };
      const open = (signal: AbortSignal) => runs.events(caller, id, after, signal);
      return streamEvents(reply, open, streams.timing, streams.closing);
    },
  }),
];

/** EventSource asks for text/event-stream, and other clients for anything: both get the stream. */
const wantsList = (request: FastifyRequest): boolean => {
  const accept = request.headers.accept ?? "";
  return accept.includes("application/json") && !accept.includes("text/event-stream");
};

/** Throws REQUEST_INVALID when Last-Event-ID is not an id of this stream. */
function lastEventId(request: FastifyRequest): number | undefined {
  const header = request.headers["last-event-id"];
  if (header === undefined || header === "") return undefined;
  if (typeof header === "string" && /^\d{1,9}$/.test(header)) return Number(header);
  const message = "must be the id of an event of this run";
  throw new OarsError(
    "REQUEST_INVALID",
    {},
    { errors: [{ path: "header.last-event-id", code: "invalid_format", message }] },
  );
}
