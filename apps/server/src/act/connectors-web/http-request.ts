import type { CallContext } from "#act/connector-kit";
import type { HttpSettings } from "./http-config.ts";
import { lowerCased } from "./http-headers.ts";
import type { HttpInput } from "./http-input.ts";
import { normalPath } from "./http-path.ts";
import { plainHeaders, type WebRequest } from "./web-call.ts";

/** `host/path`, as it is dialled: what policy and people see is where the request goes. */
export const targetOf = (settings: HttpSettings, input: HttpInput): string =>
  `${settings.host}${urlOf(settings, { ...input, query: undefined }).pathname}`;

/** The URL of a request. Stays below the base URL: `pathProblem` has refused whatever could climb. */
export function urlOf(settings: HttpSettings, input: Pick<HttpInput, "path" | "query">): URL {
  const url = new URL(`${settings.origin}${settings.basePath}${normalPath(input.path)}`);
  if (url.origin !== settings.origin || !url.pathname.startsWith(`${settings.basePath}/`)) {
    throw new Error("a path left its base URL"); // a bug in pathProblem; nothing is sent
  }
  for (const [name, value] of Object.entries(input.query ?? {})) {
    for (const item of Array.isArray(value) ? value : [value]) url.searchParams.append(name, String(item));
  }
  return url;
}

/** By RFC 9110 §9.2.2, or because the other side takes an idempotency key. */
export const isIdempotent = (settings: HttpSettings, method: HttpInput["method"]): boolean =>
  (method !== "POST" && method !== "PATCH") || settings.idempotencyHeader !== undefined;

export const isRead = (method: HttpInput["method"]): boolean => method === "GET" || method === "HEAD";

/** The request, without its credentials. */
export function prepareRequest(
  context: CallContext<HttpSettings>,
  input: HttpInput,
  idempotencyKey: string,
): WebRequest {
  const { settings } = context.connection;
  const { body } = input;
  const text = body === undefined || typeof body === "string" ? body : JSON.stringify(body);
  const type = typeof body === "string" ? "text/plain; charset=utf-8" : "application/json";
  const headers: Record<string, string> = {
    ...plainHeaders,
    ...(text === undefined ? {} : { "content-type": type }),
    ...lowerCased(input.headers ?? {}),
    ...settings.headers,
  };
  const read = isRead(input.method);
  if (settings.idempotencyHeader !== undefined && !read) headers[settings.idempotencyHeader] = idempotencyKey;
  return {
    method: input.method,
    url: urlOf(settings, input).href,
    headers,
    body: text,
    read,
    idempotent: isIdempotent(settings, input.method),
    expected: input.expect?.status,
    timeoutMs: settings.timeout,
    maxResponseBytes: settings.maxResponseBytes,
    auth: settings.auth,
  };
}
