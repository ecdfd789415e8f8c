import { problem } from "@oars/contract";
import { z } from "zod";
import type { Answer, Route } from "./route.ts";

type JsonObject = Record<string, unknown>;

/**
 * The OpenAPI 3.1 document of a route table. Schemas with a `meta({id})` become components; inputs and
 * outputs are described as they travel on the wire. Pure: needs no database and no configuration.
 */
export function openApiOf<S>(routes: readonly Route<S>[], about: { version: string }): JsonObject {
  const components: JsonObject = {};
  const schema = (type: z.ZodType): JsonObject => hoisted(type, components);
  const paths: Record<string, JsonObject> = {};
  for (const route of routes) {
    const path = route.path.replaceAll(/:(\w+)/g, "{$1}").replace("*", "{path}");
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: operation(route, schema) };
  }
  schema(problem);
  return {
    openapi: "3.1.0",
    info: {
      title: "OARS",
      version: about.version,
      description:
        "Durable runs, governed actions, signed receipts. `/api/v1/x` and `/api/x` mean `/v1/x`; `/v1/orchestrations` means `/v1/runs`. Errors are RFC 9457 problem documents.",
      license: { name: "Apache-2.0", identifier: "Apache-2.0" },
    },
    servers: [{ url: "/" }], // the server that the document came from, under whatever name
    tags: [...new Set(routes.map((route) => route.tag))].map((name) => ({ name })),
    security: [{ bearer: [] }],
    paths,
    components: {
      schemas: components,
      securitySchemes: {
        bearer: {
          type: "http",
          scheme: "bearer",
          description: "An API key (`oars_…`) or a session token. X-Tenant-ID selects among your tenants.",
        },
      },
    },
  };
}

type SchemaOf = (type: z.ZodType) => JsonObject;

function operation<S>(route: Route<S>, schema: SchemaOf): JsonObject {
  const parameters = [
    ...parametersOf(route.params, "path", schema),
    ...parametersOf(route.query, "query", schema),
    ...(route.idempotency === undefined ? [] : [idempotencyHeader]),
    ...(route.headers ?? []).map(({ example, ...header }) => ({
      ...header,
      in: "header",
      schema: { type: "string", examples: [example] },
    })),
  ];
  const permission = isPermission(route.access) ? `Needs the permission \`${route.access}\`.` : "";
  const description = [route.description ?? "", permission].filter(Boolean).join("\n\n");
  return {
    operationId: operationIdOf(route),
    tags: [route.tag],
    summary: route.summary,
    ...(description === "" ? {} : { description }),
    ...(route.access === "anonymous" ? { security: [] } : {}),
    ...(parameters.length === 0 ? {} : { parameters }),
    ...bodyOf(route, schema),
    responses: {
      ...Object.fromEntries(answersOf(route).map((answers) => response(answers, schema))),
      default: {
        description: "A problem",
        content: { "application/problem+json": { schema: { $ref: "#/components/schemas/Problem" } } },
      },
    },
  };
}

const isPermission = (access: string): boolean => access !== "anonymous" && access !== "authenticated";

const idempotencyHeader = {
  name: "Idempotency-Key",
  in: "header",
  description: "The same key and body give the same answer again; another body under the key gives 409.",
  schema: { type: "string", minLength: 1, maxLength: 255 },
};

function parametersOf(type: z.ZodType | undefined, place: "path" | "query", schema: SchemaOf): JsonObject[] {
  if (type === undefined) return [];
  const { properties = {}, required = [] } = schema(type) as {
    properties?: Record<string, JsonObject>;
    required?: string[];
  }; // parameters are declared as objects
  return Object.entries(properties).map(([name, { description, ...rest }]) => ({
    name: name === "*" ? "path" : name,
    in: place,
    required: place === "path" || required.includes(name),
    ...(description === undefined ? {} : { description }),
    schema: rest,
  }));
}

function bodyOf<S>(route: Route<S>, schema: SchemaOf): JsonObject {
  if (route.bodyForm === "raw") return { requestBody: { content: { "*/*": { schema: {} } } } };
  const type = route.bodyDocument ?? route.body;
  if (type === undefined) return {};
  const yaml =
    route.bodyForm === "json-or-yaml"
      ? { "application/yaml": { schema: { type: "string" } }, "text/yaml": { schema: { type: "string" } } }
      : {};
  return {
    requestBody: { required: true, content: { "application/json": { schema: schema(type) }, ...yaml } },
  };
}

/** The answers of a route, grouped by status: one status may come in several media types. */
const answersOf = <S>(route: Route<S>): Answer[][] =>
  Object.values(Object.groupBy([route.answer, ...(route.otherAnswers ?? [])], (a) => a.status)).filter(
    (group) => group !== undefined,
  );

function response(answers: Answer[], schema: SchemaOf): [string, JsonObject] {
  const [first] = answers;
  const content = Object.fromEntries(
    answers.flatMap((a) =>
      a.body === undefined && a.type === undefined
        ? []
        : [
            [
              a.type ?? "application/json",
              { schema: a.body === undefined ? { type: "string" } : schema(a.body) },
            ],
          ],
    ),
  );
  const description = first?.description ?? (first?.status === 204 ? "Done" : "Success");
  return [String(first?.status), { description, ...(Object.keys(content).length === 0 ? {} : { content }) }];
}

/** `POST /v1/runs/:id/abort` -> `postRunsIdAbort`: stable, unique, usable as a method name. */
function operationIdOf<S>(route: Route<S>): string {
  const words = route.path.replace(/^\/v1\//, "").match(/[A-Za-z0-9]+/g) ?? [];
  return route.method.toLowerCase() + words.map((w) => w.charAt(0).toUpperCase() + w.slice(1)).join("");
}

/** A JSON Schema (2020-12) whose named parts live under components. */
function hoisted(type: z.ZodType, components: JsonObject): JsonObject {
  const {
    $schema: _,
    $defs = {},
    ...schema
  } = z.toJSONSchema(type, {
    io: "input",
    unrepresentable: "any",
  }) as JsonObject & { $defs?: JsonObject }; // toJSONSchema answers an object
  for (const [name, part] of Object.entries($defs)) components[name] = withComponentRefs(part);
  return withComponentRefs(schema) as JsonObject; // an object stays an object
}

function withComponentRefs(part: unknown): unknown {
  if (Array.isArray(part)) return part.map(withComponentRefs);
  if (typeof part !== "object" || part === null) return part;
  return Object.fromEntries(
    Object.entries(part).map(([key, value]) =>
      key === "$ref" && typeof value === "string"
        ? [key, value.replace("#/$defs/", "#/components/schemas/")]
        : [key, withComponentRefs(value)],
    ),
  );
}
