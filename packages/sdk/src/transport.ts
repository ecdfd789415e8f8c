/**
 * Sends requests. Owns: credentials, timeouts, retries, reading problems. Promises:
 *   a request whose repetition could do something twice is never repeated;
 *   every attempt of one call carries the same Idempotency-Key;
 *   a 4xx is never repeated, but for the ones that `isPassing` names.
 */
import { OarsApiError, OarsClientError } from "./errors.ts";
import { newIdempotencyKey } from "./idempotency-key.ts";
import { type Answer, toApiError } from "./problem.ts";
import { backoffMs, delayMs, isPassing } from "./retry.ts";
import { sleep } from "./sleep.ts";

export interface CallOptions {
  /** Ends the call; it rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** For one attempt, in place of the client's. */
  readonly timeoutMs?: number | undefined;
  /** Of POST and PATCH calls: the same key again gives the first answer again. A random one when absent. */
  readonly idempotencyKey?: string | undefined;
}

export interface Call {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  readonly path: string;
  /** Sent as JSON, or as it is where `contentType` names another form. */
  readonly body?: unknown;
  readonly contentType?: string;
  readonly accept?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Statuses besides 2xx that are answers and not errors. */
  readonly accepted?: readonly number[];
  readonly options?: CallOptions | undefined;
}

export interface Transport {
  json<T>(call: Call): Promise<T>;
  text(call: Call): Promise<string>;
  bytes(call: Call): Promise<Uint8Array>;
  /** One attempt; the body is not read yet. `signal` ends it at any time, `timeoutMs` until its headers are here. */
  open(call: Call, signal: AbortSignal): Promise<Response>;
}

export interface TransportConfig {
  readonly baseUrl: string;
  readonly credential: () => string | undefined | Promise<string | undefined>;
  readonly tenantId: string | undefined;
  readonly fetch: typeof globalThis.fetch;
  readonly timeoutMs: number;
  /** How often a call is repeated at most. */
  readonly retries: number;
  /** Longest Retry-After that is waited for; a longer one rejects at once. */
  readonly maxRetryWaitMs: number;
}

export function createTransport(config: TransportConfig): Transport {
  return {
    json: async <T>(call: Call) => toJson(await send(config, call), call, config) as T, // the API's own answer to `call`
    text: async (call) => (await send(config, call)).text,
    bytes: async (call) => (await send(config, call)).bytes ?? new Uint8Array(),
    open: (call, signal) => open(config, call, signal),
  };
}

async function send(config: TransportConfig, call: Call): Promise<Answer> {
  const { signal } = call.options ?? {};
  const keyed = call.method === "POST" || call.method === "PATCH";
  const key = keyed ? (call.options?.idempotencyKey ?? newIdempotencyKey()) : undefined;
  const request =
    key === undefined ? call : { ...call, headers: { ...call.headers, "idempotency-key": key } };
  const idempotent = !keyed || key !== undefined;
  for (let attempt = 0; ; attempt++) {
    const outcome = await tryOnce(config, request);
    if (!(outcome instanceof Error)) return outcome;
    if (attempt > 0 && call.method === "DELETE" && isGone(outcome)) return done; // an earlier attempt did it
    const wait = attempt < config.retries ? waitBefore(outcome, attempt, idempotent) : undefined;
    if (wait === undefined || wait > config.maxRetryWaitMs) throw outcome;
    await sleep(wait, signal);
  }
}

const done: Answer = { status: 204, headers: new Headers(), text: "" };
const isGone = (error: Error): boolean => error instanceof OarsApiError && error.status === 404;

function waitBefore(error: Error, attempt: number, idempotent: boolean): number | undefined {
  if (error instanceof OarsApiError) {
    return isPassing(error, idempotent) ? delayMs(attempt, error.retryAfterMs) : undefined;
  }
  return idempotent ? backoffMs(attempt) : undefined;
}

