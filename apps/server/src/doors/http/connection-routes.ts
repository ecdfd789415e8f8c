import {
  connection,
  connectionList,
  connectionTest,
  connectorList,
  putConnectionRequest,
  putSecretRequest,
  resourceName,
  secret,
  secretList,
} from "@oars/contract";
import { z } from "zod";
import type { ConnectionInfo, ConnectionInput, Connector } from "#act/connectors";
import { OarsError } from "#platform/kernel";
import type { SecretInfo } from "#platform/vault";
import { route, type ServiceRoute } from "./services.ts";
import { shown, shownOrNull } from "./wire-id.ts";

const byName = z.strictObject({ name: resourceName });

/** A connection as it was put: without what its connector made of the config. */
const toConnection = (c: ConnectionInfo) => ({
  id: shown("connection", c.id),
  name: c.name,
  connector: c.connector,
  config: c.config,
  environment: c.environment,
  risk: c.risk,
  dataTypes: c.dataTypes,
  facts: c.facts,
  emulate: c.emulate,
  revision: c.revision,
  createdAt: c.createdAt,
  updatedAt: c.updatedAt,
});

const toSecret = (s: SecretInfo) => ({
  name: s.name,
  version: s.version,
  createdAt: s.createdAt,
  createdBy: shownOrNull("principal", s.createdBy),
  updatedAt: s.updatedAt,
  updatedBy: shownOrNull("principal", s.updatedBy),
});

const schemaOf = (schema: z.ZodType) => {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io: "input", unrepresentable: "any" });
  return JSON.parse(JSON.stringify(rest)) as Record<string, unknown>; // an object schema; its text drops what JSON lacks
};

const toConnector = (c: Connector) => ({
  name: c.name,
  title: c.title,
  description: c.description,
  docs: c.docs,
  auth: c.auth,
  config: schemaOf(c.configSchema),
  operations: Object.values(c.operations).map((o) => ({
    name: o.name,
    title: o.title,
    description: o.description,
    input: schemaOf(o.input),
  })),
});

export const connectionRoutes: readonly ServiceRoute[] = [
  route({
    method: "PUT",
    path: "/v1/secrets/:name",
    access: "secrets:write",
    tag: "secrets",
    summary: "Store or replace a secret",
    description: "Connections name it as `vault:<name>`. No answer of the API ever holds its value.",
    params: byName,
    body: putSecretRequest,
    answer: { status: 200, body: secret },
    handle: async ({ secrets }, { caller, params, body }) =>
      toSecret(await secrets.put(caller, params.name, body.value)),
  }),
  route({
    method: "GET",
    path: "/v1/secrets",
    access: "secrets:read",
    tag: "secrets",
    summary: "List secrets, without their values",
    answer: { status: 200, body: secretList },
    handle: async ({ secrets }, { caller }) => ({ items: (await secrets.list(caller)).map(toSecret) }),
  }),
  route({
    method: "DELETE",
    path: "/v1/secrets/:name",
    access: "secrets:write",
    tag: "secrets",
    summary: "Delete a secret",
    params: byName,
    notFound: "SECRET_NOT_FOUND",
    answer: { status: 204 },
    handle: ({ secrets }, { caller, params }) => secrets.remove(caller, params.name),
  }),
  route({
    method: "PUT",
    path: "/v1/connections/:name",
    access: "connections:write",
    tag: "connections",
    summary: "Create or replace a connection",
    params: byName,
    body: putConnectionRequest,
    answer: { status: 200, body: connection },
    handle: async ({ connectors }, { caller, params, body }) => {
      const config = body.config as ConnectionInput["config"]; // parsed from JSON, so it is JSON
      return toConnection(await connectors.put(caller, { ...body, config, name: params.name }));
    },
  }),
  route({
    method: "GET",
    path: "/v1/connections",
    access: "connections:read",
    tag: "connections",
    summary: "List connections",
    answer: { status: 200, body: connectionList },
    handle: async ({ connectors }, { caller }) => ({
      items: (await connectors.list(caller)).map(toConnection),
    }),
  }),
  route({
    method: "GET",
    path: "/v1/connections/:name",
    access: "connections:read",
    tag: "connections",
    summary: "Show a connection",
    params: byName,
    notFound: "CONNECTION_NOT_FOUND",
    answer: { status: 200, body: connection },
    handle: async ({ connectors }, { caller, params }) => {
      const found = await connectors.find(caller.tenantId, params.name);
      if (found === undefined) throw new OarsError("CONNECTION_NOT_FOUND", { name: params.name });
      return toConnection(found);
    },
  }),
  route({
    method: "POST",
    path: "/v1/connections/:name/test",
    access: "connections:write",
    tag: "connections",
    summary: "Test a connection",
    description:
      "Reaches the system behind it with its credentials and changes nothing there. A refusal is an answer with `ok: false`.",
    params: byName,
    notFound: "CONNECTION_NOT_FOUND",
    answer: { status: 200, body: connectionTest },
    handle: ({ connectors }, { caller, params }) => connectors.test(caller, params.name),
  }),
  route({
    method: "GET",
    path: "/v1/connectors",
    access: "connections:read",
    tag: "connections",
    summary: "List connectors with their schemas",
    answer: { status: 200, body: connectorList },
    handle: async ({ connectors }) => ({ items: connectors.catalogue.map(toConnector) }),
  }),
];
