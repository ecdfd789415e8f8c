/** A real HTTP server on a free port that plays the answers of a test and keeps what it was asked. */
import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";

export interface Asked {
  readonly method: string;
  /** With its query. */
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  readonly at: number;
}

export interface PlayedServer {
  readonly url: string;
  readonly asked: Asked[];
  close(): Promise<void>;
}

export interface Reply {
  /** One answer as JSON; a string goes out as it is. */
  send(status: number, body: unknown, headers?: Record<string, string>): void;
  /** A problem document, as the server writes it. */
  problem(status: number, code: string, headers?: Record<string, string>): void;
  readonly raw: ServerResponse;
}

/** `play` answers the request of number `turn`, from 0. */
export async function playServer(
  play: (asked: Asked, reply: Reply, turn: number) => void | Promise<void>,
): Promise<PlayedServer> {
  const asked: Asked[] = [];
  const server = createServer(async (req, raw) => {
    const { method = "", url = "", headers } = req;
    const one = { method, url, headers, body: await text(req), at: performance.now() };
    asked.push(one);
    await play(one, replyOn(raw, url), asked.length - 1);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo; // listening on TCP
  return {
    url: `http://127.0.0.1:${port}`,
    asked,
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

function replyOn(raw: ServerResponse, url: string): Reply {
  const send: Reply["send"] = (status, body, headers = {}) => {
    const type = typeof body === "string" ? "text/plain" : "application/json";
    raw.writeHead(status, { "content-type": type, ...headers });
    raw.end(typeof body === "string" ? body : JSON.stringify(body));
  };
  return {
    raw,
    send,
    problem: (status, code, headers = {}) =>
      send(status, problemOf(status, code, url), { "content-type": "application/problem+json", ...headers }),
  };
}

const problemOf = (status: number, code: string, url: string) => ({
  type: `urn:oars:problem:${code}`,
  title: code,
  status,
  detail: `Detail of ${code}.`,
  instance: url,
  code,
  requestId: "req_played",
  errors: [{ path: "a.b", code: "wrong", message: "is wrong", line: 3, column: 7 }],
});
