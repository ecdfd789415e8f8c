import type { FieldProblem } from "@oars/contract";
import { OarsApiError } from "./errors.ts";
import { retryAfterMs } from "./retry.ts";

/** An answer with its whole body read. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The same as it came. */
  readonly bytes?: Uint8Array;
}

/** The error of an answer that is not a success, whoever sent it: OARS, a proxy, or something else. */
export function toApiError(answer: Answer, now = Date.now()): OarsApiError {
  const told = readProblem(answer.text);
  const { status, headers } = answer;
  return new OarsApiError({
    code: textOf(told.code) ?? `HTTP_${status}`,
    status,
    title: textOf(told.title) ?? `HTTP status ${status}`,
    detail: textOf(told.detail) ?? foreignDetail(answer),
    requestId: textOf(told.requestId) ?? headers.get("x-request-id") ?? "",
    runId: textOf(told.runId),
    errors: Array.isArray(told.errors) ? told.errors.filter(isFieldProblem) : [],
    current: isObject(told.current) ? told.current : undefined,
    retryAfterMs: retryAfterMs(headers.get("retry-after"), now),
  });
}

function readProblem(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? { ...value } : {};
  } catch {
    return {}; // not JSON: an error page of something in between
  }
}

const textOf = (value: unknown): string | undefined =>
  typeof value === "string" && value !== "" ? value : undefined;

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const isFieldProblem = (value: unknown): value is FieldProblem =>
  typeof value === "object" &&
  value !== null &&
  typeof (value as Partial<FieldProblem>).path === "string" && // members are checked here
  typeof (value as Partial<FieldProblem>).message === "string";

function foreignDetail({ status, headers }: Answer): string {
  const location = headers.get("location");
  if (status >= 300 && status < 400) {
    return `The server redirects${location ? ` to ${location}` : ""}; use that address as baseUrl.`;
  }
  return `The answer has status ${status} and is not of the OARS API.`;
}
