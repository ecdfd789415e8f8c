import {
  apiKey,
  apiKeyId,
  createApiKeyRequest,
  createPrincipalRequest,
  issuedApiKey,
  me,
  pageOf,
  pageQuery,
  principal,
  principalId,
  sessionToken,
} from "@oars/contract";
import { z } from "zod";
import type { ApiKeyInfo, Caller, Principal } from "#platform/access";
import { afterId, pageOfMore } from "./page.ts";
import { route, type ServiceRoute } from "./services.ts";
import { idOf, idOrUndefined, shown, shownOrNull } from "./wire-id.ts";

const tag = "access";
const byPrincipal = z.strictObject({ id: principalId });

const toPrincipal = ({ tenantId: _, ...p }: Principal) => ({
  ...p,
  id: shown("principal", p.id),
  ownerId: shownOrNull("principal", p.ownerId),
});

const toApiKey = <K extends ApiKeyInfo>(key: K) => ({
  ...key,
  id: shown("apiKey", key.id),
  principalId: shown("principal", key.principalId),
});

/** The kinds of credential whose id is a TypeID; a token's id is its `jti`. */
const toMe = (caller: Caller) => ({
  tenantId: shown("tenant", caller.tenantId),
  principal: {
    id: shown("principal", caller.principalId),
    name: caller.principalName,
    kind: caller.principalKind,
    ownerId: shownOrNull("principal", caller.ownerId),
  },
  roles: caller.roles,
  permissions: [...caller.permissions],
  credential: {
    kind: caller.credential.kind,
    id: caller.credential.kind === "api_key" ? shown("apiKey", caller.credential.id) : caller.credential.id,
  },
});

export const accessRoutes: readonly ServiceRoute[] = [
  route({
    method: "GET",
    path: "/v1/me",
    access: "authenticated",
    tag,
    summary: "Who I am and what I may do",
    answer: { status: 200, body: me },
    handle: (_, { caller }) => toMe(caller),
  }),
  route({
    method: "POST",
    path: "/v1/auth/token",
    access: "authenticated",
    tag,
    summary: "Exchange an API key for a session token",
    description: "Send the API key in Authorization. The token ends with the key it was issued to.",
    answer: { status: 200, body: sessionToken },
    handle: async ({ access }, { caller }) => ({ ...(await access.issueToken(caller)), tokenType: "Bearer" }),
  }),
  route({
    method: "POST",
    path: "/v1/principals",
    access: "access:write",
    tag,
    summary: "Create a person, an agent or a service",
    body: createPrincipalRequest,
    answer: { status: 201, body: principal },
    idempotency: "door",
    handle: async ({ access }, { caller, body }) =>
      toPrincipal(
        await access.createPrincipal(caller, {
          ...body,
          ownerId: idOrUndefined("principal", body.ownerId) ?? null,
        }),
      ),
  }),
  route({
    method: "GET",
    path: "/v1/principals",
    access: "access:read",
    tag,
    summary: "List principals",
    query: pageQuery,
    answer: { status: 200, body: pageOf(principal) },
    handle: async ({ access }, { caller, query }) => {
      const page = { limit: query.limit, before: afterId(query.cursor) ?? null };
      const { items, more } = await access.listPrincipals(caller, page);
      return pageOfMore(items, more, (p) => p.id, toPrincipal);
    },
  }),
  route({
    method: "GET",
    path: "/v1/principals/:id",
    access: "access:read",
    tag,
    summary: "Show a principal",
    params: byPrincipal,
    notFound: "PRINCIPAL_NOT_FOUND",
    answer: { status: 200, body: principal },
    handle: async ({ access }, { caller, params }) =>
      toPrincipal(await access.findPrincipal(caller, idOf("principal", params.id))),
  }),
  route({
    method: "POST",
    path: "/v1/principals/:id/keys",
    access: "access:write",
    tag,
    summary: "Issue an API key",
    description: "The key is in this answer alone.",
    params: byPrincipal,
    notFound: "PRINCIPAL_NOT_FOUND",
    body: createApiKeyRequest.default({}),
    answer: { status: 201, body: issuedApiKey },
    idempotency: "door",
    replayable: (body) => ({ ...(body as object), key: null }), // the handler below answers an object
    handle: async ({ access }, { caller, params, body }) => {
      const expiresAt = body.expiresAt === undefined ? null : new Date(body.expiresAt);
      const draft = { name: body.name ?? null, expiresAt };
      return toApiKey(await access.issueKey(caller, idOf("principal", params.id), draft));
    },
  }),
  route({
    method: "GET",
    path: "/v1/principals/:id/keys",
    access: "access:read",
    tag,
    summary: "List a principal's API keys",
    params: byPrincipal,
    notFound: "PRINCIPAL_NOT_FOUND",
    query: pageQuery,
    answer: { status: 200, body: pageOf(apiKey) },
    handle: async ({ access }, { caller, params, query }) => {
      const owner = await access.findPrincipal(caller, idOf("principal", params.id));
      const page = { limit: query.limit, before: afterId(query.cursor) ?? null, principalId: owner.id };
      const { items, more } = await access.listKeys(caller, page);
      return pageOfMore(items, more, (key) => key.id, toApiKey);
    },
  }),
  route({
    method: "DELETE",
    path: "/v1/api-keys/:id",
    access: "access:write",
    tag,
    summary: "Revoke an API key",
    params: z.strictObject({ id: apiKeyId }),
    notFound: "API_KEY_NOT_FOUND",
    answer: { status: 200, body: apiKey },
    handle: async ({ access }, { caller, params }) =>
      toApiKey(await access.revokeKey(caller, idOf("apiKey", params.id))),
  }),
];
