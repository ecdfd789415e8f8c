/** A door over a few routes made for tests: the rules of the pipeline without the rooms behind it. */
import pino from "pino";
import { z } from "zod";
import type { Answer, Caller, Reservation } from "#platform/access";
import { newId, OarsError } from "#platform/kernel";
import { createTelemetry } from "#platform/telemetry";
import type { IdempotencyKeys } from "./idempotency.ts";
import { type Route, routeFor } from "./route.ts";
import { createServer, type ServerDeps } from "./server.ts";

export interface TestServices {
  readonly calls: string[];
}

const route = routeFor<TestServices>();

export const testTenant = newId();
const principals: Record<string, Caller> = {
  "Bearer alice": person("alice", ["runs:read", "runs:start"]),
  "Bearer alice-again": person("alice", ["runs:read", "runs:start"]),
  "Bearer bob": person("bob", []),
  "Bearer carol": { ...person("carol", ["runs:read"]), tenantId: newId() },
};

function person(
  name: string,
  permissions: Caller["permissions"] extends ReadonlySet<infer P> ? P[] : never,
): Caller {
  return {
    tenantId: testTenant,
    principalId: `principal-of-${name}`,
    principalKind: "user",
    principalName: name,
    ownerId: null,
    roles: [],
    permissions: new Set(permissions),
    credential: { kind: "api_key", id: name },
  };
}

export const thing = z.strictObject({
  name: z.string().min(1),
  size: z.int().max(10),
  inner: z.unknown().optional(),
});

export const testRoutes: readonly Route<TestServices>[] = [
  route({
    method: "POST",
    path: "/v1/runs",
    access: "runs:start",
    tag: "test",
    summary: "Makes a thing",
    body: thing,
    answer: { status: 201, body: thing },
    idempotency: "door",
    handle: ({ calls }, { body }) => {
      calls.push(body.name);
      if (body.name === "explode") throw new Error("select secret from table_of_secrets");
      if (body.name === "refuse") throw new OarsError("RUN_ENDED", { state: "failed", runId: testTenant });
      return body;
    },
  }),
  route({
    method: "GET",
    path: "/v1/runs",
    access: "runs:read",
    tag: "test",
    summary: "Lists things",
    query: z.strictObject({ limit: z.coerce.number().int().max(5).optional(), at: z.string().optional() }),
    answer: { status: 200, body: z.unknown() },
    handle: (_, { query, requestId }) => ({ query, requestId, at: new Date(0) }),
  }),
  route({
    method: "GET",
    path: "/v1/runs/:id",
    access: "runs:read",
    tag: "test",
    summary: "Shows a thing",
    params: z.strictObject({ id: z.string().regex(/^run_/) }),
    notFound: "RUN_NOT_FOUND",
    answer: { status: 200, body: z.unknown() },
    handle: () => {
      throw new OarsError("RUN_NOT_FOUND");
    },
  }),
  route({
    method: "POST",
    path: "/v1/text",
    access: "authenticated",
    tag: "test",
    summary: "Takes YAML",
    bodyForm: "json-or-yaml",
    body: z.union([z.string(), z.record(z.string(), z.unknown())]),
    answer: { status: 200, body: z.unknown() },
    handle: (_, { body }) => ({ body }),
  }),
  route({
    method: "POST",
    path: "/api/webhook/:slug",
    access: "anonymous",
    tag: "test",
    summary: "Takes bytes",
    params: z.strictObject({ slug: z.string() }),
    bodyForm: "raw",
    answer: { status: 202, body: z.unknown() },
    handle: (_, { body, request }) => ({
      hex: Buffer.from(body as Uint8Array).toString("hex"), // raw routes get bytes
      type: request.headers["content-type"] ?? null,
    }),
  }),
  route({
    method: "GET",
    path: "/health/live",
    access: "anonymous",
    tag: "test",
    summary: "Answers",
    unlimited: true,
    answer: { status: 200, body: z.unknown() },
    handle: () => ({ live: true }),
  }),
];

/** Keys in memory, with the same answers as the room that keeps them in the database. */
export function keysInMemory(): IdempotencyKeys {
  const rows = new Map<string, { fingerprint: string; answer?: Answer }>();
  const at = (k: Omit<Reservation, "id">): string =>
    JSON.stringify([k.tenantId, k.principalId, k.route, k.key]);
  return {
    reserve: async (tenantId, principalId, name, key, fingerprint) => {
      const reservation = { tenantId, principalId, route: name, key, id: "held" };
      const row = rows.get(at(reservation));
      if (row === undefined) {
        rows.set(at(reservation), { fingerprint });
        return { kind: "fresh", reservation };
      }
      if (row.fingerprint !== fingerprint) return { kind: "conflict" };
      if (row.answer === undefined) return { kind: "in_progress", retryAfterSeconds: 1 };
      return { kind: "replay", ...row.answer };
    },
    complete: async (reservation, answer) => {
      const row = rows.get(at(reservation));
      if (row !== undefined) row.answer = answer;
      return row !== undefined;
    },
    renew: async () => true,
    run: (_reservation, work) => work(),
    waitMs: 100,
    release: async (reservation) => {
      rows.delete(at(reservation));
    },
  };
}

export async function testServer(
  over: Partial<ServerDeps<TestServices>["config"]> & {
    routes?: readonly Route<TestServices>[];
    isOverloaded?: () => boolean;
  } = {},
) {
  const lines: Record<string, unknown>[] = [];
  const log = pino({ level: "debug" }, { write: (line: string) => lines.push(JSON.parse(line)) });
  const calls: string[] = [];
  const { routes, isOverloaded = () => false, ...config } = over;
  const app = await createServer<TestServices>({
    config: {
      corsOrigins: [],
      bodyLimit: 1_048_576,
      rateLimit: { enabled: false, windowMs: 60_000, max: 1000 },
      ...config,
    },
    log,
    access: {
      authenticate: async (authorization) => {
        if (authorization === undefined) throw new OarsError("AUTH_REQUIRED");
        const caller = principals[authorization];
        if (caller === undefined) throw new OarsError("AUTH_KEY_INVALID");
        return caller;
      },
    },
    idempotency: keysInMemory(),
    metrics: createTelemetry({ level: "silent", name: "test", processMetrics: false }).metrics,
    services: { calls },
    routes: routes ?? testRoutes,
    isOverloaded,
  });
  return { app, calls, lines };
}
