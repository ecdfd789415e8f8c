/** When a request is sent again, and after how long. Times in milliseconds. */
import type { OarsApiError } from "./errors.ts";

/** Answers of 4xx after which the same request can succeed, once the server's Retry-After is over. */
const waitingCodes: ReadonlySet<string> = new Set(["IDEMPOTENCY_IN_PROGRESS", "RECEIPT_NOT_LOGGED"]);
/** Request Timeout and Too Early (RFC 8470) among them: the request was not looked at. */
const passingStatuses: ReadonlySet<number> = new Set([408, 425, 500, 502, 503, 504]);

/** Whether the answer may differ next time. A 4xx says no, but for 408, 425, 429, and `waitingCodes` with Retry-After. */
export function isPassing(error: OarsApiError, idempotent: boolean): boolean {
  if (error.status === 429) return true; // nothing was done
  if (error.status === 409) return waitingCodes.has(error.code) && error.retryAfterMs !== undefined;
  return idempotent && passingStatuses.has(error.status);
}

/** Exponential from 200 ms to 5 s, between half and all of it, so that clients do not come back together. */
export function backoffMs(attempt: number, random = Math.random()): number {
  return Math.min(5_000, 200 * 2 ** Math.min(attempt, 10)) * (0.5 + random / 2);
}

/** At least what the server asked for, and up to a tenth (at most a second) more; without it, `backoffMs`. */
export function delayMs(attempt: number, asked: number | undefined, random = Math.random()): number {
  if (asked === undefined) return backoffMs(attempt, random);
  return asked + Math.min(1_000, asked / 10) * random;
}

/** Retry-After (RFC 9110 §10.2.3): seconds or an HTTP-date. Undefined when absent or neither. */
export function retryAfterMs(header: string | null, now: number): number | undefined {
  const text = header?.trim() ?? "";
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1_000;
  if (!/^[A-Z][a-z]{2},? /.test(text)) return undefined;
  const at = Date.parse(text);
  return Number.isNaN(at) ? undefined : Math.max(0, at - now);
}
