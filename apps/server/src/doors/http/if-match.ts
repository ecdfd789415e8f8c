import type { FastifyReply, FastifyRequest } from "fastify";
import { OarsError } from "#platform/kernel";

/** Documents the header; see `ifMatchOf`. */
export const ifMatchHeader = {
  name: "If-Match",
  description: "ETags of which one must be the thing's own; else 412 with how it stands. `*` takes any.",
  example: '"failed-2-1-7"',
} as const;

const strong = /^"([\x21\x23-\x7e]*)"$/;

/**
 * The tags of If-Match (RFC 9110 §13.1.1), without their quotes; undefined when there is none. Weak tags never match,
 * so they are left out. Throws REQUEST_INVALID when it is not a list of tags.
 */
export function ifMatchOf(request: FastifyRequest): readonly string[] | undefined {
  const header = request.headers["if-match"];
  if (header === undefined) return undefined;
  const parts = header.length > 2000 ? [] : header.split(",").map((part) => part.trim());
  const tags = parts.map((part) => {
    if (part === "*" && parts.length === 1) return "*";
    const isWeak = part.startsWith("W/");
    const [, tag] = strong.exec(isWeak ? part.slice(2) : part) ?? [];
    return isWeak && tag !== undefined ? null : tag;
  });
  if (tags.length > 0 && !tags.includes(undefined)) return tags.filter((t) => typeof t === "string");
  const message = 'must be `*` or a list of quoted tags, as in "tag"';
  throw new OarsError(
    "REQUEST_INVALID",
    {},
    { errors: [{ path: "header.if-match", code: "invalid_format", message }] },
  );
}

/** Sends the ETag of what is answered. */
export const tag = (reply: FastifyReply, etag: string): FastifyReply => reply.header("etag", `"${etag}"`);
