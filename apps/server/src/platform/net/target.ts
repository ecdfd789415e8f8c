import { netError } from "./failure.ts";

/** Text that a log line may show: no credentials, no query. */
const shown = (text: string): string =>
  text
    .replace(/\/\/[^/?#]*@/, "//")
    .replace(/[?#].*$/s, "")
    .slice(0, 200);

/**
 * The URL of a request. Hostile input enters here. Host forms such as `0x7f.1` and `2130706433` leave in
 * dotted form (WHATWG URL), so that they are judged like any other address.
 * Throws NET_URL_INVALID for another scheme, credentials in the URL and text that is no URL.
 */
export function parseTarget(text: string): URL {
  const refuse = (reason: string) =>
    netError("NET_URL_INVALID", { url: shown(text), reason }, { sent: false });
  if (!URL.canParse(text)) throw refuse("it is not an absolute URL");
  const url = new URL(text);
  if (url.protocol !== "http:" && url.protocol !== "https:")
    throw refuse("only http and https can be called");
  if (url.username !== "" || url.password !== "") throw refuse("credentials do not belong in a URL");
  return url;
}

/** The name or address to dial: no brackets, no trailing dot. */
export function hostOf(url: URL): string {
  const host = url.hostname;
  if (host.startsWith("[")) return host.slice(1, -1);
  return host.endsWith(".") ? host.slice(0, -1) : host;
}

/** Headers that say how the message is framed or routed: the dialer sets them, a caller never may. */
const reserved = new Set([
  "host",
  "connection",
  "content-length",
  "expect",
  "keep-alive",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

const nameShape = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const valueShape = /^[\t\x20-\x7e\x80-\xff]*$/;

/** Throws NET_HEADER_INVALID for a header that would change the framing of the request (RFC 9110 §5.5). */
export function checkHeaders(headers: Readonly<Record<string, string>>): void {
  for (const name in headers) {
    const value = headers[name];
    const reason = !nameShape.test(name)
      ? "its name is not a header name"
      : reserved.has(name.toLowerCase())
        ? "it is set by the server itself"
        : typeof value !== "string" || !valueShape.test(value)
          ? "its value holds a line break or another character that a header cannot carry"
          : undefined;
    if (reason !== undefined) {
      throw netError(
        "NET_HEADER_INVALID",
        { name: JSON.stringify(name).slice(0, 80), reason },
        { sent: false },
      );
    }
  }
}

const methods = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]);

/** Throws NET_METHOD_INVALID for a method outside the seven that carry ordinary requests. */
export function checkMethod(method: string): void {
  if (!methods.has(method)) {
    throw netError(
      "NET_METHOD_INVALID",
      { method: method.slice(0, 20), methods: [...methods].join(", ") },
      { sent: false },
    );
  }
}
