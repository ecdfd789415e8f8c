import { jwks, jwksQuery, tenantId, trustDocument } from "@oars/contract";
import { z } from "zod";
import { route, type ServiceRoute } from "./services.ts";
import { idOf } from "./wire-id.ts";

const tag = "trust";
const byTenant = z.strictObject({ tenantId });

/** A tenant that does not exist looks like one without keys: nobody learns which tenants there are. */
export const trustRoutes: readonly ServiceRoute[] = [
  route({
    method: "GET",
    path: "/v1/trust/tenants/:tenantId/keys",
    access: "anonymous",
    tag,
    summary: "Every key that ever signed for a tenant",
    description:
      "Needs no credentials. With this and a receipt anybody can verify offline. A tenant that is not known looks like one without keys.",
    params: byTenant,
    notFound: "TENANT_NOT_FOUND",
    answer: { status: 200, body: trustDocument },
    handle: ({ receipts }, { params }) => receipts.trust(idOf("tenant", params.tenantId)),
  }),
  route({
    method: "GET",
    path: "/t/:tenantId/jwks.json",
    access: "anonymous",
    tag,
    summary: "A tenant's receipt keys as a JWKS",
    description:
      "Below the issuer that its receipts name. Keys that have ended stay, with when, why and how far they count.",
    params: byTenant,
    notFound: "TENANT_NOT_FOUND",
    answer: { status: 200, body: jwks },
    handle: ({ receipts }, { params }) => receipts.jwks(idOf("tenant", params.tenantId)),
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
    handle: ({ receipts, firstTenantId }, { query }) =>
      receipts.jwks(query.tenant === undefined ? firstTenantId : idOf("tenant", query.tenant)),
  }),
];
