/**
 * What an answer, or the lack of one, means for an effect.
 * H1 2xx, or a status that the caller expects, is completed.
 * H2 408, 425, 429 and 5xx failed and may be tried again, after Retry-After when it is given.
 * H3 any other status failed for good.
 * H4 when bytes may have left and no complete answer came, an effect that must not be repeated is unknown;
 *    a gateway's 504 is such a lack of an answer.
 * H5 when nothing was sent it failed, and may be tried again unless the request itself is at fault.
 */

import type { OperationOutcome, StepError } from "#act/connector-kit";
import type { Json } from "#platform/kernel";
import type { DialAnswer, NetError } from "#platform/net";
import { outputOf } from "./http-answer.ts";

export interface Asked {
  /** `wms`, for messages. */
  readonly connection: string;
  readonly method: string;
  readonly read: boolean;
  /** Repeating it has no second effect. */
  readonly idempotent: boolean;
  readonly expected: readonly number[] | undefined;
  readonly now: Date;
  readonly clean: (text: string) => string;
}

const longestWaitMs = 3_600_000;
const shownBody = 2_000;

export function outcomeOfAnswer(asked: Asked, answer: DialAnswer): OperationOutcome {
  const { status } = answer;
  if (isSuccess(asked, status))
    return { status: "completed", output: outputOf(answer, asked.clean), http: status };
  const error = statusError(asked, answer);
  if (status === 504 && !asked.idempotent)
    return { status: "unknown", error: { ...error, retry: "terminal" } };
  const retryable = error.retry === "retryable";
  const wait = error.retryAfterMs === undefined ? {} : { retryAfterMs: error.retryAfterMs };
  return { status: "failed", error, http: status, retryable, ...wait };
}

const isSuccess = (asked: Asked, status: number): boolean =>
  asked.expected === undefined ? status >= 200 && status < 300 : asked.expected.includes(status);

function statusError(asked: Asked, answer: DialAnswer): StepError {
  const { status } = answer;
  const again = status === 408 || status === 425 || status === 429 || status >= 500;
  const wait = again ? retryAfter(answer.headers["retry-after"], asked.now) : undefined;
  const note = status >= 300 && status < 400 ? "; redirects are not followed" : "";
  return {
    code: `HTTP_${status}`,
    message: `${asked.connection} answered ${status} to ${asked.method}${note}.`,
    retry: again ? "retryable" : "terminal",
    ...(wait === undefined ? {} : { retryAfterMs: wait }),
    details: shortened(outputOf(answer, asked.clean)),
  };
}

function shortened(output: { [key: string]: Json }): Json {
  const text = typeof output.body === "string" ? output.body : JSON.stringify(output.body);
  const { status = null, body = null } = output;
  return text.length <= shownBody
    ? { status, body }
    : { status, body: text.slice(0, shownBody).toWellFormed() };
}

/** Milliseconds of a Retry-After in seconds or as an HTTP date (RFC 9110 §10.2.3), at most one hour. */
export function retryAfter(text: string | undefined, now: Date): number | undefined {
  if (text === undefined) return undefined;
  const date = text.endsWith(" GMT") ? Date.parse(text) - now.getTime() : Number.NaN; // Date.parse takes any number for a year
  const ms = /^\d{1,9}$/.test(text) ? Number(text) * 1_000 : date;
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(ms, 0), longestWaitMs);
}

export function outcomeOfFailure(asked: Asked, failure: NetError): OperationOutcome {
  const status = failure.httpStatus;
  const error = (retry: StepError["retry"]): StepError => ({
    code: failure.code,
    message: asked.clean(failure.message),
    retry,
    details: { sent: failure.sent, ...(status === undefined ? {} : { status }) },
  });
  const failed = (retryable: boolean): OperationOutcome => ({
    status: "failed",
    error: error(retryable ? "retryable" : "terminal"),
    retryable,
    ...(status === undefined ? {} : { http: status }),
  });
  if (failure.code === "NET_RESPONSE_TOO_LARGE") return tooLarge(asked, failure, failed);
  if (!failure.sent) return failed(mayPass.has(failure.code));
  return asked.idempotent ? failed(true) : { status: "unknown", error: error("terminal") };
}

/** Failures that another moment may cure; the others are in the request or the connection. */
const mayPass = new Set<string>(["NET_UNREACHABLE", "NET_TIMEOUT", "NET_ABORTED", "NET_RESET"]);

/** The status came. A read without its body is useless; an effect that was confirmed has happened all the same. */
function tooLarge(
  asked: Asked,
  failure: NetError,
  failed: (retryable: boolean) => OperationOutcome,
): OperationOutcome {
  const { httpStatus: status = 0 } = failure;
  const bodiless: DialAnswer = { status, headers: {}, body: new Uint8Array(0), address: "", ms: 0 };
  if (!isSuccess(asked, status)) return outcomeOfAnswer(asked, bodiless);
  if (asked.read) return failed(false);
  const note = `The answer is larger than ${failure.params.limit} bytes and was left out.`;
  return { status: "completed", output: { status, headers: {}, body: null, omitted: note }, http: status };
}
