/**
 * Follows a run. Promises: every event once, in order, from `after` on, over any number of broken
 * connections; it ends after the event with which the run ended, and goes on behind a failure that a person let
 * the run go on from. The server numbers events, and the last number seen is what a new connection goes on from.
 */
import type { RunEvent } from "@oars/contract";
import { OarsApiError, OarsClientError } from "./errors.ts";
import { readEvents } from "./event-source.ts";
import { path } from "./path.ts";
import { delayMs, isPassing } from "./retry.ts";
import { sleep } from "./sleep.ts";
import type { Transport } from "./transport.ts";

export interface FollowOptions {
  /** Goes on after the event of this number; all events when absent. */
  readonly after?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** How long the server may be away before the iterator throws; 120,000 when absent. */
  readonly patienceMs?: number | undefined;
  /** A connection that is silent for so long is made anew; 45,000 when absent. The server speaks every 15 s. */
  readonly silenceMs?: number | undefined;
}

export async function* followRun(
  transport: Transport,
  id: string,
  options: FollowOptions = {},
): AsyncGenerator<RunEvent, void> {
  const { patienceMs = 120_000, signal } = options;
  let last = options.after ?? -1;
  let idle = 0;
  let answeredAt = Date.now();
  const answered = (): void => {
    answeredAt = Date.now();
  };
  for (;;) {
    let fault: unknown;
    try {
      for await (const event of connect(transport, id, last, answered, options)) {
        if (event.seq <= last) continue;
        last = event.seq;
        idle = 0;
        yield event;
        if (event.end === true) return;
      }
    } catch (error) {
      signal?.throwIfAborted();
      if (!isBroken(error) || Date.now() - answeredAt > patienceMs) throw error;
      fault = error;
    }
    await sleep(delayMs(idle++, fault instanceof OarsApiError ? fault.retryAfterMs : undefined), signal);
  }
}

const isBroken = (error: unknown): boolean =>
  error instanceof OarsApiError
    ? isPassing(error, true)
    : error instanceof OarsClientError && error.code !== "CLIENT_ANSWER_INVALID";

/** The events of one connection. Throws OarsClientError when it breaks, OarsApiError when it is refused. */
async function* connect(
  transport: Transport,
  id: string,
  last: number,
  answered: () => void,
  { signal, silenceMs = 45_000 }: FollowOptions,
): AsyncGenerator<RunEvent, void> {
  const abort = new AbortController();
  const stop = (): void => abort.abort(signal?.reason);
  let timer: ReturnType<typeof setTimeout> | undefined;
  const heard = (): void => {
    answered();
    clearTimeout(timer);
    const silent = new OarsClientError("CLIENT_TIMEOUT", `the stream was silent for ${silenceMs} ms`);
    timer = setTimeout(() => abort.abort(silent), silenceMs);
  };
  if (signal?.aborted) stop();
  signal?.addEventListener("abort", stop, { once: true });
  try {
    const headers: Record<string, string> = last < 0 ? {} : { "last-event-id": String(last) };
    const target = path`/v1/runs/${id}/events`;
    const response = await transport.open(
      { method: "GET", path: target, accept: "text/event-stream", headers },
      abort.signal,
    );
    if (response.body === null || !response.headers.get("content-type")?.startsWith("text/event-stream")) {
      throw new OarsClientError("CLIENT_ANSWER_INVALID", `${target} did not answer with an event stream`);
    }
    heard();
    for await (const { data } of readEvents(response.body, heard)) yield toEvent(data);
  } catch (error) {
    if (error instanceof OarsApiError || error instanceof OarsClientError) throw error;
    throw new OarsClientError("CLIENT_UNREACHABLE", "the event stream broke", error);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", stop);
    abort.abort(); // frees the socket when the reader left early
  }
}

function toEvent(data: string): RunEvent {
  try {
    const event = JSON.parse(data) as RunEvent; // the server's own event, checked for what is used here
    if (Number.isInteger(event.seq) && typeof event.type === "string") return event;
  } catch {
    // named below
  }
  throw new OarsClientError(
    "CLIENT_ANSWER_INVALID",
    "the stream holds something that is not an event of a run",
  );
}
