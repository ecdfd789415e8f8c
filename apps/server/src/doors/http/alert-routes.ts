import {
  alert,
  alertDetail,
  alertFilter,
  alertId,
  alertRoute,
  alertRouteList,
  alertRule,
  alertRuleList,
  answerAlertRequest,
  pageOf,
  putAlertRuleRequest,
  resourceName,
  setAlertRouteRequest,
} from "@oars/contract";
import { z } from "zod";
import { type Alert, type AlertDetail, builtInCodes } from "#operate/alerts";
import { afterId, pageOfRows } from "./page.ts";
import { route, type ServiceRoute } from "./services.ts";
import { idOf, shown, shownOrNull } from "./wire-id.ts";

const tag = "alerts";
const byId = z.strictObject({ id: alertId });
const byName = z.strictObject({ name: resourceName });

const toAlert = (a: Alert) => ({
  id: shown("alert", a.id),
  code: a.code,
  key: a.key,
  severity: a.severity,
  message: a.message,
  state: a.state,
  count: a.count,
  eventId: shown("event", a.eventId),
  target: a.targetKind === null || a.targetId === null ? null : { kind: a.targetKind, id: a.targetId },
  details: a.details,
  level: a.level,
  notified: a.notified,
  escalateAt: a.escalateAt,
  openedAt: a.openedAt,
  lastAt: a.lastAt,
  acknowledgedAt: a.acknowledgedAt,
  acknowledgedBy: shownOrNull("principal", a.acknowledgedBy),
  resolvedAt: a.resolvedAt,
  resolvedBy: shownOrNull("principal", a.resolvedBy),
});

const toDetail = (a: AlertDetail) => ({
  ...toAlert(a),
  history: a.history.map((entry) => ({ ...entry, principalId: shownOrNull("principal", entry.principalId) })),
});

export const alertRoutes: readonly ServiceRoute[] = [
  route({
    method: "GET",
    path: "/v1/alerts",
    access: "alerts:read",
    tag,
    summary: "List alerts, newest first",
    query: alertFilter,
    answer: { status: 200, body: pageOf(alert) },
    handle: async ({ alerts }, { caller, query }) => {
      const { limit, cursor, from, to, ...match } = query;
      const filter = {
        ...match,
        from: from === undefined ? undefined : new Date(from),
        to: to === undefined ? undefined : new Date(to),
      };
      const rows = await alerts.list(caller, filter, { limit, before: afterId(cursor) });
      return pageOfRows(rows, limit, (a) => a.id, toAlert);
    },
  }),
  route({
    method: "GET",
    path: "/v1/alerts/:id",
    access: "alerts:read",
    tag,
    summary: "Show an alert with its history",
    params: byId,
    notFound: "ALERT_NOT_FOUND",
    answer: { status: 200, body: alertDetail },
    handle: async ({ alerts }, { caller, params }) =>
      toDetail(await alerts.find(caller, idOf("alert", params.id))),
  }),
  ...(["acknowledge", "resolve"] as const).map((verb) =>
    route({
      method: "POST",
      path: `/v1/alerts/:id/${verb}`,
      access: "alerts:acknowledge",
      tag,
      summary: verb === "resolve" ? "Resolve an alert" : "Acknowledge an alert",
      description:
        verb === "resolve"
          ? "Channels that were told hear of it. What happens again is a new alert."
          : "It is passed on no further. What happens again counts it up.",
      params: byId,
      notFound: "ALERT_NOT_FOUND",
      body: answerAlertRequest.default({}),
      idempotency: "door",
      answer: { status: 200, body: alertDetail },
      handle: async ({ alerts }, { caller, params, body }) =>
        toDetail(await alerts[verb](caller, idOf("alert", params.id), body.note ?? null)),
    }),
  ),
  route({
    method: "GET",
    path: "/v1/admin/ops/alert-routing",
    access: "alerts:read",
    tag,
    summary: "Show who is told of alerts of each severity",
    answer: { status: 200, body: alertRouteList },
    handle: async ({ alerts }, { caller }) => ({ items: await alerts.routes(caller) }),
  }),
  route({
    method: "POST",
    path: "/v1/admin/ops/alert-routing",
    access: "alerts:write",
    tag,
    summary: "Set who is told of alerts of a severity",
    description:
      "Channels are delivery targets with the purpose `alerts`, the tenant's own and the operator's.",
    body: setAlertRouteRequest,
    idempotency: "door",
    answer: { status: 200, body: alertRoute },
    handle: async ({ alerts }, { caller, body }) => alerts.setRoute(caller, body),
  }),
  route({
    method: "GET",
    path: "/v1/alert-rules",
    access: "alerts:read",
    tag,
    summary: "List the tenant's alert rules and those that are built in",
    answer: { status: 200, body: alertRuleList },
    handle: async ({ alerts }, { caller }) => ({ items: await alerts.rules(caller), builtIn: builtInCodes }),
  }),
  route({
    method: "PUT",
    path: "/v1/alert-rules/:name",
    access: "alerts:write",
    tag,
    summary: "Create or replace an alert rule",
    description: "Events that it fits raise an alert with the code `RULE_<name>`.",
    params: byName,
    body: putAlertRuleRequest,
    answer: { status: 200, body: alertRule },
    handle: async ({ alerts }, { caller, params, body }) =>
      alerts.putRule(caller, { name: params.name, ...body }),
  }),
  route({
    method: "DELETE",
    path: "/v1/alert-rules/:name",
    access: "alerts:write",
    tag,
    summary: "Remove an alert rule",
    params: byName,
    notFound: "ALERT_RULE_NOT_FOUND",
    answer: { status: 204 },
    handle: async ({ alerts }, { caller, params }) => alerts.removeRule(caller, params.name),
  }),
];
