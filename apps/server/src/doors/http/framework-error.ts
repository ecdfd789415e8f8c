import { isOarsError, OarsError } from "#platform/kernel";

export const acceptedTypes = {
  json: "application/json",
  "json-or-yaml": "application/json, application/yaml or text/yaml",
  raw: "any type",
} as const;

interface Thrown {
  readonly code?: unknown;
  readonly statusCode?: unknown;
}

/**
 * The catalogue error behind something thrown by the HTTP framework, or undefined when it is a bug.
 * `bodyLimit` and `accepted` are those of the route.
 */
export function knownError(
  thrown: unknown,
  route: { bodyLimit: number; accepted: string; contentType: string },
): OarsError | undefined {
  if (isOarsError(thrown)) return thrown;
  if (typeof thrown !== "object" || thrown === null) return undefined;
  const { code, statusCode } = thrown as Thrown; // fields are checked below
  switch (code) {
    case "FST_ERR_CTP_BODY_TOO_LARGE":
      return new OarsError("REQUEST_TOO_LARGE", { limit: route.bodyLimit });
    case "FST_ERR_CTP_INVALID_MEDIA_TYPE":
      return new OarsError("REQUEST_MEDIA_TYPE", {
        type: route.contentType.slice(0, 100) || "(none)",
        accepted: route.accepted,
      });
    case "FST_ERR_CTP_INVALID_CONTENT_LENGTH":
      return new OarsError("REQUEST_MALFORMED", { reason: "its size differs from Content-Length" });
    case "ECONNRESET":
    case "ECONNABORTED":
      return new OarsError("REQUEST_MALFORMED", { reason: "the connection ended before the body did" });
  }
  const isFramework = typeof code === "string" && code.startsWith("FST_");
  if (isFramework && typeof statusCode === "number" && statusCode >= 400 && statusCode < 500) {
    return new OarsError("REQUEST_MALFORMED", { reason: "the request is not well-formed HTTP" });
  }
  return undefined;
}