/** An answer, or what came instead. Throws the reason of the caller's signal, and callers' mistakes. */
async function tryOnce(
  config: TransportConfig,
  call: Call,
): Promise<Answer | OarsApiError | OarsClientError> {
  const { signal, timeoutMs = config.timeoutMs } = call.options ?? {};
  signal?.throwIfAborted();
  const request = await requestOf(config, call);
  const abort = new AbortController();
  const stop = (): void => abort.abort(signal?.reason);
  const late = new OarsClientError(
    "CLIENT_TIMEOUT",
    `${name(call, config)} gave no complete answer in ${timeoutMs} ms`,
  );
  const timer = setTimeout(() => abort.abort(late), timeoutMs);
  signal?.addEventListener("abort", stop, { once: true });
  try {
    const response = await config.fetch(request.url, { ...request.init, signal: abort.signal });
    const bytes = new Uint8Array(await response.arrayBuffer());
    const text = new TextDecoder().decode(bytes);
    const answer = { status: response.status, headers: response.headers, text, bytes };
    return response.ok || call.accepted?.includes(response.status) ? answer : toApiError(answer);
  } catch (cause) {
    signal?.throwIfAborted();
    return abort.signal.aborted ? late : unreachable(config, cause);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", stop);
  }
}

async function open(config: TransportConfig, call: Call, signal: AbortSignal): Promise<Response> {
  signal.throwIfAborted();
  const request = await requestOf(config, call);
  const abort = new AbortController();
  signal.addEventListener("abort", () => abort.abort(signal.reason), { once: true });
  const late = new OarsClientError(
    "CLIENT_TIMEOUT",
    `${name(call, config)} did not begin in ${config.timeoutMs} ms`,
  );
  const timer = setTimeout(() => abort.abort(late), config.timeoutMs);
  try {
    const response = await config.fetch(request.url, { ...request.init, signal: abort.signal });
    if (response.ok) return response;
    const { status, headers } = response;
    throw toApiError({ status, headers, text: await response.text() });
  } catch (cause) {
    signal.throwIfAborted();
    if (cause instanceof OarsApiError) throw cause;
    throw abort.signal.aborted ? late : unreachable(config, cause);
  } finally {
    clearTimeout(timer);
  }
}

/** Throws TypeError for what no header can carry, and what the credential function throws. */
async function requestOf(
  config: TransportConfig,
  call: Call,
): Promise<{ readonly url: string; readonly init: RequestInit }> {
  const headers = new Headers({ accept: call.accept ?? "application/json", ...call.headers });
  const credential = await config.credential();
  if (credential !== undefined) headers.set("authorization", `Bearer ${credential}`);
  if (config.tenantId !== undefined) headers.set("x-tenant-id", config.tenantId);
  if (call.body !== undefined) headers.set("content-type", call.contentType ?? "application/json");
  const body = call.contentType === undefined ? JSON.stringify(call.body) : String(call.body);
  return {
    url: config.baseUrl + call.path,
    init: { method: call.method, headers, redirect: "manual", ...(call.body === undefined ? {} : { body }) },
  };
}

function toJson(answer: Answer, call: Call, config: TransportConfig): unknown {
  if (answer.status === 204) return undefined;
  try {
    return JSON.parse(answer.text);
  } catch (cause) {
    const message = `${name(call, config)} answered ${answer.status} without JSON; is an OARS server there?`;
    throw new OarsClientError("CLIENT_ANSWER_INVALID", message, cause);
  }
}

const name = (call: Call, config: TransportConfig): string => `${call.method} ${config.baseUrl}${call.path}`;

/** `fetch` hides the system's reason in `cause`. */
function unreachable(config: TransportConfig, cause: unknown): OarsClientError {
  const inner = cause instanceof Error && cause.cause instanceof Error ? cause.cause : cause;
  const { code } = (inner ?? {}) as { code?: unknown }; // set on system errors
  const why = typeof code === "string" ? code : inner instanceof Error ? inner.message : String(inner);
  return new OarsClientError("CLIENT_UNREACHABLE", `${config.baseUrl} gave no answer (${why})`, cause);
}
