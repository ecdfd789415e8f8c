import { jwks, jwksQuery, tenantId, trustDocument } from "@oars/contract";
import { z } from "zod";
import type { Caller } from "#platform/access";
import { route, type ServiceRoute, type Services } from "./services.ts";
import { idOf } from "./wire-id.ts";

const tag = "trust";

/**
 * The public keys of a tenant, for anybody. The tenant is looked up first, because asking for the keys of
 * one that has none makes them: a stranger must not be able to make rows for tenants that do not exist.
 */
async function existing({ access }: Services, id: string): Promise<string> {
  return (await access.findTenant(nobodyIn(id))).id;
}

const nobodyIn = (id: string): Caller => ({
  tenantId: id,
  principalId: id,
  principalKind: "service",
  principalName: "anonymous",
  ownerId: null,
  roles: [],
  permissions: new Set(),
  credential: { kind: "internal", id },
});

export const trustRoutes: readonly ServiceRoute[] = [
  route({
    method: "GET",
    path: "/v1/trust/tenants/:tenantId/keys",
    access: "anonymous",
    tag,
    summary: "Every key that ever signed for a tenant",
    description: "Needs no credentials. With this and a receipt anybody can verify offline.",
    params: z.strictObject({ tenantId }),
    notFound: "TENANT_NOT_FOUND",
    answer: { status: 200, body: trustDocument },
    handle: async (services, { params }) =>
      services.receipts.trust(await existing(services, idOf("tenant", params.tenantId))),
  }),
  route({
    method: "GET",
    path: "/.well-known/jwks.json",
    access: "anonymous",
    tag,
    summary: "Receipt keys as a JWKS",
    description: "Of the tenant that `tenant` names, else of the installation's first tenant.",
    query: jwksQuery,
    answer: { status: 200, body: jwks },
    handle: async (services, { query }) => {
      const id = query.tenant === undefined ? services.firstTenantId : idOf("tenant", query.tenant);
      return services.receipts.jwks(await existing(services, id));
    },
  }),
];
