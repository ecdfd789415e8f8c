import { isOarsError, type Json } from "#platform/kernel";
import { isNetError, type NetError } from "#platform/net";
import type { OperationOutcome, StepError } from "./connector.ts";

/** The outcome when the outside said no, or when nothing was sent. */
export function failed(
  code: string,
  message: string,
  more: { readonly retryable?: boolean; readonly details?: Json } = {},
): OperationOutcome {
  const retryable = more.retryable ?? false;
  const details = more.details === undefined ? {} : { details: more.details };
  return {
    status: "failed",
    error: { code, message, retry: retryable ? "retryable" : "terminal", ...details },
    retryable,
  };
}

/**
 * The outcome when a call broke off. `sent` says whether the other side may have acted: then an effect that
 * must not be repeated is unknown.
 */
export function brokenOff(
  error: { readonly code: string; readonly message: string },
  at: { readonly sent: boolean; readonly idempotent: boolean; readonly passing: boolean },
): OperationOutcome {
  const { code, message } = error;
  const made = (retry: StepError["retry"]): StepError => ({
    code,
    message,
    retry,
    details: { sent: at.sent },
  });
  if (at.sent && !at.idempotent) return { status: "unknown", error: made("terminal") };
  const retryable = at.sent || at.passing;
  return { status: "failed", error: made(retryable ? "retryable" : "terminal"), retryable };
}

/** Failures that another moment may cure; the others are in the request or the connection. */
const passing = new Set<string>(["NET_UNREACHABLE", "NET_TIMEOUT", "NET_ABORTED", "NET_RESET"]);

export const mayPass = (failure: NetError): boolean => passing.has(failure.code);

/** What the vault or the dialer refused before anything was sent; any other error is a bug and goes on. */
export function refusal(error: unknown): OperationOutcome {
  if (isNetError(error))
    return brokenOff(error, { sent: error.sent, idempotent: false, passing: mayPass(error) });
  if (isOarsError(error)) return failed(error.code, error.message);
  throw error;
}
