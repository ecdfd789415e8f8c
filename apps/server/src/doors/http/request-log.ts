import type { FastifyInstance } from "fastify";
import { formatId } from "#platform/kernel";

/**
 * Echoes the request id and writes one line per request, with the route's pattern and not its path: paths
 * and queries hold names. The request id is on every line that the request's logger writes.
 */
export function useRequestLog(app: FastifyInstance): void {
  app.addHook("onRequest", async (request, reply) => {
    reply.header("x-request-id", request.id);
    reply.header("cache-control", "no-store");
  });
  app.addHook("onResponse", async (request, reply) => {
    const quiet = request.routeOptions.config.quiet === true && reply.statusCode < 400;
    request.log[quiet ? "debug" : "info"](
      {
        method: request.method,
        route: request.routeOptions.url ?? null,
        status: reply.statusCode,
        ms: Math.round(reply.elapsedTime * 100) / 100,
        tenant: request.caller === null ? null : formatId("tenant", request.caller.tenantId),
      },
      "request",
    );
  });
}

declare module "fastify" {
  interface FastifyContextConfig {
    /** Probes: written at debug level while they succeed. */
    quiet?: boolean;
  }
}
