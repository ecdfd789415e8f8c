import type { FieldProblem } from "@oars/contract";
import type { ErrorCode } from "./error-codes.ts";

/** A code of the catalogue, or `HTTP_<status>` where something other than OARS answered. Newer servers may send more. */
export type ApiErrorCode = ErrorCode | (string & {});

export interface ApiErrorInit {
  readonly code: ApiErrorCode;
  readonly status: number;
  readonly title: string;
  readonly detail: string;
  readonly requestId: string;
  readonly runId?: string | undefined;
  readonly errors: readonly FieldProblem[];
  readonly current?: Readonly<Record<string, unknown>> | undefined;
  readonly retryAfterMs?: number | undefined;
}

/** The server refused or failed: its problem document (RFC 9457). `errors` names every wrong field at once. */
export class OarsApiError extends Error {
  override readonly name = "OarsApiError";
  readonly code: ApiErrorCode;
  readonly status: number;
  readonly title: string;
  /** One sentence that says what to change. */
  readonly detail: string;
  /** Names the request in the server's log; empty where the server gave none. */
  readonly requestId: string;
  readonly runId: string | undefined;
  readonly errors: readonly FieldProblem[];
  /** How the thing stands, where the server refused because of that: `status`, `etag`, `step`, `decision`. */
  readonly current: Readonly<Record<string, unknown>> | undefined;
  /** How long the server asked to wait before the same request is sent again. */
  readonly retryAfterMs: number | undefined;

  constructor(init: ApiErrorInit) {
    super(`${init.code}: ${init.detail}`);
    this.code = init.code;
    this.status = init.status;
    this.title = init.title;
    this.detail = init.detail;
    this.requestId = init.requestId;
    this.runId = init.runId;
    this.errors = init.errors;
    this.current = init.current;
    this.retryAfterMs = init.retryAfterMs;
  }
}

/**
 * CLIENT_UNREACHABLE    no connection, or it broke before the answer was complete (`cause` says how)
 * CLIENT_TIMEOUT        no complete answer within `timeoutMs`; the server may still do the work
 * CLIENT_ANSWER_INVALID the answer is not one of the OARS API: `baseUrl` names something else
 * CLIENT_WAIT_TIMEOUT   `wait` gave up; what was waited for goes on
 */
export type ClientErrorCode =
  | "CLIENT_UNREACHABLE"
  | "CLIENT_TIMEOUT"
  | "CLIENT_ANSWER_INVALID"
  | "CLIENT_WAIT_TIMEOUT";

/** No usable answer came. */
export class OarsClientError extends Error {
  override readonly name = "OarsClientError";
  readonly code: ClientErrorCode;

  constructor(code: ClientErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
  }
}
