import { isHeaderToken } from "#act/connector-kit";
import { fieldAt } from "./web-call.ts";

/**
 * The headers that a tool's input schema wants arguments repeated in (`x-mcp-header`, revision 2026-07-28), for properties
 * that are reached through `properties` alone. Hostile input enters here: names that are no token are left out, and
 * every header begins with `mcp-param-`.
 */
export function paramHeaders(schema: unknown, given: unknown, depth = 0): Record<string, string> {
  const headers: Record<string, string> = {};
  const properties = fieldAt(schema, "properties");
  if (typeof properties !== "object" || properties === null || depth > 20) return headers;
  for (const [name, property] of Object.entries(properties)) {
    const value = own(given, name);
    if (value === undefined) continue;
    const header = own(property, "x-mcp-header");
    const text = textOf(value);
    if (typeof header === "string" && header.length <= 100 && isHeaderToken(header) && text !== undefined)
      headers[`mcp-param-${header.toLowerCase()}`] = encoded(text);
    Object.assign(headers, paramHeaders(property, value, depth + 1));
  }
  return headers;
}

const own = (value: unknown, name: string): unknown =>
  typeof value === "object" && value !== null && Object.hasOwn(value, name)
    ? (value as Record<string, unknown>)[name] // an own field, by the check before
    : undefined;

const textOf = (value: unknown): string | undefined => {
  if (typeof value === "string") return value;
  if (typeof value === "boolean") return String(value);
  return typeof value === "number" && (Number.isSafeInteger(value) || !Number.isInteger(value))
    ? String(value)
    : undefined;
};

/** As it is when a header can carry it unchanged; otherwise its UTF-8 in base64 between `=?base64?` and `?=`. */
const encoded = (text: string): string =>
  /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/.test(text) && !text.startsWith("=?base64?")
    ? text
    : `=?base64?${Buffer.from(text).toString("base64")}?=`;
