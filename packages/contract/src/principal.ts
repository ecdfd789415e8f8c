import { z } from "zod";
import { apiKeyId, principalId, tenantId } from "./id.ts";
import { instant, resourceName } from "./scalar.ts";

export const principalKind = z.enum(["user", "agent", "service"]);

export const createPrincipalRequest = z
  .strictObject({
    name: resourceName,
    kind: principalKind,
    roles: z.array(z.string().min(1).max(60)).max(20),
    ownerId: principalId
      .optional()
      .meta({ description: "The person who answers for an agent or a service." }),
  })
  .meta({ id: "CreatePrincipalRequest" });

export const principal = z
  .object({
    id: principalId,
    name: z.string(),
    kind: principalKind,
    roles: z.array(z.string()),
    ownerId: principalId.nullable(),
    status: z.enum(["active", "disabled"]),
    createdAt: instant,
  })
  .meta({ id: "Principal" });

/** Who the caller is to the server, and what it may do. */
export const me = z
  .object({
    tenantId,
    principal: z.object({
      id: principalId,
      name: z.string(),
      kind: principalKind,
      ownerId: principalId.nullable(),
    }),
    roles: z.array(z.string()),
    permissions: z.array(z.string()),
    credential: z.object({ kind: z.string(), id: z.string() }),
  })
  .meta({ id: "Me" });

export const sessionToken = z
  .object({ token: z.string(), expiresAt: instant, tokenType: z.literal("Bearer") })
  .meta({ id: "SessionToken" });

export const createApiKeyRequest = z
  .strictObject({
    name: z.string().trim().min(1).max(100).optional(),
    expiresAt: instant.optional(),
  })
  .meta({ id: "CreateApiKeyRequest" });

export const apiKey = z
  .object({
    id: apiKeyId,
    principalId,
    name: z.string().nullable(),
    prefix: z.string().meta({ description: "The first characters of the key, to recognise it by." }),
    createdAt: instant,
    expiresAt: instant.nullable(),
    revokedAt: instant.nullable(),
    lastUsedAt: instant.nullable(),
  })
  .meta({ id: "ApiKey" });

/** A new key. `key` is shown here once and kept nowhere: an answer replayed by its Idempotency-Key has null. */
export const issuedApiKey = apiKey.extend({ key: z.string().nullable() }).meta({ id: "IssuedApiKey" });

export type CreatePrincipalRequest = z.input<typeof createPrincipalRequest>;
export type Principal = z.infer<typeof principal>;
export type Me = z.infer<typeof me>;
export type SessionToken = z.infer<typeof sessionToken>;
export type CreateApiKeyRequest = z.input<typeof createApiKeyRequest>;
export type ApiKey = z.infer<typeof apiKey>;
export type IssuedApiKey = z.infer<typeof issuedApiKey>;
