import {
  actionDetail,
  actionFilter,
  actionForms,
  actionId,
  actionSummary,
  pageOf,
  submitActionRequest,
  submittedAction,
} from "@oars/contract";
import { z } from "zod";
import { etagOf } from "#act/actions";
import { OarsError } from "#platform/kernel";
import { isUnderWay, toAction, toDetail, toSummary } from "./action-view.ts";
import { tag as etag } from "./if-match.ts";
import { afterId, cursorOf } from "./page.ts";
import { route, type ServiceRoute } from "./services.ts";
import { jsonType, preferenceOf, preferHeader, whenGone } from "./sync-answer.ts";
import { idOf, idOrUndefined } from "./wire-id.ts";

export const actionRoutes: readonly ServiceRoute[] = [
  route({
    method: "POST",
    path: "/v1/actions",
    access: "actions:write",
    tag: "actions",
    summary: "Propose an action",
    description:
      "Policy decides; what is allowed runs at once, what needs a person waits. 200 when it has ended, whatever was decided: read `state`. 202 with `location` while it runs or is held. `Prefer: wait=N` waits for the outcome that long, also of a held action; `Prefer: respond-async` not at all; without either, what is allowed is waited for. Two forms: `{connection, operation, input}`, or `{resource: {toolId, operation, target}, input}`, whose snake_case spellings (`tool_id`, `agent_id`, `user_context`, `action_context`) are read too.",
    body: submitActionRequest,
    bodyDocument: actionForms,
    headers: [preferHeader],
    answer: { status: 202, body: submittedAction, description: "Runs or is held; `location` is the action" },
    otherAnswers: [{ status: 200, body: submittedAction, description: "Has ended" }],
    idempotency: "service",
    handle: async ({ actions }, { caller, body, idempotencyKey, request, reply }) => {
      if (body.tenantId !== undefined && idOf("tenant", body.tenantId) !== caller.tenantId) {
        throw new OarsError("AUTH_TENANT_FORBIDDEN");
      }
      const { connection, operation, input, timeoutMs, agentId, userContext, context, target } = body;
      const declared = declaredOf({ ...context, target, sessionId: userContext?.sessionId });
      const withinMs = preferenceOf(request, reply);
      const wait = withinMs === undefined ? undefined : { withinMs, gone: whenGone(reply) };
      const done = await actions.submit(caller, {
        connection,
        operation,
        input,
        timeoutMs,
        agentId,
        userId: userContext?.userId,
        declared,
        idempotencyKey,
        wait,
      });
      const progress = done.state === "pending_approval" ? await actions.progress(done) : null;
      const stepUpRequired = progress?.stepUpRequired ?? false;
      const view = toAction(done);
      const answer = { actionId: view.id, ...view, stepUpRequired, approvalProgress: progress };
      etag(reply, etagOf(done));
      if (isUnderWay(done.state)) reply.code(202).header("location", `/v1/actions/${view.id}`);
      else reply.code(200);
      return reply.header("content-type", jsonType).send(JSON.stringify(answer));
    },
  }),
  route({
    method: "GET",
    path: "/v1/actions",
    access: "actions:read",
    tag: "actions",
    summary: "List and search actions, newest first",
    description:
      "A page may hold fewer than asked for, or none, and not be the last: where few of many actions fit, `nextCursor` says how far was looked.",
    query: actionFilter,
    answer: { status: 200, body: pageOf(actionSummary) },
    handle: async ({ actions }, { caller, query }) => {
      const { cursor, run, agent, actor, from, to, ...plain } = query;
      const { items, next } = await actions.search(caller, {
        ...plain,
        runId: idOrUndefined("run", run),
        agentId: idOrUndefined("principal", agent),
        actorId: idOrUndefined("principal", actor),
        from: from === undefined ? undefined : new Date(from),
        to: to === undefined ? undefined : new Date(to),
        before: afterId(cursor),
      });
      return { items: items.map(toSummary), nextCursor: next === null ? null : cursorOf(next) };
    },
  }),
  route({
    method: "GET",
    path: "/v1/actions/:id",
    access: "actions:read",
    tag: "actions",
    summary: "Show an action with all that happened to it",
    params: z.strictObject({ id: actionId }),
    notFound: "ACTION_NOT_FOUND",
    answer: { status: 200, body: actionDetail },
    handle: async ({ actions }, { caller, params, reply }) => {
      const found = await actions.find(caller, idOf("action", params.id));
      etag(reply, etagOf(found));
      return toDetail(found);
    },
  }),
];

type Stated = Parameters<typeof declaredOf>[0];

/** Only what was stated: most proposals state nothing, and then nothing is kept. */
function declaredOf({
  environment,
  dataTypes,
  target,
  sessionId,
}: {
  readonly environment?: string | undefined;
  readonly dataTypes?: readonly string[] | undefined;
  readonly target?: string | undefined;
  readonly sessionId?: string | undefined;
}) {
  const stated = Object.entries({ environment, dataTypes, target, sessionId }).filter(
    ([, value]) => value !== undefined,
  );
  return stated.length === 0 ? undefined : (Object.fromEntries(stated) as Stated); // the fields it was made of
}
