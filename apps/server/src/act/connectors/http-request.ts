import type { DialRequest } from "#platform/net";
import type { OperationContext } from "./connector.ts";
import type { HttpAuth, HttpSettings } from "./http-config.ts";
import { lowerCased } from "./http-headers.ts";
import type { HttpInput } from "./http-input.ts";
import { normalPath } from "./http-path.ts";

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

export const isRead = (method: HttpInput["method"]): boolean => method === "GET" || method === "HEAD";

export interface PreparedRequest {
  readonly request: Omit<DialRequest, "tenantId">;
  /** What must not come back to anyone. */
  readonly secrets: readonly string[];
}

/** The request with its secrets in place. Rejects with SECRET_NOT_FOUND or SECRET_UNREADABLE. */
export async function prepareRequest(
  context: OperationContext<HttpSettings>,
  input: HttpInput,
): Promise<PreparedRequest> {
  const { settings } = context.connection;
  const credentials = settings.auth === undefined ? nothing : await credentialsOf(settings.auth, context);
  const text =
    input.body === undefined
      ? undefined
      : typeof input.body === "string"
        ? input.body
        : JSON.stringify(input.body);
  const headers: Record<string, string> = {
    "user-agent": "oars",
    accept: "application/json, text/*;q=0.9, */*;q=0.5",
    "accept-encoding": "identity",
    ...(text === undefined
      ? {}
      : {
          "content-type": typeof input.body === "string" ? "text/plain; charset=utf-8" : "application/json",
        }),
    ...lowerCased(input.headers ?? {}),
    ...settings.headers,
    ...credentials.headers,
  };
  if (settings.idempotencyHeader !== undefined && !isRead(input.method)) {
    headers[settings.idempotencyHeader] = context.idempotencyKey;
  }
  return {
    secrets: credentials.secrets,
    request: {
      method: input.method,
      url: urlOf(settings, input).href,
      headers,
      body: text,
      timeoutMs: Math.min(context.timeoutMs, settings.timeout),
      maxResponseBytes: settings.maxResponseBytes,
      signal: context.signal,
    },
  };
}

interface Credentials {
  readonly headers: Record<string, string>;
  readonly secrets: readonly string[];
}

const nothing: Credentials = { headers: {}, secrets: [] };

async function credentialsOf(auth: HttpAuth, context: OperationContext<HttpSettings>): Promise<Credentials> {
  if (auth.bearer !== undefined) {
    const token = await context.secrets(auth.bearer);
    return { headers: { authorization: `Bearer ${token}` }, secrets: [token] };
  }
  if (auth.basic !== undefined) {
    const password = await context.secrets(auth.basic.password);
    const pair = Buffer.from(`${auth.basic.username}:${password}`).toString("base64");
    return { headers: { authorization: `Basic ${pair}` }, secrets: [password, pair] };
  }
  if (auth.header === undefined) return nothing;
  const value = await context.secrets(auth.header.value);
  return { headers: { [auth.header.name.toLowerCase()]: value }, secrets: [value] };
}
