import { type Authorized, authorize, heard, renew, type WebAuth } from "#act/connector-auth";
import {
  brokenOff,
  type CallContext,
  failed,
  mayPass,
  type OperationOutcome,
  scrubber,
  type TestReport,
} from "#act/connector-kit";
import { isOarsError, type Json } from "#platform/kernel";
import { isNetError } from "#platform/net";
import { type Asked, outcomeOfAnswer, outcomeOfFailure } from "./http-outcome.ts";

export interface WebRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array | undefined;
  /** Changes nothing: an answer without its body is useless. */
  readonly read: boolean;
  readonly idempotent: boolean;
  /** Which statuses are a success; 200 to 299 when absent. */
  readonly expected?: readonly number[] | undefined;
  readonly timeoutMs: number;
  readonly maxResponseBytes?: number | undefined;
  /** How it says who it is from. */
  readonly auth?: WebAuth | undefined;
  /** What must not come back to anyone, besides the credentials of `auth`. */
  readonly secrets?: readonly string[];
}

/** The output of a completed call. */
export interface WebAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Json;
  /** The body was no text and is base64. */
  readonly base64?: boolean;
  readonly ms: number;
}

/** Headers of every request: answers come as they are, and as JSON where the other side can choose. */
export const plainHeaders = {
  "user-agent": "oars",
  accept: "application/json, text/*;q=0.9, */*;q=0.5",
  "accept-encoding": "identity",
} as const;

/**
 * One call over HTTP. Never throws for what the vault, the dialer or the other side does. Redirects are not
 * followed: a redirect is an answer, and policy has seen no other target. Where the other side refuses a credential
 * that was obtained, the next one is obtained, and a request that may be repeated is sent once more.
 */
export async function callWeb(
  context: CallContext,
  prepare: () => WebRequest | Promise<WebRequest>,
): Promise<OperationOutcome> {
  let request: WebRequest;
  let authorized: Authorized;
  try {
    request = await prepare();
    authorized = await authorize(request.auth, context, request);
  } catch (error) {
    return unprepared(error);
  }
  const started = performance.now();
  const first = await send(context, request, authorized, 0);
  if (!first.refused || request.auth === undefined || authorized.grant === undefined) return first.outcome;
  try {
    const grant = await renew(request.auth, context, authorized.grant);
    if (grant === undefined) return first.outcome;
    if (!request.idempotent && !request.read) return again(first.outcome);
    authorized = await authorize(request.auth, context, request, grant);
  } catch (error) {
    return unprepared(error);
  }
  return (await send(context, request, authorized, performance.now() - started)).outcome;
}

interface Sent {
  readonly outcome: OperationOutcome;
  /** The credential was not taken. */
  readonly refused: boolean;
}

async function send(
  context: CallContext,
  request: WebRequest,
  authorized: Authorized,
  spentMs: number,
): Promise<Sent> {
  const { method, body, read, idempotent, expected, maxResponseBytes } = request;
  const asked: Asked = {
    connection: context.connection.name,
    method,
    read,
    idempotent,
    expected,
    now: new Date(),
    clean: scrubber([...(request.secrets ?? []), ...authorized.secrets]),
  };
  try {
    const answer = await context.dialer.request({
      method,
      url: authorized.url,
      headers: authorized.headers,
      body,
      timeoutMs: Math.max(1, Math.min(context.timeoutMs, request.timeoutMs) - spentMs),
      maxResponseBytes,
      signal: context.signal,
      tenantId: context.connection.tenantId,
      identity: authorized.identity,
    });
    return { outcome: outcomeOfAnswer(asked, answer), refused: heard(request.auth, authorized, answer) };
  } catch (error) {
    if (!isNetError(error)) throw error;
    return { outcome: outcomeOfFailure(asked, error), refused: false };
  }
}

/** Nothing was sent: a secret is missing, or no credential can be had. */
function unprepared(error: unknown): OperationOutcome {
  if (isNetError(error)) return brokenOff(error, { sent: false, idempotent: false, passing: mayPass(error) });
  if (!isOarsError(error)) throw error;
  const outcome = failed(error.code, error.message, { retryable: error.retry !== "never" });
  const { seconds } = error.params;
  return outcome.status === "failed" && outcome.retryable && typeof seconds === "number"
    ? { ...outcome, retryAfterMs: seconds * 1_000 }
    : outcome;
}

/** The other side refused, so nothing happened; with the new credential it may be tried again. */
const again = (outcome: OperationOutcome): OperationOutcome =>
  outcome.status === "failed"
    ? { ...outcome, error: { ...outcome.error, retry: "retryable" }, retryable: true }
    : outcome;

/** Reads a completed call further; other outcomes stay. */
export function onAnswer(
  outcome: OperationOutcome,
  read: (answer: WebAnswer) => OperationOutcome,
): OperationOutcome {
  return outcome.status === "completed" ? read(outcome.output as unknown as WebAnswer) : outcome; // made by outputOf
}

/** A completed outcome with the status of its answer. */
export const completed = (answer: WebAnswer, output: { readonly [key: string]: Json }): OperationOutcome => ({
  status: "completed",
  output,
  http: answer.status,
});

/** What a call without effect tells about a connection. `reads`: what an answer means, when it is not enough that one came. */
export function reportOf(outcome: OperationOutcome, what: string): TestReport {
  if (outcome.status === "completed") return { ok: true, message: `${what} answered.` };
  const { code, message } = outcome.error;
  const advice =
    code === "HTTP_401" || code === "HTTP_403" ? " Check the secret that the connection names." : "";
  return { ok: false, code, message: message + advice };
}

/** The value at a dotted path of a JSON value, own fields only. */
export function fieldAt(value: unknown, path: string): unknown {
  let found: unknown = value;
  for (const name of path.split(".")) {
    if (typeof found !== "object" || found === null || !Object.hasOwn(found, name)) return undefined;
    found = (found as Record<string, unknown>)[name]; // an own field, by the check above
  }
  return found;
}

/** The text in that field, or "". */
export const textAt = (value: unknown, path: string): string => {
  const found = fieldAt(value, path);
  return typeof found === "string" ? found : typeof found === "number" ? String(found) : "";
};
