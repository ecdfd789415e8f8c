import { isUtf8 } from "node:buffer";
import { OarsError } from "#platform/kernel";

/** Deepest nesting of arrays and objects that a request may have. */
export const maxDepth = 64;

const malformed = (reason: string): OarsError => new OarsError("REQUEST_MALFORMED", { reason });

/** The text of a body, or REQUEST_MALFORMED where its bytes are not UTF-8: no byte is replaced silently. */
export function textOf(bytes: Buffer): string {
  if (!isUtf8(bytes)) throw malformed("it is not valid UTF-8");
  return bytes.toString("utf8");
}

/**
 * Reads hostile JSON. Depth is checked on the bytes before anything is built, so a body of brackets costs
 * one pass; a key `__proto__` is refused at any depth and in any spelling, because objects made from it
 * would change their prototype when copied. An empty body is no body.
 */
export function parseJsonBody(bytes: Buffer): unknown {
  if (bytes.length === 0) return undefined;
  const text = textOf(bytes);
  if (isTooDeep(bytes)) throw malformed(`it is nested deeper than ${maxDepth} levels`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new OarsError("REQUEST_MALFORMED", { reason: reasonOf(cause, text) }, { cause });
  }
  if (protoKey.test(text) && hasProtoKey(value)) throw malformed("it has a key named __proto__");
  return value;
}

const protoKey = /__proto__|\\u00/i;
const quote = 0x22;
const backslash = 0x5c;

function isTooDeep(bytes: Buffer): boolean {
  let depth = 0;
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i];
    if (byte === quote) i = endOfString(bytes, i);
    else if (byte === 0x7b || byte === 0x5b) {
      if (++depth > maxDepth) return true;
    } else if (byte === 0x7d || byte === 0x5d) depth--;
  }
  return false;
}

function endOfString(bytes: Buffer, start: number): number {
  for (let i = start + 1; i < bytes.length; i++) {
    const byte = bytes[i];
    if (byte === backslash) i++;
    else if (byte === quote) return i;
  }
  return bytes.length;
}

function hasProtoKey(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  if (Array.isArray(value)) return value.some(hasProtoKey);
  return Object.keys(value).some((key) => key === "__proto__" || hasProtoKey(Reflect.get(value, key)));
}

/** Where the JSON breaks, as line and column; the parser's own words would repeat parts of the body. */
function reasonOf(cause: unknown, text: string): string {
  const told = cause instanceof Error ? /position (\d+)/.exec(cause.message)?.[1] : undefined;
  const at = told === undefined ? foreignText(text) : Number(told);
  if (at === undefined) return "it is not valid JSON";
  if (at >= text.length) return "it is not valid JSON: it ends too early";
  const before = text.slice(0, at).split("\n");
  return `it is not valid JSON at line ${before.length}, column ${(before.at(-1)?.length ?? 0) + 1}`;
}

const token = /\s*(?:[{}[\],:]|"[^"\\]*(?:\\.[^"\\]*)*"|-?\d+(?:\.\d+)?(?:e[+-]?\d+)?|true|false|null)/iy;

/** Offset of the first thing that is no JSON token, for the faults that the parser gives no position for. */
function foreignText(text: string): number | undefined {
  let at = 0;
  for (token.lastIndex = 0; token.test(text); ) at = token.lastIndex;
  const rest = text.slice(at);
  return at + rest.length - rest.trimStart().length;
}
