import Fastify, { type FastifyBaseLogger, type FastifyInstance, LogController } from "fastify";
import type { Config } from "#platform/config";
import type { Logger } from "#platform/telemetry";
import { type Authenticate, admission } from "./admission.ts";
import { ignoreBodies, useBodyForm } from "./body-parsers.ts";
import { answerBadUrl, answerConnectionFault, useFaultAnswers } from "./faults.ts";
import { acceptedTypes } from "./framework-error.ts";
import { useHeaders } from "./headers.ts";
import type { IdempotencyKeys } from "./idempotency.ts";
import { notFound } from "./not-found.ts";
import { canonicalUrl } from "./path-alias.ts";
import { pipeline } from "./pipeline.ts";
import { createRateLimits, type RateLimits } from "./rate-limit.ts";
import { requestIdOf } from "./request-id.ts";
import { type RequestMetrics, useRequestLog } from "./request-log.ts";
import type { BodyForm, Route } from "./route.ts";

export interface ServerDeps<S> {
  readonly config: Pick<Config["http"], "corsOrigins" | "bodyLimit" | "rateLimit">;
  readonly log: Logger;
  readonly metrics: RequestMetrics;
  readonly access: Authenticate;
  readonly idempotency: IdempotencyKeys;
  readonly services: S;
  readonly routes: readonly Route<S>[];
}

/** An HTTP server over a route table, ready for `listen` or `inject`. It knows no single route. */
export async function createServer<S>(deps: ServerDeps<S>): Promise<FastifyInstance> {
  const logger: FastifyBaseLogger = deps.log; // the plain type, so that the instance has its plain type
  const app = Fastify({
    loggerInstance: logger,
    logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: "requestId" }),
    requestIdHeader: false,
    genReqId: requestIdOf,
    rewriteUrl: (request) => canonicalUrl(request.url ?? "/"),
    bodyLimit: deps.config.bodyLimit,
    routerOptions: { maxParamLength: 256 },
    requestTimeout: 120_000, // the time to send a request, headers and body; answers may take longer
    forceCloseConnections: "idle",
    frameworkErrors: answerBadUrl,
    clientErrorHandler: answerConnectionFault(deps.log),
  });
  app.decorateRequest("caller", null);
  useFaultAnswers(app);
  ignoreBodies(app);
  useRequestLog(app, deps.metrics);
  await useHeaders(app, deps.config.corsOrigins);
  const limits = await createRateLimits(app, deps.config.rateLimit);
  app.setNotFoundHandler({ preHandler: limits.countPeer }, notFound(deps.routes));
  for (const form of ["json", "json-or-yaml", "raw"] as const) {
    await app.register((scope, _options, done) => {
      addRoutes(scope, form, deps, limits);
      done();
    });
  }
  return app;
}

/** The routes whose bodies come in one form, in a scope with the parsers of that form. */
function addRoutes<S>(scope: FastifyInstance, form: BodyForm, deps: ServerDeps<S>, limits: RateLimits): void {
  useBodyForm(scope, form);
  for (const route of deps.routes) {
    if ((route.bodyForm ?? "json") !== form) continue;
    scope.route({
      method: route.method,
      url: route.path,
      config: { accepted: acceptedTypes[form], quiet: route.unlimited === true },
      onRequest: admission(route, deps.access, limits),
      handler: pipeline(route, deps.services, deps.idempotency),
    });
  }
}
