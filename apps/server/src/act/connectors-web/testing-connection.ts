/** For this room's tests: a real HTTP server, and a connection to it. */
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { Connection, Operation, OperationContext, OperationOutcome } from "#act/connector-kit";
import { newId } from "#platform/kernel";
import { createDialer, type Dialer } from "#platform/net";
import { type HttpSettings, httpConfig } from "./http-config.ts";
import { httpConnector } from "./http-connector.ts";

export interface Peer extends AsyncDisposable {
  readonly origin: string;
}

export async function peer(listener: RequestListener): Promise<Peer> {
  const sockets = new Set<Socket>();
  const server = createServer(listener);
  server.on("connection", (socket) => sockets.add(socket.on("error", () => socket.destroy())));
  await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready));
  const { port } = server.address() as AddressInfo; // a listening TCP server has a port
  return {
    origin: `http://127.0.0.1:${port}`,
    [Symbol.asyncDispose]: () =>
      new Promise((done) => {
        server.close(() => done());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

/** A peer that answers what it got. */
export const echo = (): Promise<Peer> =>
  peer((request: IncomingMessage, response: ServerResponse) => {
    let body = "";
    request.on("data", (chunk) => {
      body += chunk;
    });
    request.on("end", () => {
      const { method, url, headers } = request;
      response.setHeader("content-type", "application/json");
      response.end(JSON.stringify({ method, url, headers, body }));
    });
  });

export const localDialer = (): Dialer =>
  createDialer({ allow: ["127.0.0.1"], maxResponseBytes: 100_000, connectTimeoutMs: 2_000 });

export function connectionTo(
  baseUrl: string,
  config: object = {},
  more: object = {},
): Connection<HttpSettings> {
  const whole = { baseUrl, ...config };
  return {
    id: newId(),
    tenantId: newId(),
    name: "wms",
    connector: "http",
    config: whole,
    settings: httpConfig.parse(whole),
    environment: "production",
    risk: 40,
    dataTypes: ["orders"],
    facts: { region: "eu" },
    emulate: false,
    revision: 1,
    createdAt: new Date(0),
    updatedAt: new Date(0),
    ...more,
  };
}

export const contextOf = (
  connection: Connection<HttpSettings>,
  dialer: Dialer,
  secrets: Readonly<Record<string, string>> = {},
  more: Partial<OperationContext<HttpSettings>> = {},
): OperationContext<HttpSettings> => ({
  connection,
  dialer,
  secrets: async (name) => secrets[name] ?? "",
  idempotencyKey: "effect-1",
  timeoutMs: 5_000,
  ...more,
});

export const httpRequest = httpConnector.operations["http.request"] as Operation<HttpSettings>; // of this name

export const run = (context: OperationContext<HttpSettings>, input: object): Promise<OperationOutcome> =>
  httpRequest.execute(context, httpRequest.input.parse({ connection: "wms", path: "/shipments", ...input }));
