import { createGrantRequest, grantId, grantQuery, pageOf, policyGrant } from "@oars/contract";
import { z } from "zod";
import type { EntityRef } from "#act/policy";
import { afterId, pageOfRows } from "./page.ts";
import { toGrant } from "./policy-view.ts";
import { route, type ServiceRoute } from "./services.ts";
import { idOf } from "./wire-id.ts";

const tag = "policies";

const types: Record<string, string> = {
  role: "Oars::Role",
  group: "Oars::Group",
  tool: "Oars::Tool",
  connector: "Oars::Connector",
  environment: "Oars::Environment",
  toolGroup: "Oars::ToolGroup",
};

type Wish = z.infer<typeof createGrantRequest>;

const entityOf = (
  given: Exclude<Wish["resource"], undefined> | { role: string } | { group: string },
): EntityRef => {
  const [[name, id] = ["", ""]] = Object.entries(given);
  return { type: types[name] ?? "", id: name === "environment" ? id.trim().toLowerCase() : id };
};

export const grantRoutes: readonly ServiceRoute[] = [
  route({
    method: "POST",
    path: "/v1/policies/grants",
    access: "policies:publish",
    tag,
    summary: "Fill a template of the policy in force",
    description:
      "The grant counts at once, in every process within a second, until it expires or is revoked.",
    body: createGrantRequest,
    answer: { status: 201, body: policyGrant },
    idempotency: "door",
    handle: async ({ policy, access }, { caller, body }) => {
      const { template, principal, resource, note, expiresAt } = body;
      const who =
        principal && "id" in principal
          ? await access.findPrincipal(caller, idOf("principal", principal.id))
          : undefined;
      const kinds = { user: "Oars::User", agent: "Oars::Agent", service: "Oars::Service" } as const;
      return toGrant(
        await policy.grant(caller, {
          template,
          principal:
            principal === undefined
              ? null
              : "id" in principal
                ? { type: kinds[who?.kind ?? "user"], id: principal.id }
                : entityOf(principal),
          resource: resource === undefined ? null : entityOf(resource),
          note,
          expiresAt: expiresAt === undefined ? undefined : new Date(expiresAt),
        }),
      );
    },
  }),
  route({
    method: "GET",
    path: "/v1/policies/grants",
    access: "policies:read",
    tag,
    summary: "List grants, newest first",
    query: grantQuery,
    answer: { status: 200, body: pageOf(policyGrant) },
    handle: async ({ policy }, { caller, query: { limit, cursor } }) =>
      pageOfRows(
        await policy.listGrants(caller, { before: afterId(cursor) ?? null, limit: limit + 1 }),
        limit,
        (g) => g.id,
        toGrant,
      ),
  }),
  route({
    method: "DELETE",
    path: "/v1/policies/grants/:id",
    access: "policies:publish",
    tag,
    summary: "Revoke a grant",
    params: z.strictObject({ id: grantId }),
    notFound: "POLICY_GRANT_NOT_FOUND",
    answer: { status: 200, body: policyGrant },
    handle: async ({ policy }, { caller, params }) =>
      toGrant(await policy.revokeGrant(caller, idOf("grant", params.id))),
  }),
];
