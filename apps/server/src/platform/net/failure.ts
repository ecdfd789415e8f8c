import { errors } from "undici";
import { type ErrorCode, type ErrorParams, isOarsError, OarsError } from "#platform/kernel";

type NetCode = Extract<ErrorCode, `NET_${string}`>;

/**
 * A request that did not get its answer. `sent: false` promises that no byte of the request left this
 * process, so repeating it cannot act twice; `true` means the peer may have acted. `status` is the HTTP
 * status when the answer had begun.
 */
export type NetError = OarsError & { readonly sent: boolean; readonly httpStatus?: number };

export function netError(
  code: NetCode,
  params: ErrorParams,
  more: { sent: boolean; httpStatus?: number | undefined; cause?: unknown },
): NetError {
  const error = new OarsError(code, params, { cause: more.cause });
  const facts = more.httpStatus === undefined ? {} : { httpStatus: more.httpStatus };
  return Object.assign(error, { sent: more.sent }, facts);
}

export const isNetError = (value: unknown): value is NetError =>
  isOarsError(value) && value.code.startsWith("NET_") && "sent" in value;

const reasons: Record<string, string> = {
  ECONNREFUSED: "nothing listens there",
  ENOTFOUND: "the name does not exist",
  EAI_AGAIN: "the name cannot be looked up now",
  EHOSTUNREACH: "there is no route to it",
  ENETUNREACH: "there is no route to its network",
  UND_ERR_CONNECT_TIMEOUT: "it did not accept the connection in time",
  ERR_TLS_CERT_ALTNAME_INVALID: "its certificate is for another name",
  CERT_HAS_EXPIRED: "its certificate has expired",
  DEPTH_ZERO_SELF_SIGNED_CERT: "its certificate is signed by itself",
  SELF_SIGNED_CERT_IN_CHAIN: "its certificate chain ends in an unknown authority",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "its certificate chain ends in an unknown authority",
};

const invalidAnswers = new Set(["UND_ERR_HEADERS_OVERFLOW", "UND_ERR_RES_CONTENT_LENGTH_MISMATCH"]);

const codeOf = (cause: unknown): string =>
  typeof cause === "object" && cause !== null && "code" in cause ? String(cause.code) : "";

/** The failure of one exchange as a NetError; `host` is host:port, `sent` as NetError says. */
export function toNetError(
  cause: unknown,
  at: { host: string; sent: boolean; httpStatus?: number | undefined },
): NetError {
  if (isNetError(cause)) return cause;
  const { host, sent, httpStatus } = at;
  const code = codeOf(cause);
  if (!sent) {
    return netError("NET_UNREACHABLE", { host, reason: reasons[code] ?? plain(code) }, { sent, cause });
  }
  if (cause instanceof errors.HTTPParserError || invalidAnswers.has(code)) {
    return netError("NET_RESPONSE_INVALID", { host }, { sent, httpStatus, cause });
  }
  return netError("NET_RESET", { host }, { sent, httpStatus, cause });
}

const plain = (code: string): string =>
  code === "" ? "the connection failed" : `the connection failed (${code})`;
