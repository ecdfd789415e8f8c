import { z } from "zod";
import { authSecrets } from "#act/connector-auth";
import { type Connector, defineOperation, type FactSpec, type OperationOutcome } from "#act/connector-kit";
import type { FieldProblem } from "#platform/kernel";
import { readFacts } from "./facts.ts";
import { type HttpSettings, httpConfig } from "./http-config.ts";
import { type HttpInput, httpInput } from "./http-input.ts";
import { httpList } from "./http-list.ts";
import { isIdempotent, prepareRequest, targetOf } from "./http-request.ts";
import { callWeb } from "./web-call.ts";

const verbs = {
  GET: "read",
  HEAD: "read",
  POST: "write",
  PUT: "write",
  PATCH: "write",
  DELETE: "delete",
} as const;

const request = defineOperation<HttpSettings, HttpInput>({
  name: "http.request",
  title: "Send a request",
  description: "Sends one HTTP request below the connection's base URL.",
  verbs: ["read", "write", "delete"],
  input: httpInput,
  output: z.looseObject({ status: z.int(), headers: z.record(z.string(), z.string()), body: z.json() }),
  meaning(settings, input, connection) {
    const { facts, problems } = readFacts(settings.facts, input);
    return {
      verb: verbs[input.method],
      target: targetOf(settings, input),
      idempotent: isIdempotent(settings, input.method),
      facts,
      problems: [...ownedHeaders(settings, input, connection.name), ...problems],
    };
  },
  execute: (context, input) => callWeb(context, () => prepareRequest(context, input, context.idempotencyKey)),
  emulate: (_connection, input) => ({
    status: input.expect?.status?.[0] ?? 200,
    headers: { "content-type": "application/json" },
    body: input.body ?? {},
    ms: 0,
  }),
});

const ownedHeaders = (settings: HttpSettings, input: HttpInput, connection: string): FieldProblem[] =>
  Object.keys(input.headers ?? {})
    .filter((name) => settings.owned.has(name.toLowerCase()))
    .map((name) => ({
      path: `input.headers.${name}`,
      code: "HEADER_OWNED",
      message: `is set by the connection ${connection}; leave it out`,
    }));

const factType = { long: "integer", string: "string", bool: "boolean" } as const;

/** Calls HTTP APIs below one base URL. */
export const httpConnector: Connector<HttpSettings> = {
  name: "http",
  title: "HTTP",
  description: "Calls REST and other HTTP APIs below one base URL.",
  docs: "https://www.rfc-editor.org/rfc/rfc9110",
  auth: ["none", "bearer", "basic", "header"],
  configSchema: httpConfig,
  operations: { "http.request": request, "http.list": httpList },
  factSpecs: (settings): FactSpec[] =>
    settings.facts.map((rule) => ({ name: rule.name, type: factType[rule.type] })),
  secretNames: (settings) => authSecrets(settings.auth),
  async test(context) {
    const { settings } = context.connection;
    const input: HttpInput = { connection: context.connection.name, method: "GET", path: settings.testPath };
    const outcome = await callWeb(context, () => prepareRequest(context, input, ""));
    return testOf(outcome, settings);
  },
  fixtures: {
    config: { baseUrl: "https://wms.example.com/v1", auth: { bearer: "vault:wms-token" } },
    inputs: {
      "http.request": [
        {
          input: { path: "/shipments", body: { order: "A-1" } },
          shape: { verb: "write", target: "wms.example.com/v1/shipments", idempotent: false },
        },
        { input: { method: "GET", path: "/shipments/7" }, shape: { verb: "read", idempotent: true } },
      ],
      "http.list": [
        {
          input: { path: "/shipments", items: "data", next: { link: true } },
          shape: { verb: "read", target: "wms.example.com/v1/shipments", idempotent: true },
        },
      ],
    },
  },
};

/** An API need not have anything at its base; that it answers and takes the credentials is what counts. */
function testOf(outcome: OperationOutcome, settings: HttpSettings) {
  const status = outcome.status === "unknown" ? undefined : outcome.http;
  const at = `${settings.host}${settings.basePath}${settings.testPath}`;
  if (status === 401 || status === 403) {
    const message = `${at} answered ${status}: check the secret that the connection names.`;
    return { ok: false, code: `HTTP_${status}`, message };
  }
  if (status !== undefined && status < 500) return { ok: true, message: `${at} answered ${status}.` };
  if (outcome.status === "completed") return { ok: true, message: `${at} answered.` };
  return { ok: false, code: outcome.error.code, message: outcome.error.message };
}
