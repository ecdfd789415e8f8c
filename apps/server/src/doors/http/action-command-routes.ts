/** What people do to actions: call them off, release or reject what is quarantined, settle what is in doubt. */
import {
  action,
  actionId,
  cancelActionRequest,
  judgeActionRequest,
  resolveActionRequest,
} from "@oars/contract";
import { z } from "zod";
import { etagOf } from "#act/actions";
import { toAction } from "./action-view.ts";
import { tag as etag, ifMatchHeader, ifMatchOf } from "./if-match.ts";
import { route, type ServiceRoute } from "./services.ts";
import { idOf } from "./wire-id.ts";

const tag = "actions";
const byId = z.strictObject({ id: actionId });
const notFound = "ACTION_NOT_FOUND";

export const actionCommandRoutes: readonly ServiceRoute[] = [
  route({
    method: "POST",
    path: "/v1/actions/:id/cancel",
    access: "actions:write",
    tag,
    summary: "Call an action off",
    description:
      "Possible until it is sent: while it is held or quarantined. Its requester may, and whoever holds `actions:operate`. 409 with how it stands when it is too late.",
    params: byId,
    notFound,
    body: cancelActionRequest,
    headers: [ifMatchHeader],
    answer: { status: 200, body: action },
    idempotency: "door",
    handle: async ({ actions }, { caller, params, body, request, reply }) => {
      const how = { reason: body.reason, ifMatch: ifMatchOf(request) };
      const done = await actions.cancel(caller, idOf("action", params.id), how);
      etag(reply, etagOf(done));
      return toAction(done);
    },
  }),
  route({
    method: "POST",
    path: "/v1/actions/:id/release",
    access: "actions:operate",
    tag,
    summary: "Release a quarantined action",
    description:
      "Policy is asked again: what it denies now ends denied, what it wants votes for is held. Not by whose action it is. A tool that changed must be reviewed first.",
    params: byId,
    notFound,
    body: judgeActionRequest,
    headers: [ifMatchHeader],
    answer: { status: 200, body: action },
    idempotency: "door",
    handle: async ({ actions }, { caller, params, body, request, reply }) => {
      const by = { reason: body.reason, ifMatch: ifMatchOf(request) };
      const done = await actions.release(caller, idOf("action", params.id), by);
      etag(reply, etagOf(done));
      return toAction(done);
    },
  }),
  route({
    method: "POST",
    path: "/v1/actions/:id/reject",
    access: "actions:operate",
    tag,
    summary: "Reject a quarantined action",
    params: byId,
    notFound,
    body: judgeActionRequest,
    headers: [ifMatchHeader],
    answer: { status: 200, body: action },
    idempotency: "door",
    handle: async ({ actions }, { caller, params, body, request, reply }) => {
      const by = { reason: body.reason, ifMatch: ifMatchOf(request) };
      const done = await actions.reject(caller, idOf("action", params.id), by);
      etag(reply, etagOf(done));
      return toAction(done);
    },
  }),
  route({
    method: "POST",
    path: "/v1/actions/:id/resolve",
    access: "runs:operate",
    tag,
    summary: "Say what became of an action in doubt",
    description:
      "After a crash in mid-call nobody knows whether the outside system did it: a person looks and says.",
    params: byId,
    notFound,
    body: resolveActionRequest,
    answer: { status: 200, body: action },
    idempotency: "door",
    handle: async ({ actions }, { caller, params, body, reply }) => {
      const done = await actions.resolve(caller, idOf("action", params.id), body);
      etag(reply, etagOf(done));
      return toAction(done);
    },
  }),
];
