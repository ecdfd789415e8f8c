import { once } from "node:events";
import type { ServerResponse } from "node:http";
import type { FastifyReply } from "fastify";

export interface StreamEvent {
  readonly seq: number;
  readonly type: string;
  readonly at: Date;
  readonly data: unknown;
}

export interface StreamTiming {
  /** How often a comment line is sent, so that proxies keep the connection. */
  readonly heartbeatMs: number;
  /** A client that does not take what was sent within this time is dropped. */
  readonly stallMs: number;
}

const eventStreamType = "text/event-stream; charset=utf-8";

/** How long the first event may take before the stream is opened without it. */
const openAfterMs = 500;

/**
 * Sends events as `text/event-stream` (WHATWG HTML §9.2) until the source ends, the client goes away, or
 * `closing` aborts. `open` gets a signal that aborts with the stream. A fault of the source before its
 * first event, such as an unknown run, is thrown and becomes an ordinary problem document.
 *
 * One event is in flight at a time: the next is asked for when the socket has taken the last, so a slow
 * client holds back its own source and no queue grows here. After `stallMs` it is dropped; it reconnects
 * with Last-Event-ID.
 */
export async function streamEvents(
  reply: FastifyReply,
  open: (signal: AbortSignal) => AsyncIterable<StreamEvent>,
  timing: StreamTiming,
  closing: AbortSignal,
): Promise<void> {
  if (reply.request.method === "HEAD") {
    reply.header("content-type", eventStreamType).send();
    return;
  }
  const gone = new AbortController();
  const out = reply.raw;
  out.once("close", () => gone.abort());
  const signal = AbortSignal.any([gone.signal, closing]);
  const events = open(signal)[Symbol.asyncIterator]();
  const ended = new Promise<undefined>((resolve) => {
    signal.addEventListener("abort", () => resolve(undefined), { once: true });
  });
  let next = events.next();
  await Promise.race([next, ended, elapsed(openAfterMs)]);

  begin(reply);
  const beat = setInterval(() => {
    if (!out.writableNeedDrain) out.write(": still here\n\n");
  }, timing.heartbeatMs);
  try {
    while (!signal.aborted) {
      const turn = await Promise.race([next, ended]);
      if (turn === undefined || turn.done === true) break;
      if (!(await write(out, frameOf(turn.value), timing.stallMs, signal))) break;
      next = events.next();
    }
  } finally {
    clearInterval(beat);
    gone.abort();
    next.catch(() => undefined); // nobody waits for it any more
    events.return?.().catch(() => undefined); // the source ends by its signal; this frees one that sleeps
    out.end();
  }
}

/** The wire form of one event. JSON has no raw line breaks, so `data` is always one line. */
export const frameOf = (event: StreamEvent): string =>
  `id: ${event.seq}\nevent: ${event.type.replaceAll(/[\r\n]/g, " ")}\ndata: ${JSON.stringify(event)}\n\n`;

/** Takes the socket over from the framework, with the headers that it would have sent. */
function begin(reply: FastifyReply): void {
  reply.hijack();
  for (const [name, value] of Object.entries(reply.getHeaders())) {
    if (value !== undefined) reply.raw.setHeader(name, value);
  }
  reply.raw.writeHead(200, {
    "content-type": eventStreamType,
    "cache-control": "no-store",
    "x-accel-buffering": "no",
  });
  reply.raw.flushHeaders();
}

/** Whether the socket took the text, or has room again within the time. A client that does not is dropped. */
async function write(
  out: ServerResponse,
  text: string,
  stallMs: number,
  signal: AbortSignal,
): Promise<boolean> {
  if (out.destroyed) return false;
  if (out.write(text)) return true;
  try {
    await once(out, "drain", { signal: AbortSignal.any([signal, AbortSignal.timeout(stallMs)]) });
    return true;
  } catch {
    out.destroy();
    return false;
  }
}

const elapsed = (ms: number): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, ms).unref();
  });
