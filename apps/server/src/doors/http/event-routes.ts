import { pageOf, securityEvent, securityEventFilter, securityEventId } from "@oars/contract";
import { z } from "zod";
import { shownEvent } from "#platform/events";
import { afterId, pageOfRows } from "./page.ts";
import { route, type ServiceRoute } from "./services.ts";
import { idOf, idOrUndefined } from "./wire-id.ts";

const tag = "security events";

export const eventRoutes: readonly ServiceRoute[] = [
  route({
    method: "GET",
    path: "/v1/security-events",
    access: "events:read",
    tag,
    summary: "List security events, newest first",
    description:
      "What people did to the rules and what was refused. Refusals that repeat are one event with a `count`. What concerns no tenant, such as unknown credentials, is among the events of the tenant that was there first.",
    query: securityEventFilter,
    answer: { status: 200, body: pageOf(securityEvent) },
    handle: async ({ events }, { caller, query }) => {
      const { limit, cursor, actor, from, to, ...match } = query;
      const filter = {
        ...match,
        actorId: idOrUndefined("principal", actor),
        from: from === undefined ? undefined : new Date(from),
        to: to === undefined ? undefined : new Date(to),
      };
      const rows = await events.list(caller.tenantId, filter, { limit, before: afterId(cursor) });
      return pageOfRows(rows, limit, (e) => e.id, shownEvent);
    },
  }),
  route({
    method: "GET",
    path: "/v1/security-events/:id",
    access: "events:read",
    tag,
    summary: "Show a security event",
    params: z.strictObject({ id: securityEventId }),
    notFound: "EVENT_NOT_FOUND",
    answer: { status: 200, body: securityEvent },
    handle: async ({ events }, { caller, params }) =>
      shownEvent(await events.find(caller.tenantId, idOf("event", params.id))),
  }),
];
