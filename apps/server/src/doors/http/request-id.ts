import type { IncomingMessage } from "node:http";
import { formatId, newId } from "#platform/kernel";

const saneToken = /^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$/;

/**
 * The caller's `x-request-id` when it is a short token that is harmless in logs and headers, else a new
 * `req_…`. Sent twice, or with any other character, it is ignored and not an error.
 */
export function requestIdOf(request: Pick<IncomingMessage, "headers">): string {
  const given = request.headers["x-request-id"];
  return typeof given === "string" && saneToken.test(given) ? given : formatId("request", newId());
}
