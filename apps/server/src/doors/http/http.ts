import type { FastifyInstance } from "fastify";
import type { Access } from "#platform/access";
import type { Config } from "#platform/config";
import type { Logger, Metrics } from "#platform/telemetry";
import { serveDocumentation } from "./documentation.ts";
import type { StreamTiming } from "./event-stream.ts";
import type { IdempotencyKeys } from "./idempotency.ts";
import { watchLoopDelay } from "./loop-delay.ts";
import { openApiOf } from "./openapi.ts";
import type { DoorEvents } from "./refusals.ts";
import { routes } from "./routes.ts";
import { createServer } from "./server.ts";
import type { Services } from "./services.ts";

export interface HttpDeps extends Omit<Services, "streams" | "access" | "metricsToken"> {
  readonly config: Pick<Config["http"], "corsOrigins" | "bodyLimit" | "rateLimit"> &
    Partial<Pick<Config["http"], "maxRequests" | "metricsToken" | "tenantPerSecond" | "trustedProxies">>;
  readonly logger: Logger;
  readonly metrics: Pick<Metrics, "httpRequests" | "httpDuration">;
  readonly access: Services["access"] & Pick<Access, "authenticate">;
  readonly events: Services["events"] & DoorEvents;
  readonly idempotency: IdempotencyKeys;
  /** Of event streams: heartbeats each 15 s, and 10 s for a client to take what was sent, when absent. */
  readonly timing?: StreamTiming;
  /** Whether the process has too little memory left to take on more work; never, when absent. */
  readonly isOverloaded?: () => boolean;
}

/** An event loop that comes this late cannot answer in time, let alone start something. */
const latestLoopMs = 1_000;

const defaultTiming: StreamTiming = { heartbeatMs: 15_000, stallMs: 10_000 };

/**
 * The HTTP API over the rooms, ready for `listen` or `inject`. `close()` ends open event streams, lets
 * requests under way finish and refuses new ones.
 */
export async function createHttp(deps: HttpDeps): Promise<FastifyInstance> {
  const closing = new AbortController();
  const streams = { timing: deps.timing ?? defaultTiming, closing: closing.signal };
  const { config, logger, metrics, idempotency, timing: _, isOverloaded = () => false, ...services } = deps;
  const loop = watchLoopDelay(latestLoopMs);
  const app = await createServer<Services>({
    config,
    log: logger,
    metrics,
    access: deps.access,
    events: deps.events,
    idempotency,
    services: { ...services, streams, metricsToken: config.metricsToken?.reveal() ?? null },
    routes,
    isOverloaded: () => isOverloaded() || loop.isLate(),
    settle: services.witnessing.settle,
  });
  app.addHook("onClose", async () => loop.stop());
  app.addHook("preClose", async () => {
    closing.abort();
    services.runs.stopAnswering();
  });
  const document = openApiOf(routes, { version: deps.version });
  await serveDocumentation(app, document);
  await app.ready();
  return app;
}

/** The OpenAPI document of the whole API, without a server, a database or a configuration. */
export const buildOpenApi = (version: string): Record<string, unknown> => openApiOf(routes, { version });
