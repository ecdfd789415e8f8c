import { OarsError } from "#platform/kernel";
import { isNetError } from "#platform/net";

/** A JSON value, or undefined for bytes that are none. */
export function jsonOf(body: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(body).toString("utf8"));
  } catch {
    return undefined;
  }
}

const seconds = 5;

/** The other side gave no answer that counts: it may work later. A guard's refusal will not, and goes on as it is. */
export function unavailable(what: string, cause: unknown): OarsError {
  if (!isNetError(cause))
    return new OarsError("CONNECTION_AUTH_UNAVAILABLE", { reason: what, seconds }, { cause });
  if (cause.retry === "never") return cause;
  return new OarsError(
    "CONNECTION_AUTH_UNAVAILABLE",
    { reason: `${what}: ${cause.message}`, seconds },
    { cause },
  );
}
