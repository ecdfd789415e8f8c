import { egress, putEgressRequest } from "@oars/contract";
import { egressTag, type TenantEgress } from "#act/connectors";
import { tag as etag, ifMatchHeader, ifMatchOf } from "./if-match.ts";
import { route, type ServiceRoute } from "./services.ts";
import { shownOrNull } from "./wire-id.ts";

const toEgress = (e: TenantEgress) => ({
  hosts: e.hosts,
  revision: e.revision,
  etag: egressTag(e),
  updatedBy: shownOrNull("principal", e.updatedBy),
  updatedAt: e.updatedAt,
});

export const egressRoutes: readonly ServiceRoute[] = [
  route({
    method: "GET",
    path: "/v1/egress",
    access: "connections:read",
    tag: "connections",
    summary: "Show which hosts the tenant's connections may reach",
    answer: { status: 200, body: egress },
    handle: async ({ egress: rules }, { caller, reply }) => {
      const found = await rules.show(caller);
      etag(reply, egressTag(found));
      return toEgress(found);
    },
  }),
  route({
    method: "PUT",
    path: "/v1/egress",
    access: "policies:publish",
    tag: "connections",
    summary: "Say which hosts the tenant's connections may reach",
    description:
      "Within what the operator allows, for every protocol, redirect and token endpoint. `hosts: null` takes the rules away. Other processes follow within 5 s. Leaves a receipt.",
    body: putEgressRequest,
    headers: [ifMatchHeader],
    idempotency: "door",
    answer: { status: 200, body: egress },
    handle: async ({ egress: rules }, { caller, body, request, reply }) => {
      const stored = await rules.put(caller, body.hosts, ifMatchOf(request));
      etag(reply, egressTag(stored));
      return toEgress(stored);
    },
  }),
];
