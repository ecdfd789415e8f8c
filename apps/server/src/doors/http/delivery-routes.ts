import {
  deadLetter,
  deadLetterFilter,
  deliveryStatus,
  deliveryTarget,
  deliveryTargetList,
  flushed,
  pageOf,
  putDeliveryTargetRequest,
  replayDeadLetterRequest,
  resolveDeadLetterRequest,
  resourceName,
  targetTest,
} from "@oars/contract";
import { z } from "zod";
import { type DeadLetter, itemOf, type QueuedTarget, type Target } from "#operate/delivery";
import { afterId, pageOfRows } from "./page.ts";
import { route, type ServiceRoute } from "./services.ts";
import { idOf, shown } from "./wire-id.ts";

const tag = "delivery";
const byName = z.strictObject({ name: resourceName });

const toTarget = ({ tenantId: _, ...t }: Target) => ({
  id: shown("target", t.id),
  name: t.name,
  purpose: t.purpose,
  kind: t.kind,
  format: t.format,
  config: t.config,
  fromEnv: t.fromEnv,
  minSeverity: t.minSeverity,
  types: t.types,
  state: t.state,
  circuit: t.openUntil !== null && t.openUntil.getTime() > Date.now() ? "open" : "closed",
  failures: t.failures,
  delivered: t.delivered,
  failed: t.failed,
  givenUp: t.givenUp,
  lastSuccessAt: t.lastSuccessAt,
  lastFailureAt: t.lastFailureAt,
  lastError: t.lastError,
  createdAt: t.createdAt,
  updatedAt: t.updatedAt,
});

const toStatus = (t: QueuedTarget) => ({
  ...toTarget(t),
  queued: t.queued,
  oldestAt: t.oldestAt,
  openDeadLetters: t.openDeadLetters,
});

const toDead = (l: DeadLetter) => ({
  id: shown("deadLetter", l.id),
  target: l.targetName,
  subject: itemOf(l).id,
  payload: l.payload.kind === "event" ? l.payload.event : l.payload.alert,
  attempts: l.attempts,
  lastError: l.lastError,
  state: l.state,
  replayCount: l.replayCount,
  reason: l.reason,
  failedAt: l.failedAt,
  updatedAt: l.updatedAt,
});

const targetRoutes: readonly ServiceRoute[] = [
  route({
    method: "GET",
    path: "/v1/delivery-targets",
    access: "siem:read",
    tag,
    summary: "List delivery targets and alert channels",
    answer: { status: 200, body: deliveryTargetList },
    handle: async ({ delivery }, { caller }) => ({ items: (await delivery.list(caller)).map(toTarget) }),
  }),
  route({
    method: "PUT",
    path: "/v1/delivery-targets/:name",
    access: "siem:write",
    tag,
    summary: "Create or replace a delivery target or alert channel",
    description: "Secrets go in and never come out: answers show `[secret]` in their place.",
    params: byName,
    body: putDeliveryTargetRequest,
    answer: { status: 200, body: deliveryTarget },
    handle: async ({ delivery }, { caller, params, body }) =>
      toTarget(await delivery.put(caller, params.name, body)),
  }),
  route({
    method: "GET",
    path: "/v1/delivery-targets/:name",
    access: "siem:read",
    tag,
    summary: "Show a delivery target",
    params: byName,
    notFound: "TARGET_NOT_FOUND",
    answer: { status: 200, body: deliveryTarget },
    handle: async ({ delivery }, { caller, params }) => toTarget(await delivery.find(caller, params.name)),
  }),
  route({
    method: "DELETE",
    path: "/v1/delivery-targets/:name",
    access: "siem:write",
    tag,
    summary: "Remove a delivery target",
    description: "What is queued for it is dropped; its dead letters stay.",
    params: byName,
    notFound: "TARGET_NOT_FOUND",
    answer: { status: 204 },
    handle: async ({ delivery }, { caller, params }) => delivery.remove(caller, params.name),
  }),
  route({
    method: "POST",
    path: "/v1/delivery-targets/:name/test",
    access: "siem:write",
    tag,
    summary: "Send a sample to a delivery target",
    description: "At once and past the queue. That the target refuses is an answer with `ok: false`.",
    params: byName,
    notFound: "TARGET_NOT_FOUND",
    idempotency: "door",
    answer: { status: 200, body: targetTest },
    handle: async ({ delivery }, { caller, params }) => delivery.test(caller, params.name),
  }),
  ...(["pause", "resume"] as const).map((verb) =>
    route({
      method: "POST",
      path: `/v1/delivery-targets/:name/${verb}`,
      access: "siem:write",
      tag,
      summary: verb === "pause" ? "Pause a delivery target" : "Resume a delivery target",
      description: "A paused target is queued for and not sent to. Resuming closes its circuit.",
      params: byName,
      notFound: "TARGET_NOT_FOUND",
      idempotency: "door",
      answer: { status: 200, body: deliveryTarget },
      handle: async ({ delivery }, { caller, params }) =>
        toTarget(await delivery.setPaused(caller, params.name, verb === "pause")),
    }),
  ),
];

