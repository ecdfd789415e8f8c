import { once } from "node:events";
import { type IncomingMessage, request } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { OarsError } from "#platform/kernel";
import { type StreamEvent, streamEvents } from "./event-stream.ts";
import { type Route, routeFor } from "./route.ts";
import { type TestServices, testServer } from "./test-server.ts";

let server: Awaited<ReturnType<typeof testServer>> | undefined;
afterEach(() => server?.app.close());

type Source = (after: number, signal: AbortSignal) => AsyncIterable<StreamEvent>;

/** A server with one route, `/v1/events`, over this source. */
async function serve(
  source: Source,
  timing = { heartbeatMs: 60_000, stallMs: 60_000 },
  closing = new AbortController().signal,
): Promise<number> {
  const events: Route<TestServices> = routeFor<TestServices>()({
    method: "GET",
    path: "/v1/events",
    access: "authenticated",
    tag: "test",
    summary: "Streams",
    answer: { status: 200, type: "text/event-stream" },
    query: z.strictObject({}),
    handle: (_, { reply, request }) =>
      streamEvents(
        reply,
        (signal) => source(Number(request.headers["last-event-id"] ?? 0), signal),
        timing,
        closing,
      ),
  });
  server = await testServer({ routes: [events] });
  await server.app.listen({ host: "127.0.0.1", port: 0 });
  return (server.app.server.address() as AddressInfo).port; // listening on TCP
}

const event = (seq: number, data: unknown = {}): StreamEvent => ({
  seq,
  type: "step.completed",
  at: new Date(seq),
  data,
});

async function open(port: number, lastEventId?: number): Promise<IncomingMessage> {
  const headers = {
    authorization: "Bearer alice",
    accept: "text/event-stream",
    ...(lastEventId === undefined ? {} : { "last-event-id": String(lastEventId) }),
  };
  const req = request({ port, host: "127.0.0.1", path: "/v1/events", headers }).end();
  const [res] = (await once(req, "response")) as [IncomingMessage]; // the event's only argument
  return res.setEncoding("utf8");
}

const idsIn = (text: string): number[] => [...text.matchAll(/^id: (\d+)$/gm)].map((m) => Number(m[1]));
async function textOf(res: IncomingMessage): Promise<string> {
  let text = "";
  for await (const chunk of res) text += chunk;
  return text;
}

async function* counting(from: number, to: number): AsyncGenerator<StreamEvent> {
  for (let seq = from; seq <= to; seq++) yield event(seq);
}

describe("event stream", () => {
  it("sends every event with its id and ends when the source does", async () => {
    const res = await open(await serve((after) => counting(after + 1, 3)));
    expect(res.headers["content-type"]).toBe("text/event-stream; charset=utf-8");
    expect(res.headers["x-request-id"]).toMatch(/^req_/);
    expect(res.headers["x-content-type-options"]).toBe("nosniff");
    const text = await textOf(res);
    expect(text.startsWith("id: 1\nevent: step.completed\ndata: {")).toBe(true);
    expect(idsIn(text)).toEqual([1, 2, 3]);
  });

  it("resumes after Last-Event-ID and neither loses nor repeats an event over many broken connections", async () => {
    const last = 200;
    const port = await serve((after) => counting(after + 1, last));
    const seen: number[] = [];
    while (seen.at(-1) !== last) {
      const res = await open(port, seen.at(-1) ?? 0);
      let text = "";
      for await (const chunk of res) {
        text += chunk;
        if (idsIn(text).length >= 20) break; // leaves in the middle; the socket is destroyed
      }
      const whole = text.slice(0, text.lastIndexOf("\n\n") + 2);
      seen.push(...idsIn(whole));
    }
    expect(seen).toEqual(Array.from({ length: last }, (_, i) => i + 1));
  });

  it("keeps line breaks of the data inside one event", async () => {
    async function* source(): AsyncGenerator<StreamEvent> {
      yield event(1, { text: "a\n\nid: 99\n\u2028" });
    }
    const text = await textOf(await open(await serve(source)));
    expect(idsIn(text)).toEqual([1]);
    const data = /^data: ([^\n]*)$/m.exec(text)?.[1] ?? "";
    expect(JSON.parse(data).data.text).toBe("a\n\nid: 99\n\u2028");
  });

  it("answers a fault of the source before its first event as a problem", async () => {
    // biome-ignore lint/correctness/useYield: the source fails before it has anything
    const port = await serve(async function* () {
      throw new OarsError("RUN_NOT_FOUND");
    });
    const res = await open(port);
    expect(res.statusCode).toBe(404);
    expect(JSON.parse(await textOf(res))).toMatchObject({ code: "RUN_NOT_FOUND" });
  });

  it("sends comments while nothing happens", async () => {
    const res = await open(await serve(silent, { heartbeatMs: 10, stallMs: 60_000 }));
    const [chunk] = await once(res, "data");
    expect(chunk).toContain(": still here\n\n");
    res.destroy();
  });

  it("frees the source when the client goes away", async () => {
    let ended: () => void = () => {};
    const freed = new Promise<void>((resolve) => {
      ended = resolve;
    });
    const port = await serve(async function* (_, signal) {
      try {
        yield* silent(0, signal);
      } finally {
        ended();
      }
    });
    const res = await open(port);
    res.destroy();
    await freed;
  });

  it("answers HEAD at once and opens nothing", async () => {
    let opened = false;
    const port = await serve(() => {
      opened = true;
      return counting(1, 1);
    });
    const headers = { authorization: "Bearer alice" };
    const res = await fetch(`http://127.0.0.1:${port}/v1/events`, { method: "HEAD", headers });
    expect([res.status, res.headers.get("content-type")]).toEqual([200, "text/event-stream; charset=utf-8"]);
    expect(opened).toBe(false);
  });

  it("ends every stream when the server closes, so that closing does not wait for its clients", async () => {
    const closing = new AbortController();
    const res = await open(await serve(silent, undefined, closing.signal));
    closing.abort();
    expect(await textOf(res)).toBe("");
  });

  it("drops a client that reads nothing instead of queueing for it", async () => {
    let made = 0;
    let ended: () => void = () => {};
    const freed = new Promise<void>((resolve) => {
      ended = resolve;
    });
    const big = "x".repeat(256 * 1024);
    const port = await serve(
      async function* () {
        try {
          for (;;) yield event(++made, big);
        } finally {
          ended();
        }
      },
      { heartbeatMs: 60_000, stallMs: 100 },
    );
    const socket = connect(port, "127.0.0.1", () =>
      socket.write("GET /v1/events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer alice\r\n\r\n"),
    );
    socket.on("error", () => {}).pause();
    await freed;
    expect(made).toBeLessThan(200); // the kernel's buffers and one event, not memory without end
    socket.destroy();
  });
});

/** Has nothing to say until its reader leaves. */
// biome-ignore lint/correctness/useYield: its promise is to yield nothing
async function* silent(_after: number, signal: AbortSignal): AsyncGenerator<StreamEvent> {
  if (!signal.aborted) await once(signal, "abort");
}
