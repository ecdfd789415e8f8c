import Fastify, { type FastifyBaseLogger, type FastifyInstance, LogController } from "fastify";
import type { Config } from "#platform/config";
import type { Logger } from "#platform/telemetry";
import { type Authenticate, admission, countRefused } from "./admission.ts";
import { type BackPressure, createBackPressure } from "./back-pressure.ts";
import { ignoreBodies, useBodyForm } from "./body-parsers.ts";
import { answerBadUrl, answerConnectionFault, useFaultAnswers } from "./faults.ts";
import { acceptedTypes } from "./framework-error.ts";
import { useHeaders } from "./headers.ts";
import type { IdempotencyKeys } from "./idempotency.ts";
import { notFound } from "./not-found.ts";
import { canonicalUrl } from "./path-alias.ts";
import { pipeline } from "./pipeline.ts";
import { createRateLimits, type RateLimits } from "./rate-limit.ts";
import type { Settle } from "./receipt-durability.ts";
import { type DoorEvents, noteRefusal } from "./refusals.ts";
import { requestIdOf } from "./request-id.ts";
import { type RequestMetrics, useRequestLog } from "./request-log.ts";
import type { BodyForm, Route } from "./route.ts";

export interface ServerDeps<S> {
  readonly config: Pick<Config["http"], "corsOrigins" | "bodyLimit" | "rateLimit"> &
    Partial<Pick<Config["http"], "maxRequests" | "tenantPerSecond" | "trustedProxies">>;
  readonly log: Logger;
  readonly metrics: RequestMetrics;
  readonly access: Authenticate;
  readonly idempotency: IdempotencyKeys;
  readonly services: S;
  readonly routes: readonly Route<S>[];
  /** Whether the process can take on more work; always, when absent. */
  readonly isOverloaded?: () => boolean;
  /** Told of what is refused, and of where each request came from; nobody, when absent. */
  readonly events?: DoorEvents | undefined;
  /** Waits for the receipts of a change where its caller asks for that; without it nobody waits. */
  readonly settle?: Settle | undefined;
}

const defaultMaxRequests = 2_000;
/** Of bodies under way: parsed, they take several times as much. */
const maxBytes = 67_108_864;

/** An HTTP server over a route table, ready for `listen` or `inject`. It knows no single route. */
export async function createServer<S>(deps: ServerDeps<S>): Promise<FastifyInstance> {
  const { bodyLimit, trustedProxies = [], maxRequests = defaultMaxRequests } = deps.config;
  const logger: FastifyBaseLogger = deps.log; // the plain type, so that the instance has its plain type
  const app = Fastify({
    loggerInstance: logger,
    logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: "requestId" }),
    requestIdHeader: false,
    genReqId: requestIdOf,
    rewriteUrl: (request) => canonicalUrl(request.url ?? "/"),
    bodyLimit,
    trustProxy: trustedProxies.length > 0 ? [...trustedProxies] : false,
    routerOptions: { maxParamLength: 256 },
    requestTimeout: 120_000, // the time to send a request, headers and body; answers may take longer
    forceCloseConnections: "idle",
    frameworkErrors: answerBadUrl,
    clientErrorHandler: answerConnectionFault(deps.log),
  });
  app.decorateRequest("caller", null);
  const { events } = deps;
  useFaultAnswers(app, events && ((error, request) => noteRefusal(events, error, request)));
  ignoreBodies(app);
  useRequestLog(app, deps.metrics);
  await useHeaders(app, deps.config.corsOrigins);
  const limits = await createRateLimits(app, deps.config);
  const pressure = createBackPressure({
    maxRequests,
    maxBytes: Math.max(maxBytes, 4 * bodyLimit),
    bodyLimit,
    isOverloaded: deps.isOverloaded ?? (() => false),
  });
  app.setNotFoundHandler({ preHandler: limits.countPeer }, notFound(deps.routes));
  for (const form of ["json", "json-or-yaml", "raw"] as const) {
    await app.register((scope, _options, done) => {
      addRoutes(scope, form, deps, { limits, pressure });
      done();
    });
  }
  return app;
}

interface Guards {
  readonly limits: RateLimits;
  readonly pressure: BackPressure;
}

/** The routes whose bodies come in one form, in a scope with the parsers of that form. */
function addRoutes<S>(
  scope: FastifyInstance,
  form: BodyForm,
  deps: ServerDeps<S>,
  { limits, pressure }: Guards,
): void {
  useBodyForm(scope, form);
  for (const route of deps.routes) {
    if ((route.bodyForm ?? "json") !== form) continue;
    const answer = pipeline(route, deps.services, deps.idempotency, {
      ...limits,
      events: deps.events,
      settle: deps.settle,
    });
    scope.route({
      method: route.method,
      url: route.path,
      config: { accepted: acceptedTypes[form], quiet: route.unlimited === true },
      onRequest: admission(route, deps.access, limits, pressure),
      handler: route.signed
        ? (request, reply) =>
            answer(request, reply).catch(async (error: unknown) => {
              await countRefused(error, limits, request, reply);
              throw error;
            })
        : answer,
    });
  }
}
