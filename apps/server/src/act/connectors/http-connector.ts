import { isOarsError, OarsError } from "#platform/kernel";
import { isNetError } from "#platform/net";
import type {
  ActionShape,
  Connection,
  Connector,
  FactSpec,
  Operation,
  OperationContext,
  OperationOutcome,
} from "./connector.ts";
import { readFacts } from "./facts.ts";
import { type FactRule, type HttpSettings, httpConfig } from "./http-config.ts";
import { type HttpInput, httpInput } from "./http-input.ts";
import { type Asked, outcomeOfAnswer, outcomeOfFailure } from "./http-outcome.ts";
import { isRead, type PreparedRequest, prepareRequest, targetOf } from "./http-request.ts";
import { scrubber } from "./scrub.ts";

const verbs = {
  GET: "read",
  HEAD: "read",
  POST: "write",
  PUT: "write",
  PATCH: "write",
  DELETE: "delete",
} as const;

/** By RFC 9110 §9.2.2, or because the other side takes an idempotency key. */
const isIdempotent = (settings: HttpSettings, method: HttpInput["method"]): boolean =>
  (method !== "POST" && method !== "PATCH") || settings.idempotencyHeader !== undefined;

function describe(connection: Connection<HttpSettings>, input: HttpInput): ActionShape {
  if (connection.connector !== "http") {
    const message = `connection ${connection.name} is of connector ${connection.connector}, not http`;
    throw new OarsError(
      "ACTION_INVALID",
      {},
      { errors: [{ path: "operation", code: "OPERATION_MISMATCH", message }] },
    );
  }
  const { settings } = connection;
  const { facts, problems } = readFacts(settings.facts, input);
  const owned = Object.keys(input.headers ?? {})
    .filter((name) => settings.owned.has(name.toLowerCase()))
    .map((name) => ({
      path: `input.headers.${name}`,
      code: "HEADER_OWNED",
      message: `is set by the connection ${connection.name}; leave it out`,
    }));
  if (problems.length + owned.length > 0)
    throw new OarsError("ACTION_INVALID", {}, { errors: [...owned, ...problems] });
  return {
    verb: verbs[input.method],
    tool: `${connection.name}/http.request`,
    target: targetOf(settings, input),
    environment: connection.environment,
    risk: connection.risk,
    dataTypes: connection.dataTypes,
    facts: { ...facts, ...connection.facts },
    idempotent: isIdempotent(settings, input.method),
  };
}

async function execute(context: OperationContext<HttpSettings>, input: HttpInput): Promise<OperationOutcome> {
  const { connection, dialer } = context;
  let prepared: PreparedRequest;
  try {
    prepared = await prepareRequest(context, input);
  } catch (error) {
    if (!isOarsError(error)) throw error;
    const { code, message } = error; // of the vault: names the secret
    return { status: "failed", error: { code, message, retry: "terminal" }, retryable: false };
  }
  const asked: Asked = {
    connection: connection.name,
    method: input.method,
    read: isRead(input.method),
    idempotent: isIdempotent(connection.settings, input.method),
    expected: input.expect?.status,
    now: new Date(),
    clean: scrubber(prepared.secrets),
  };
  try {
    const answer = await dialer.request({ ...prepared.request, tenantId: connection.tenantId });
    return outcomeOfAnswer(asked, answer);
  } catch (error) {
    if (!isNetError(error)) throw error;
    return outcomeOfFailure(asked, error);
  }
}

const request: Operation<HttpSettings, HttpInput> = {
  name: "http.request",
  connector: "http",
  input: httpInput,
  describe,
  execute,
};

const factType = { long: "integer", string: "string", bool: "boolean" } as const;

/** Calls HTTP APIs below one base URL. */
export const httpConnector: Connector = {
  name: "http",
  configSchema: httpConfig,
  operations: { "http.request": request },
  factSpecs: (settings): FactSpec[] =>
    (settings as HttpSettings).facts.map((rule: FactRule) => ({
      name: rule.name,
      type: factType[rule.type],
    })), // made by configSchema
  secretNames: (settings) => {
    const { auth } = settings as HttpSettings; // made by configSchema
    return [auth?.bearer, auth?.basic?.password, auth?.header?.value].filter((name) => name !== undefined);
  },
};
