import { scheduling, setSchedulingRequest } from "@oars/contract";
import type { RunShare } from "#orchestrate/engine";
import { route, type ServiceRoute } from "./services.ts";
import { idOrUndefined, shown } from "./wire-id.ts";

const tag = "operation";

const toScheduling = ({ tenantId, ...share }: RunShare) => ({ tenant: shown("tenant", tenantId), ...share });

export const schedulingRoutes: readonly ServiceRoute[] = [
  route({
    method: "GET",
    path: "/v1/scheduling",
    access: "runs:read",
    tag,
    summary: "How this tenant shares the workers",
    answer: { status: 200, body: scheduling },
    handle: async (services, { caller }) => toScheduling(await services.scheduling.find(caller)),
  }),
  route({
    method: "PUT",
    path: "/v1/scheduling",
    access: "platform:operate",
    tag,
    summary: "Set the share of a tenant",
    description:
      "For those who operate the platform: a tenant sees its share and does not choose it. Runs that execute already go on when a cap is lowered.",
    body: setSchedulingRequest,
    notFound: "TENANT_NOT_FOUND",
    answer: { status: 200, body: scheduling },
    handle: async (services, { caller, body }) => {
      const { tenant, ...change } = body;
      const tenantId = idOrUndefined("tenant", tenant);
      return toScheduling(await services.scheduling.put(caller, { ...change, tenantId }));
    },
  }),
];
