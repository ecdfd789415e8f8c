/** For this room's tests: real peers on loopback that keep what they get, and a certificate for 127.0.0.1. */
import { createServer, type IncomingHttpHeaders } from "node:http";
import { type AddressInfo, createServer as createTcpServer, type Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import { formatId, newId } from "#platform/kernel";
import type { AlertNotice, Item } from "./domain.ts";

export interface Got {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

export interface Reply {
  readonly status: number;
  readonly body?: string;
  readonly headers?: Record<string, string>;
}

export interface HttpPeer extends AsyncDisposable {
  readonly url: string;
  readonly got: Got[];
  /** How it answers from now on; a promise keeps the caller waiting. */
  answer(how: (got: Got) => Reply | Promise<Reply>): void;
}

export async function httpPeer(): Promise<HttpPeer> {
  const got: Got[] = [];
  let reply: (got: Got) => Reply | Promise<Reply> = () => ({ status: 200 });
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", async () => {
      const one = {
        path: request.url ?? "",
        headers: request.headers,
        text: Buffer.concat(chunks).toString(),
      };
      got.push(one);
      const { status, body = "{}", headers = {} } = await reply(one);
      response.writeHead(status, headers).end(body);
    });
  });
  await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready));
  const { port } = server.address() as AddressInfo; // a listening TCP server has a port
  return {
    url: `http://127.0.0.1:${port}`,
    got,
    answer: (how) => {
      reply = how;
    },
    [Symbol.asyncDispose]: () =>
      new Promise((done) => {
        server.close(() => done());
        server.closeAllConnections();
      }),
  };
}

export interface SyslogPeer extends AsyncDisposable {
  readonly port: number;
  /** Messages, taken apart by the lengths before them. */
  messages(): string[];
}

export async function syslogPeer(tls: boolean): Promise<SyslogPeer> {
  const streams: Buffer[] = [];
  const sockets = new Set<Socket>();
  const take = (socket: Socket): void => {
    const chunks: Buffer[] = [];
    socket.on("data", (chunk: Buffer) => chunks.push(chunk));
    socket.on("error", () => undefined);
    socket.on("end", () => streams.push(Buffer.concat(chunks)));
    sockets.add(socket);
  };
  const server = tls ? createTlsServer(certificate, take) : createTcpServer(take);
  server.on("tlsClientError", () => undefined);
  await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready));
  const { port } = server.address() as AddressInfo; // a listening TCP server has a port
  return {
    port,
    messages: () => streams.flatMap(framesOf),
    [Symbol.asyncDispose]: () =>
      new Promise((done) => {
        server.close(() => done());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

function framesOf(bytes: Buffer): string[] {
  const frames: string[] = [];
  for (let at = 0; at < bytes.length; ) {
    const space = bytes.indexOf(0x20, at);
    const length = Number(bytes.subarray(at, space).toString());
    if (space < 0 || !Number.isInteger(length)) throw new Error("a frame does not begin with its length");
    frames.push(bytes.subarray(space + 1, space + 1 + length).toString());
    at = space + 1 + length;
  }
  return frames;
}

export const sampleEvent = (
  more: Partial<Extract<Item["payload"], { kind: "event" }>["event"]> = {},
): Item => {
  const event = {
    id: formatId("event", newId()),
    tenantId: formatId("tenant", newId()),
    type: "authorization.denied" as const,
    severity: "medium" as const,
    outcome: "failure" as const,
    message: "A request needed a permission.",
    actor: { id: formatId("principal", newId()), kind: "user", name: "ann" },
    target: { kind: "route", id: "/v1/x" },
    requestId: "req-1",
    source: "203.0.113.7",
    count: 3,
    firstAt: "2026-01-05T09:30:00.000Z",
    lastAt: "2026-01-05T09:31:00.000Z",
    details: { permission: "runs:start" },
    ...more,
  };
  return { id: event.id, payload: { kind: "event", event } };
};

export const sampleAlert = (more: Partial<AlertNotice> = {}): Item => {
  const alert: AlertNotice = {
    notice: "opened",
    id: formatId("alert", newId()),
    tenantId: formatId("tenant", newId()),
    key: "k",
    code: "POLICY_DENIED",
    severity: "high",
    message: "An action was denied.",
    count: 1,
    link: "https://oars.example/v1/alerts/alr_1",
    openedAt: "2026-01-05T09:30:00.000Z",
    lastAt: "2026-01-05T09:31:00.000Z",
    details: { tool: "wms/http.request" },
    ...more,
  };
  return { id: formatId("delivery", newId()), payload: { kind: "alert", alert } };
};

/** Self-signed, for 127.0.0.1 and localhost, valid 2020-2120. It protects nothing. */
export const certificate = {
  cert: `-----BEGIN CERTIFICATE-----
MIIBaDCCAQ2gAwIBAgIBATAKBggqhkjOPQQDAjAUMRIwEAYDVQQDDAlsb2NhbGhv
c3QwIBcNMjAwMTAxMDAwMDAwWhgPMjEyMDAxMDEwMDAwMDBaMBQxEjAQBgNVBAMM
CWxvY2FsaG9zdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABLPg8LjPD3ta/fBr
P1ZYWGyL1Tr+X0NJ5CxCX3c3PcBtveSkR+Pgfm1i6Ep+2rY/NBcZksVNTygwiGNt
JXyawbyjTjBMMA8GA1UdEwEB/wQFMAMBAf8wGgYDVR0RBBMwEYcEfwAAAYIJbG9j
YWxob3N0MB0GA1UdDgQWBBR8YfaJX1mSAeNtMh2KpZl50EJQ0TAKBggqhkjOPQQD
AgNJADBGAiEAtnwiXEEYVtSZl4PV/FoMFPUAruuctZL3lQpYkGDVJtACIQCPFHoE
68NuaFZPr2MbMcvrgkIWcAFwqsmOPn1sJhGBbw==
-----END CERTIFICATE-----`,
  key: `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgcCZf7y7Wk05swBJr
xAza5Bf00REJJRd/AKAqVjuC0PWhRANCAASz4PC4zw97Wv3waz9WWFhsi9U6/l9D
SeQsQl93Nz3Abb3kpEfj4H5tYuhKftq2PzQXGZLFTU8oMIhjbSV8msG8
-----END PRIVATE KEY-----`,
};
