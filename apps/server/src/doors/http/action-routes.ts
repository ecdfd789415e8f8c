import {
  action,
  actionFilter,
  actionForms,
  actionId,
  pageOf,
  resolveActionRequest,
  submitActionRequest,
  submittedAction,
} from "@oars/contract";
import { z } from "zod";
import type { ActionView } from "#act/actions";
import { OarsError } from "#platform/kernel";
import { afterId, pageOfRows } from "./page.ts";
import { route, type ServiceRoute } from "./services.ts";
import { idOf, idOrUndefined, shown, shownOrNull } from "./wire-id.ts";

const byAction = z.strictObject({ id: actionId });

export const toAction = ({ tenantId: _, timeoutMs: __, principalId, http, ...a }: ActionView) => ({
  ...a,
  id: shown("action", a.id),
  requestedBy: shown("principal", principalId),
  runId: shownOrNull("run", a.runId),
  approvalId: shownOrNull("approval", a.approvalId),
  httpStatus: http,
});

export const actionRoutes: readonly ServiceRoute[] = [
  route({
    method: "POST",
    path: "/v1/actions",
    access: "actions:write",
    tag: "actions",
    summary: "Propose an action",
    description:
      "Policy decides; what is allowed runs at once, what needs a person waits. Always 202: read `state`. Two forms: `{connection, operation, input}`, or `{resource: {toolId, operation, target}, input}`, whose snake_case spellings (`tool_id`, `agent_id`, `user_context`, `action_context`) are read too.",
    body: submitActionRequest,
    bodyDocument: actionForms,
    answer: { status: 202, body: submittedAction },
    idempotency: "service",
    handle: async ({ actions }, { caller, body, idempotencyKey }) => {
      if (body.tenantId !== undefined && idOf("tenant", body.tenantId) !== caller.tenantId) {
        throw new OarsError("AUTH_TENANT_FORBIDDEN");
      }
      const { connection, operation, input, timeoutMs } = body;
      const done = await actions.submit(caller, { connection, operation, input, timeoutMs, idempotencyKey });
      const view = toAction(done);
      return { actionId: view.id, ...view };
    },
  }),
  route({
    method: "GET",
    path: "/v1/actions",
    access: "actions:read",
    tag: "actions",
    summary: "List actions, newest first",
    query: actionFilter,
    answer: { status: 200, body: pageOf(action) },
    handle: async ({ actions }, { caller, query }) => {
      const { limit, cursor, run, state, tool } = query;
      const filter = { state, tool, runId: idOrUndefined("run", run), before: afterId(cursor) };
      return pageOfRows(
        await actions.list(caller, { ...filter, limit: limit + 1 }),
        limit,
        (a) => a.id,
        toAction,
      );
    },
  }),
  route({
    method: "GET",
    path: "/v1/actions/:id",
    access: "actions:read",
    tag: "actions",
    summary: "Show an action",
    params: byAction,
    notFound: "ACTION_NOT_FOUND",
    answer: { status: 200, body: action },
    handle: async ({ actions }, { caller, params }) =>
      toAction(await actions.find(caller, idOf("action", params.id))),
  }),
  route({
    method: "POST",
    path: "/v1/actions/:id/resolve",
    access: "runs:operate",
    tag: "actions",
    summary: "Say what became of an action in doubt",
    description:
      "After a crash in mid-call nobody knows whether the outside system did it: a person looks and says.",
    params: byAction,
    notFound: "ACTION_NOT_FOUND",
    body: resolveActionRequest,
    answer: { status: 200, body: action },
    idempotency: "door",
    handle: async ({ actions }, { caller, params, body }) =>
      toAction(await actions.resolve(caller, idOf("action", params.id), body)),
  }),
];
