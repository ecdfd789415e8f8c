import {
  connection,
  connectionDetail,
  connectionList,
  connectionTest,
  connectionVersionList,
  connectorList,
  pageQuery,
  putConnectionRequest,
  resourceName,
} from "@oars/contract";
import { z } from "zod";
import {
  type ConnectionInfo,
  type ConnectionInput,
  type ConnectionVersion,
  type Connector,
  connectionTag,
} from "#act/connectors";
import { tag as etag, ifMatchHeader, ifMatchOf } from "./if-match.ts";
import { afterNumber, pageOfRows } from "./page.ts";
import { route, type ServiceRoute } from "./services.ts";
import { shown } from "./wire-id.ts";

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
  etag: connectionTag(c),
  createdAt: c.createdAt,
  updatedAt: c.updatedAt,
});

const toVersion = (v: ConnectionVersion) => ({ ...v, changedBy: shown("principal", v.changedBy) });

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
    path: "/v1/connections/:name",
    access: "connections:write",
    tag: "connections",
    summary: "Create or replace a connection",
    description: "With `If-Match` only the revision that was read is replaced; else 412.",
    params: byName,
    body: putConnectionRequest,
    headers: [ifMatchHeader],
    idempotency: "door",
    answer: { status: 200, body: connection },
    handle: async ({ connectors }, { caller, params, body, request, reply }) => {
      const config = body.config as ConnectionInput["config"]; // parsed from JSON, so it is JSON
      const input = { ...body, config, name: params.name };
      const stored = await connectors.put(caller, input, ifMatchOf(request));
      etag(reply, connectionTag(stored));
      return toConnection(stored);
    },
  }),
  route({
    method: "DELETE",
    path: "/v1/connections/:name",
    access: "connections:write",
    tag: "connections",
    summary: "Delete a connection",
    description:
      "Refused with 409 while the newest version of a flow names it, unless `force` is true. Its credential goes with it.",
    params: byName,
    query: z.strictObject({ force: z.enum(["true", "false"]).default("false") }),
    notFound: "CONNECTION_NOT_FOUND",
    headers: [ifMatchHeader],
    idempotency: "door",
    answer: { status: 204 },
    handle: ({ connectors }, { caller, params, query, request }) =>
      connectors.remove(caller, params.name, { expected: ifMatchOf(request), force: query.force === "true" }),
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
    answer: { status: 200, body: connectionDetail },
    handle: async ({ connectors }, { caller, params, reply }) => {
      const found = await connectors.show(caller, params.name);
      etag(reply, connectionTag(found));
      return { ...toConnection(found), credential: found.credential, circuit: found.circuit };
    },
  }),
  route({
    method: "GET",
    path: "/v1/connections/:name/versions",
    access: "connections:read",
    tag: "connections",
    summary: "List the revisions of a connection, newest first",
    params: byName,
    query: pageQuery,
    notFound: "CONNECTION_NOT_FOUND",
    answer: { status: 200, body: connectionVersionList },
    handle: async ({ connectors }, { caller, params, query }) => {
      const before = afterNumber(query.cursor);
      const rows = await connectors.versions(caller, params.name, { limit: query.limit + 1, before });
      return pageOfRows(rows, query.limit, (row) => row.revision, toVersion);
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
