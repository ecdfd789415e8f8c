import { z } from "zod";
import { connectionId, principalId } from "./id.ts";
import { pageOf } from "./page.ts";
import { instant, jsonObject } from "./scalar.ts";

/** Facts that policy may read about a connection. Numbers are whole: policy knows no fractions. */
export const factValue = z.union([z.string().max(500), z.int(), z.boolean()]);

/**
 * How one outside system is reached and how sensitive it is. `environment`, `risk`, `dataTypes` and `facts`
 * are what policy decides on; a caller of an action cannot change them.
 */
export const putConnectionRequest = z
  .strictObject({
    connector: z
      .string()
      .min(1)
      .max(60)
      .meta({ examples: ["http"] }),
    config: jsonObject.meta({ description: "Settings of the connector. Secrets by name: `vault:<name>`." }),
    environment: z.string().min(1).max(60).optional(),
    risk: z.int().min(0).max(100).optional(),
    dataTypes: z.array(z.string().min(1).max(60)).max(50).optional(),
    facts: z.record(z.string(), factValue).optional(),
    emulate: z
      .boolean()
      .optional()
      .meta({ description: "A dry run: operations answer without network and secrets." }),
  })
  .meta({ id: "PutConnectionRequest" });

export const connection = z
  .object({
    id: connectionId,
    name: z.string(),
    connector: z.string(),
    config: jsonObject,
    environment: z.string(),
    risk: z.int(),
    dataTypes: z.array(z.string()),
    facts: z.record(z.string(), factValue),
    emulate: z.boolean(),
    revision: z.int().meta({ description: "Counts from 1, up by one with every put." }),
    etag: z.string().meta({ description: "For If-Match, between quotes." }),
    createdAt: instant,
    updatedAt: instant,
  })
  .meta({ id: "Connection" });

/** How the credential stands that a connection obtained for itself, and whether calls go out. Never the credential. */
export const connectionDetail = connection
  .extend({
    credential: z
      .object({
        kind: z.enum(["token", "cookies"]),
        state: z.enum(["none", "valid", "expired", "failing", "authorization_needed"]),
        validUntil: instant.nullable(),
        lastRefreshAt: instant.nullable(),
        lastErrorCode: z.string().nullable(),
        lastErrorAt: instant.nullable(),
        nextAttemptAt: instant.nullable(),
      })
      .nullable()
      .meta({ description: "Null: the connection obtains none." }),
    circuit: z
      .object({
        state: z.enum(["closed", "open", "half_open"]),
        failures: z.int().meta({ description: "In a row." }),
        lastCode: z.string().nullable(),
        retryMs: z.int().meta({ description: "Until the next call goes out." }),
      })
      .meta({ description: "As the process sees it that answers." }),
  })
  .meta({ id: "ConnectionDetail" });

export const connectionVersion = z
  .object({
    revision: z.int(),
    change: z.enum(["put", "deleted"]),
    definition: jsonObject.meta({ description: "As it was put." }),
    changedBy: principalId,
    changedAt: instant,
  })
  .meta({ id: "ConnectionVersion" });

export const connectionVersionList = pageOf(connectionVersion);

export const connectionAuthorization = z
  .object({
    url: z.string().meta({ description: "For the person's browser." }),
    expiresAt: instant,
  })
  .meta({ id: "ConnectionAuthorization" });

/** What an authorization server sent the person back with. */
export const authorizationAnswer = z
  .strictObject({
    state: z.string().min(1).max(200),
    code: z.string().min(1).max(4_000).optional(),
    error: z.string().max(200).optional(),
    iss: z.string().max(2_000).optional(),
  })
  .meta({ id: "AuthorizationAnswer" });

export const connectionAuthorized = z.object({ connection: z.string() }).meta({ id: "ConnectionAuthorized" });

export type ConnectionDetail = z.infer<typeof connectionDetail>;
export type ConnectionVersion = z.infer<typeof connectionVersion>;
export type ConnectionAuthorization = z.infer<typeof connectionAuthorization>;
export type AuthorizationAnswer = z.input<typeof authorizationAnswer>;
export type ConnectionAuthorized = z.infer<typeof connectionAuthorized>;

export const connectionList = z.object({ items: z.array(connection) });

export const connectionTest = z
  .object({
    ok: z.boolean(),
    message: z.string().meta({ description: "What answered, or what to change." }),
    code: z
      .string()
      .optional()
      .meta({ description: "Of the failure.", examples: ["NET_UNREACHABLE"] }),
    emulated: z.boolean().meta({ description: "The connection is a dry run: nothing was called." }),
    ms: z.int(),
  })
  .meta({ id: "ConnectionTest" });

export const connectorInfo = z
  .object({
    name: z.string(),
    title: z.string(),
    description: z.string(),
    docs: z.string(),
    auth: z.array(z.string()),
    config: jsonObject.meta({ description: "JSON Schema of a connection's config." }),
    operations: z.array(
      z.object({
        name: z.string(),
        title: z.string(),
        description: z.string(),
        input: jsonObject.meta({ description: "JSON Schema of the input." }),
      }),
    ),
  })
  .meta({ id: "Connector" });

export const connectorList = z.object({ items: z.array(connectorInfo) });

export type ConnectionTest = z.infer<typeof connectionTest>;
export type ConnectorInfo = z.infer<typeof connectorInfo>;
export type PutConnectionRequest = z.input<typeof putConnectionRequest>;
export type Connection = z.infer<typeof connection>;

export const putEgressRequest = z
  .strictObject({
    hosts: z
      .array(z.string().min(1).max(260))
      .max(500)
      .nullable()
      .meta({
        description:
          "`host`, `host:port`, `*.domain` or `*:port`; null: every host that the operator allows.",
        examples: [["api.example.com:443", "*.example.org"]],
      }),
  })
  .meta({ id: "PutEgressRequest" });

export const egress = z
  .object({
    hosts: z.array(z.string()).nullable(),
    revision: z.int(),
    etag: z.string().meta({ description: "For If-Match, between quotes." }),
    updatedBy: principalId.nullable(),
    updatedAt: instant.nullable(),
  })
  .meta({ id: "Egress" });

export type PutEgressRequest = z.input<typeof putEgressRequest>;
export type Egress = z.infer<typeof egress>;
