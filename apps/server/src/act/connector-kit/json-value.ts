import type { Json } from "#platform/kernel";

/** Deeper values overflow the stack of whatever walks them next. */
export const maxDepth = 100;

/** True for a value that JSON holds as it is, at most `maxDepth` levels deep. Absent fields may be undefined. */
export function isJson(value: unknown, depth = 0): value is Json {
  if (value === null || typeof value === "string" || typeof value === "boolean") return true;
  if (typeof value === "number") return Number.isFinite(value);
  if (typeof value !== "object" || depth >= maxDepth) return false;
  if (Array.isArray(value)) return value.every((item) => isJson(item, depth + 1));
  const proto: unknown = Object.getPrototypeOf(value);
  if (proto !== Object.prototype && proto !== null) return false;
  return Object.values(value).every((item) => item === undefined || isJson(item, depth + 1));
}

/**
 * A parsed answer as a value that can be stored and signed: NUL and lone surrogates become U+FFFD (neither
 * PostgreSQL's jsonb nor RFC 8785 takes them), numbers beyond double become null, and `clean` is applied to
 * every text and key. Undefined when it is nested deeper than `maxDepth`.
 */
export function storableJson(value: unknown, clean: (text: string) => string, depth = 0): Json | undefined {
  if (typeof value === "string") return clean(storableText(value));
  if (typeof value === "number") return Number.isFinite(value) ? value : null;
  if (typeof value !== "object" || value === null) return typeof value === "boolean" ? value : null;
  if (depth >= maxDepth) return undefined;
  if (Array.isArray(value)) {
    const items: Json[] = [];
    for (const item of value) {
      const made = storableJson(item, clean, depth + 1);
      if (made === undefined) return undefined;
      items.push(made);
    }
    return items;
  }
  const fields: [string, Json][] = [];
  for (const [name, item] of Object.entries(value)) {
    const made = storableJson(item, clean, depth + 1);
    if (made === undefined) return undefined;
    fields.push([clean(storableText(name)), made]);
  }
  return Object.fromEntries(fields);
}

export const storableText = (text: string): string =>
  (text.includes("\0") ? text.replaceAll("\0", "\ufffd") : text).toWellFormed();
