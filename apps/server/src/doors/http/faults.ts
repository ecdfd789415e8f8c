import { STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { type ErrorCode, formatId, newId, OarsError } from "#platform/kernel";
import type { Logger } from "#platform/telemetry";
import { knownError } from "./framework-error.ts";
import { problemOf, problemType, retryAfterOf } from "./problem.ts";
import { requestIdOf } from "./request-id.ts";

declare module "fastify" {
  interface FastifyContextConfig {
    /** Content types of the route, as a 415 names them. */
    accepted?: string;
  }
}

/** Every fault leaves as a problem document; what is not in the catalogue is a bug and becomes an incident. */
export function useFaultAnswers(app: FastifyInstance, onRefused: OnRefused = () => {}): void {
  app.setErrorHandler((thrown, request, reply) => answerFault(thrown, request, reply, onRefused));
}

/** Hears of every known fault that is answered. */
export type OnRefused = (error: OarsError, request: FastifyRequest) => void;

/**
 * Sends the problem document of anything thrown. A bug is logged once, here, with its stack and the
 * incident id; the caller sees only the id.
 */
export function answerFault(
  thrown: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
  onRefused: OnRefused = () => {},
): FastifyReply {
  const error = knownError(thrown, {
    bodyLimit: request.routeOptions?.bodyLimit ?? 0,
    accepted: request.routeOptions?.config?.accepted ?? "application/json",
    contentType: request.headers["content-type"] ?? "",
  });
  if (error === undefined) {
    const incident = formatId("incident", newId());
    request.log.error({ err: thrown, incident }, "request failed");
    return sendProblem(new OarsError("SERVER_FAILED", { incident }), request, reply);
  }
  onRefused(error, request);
  if (error.status >= 500) request.log.error({ err: error, code: error.code }, "request failed");
  return sendProblem(error, request, reply);
}

export function sendProblem(error: OarsError, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const wait = retryAfterOf(error);
  if (wait !== undefined) reply.header("retry-after", wait);
  if (error.status === 401) reply.header("www-authenticate", 'Bearer realm="oars"');
  const document = problemOf(error, { url: request.url, requestId: request.id });
  return reply
    .code(error.status)
    .header("x-request-id", request.id)
    .header("content-type", problemType)
    .send(JSON.stringify(document));
}

/** A URL that the router cannot read names nothing, like any other unknown one. */
export const answerBadUrl = (_error: unknown, request: FastifyRequest, reply: FastifyReply): void => {
  const path = request.url.slice(0, 200);
  sendProblem(new OarsError("ROUTE_NOT_FOUND", { method: request.method, path }), request, reply);
};

const connectionFaults: Readonly<Record<string, ErrorCode>> = {
  HPE_HEADER_OVERFLOW: "REQUEST_HEADERS_TOO_LARGE",
  ERR_HTTP_REQUEST_TIMEOUT: "REQUEST_TIMEOUT",
};

/** Answers bytes that never became a request, on the bare socket. */
export const answerConnectionFault =
  (log: Logger) =>
  (fault: Error & { code?: string }, socket: Socket): void => {
    if (fault.code === "ECONNRESET" || !socket.writable) {
      socket.destroy();
      return;
    }
    const code = connectionFaults[fault.code ?? ""] ?? "REQUEST_MALFORMED";
    const error = new OarsError(code, { reason: "it is not well-formed HTTP" });
    const requestId = requestIdOf({ headers: {} });
    const body = JSON.stringify(problemOf(error, { url: "/", requestId }));
    log.debug({ requestId, code, cause: fault.code }, "connection refused");
    socket.end(
      `HTTP/1.1 ${error.status} ${STATUS_CODES[error.status]}\r\ncontent-type: ${problemType}\r\n` +
        `content-length: ${Buffer.byteLength(body)}\r\nx-request-id: ${requestId}\r\nconnection: close\r\n\r\n${body}`,
    );
  };
