import type { Dispatcher, Pool } from "undici";
import type { Call } from "./call.ts";
import { netError, toNetError } from "./failure.ts";

export interface Message {
  readonly method: string;
  /** Origin form: path and query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array | undefined;
}

export interface RawAnswer {
  readonly status: number;
  /** Lower-case names; a repeated header is joined with ", ". */
  readonly headers: Record<string, string>;
  /** The lines of Set-Cookie, which cannot be joined; absent when there is none. */
  readonly setCookie?: readonly string[];
  readonly body: Uint8Array;
}

/** Why one attempt failed, and whether it had begun: an attempt that had not may be tried at another address. */
export class AttemptFailed extends Error {
  readonly begun: boolean;
  constructor(begun: boolean, cause: unknown) {
    super("the attempt failed", { cause });
    this.begun = begun;
  }
}

/**
 * Sends one message over a pool and gathers the answer, written straight against the dispatcher: undici's own
 * `request` builds a stream and a promise chain for each body, which costs more than this whole dialer.
 * The message is written at most once. Resolves when the answer is complete; rejects with AttemptFailed, or
 * with the NetError of a stop or of an answer larger than `limit` bytes.
 */
export function exchange(pool: Pool, call: Call, message: Message, limit: number): Promise<RawAnswer> {
  return new Promise((resolve, reject) => {
    let begun = false;
    let headers: Record<string, string> = {};
    let setCookie: readonly string[] | undefined;
    let chunks: Uint8Array[] | undefined;
    let first: Uint8Array | undefined;
    let size = 0;
    let controller: Dispatcher.DispatchController | undefined;

    const end = (error: Error): void => {
      call.onStop = undefined;
      reject(error);
      controller?.abort(error);
    };
    const tooLarge = (): void =>
      end(netError("NET_RESPONSE_TOO_LARGE", { limit }, { sent: true, httpStatus: call.httpStatus }));

    if (call.stopped !== undefined) return reject(call.stopped);
    call.onStop = end;
    pool.dispatch(message as Dispatcher.DispatchOptions, {
      // undici's method type is a closed list; checkMethod holds it
      onRequestStart(control) {
        controller = control;
        if (call.stopped !== undefined) return control.abort(call.stopped);
        if (begun) return control.abort(new Error("a message is written once"));
        begun = true;
        call.sent = true;
      },
      onResponseStart(_control, status, raw) {
        call.httpStatus = status;
        headers = flat(raw);
        const lines = raw["set-cookie"];
        if (lines !== undefined) setCookie = typeof lines === "string" ? [lines] : lines;
        if (message.method !== "HEAD" && Number(headers["content-length"]) > limit) tooLarge();
      },
      onResponseData(_control, chunk) {
        size += chunk.length;
        if (size > limit) return tooLarge();
        if (first === undefined) first = chunk;
        else if (chunks === undefined) chunks = [first, chunk];
        else chunks.push(chunk);
      },
      onResponseEnd() {
        call.onStop = undefined;
        const body = chunks === undefined ? (first ?? new Uint8Array(0)) : Buffer.concat(chunks, size);
        const answer = { status: call.httpStatus ?? 0, headers, body };
        resolve(setCookie === undefined ? answer : { ...answer, setCookie });
      },
      onResponseError(_control, error) {
        call.onStop = undefined;
        reject(call.stopped ?? new AttemptFailed(begun, error));
      },
    });
  });
}

const flat = (raw: Record<string, string | string[] | undefined>): Record<string, string> => {
  const headers: Record<string, string> = {};
  for (const name in raw) {
    const value = raw[name];
    if (value !== undefined) headers[name] = typeof value === "string" ? value : value.join(", ");
  }
  return headers;
};

/** The error that a caller of the dialer gets for a failed attempt. */
export const asNetError = (error: unknown, host: string, call: Call): unknown =>
  error instanceof AttemptFailed
    ? toNetError(error.cause, { host, sent: call.sent, httpStatus: call.httpStatus })
    : error;
