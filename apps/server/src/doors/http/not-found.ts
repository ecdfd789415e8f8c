import type { FastifyReply, FastifyRequest } from "fastify";
import { OarsError } from "#platform/kernel";
import type { Route } from "./route.ts";

/**
 * Answers a request that no route took: 405 with `Allow` where the path exists under other methods, else
 * 404. The path shown is the one that was asked for, shortened.
 */
export function notFound<S>(routes: readonly Route<S>[]) {
  const paths = routes.map((route) => ({ method: route.method, shape: shapeOf(route.path) }));
  return (request: FastifyRequest, reply: FastifyReply): never => {
    const path = request.url.split(/[?#]/, 1)[0] ?? "/";
    const allowed = [...new Set(paths.filter((p) => p.shape.test(path)).map((p) => p.method))];
    const shown = (request.originalUrl.split(/[?#]/, 1)[0] ?? "/").slice(0, 200);
    if (allowed.length === 0) {
      throw new OarsError("ROUTE_NOT_FOUND", { method: request.method, path: shown });
    }
    reply.header("allow", allowed.join(", "));
    throw new OarsError("REQUEST_METHOD", {
      path: shown,
      method: request.method,
      allowed: allowed.join(", "),
    });
  };
}

const shapeOf = (path: string): RegExp =>
  new RegExp(
    `^${path
      .replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&")
      .replaceAll(/:\w+/g, "[^/]+")
      .replace("\\*", ".+")}$`,
  );
