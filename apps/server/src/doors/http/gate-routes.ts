/** Questions that runs put to people, and signals that they wait for. */
import {
  answerGateRequest,
  gate,
  gateFilter,
  gateId,
  pageOf,
  pageQuery,
  runId,
  sendSignalRequest,
  signal,
} from "@oars/contract";
import { z } from "zod";
import { afterId, pageOfRows } from "./page.ts";
import { toGate, toSignal } from "./run-view.ts";
import { route, type ServiceRoute } from "./services.ts";
import { idOf, idOrUndefined } from "./wire-id.ts";

const byGate = z.strictObject({ id: gateId });
const byRun = z.strictObject({ id: runId });

export const gateRoutes: readonly ServiceRoute[] = [
  route({
    method: "GET",
    path: "/v1/gates",
    access: "runs:read",
    tag: "gates",
    summary: "List gates, newest first",
    query: gateFilter,
    answer: { status: 200, body: pageOf(gate) },
    handle: async ({ runs }, { caller, query }) => {
      const { limit, cursor, status, run } = query;
      const filter = { status, runId: idOrUndefined("run", run), before: afterId(cursor), limit: limit + 1 };
      return pageOfRows(await runs.listGates(caller, filter), limit, (g) => g.id, toGate);
    },
  }),
  route({
    method: "GET",
    path: "/v1/gates/:id",
    access: "runs:read",
    tag: "gates",
    summary: "Show a gate with what it is about",
    params: byGate,
    notFound: "GATE_NOT_FOUND",
    answer: { status: 200, body: gate },
    handle: async ({ runs }, { caller, params }) =>
      toGate(await runs.findGate(caller, idOf("gate", params.id))),
  }),
  route({
    method: "POST",
    path: "/v1/gates/:id/answer",
    access: "runs:read",
    tag: "gates",
    summary: "Answer a gate",
    description:
      "As the caller, who needs one of the gate's roles and, unless the flow says otherwise, must not be who started the run. The first answer counts; later ones get 409 with it in `current`.",
    params: byGate,
    notFound: "GATE_NOT_FOUND",
    body: answerGateRequest,
    answer: { status: 200, body: gate },
    idempotency: "door",
    handle: async ({ runs }, { caller, params, body }) =>
      toGate(await runs.answerGate(caller, idOf("gate", params.id), body)),
  }),
  route({
    method: "GET",
    path: "/v1/runs/:id/signals",
    access: "runs:read",
    tag: "runs",
    summary: "List the signals of a run, newest first",
    params: byRun,
    notFound: "RUN_NOT_FOUND",
    query: pageQuery,
    answer: { status: 200, body: pageOf(signal) },
    handle: async ({ runs }, { caller, params, query }) => {
      const page = { before: afterId(query.cursor), limit: query.limit + 1 };
      const rows = await runs.listSignals(caller, idOf("run", params.id), page);
      return pageOfRows(rows, query.limit, (s) => s.id, toSignal);
    },
  }),
  route({
    method: "POST",
    path: "/v1/runs/:id/signals",
    access: "runs:signal",
    tag: "runs",
    summary: "Send a signal to a run",
    description:
      "The flow must wait for its name somewhere, and the payload must fit the schema there. One step takes it, the oldest signal first; one that comes before the run waits for it is kept.",
    params: byRun,
    notFound: "RUN_NOT_FOUND",
    body: sendSignalRequest,
    answer: { status: 201, body: signal },
    idempotency: "door",
    handle: async ({ runs }, { caller, params, body }) =>
      toSignal(await runs.signal(caller, idOf("run", params.id), body)),
  }),
];
