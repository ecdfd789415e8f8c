import { netError } from "./failure.ts";

export interface Hop {
  readonly url: URL;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array | undefined;
}

/** What may travel to another origin. Anything else could be a credential: connections name their own headers. */
const harmless = new Set(["accept", "accept-encoding", "accept-language", "content-type", "user-agent"]);

const followed = new Set([301, 302, 303, 307, 308]);

export const isRedirect = (status: number): boolean => followed.has(status);

/**
 * The request that follows a redirect (RFC 9110 §15.4): 303, and 301 or 302 after POST, become GET without a
 * body. Across origins only harmless headers go along. The caller judges the new host like any other.
 * Throws NET_REDIRECT_REFUSED for a step from https to http and for a Location that cannot be called.
 */
export function nextHop(hop: Hop, status: number, location: string | undefined): Hop {
  const refuse = (reason: string) =>
    netError("NET_REDIRECT_REFUSED", { host: hop.url.host, reason }, { sent: true, httpStatus: status });
  if (location === undefined || !URL.canParse(location, hop.url.href))
    throw refuse("it names no valid Location");
  const url = new URL(location, hop.url);
  if (url.protocol !== "http:" && url.protocol !== "https:") throw refuse("it leaves http and https");
  if (url.username !== "" || url.password !== "") throw refuse("its Location holds credentials");
  if (hop.url.protocol === "https:" && url.protocol === "http:") throw refuse("it leads from https to http");

  const toGet = (status === 303 && hop.method !== "HEAD") || (status < 303 && hop.method === "POST");
  const sameOrigin = url.origin === hop.url.origin;
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(hop.headers)) {
    const lower = name.toLowerCase();
    if (toGet && lower.startsWith("content-")) continue;
    if (sameOrigin || harmless.has(lower)) headers[name] = value;
  }
  return { url, method: toGet ? "GET" : hop.method, headers, body: toGet ? undefined : hop.body };
}
