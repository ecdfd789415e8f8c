import {
  type ErrorCode,
  errorCatalogue,
  type FieldProblem,
  formatId,
  isUuid,
  type OarsError,
} from "#platform/kernel";

export const problemType = "application/problem+json; charset=utf-8";

export interface ProblemDocument {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly instance: string;
  readonly code: ErrorCode;
  readonly requestId: string;
  readonly runId?: string;
  readonly errors: readonly FieldProblem[];
  readonly current?: Readonly<Record<string, unknown>>;
}

/**
 * The RFC 9457 document of an error. `instance` is the path without its query, which may hold private
 * values. `runId` is the run that the error names (as a UUID or TypeID) or that the path does.
 */
export function problemOf(error: OarsError, at: { url: string; requestId: string }): ProblemDocument {
  const path = at.url.split(/[?#]/, 1)[0] ?? "/";
  const runId = runIdOf(error, path);
  return {
    type: `urn:oars:problem:${error.code}`,
    title: titles[error.code],
    status: error.status,
    detail: error.message,
    instance: path,
    code: error.code,
    requestId: at.requestId,
    ...(runId === undefined ? {} : { runId }),
    errors: error.errors,
    ...(error.current === undefined ? {} : { current: error.current }),
  };
}

function runIdOf(error: OarsError, path: string): string | undefined {
  const named = error.params.runId;
  if (typeof named === "string") return isUuid(named) ? formatId("run", named) : named;
  if (error.status === 404) return undefined; // there is no such run
  return /^\/v1\/runs\/(run_[0-7][0-9a-hjkmnp-tv-z]{25})(?:\/|$)/.exec(path)?.[1];
}

/** `Retry-After` of an error, in whole seconds, where its code says that waiting helps. */
export function retryAfterOf(error: OarsError): number | undefined {
  if (error.retry !== "after") return undefined;
  const seconds = Number(error.params.seconds ?? 1);
  return Number.isFinite(seconds) ? Math.max(1, Math.ceil(seconds)) : 1;
}

const titles = Object.fromEntries(Object.keys(errorCatalogue).map((code) => [code, titleOf(code)])) as Record<
  ErrorCode,
  string
>; // keys are those of the catalogue

/** RUN_NOT_FOUND -> "Run not found": one constant title per code, as RFC 9457 asks. */
function titleOf(code: string): string {
  const words = code
    .toLowerCase()
    .replaceAll("_", " ")
    .replace(/\bapi\b/, "API");
  return words.charAt(0).toUpperCase() + words.slice(1);
}
