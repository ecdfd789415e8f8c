import { createHash, createHmac, randomBytes } from "node:crypto";
import type { SignatureSpec } from "./signature-schema.ts";

export interface Signable {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array | undefined;
}

/**
 * Headers with the signature of the request (HMAC, RFC 2104), its time and its nonce. Every value stands in the
 * canonical text as it is sent: path and query percent-encoded, the body byte for byte, absent things empty.
 */
export function signRequest(
  spec: SignatureSpec,
  secret: string,
  request: Signable,
  now: Date = new Date(),
): Record<string, string> {
  const timestamp = spec.timestamp === undefined ? "" : timeText(spec.timestamp.format, now);
  const nonce = spec.nonceHeader === undefined ? "" : randomBytes(16).toString("hex");
  const values = valuesOf(request, { timestamp, nonce, keyId: spec.keyId ?? "" });
  const key = Buffer.from(secret, spec.secretEncoding);
  const signature = createHmac(spec.algorithm, key)
    .update(fill(spec.canonical, values))
    .digest(spec.encoding);
  return {
    ...(spec.timestamp === undefined ? {} : { [spec.timestamp.header.toLowerCase()]: timestamp }),
    ...(spec.nonceHeader === undefined ? {} : { [spec.nonceHeader.toLowerCase()]: nonce }),
    [spec.header.toLowerCase()]: fill(spec.value, (name) =>
      name === "signature" ? Buffer.from(signature) : values(name),
    ).toString("latin1"),
  };
}

type Values = (name: string) => Buffer;

function valuesOf(request: Signable, made: Readonly<Record<string, string>>): Values {
  const url = new URL(request.url);
  const body = Buffer.from(request.body ?? "");
  const sha256 = () => createHash("sha256").update(body);
  const texts: Readonly<Record<string, () => string>> = {
    method: () => request.method,
    host: () => url.host,
    path: () => url.pathname,
    query: () => url.search.slice(1),
    sortedQuery: () =>
      url.search
        .slice(1)
        .split("&")
        .filter((part) => part !== "")
        .sort()
        .join("&"),
    url: () => url.href,
    bodySha256: () => sha256().digest("hex"),
    bodySha256Base64: () => sha256().digest("base64"),
  };
  return (name) => {
    if (name === "body") return body;
    if (name.startsWith("header.")) return Buffer.from(request.headers[name.slice(7).toLowerCase()] ?? "");
    return Buffer.from(made[name] ?? texts[name]?.() ?? "");
  };
}

/** One pass: what a value holds is never read as a placeholder. */
const fill = (template: string, values: Values): Buffer =>
  Buffer.concat(
    template
      .split(/(\{[^{}]*\})/)
      .map((part) =>
        part.startsWith("{") && part.endsWith("}") ? values(part.slice(1, -1)) : Buffer.from(part),
      ),
  );

function timeText(format: "unix" | "unix_ms" | "iso" | "http", now: Date): string {
  if (format === "unix") return String(Math.floor(now.getTime() / 1_000));
  if (format === "unix_ms") return String(now.getTime());
  return format === "iso" ? now.toISOString() : now.toUTCString();
}
