import type { FastifyRequest } from "fastify";

/** Whether the caller holds what has this ETag (RFC 9110 §13.1.2, weak comparison). */
export function isHeld(request: FastifyRequest, etag: string): boolean {
  const held = (request.headers["if-none-match"] ?? "")
    .split(",")
    .map((tag) => tag.trim().replace(/^W\//, ""));
  return held.includes(etag) || held.includes("*");
}