export const deliveryRoutes: readonly ServiceRoute[] = [
  ...targetRoutes,
  route({
    method: "GET",
    path: "/v1/admin/siem/status",
    access: "siem:read",
    tag,
    summary: "Show how delivery stands",
    description:
      "Each target with what waits for it, its failures in a row, its circuit and its open dead letters.",
    answer: { status: 200, body: deliveryStatus },
    handle: async ({ delivery }, { caller }) => {
      const targets = (await delivery.list(caller)).map(toStatus);
      const { baseMs, maxAttempts } = delivery.retry;
      const queued = targets.reduce((sum, t) => sum + t.queued, 0);
      return { targets, queued, retry: { intervalSeconds: baseMs / 1000, maxAttempts } };
    },
  }),
  route({
    method: "POST",
    path: "/v1/admin/siem/flush",
    access: "siem:write",
    tag,
    summary: "Send now what waits for its next attempt",
    idempotency: "door",
    answer: { status: 202, body: flushed },
    handle: async ({ delivery }, { caller }) => ({ due: await delivery.flush(caller) }),
  }),
  route({
    method: "GET",
    path: "/v1/admin/siem/dead-letters",
    access: "siem:read",
    tag,
    summary: "List deliveries that were given up, newest first",
    query: deadLetterFilter,
    answer: { status: 200, body: pageOf(deadLetter) },
    handle: async ({ delivery }, { caller, query: { limit, cursor, state } }) => {
      const page = { state: state ?? null, limit: limit + 1, before: afterId(cursor) ?? null };
      return pageOfRows(await delivery.deadLetters(caller, page), limit, (l) => l.id, toDead);
    },
  }),
  route({
    method: "POST",
    path: "/v1/admin/siem/dead-letters/replay",
    access: "siem:write",
    tag,
    summary: "Queue a dead letter again",
    description: "Under the id that it had: a receiver that knows it already can tell.",
    body: replayDeadLetterRequest,
    idempotency: "door",
    answer: { status: 202, body: deadLetter },
    handle: async ({ delivery }, { caller, body }) =>
      toDead(await delivery.replay(caller, idOf("deadLetter", body.deadLetterId))),
  }),
  route({
    method: "POST",
    path: "/v1/admin/siem/dead-letters/resolve",
    access: "siem:write",
    tag,
    summary: "Close a dead letter unsent",
    body: resolveDeadLetterRequest,
    idempotency: "door",
    answer: { status: 200, body: deadLetter },
    handle: async ({ delivery }, { caller, body }) =>
      toDead(await delivery.resolve(caller, idOf("deadLetter", body.deadLetterId), body.reason)),
  }),
];
