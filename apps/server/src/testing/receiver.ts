/** The outside world of a test: an HTTP server on 127.0.0.1 that keeps what it was sent. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface Received {
  readonly method: string;
  readonly path: string;
  /** The Idempotency-Key header, or "". */
  readonly key: string;
  readonly body: unknown;
}

/** What the receiver does with a request: a status and a body, or `hang up` once the request has arrived. */
export type Reply = { readonly status: number; readonly body?: unknown } | "hang up";

export interface Receiver {
  readonly url: string;
  readonly received: Received[];
  /** How many requests it has under way. */
  busy(): number;
  /** Answers from now on; a promise keeps the peer waiting. */
  answer(how: (request: Received) => Reply | Promise<Reply>): void;
  close(): Promise<void>;
}

const created = (): Reply => ({ status: 201, body: { id: "S-1" } });

export async function startReceiver(): Promise<Receiver> {
  const received: Received[] = [];
  let reply: (request: Received) => Reply | Promise<Reply> = created;
  let busy = 0;
  const take = async (req: IncomingMessage, res: ServerResponse): Promise<void> => {
    const chunks: Buffer[] = [];
    for await (const chunk of req) chunks.push(chunk as Buffer); // no encoding is set: chunks are buffers
    const text = Buffer.concat(chunks).toString();
    const request: Received = {
      method: req.method ?? "",
      path: req.url ?? "",
      key: String(req.headers["idempotency-key"] ?? ""),
      body: text === "" ? null : JSON.parse(text),
    };
    received.push(request);
    busy++;
    try {
      const how = await reply(request);
      if (how === "hang up") return void req.socket.destroy();
      res
        .writeHead(how.status, { "content-type": "application/json" })
        .end(how.body === undefined ? "{}" : JSON.stringify(how.body));
    } finally {
      busy--;
    }
  };
  const server = createServer((req, res) => {
    take(req, res).catch(() => req.socket.destroy());
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address() as AddressInfo; // listens on TCP
  return {
    url: `http://127.0.0.1:${port}`,
    received,
    busy: () => busy,
    answer: (how) => {
      reply = how;
    },
    close: () =>
      new Promise((done) => {
        server.close(() => done());
        server.closeAllConnections();
      }),
  };
}

/** A door that keeps everybody waiting until it is opened. */
export function createGate(): { readonly opened: Promise<void>; open(): void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { opened: promise, open: resolve };
}
