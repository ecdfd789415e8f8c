import type { FastifyInstance } from "fastify";
import { formatId } from "#platform/kernel";
import type { Metrics } from "#platform/telemetry";

export type RequestMetrics = Pick<Metrics, "httpRequests" | "httpDuration">;

/**
 * Writes one line per request, with the route's pattern and not its path: paths and queries hold names. The
 * request id is on every line that the request's logger writes.
 */
export function useRequestLog(app: FastifyInstance, metrics: RequestMetrics): void {
  app.addHook("onResponse", (request, reply, done) => {
    const quiet = request.routeOptions.config.quiet === true && reply.statusCode < 400;
    const route = request.routeOptions.url ?? "none";
    metrics.httpRequests.with(request.method, route, String(reply.statusCode)).inc();
    metrics.httpDuration.with(request.method, route).observe(reply.elapsedTime / 1000);
    request.log[quiet ? "debug" : "info"](
      {
        method: request.method,
        route,
        status: reply.statusCode,
        ms: Math.round(reply.elapsedTime * 100) / 100,
        tenantId: request.caller === null ? null : formatId("tenant", request.caller.tenantId),
      },
      "request",
    );
    done();
  });
}

declare module "fastify" {
  interface FastifyContextConfig {
    /** Probes: written at debug level while they succeed. */
    quiet?: boolean;
  }
}
