/** The whole server behind its HTTP door, and a client that holds every answer against /openapi.json. */
import { Ajv2020 } from "ajv/dist/2020.js";
import { expect } from "vitest";
import { createHttp, createSecrets, type HttpDeps } from "#doors/http";
import { createTelemetry } from "#platform/telemetry";
import { startTestApp, type TestApp, type TestAppOptions } from "./app.ts";
import { type DriverName, openTestDatabase, type TestDatabase } from "./index.ts";

export interface Answered {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: answers are held against the document, then read freely
  readonly json: any;
}

export interface OpenApi {
  readonly paths: Record<
    string,
    Record<string, { responses: Record<string, { content?: Record<string, unknown> }> }>
  >;
}

/** `key` in place of the administrator's, empty for none; the rest fills the path. */
type Filling = Readonly<Record<string, string>>;

export interface TestApi {
  readonly app: TestApp;
  readonly opened: TestDatabase;
  readonly base: string;
  readonly document: OpenApi;
  ask(
    method: string,
    pattern: string,
    body?: unknown,
    filling?: Filling,
    headers?: Record<string, string>,
  ): Promise<Answered>;
  close(): Promise<void>;
}

export interface TestApiOptions extends TestAppOptions {
  /** Of the door, in place of what tests usually want. */
  readonly config?: Partial<HttpDeps["config"]>;
}

export async function startTestApi(driver: DriverName, options: TestApiOptions = {}): Promise<TestApi> {
  const opened = await openTestDatabase(driver);
  const app = await startTestApp(opened.database, options);
  const { registry, metrics, log } = createTelemetry({ level: "fatal", name: "api", processMetrics: false });
  const http = await createHttp({
    ...app,
    config: {
      corsOrigins: [],
      bodyLimit: 1_048_576,
      rateLimit: { enabled: true, windowMs: 60_000, max: 100_000 },
      ...options.config,
    },
    logger: log,
    metrics,
    registry,
    secrets: createSecrets(app),
    receiptLog: app.log,
    health: async () => ({ ready: true, checks: [{ name: "database", ok: true, ms: 1 }] }),
    firstTenantId: app.admin.tenantId,
    version: "0.0.0-test",
  });
  const base = await http.listen({ host: "127.0.0.1", port: 0 });
  const document = (await (await fetch(`${base}/openapi.json`)).json()) as OpenApi; // served by this door
  const check = conformanceTo(document);
  return {
    app,
    opened,
    base,
    document,
    ask: async (method, pattern, body, filling = {}, headers = {}) => {
      const answer = await send(base, app.adminKey, { method, pattern, body, filling, headers });
      check(method, pattern, answer);
      return answer;
    },
    close: async () => {
      await http.close();
      await app.stop();
      await opened.close();
    },
  };
}

interface Asked {
  readonly method: string;
  readonly pattern: string;
  readonly body: unknown;
  readonly filling: Filling;
  readonly headers: Record<string, string>;
}

async function send(base: string, adminKey: string, asked: Asked): Promise<Answered> {
  const { body, filling } = asked;
  const { key = adminKey, ...params } = filling;
  const path = asked.pattern.replaceAll(/:(\w+)/g, (_, name: string) =>
    encodeURIComponent(params[name] ?? ""),
  );
  const isText = typeof body === "string";
  const res = await fetch(base + path, {
    method: asked.method,
    headers: {
      ...(key === "" ? {} : { authorization: `Bearer ${key}` }),
      ...(body === undefined || isText ? {} : { "content-type": "application/json" }),
      ...asked.headers,
    },
    ...(body === undefined ? {} : { body: isText ? body : JSON.stringify(body) }),
  });
  const text = await res.text();
  const isJson = text !== "" && res.headers.get("content-type")?.includes("json") === true;
  return { status: res.status, headers: res.headers, text, json: isJson ? JSON.parse(text) : null };
}

/** Fails the test where an answer is not what the document says of its route and status. */
function conformanceTo(document: OpenApi): (method: string, pattern: string, answer: Answered) => void {
  const ajv = new Ajv2020({ strict: false, allErrors: true, validateFormats: false });
  ajv.addSchema(document, "api");
  return (method, pattern, answer) => {
    const path = pattern.split("?")[0]?.replaceAll(/:(\w+)/g, "{$1}") ?? "";
    const what = `${method} ${path} ${answer.status}`;
    const responses = document.paths[path]?.[method.toLowerCase()]?.responses;
    if (responses === undefined) throw new Error(`${what} is not documented`);
    if (answer.status === 204) return;
    const status = answer.status < 400 || responses[answer.status] ? String(answer.status) : "default";
    const type = answer.headers.get("content-type")?.split(";")[0];
    const known = Object.keys(responses[status]?.content ?? {}).find((name) => name.split(";")[0] === type);
    expect(known, `${what} as ${type} is documented`).toBeDefined();
    if (!type?.endsWith("json")) return;
    const place = [
      "paths",
      path,
      method.toLowerCase(),
      "responses",
      status,
      "content",
      known ?? "",
      "schema",
    ];
    const pointer = place.map((part) => encodeURIComponent(part.replaceAll("~", "~0").replaceAll("/", "~1")));
    ajv.validate({ $ref: `api#/${pointer.join("/")}` }, answer.json);
    expect(ajv.errors ?? [], `${what} ${answer.text.slice(0, 500)}`).toEqual([]);
  };
}
