/** For this room's tests: a site that records what it is asked and gives prepared answers. */
import type { Connector, OperationOutcome, TestReport } from "#act/connector-kit";
import { newId } from "#platform/kernel";
import { localDialer, peer } from "./testing-connection.ts";

export interface Asked {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
  /** The body as JSON, when it is. */
  readonly body: unknown;
}

export interface Answer {
  readonly status?: number;
  readonly headers?: Record<string, string>;
  readonly body?: unknown;
}

export interface Site extends AsyncDisposable {
  readonly origin: string;
  readonly asked: Asked[];
}

export async function site(answer: (asked: Asked) => Answer): Promise<Site> {
  const asked: Asked[] = [];
  const served = await peer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const text = Buffer.concat(chunks).toString();
      const { method = "", url = "", headers } = request;
      const one = { method, url, headers, text, body: jsonOf(text) };
      asked.push(one);
      const { status = 200, headers: more = {}, body } = answer(one);
      const type = typeof body === "string" ? "text/xml" : "application/json";
      response.writeHead(status, { "content-type": type, ...more });
      response.end(body === undefined ? "" : typeof body === "string" ? body : JSON.stringify(body));
    });
  });
  return { origin: served.origin, asked, [Symbol.asyncDispose]: () => served[Symbol.asyncDispose]() };
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export const contextOf = (
  connector: Connector,
  config: object,
  secrets: Readonly<Record<string, string>> = {},
) => ({
  connection: {
    id: newId(),
    tenantId: newId(),
    name: "remote",
    connector: connector.name,
    config: {},
    settings: connector.configSchema.parse(config),
    environment: "test",
    risk: 10,
    dataTypes: [],
    facts: {},
    emulate: false,
    revision: 1,
    createdAt: new Date(0),
    updatedAt: new Date(0),
  },
  secrets: async (name: string) => secrets[name] ?? "",
  idempotencyKey: "effect-1",
  timeoutMs: 5_000,
});

/** One operation on a connection with that config, over a real dialer. */
export async function act(
  connector: Connector,
  config: object,
  name: string,
  input: object,
  secrets: Readonly<Record<string, string>> = {},
): Promise<OperationOutcome> {
  const operation = connector.operations[name];
  if (operation === undefined) throw new Error(`there is no ${name}`);
  await using dialer = localDialer();
  const context = { ...contextOf(connector, config, secrets), dialer };
  const parsed = operation.input.parse({ connection: "remote", ...input });
  operation.describe(context.connection, parsed);
  return await operation.execute(context, parsed);
}

export async function testOf(
  connector: Connector,
  config: object,
  secrets: Readonly<Record<string, string>> = {},
): Promise<TestReport> {
  await using dialer = localDialer();
  return await connector.test({ ...contextOf(connector, config, secrets), dialer });
}
