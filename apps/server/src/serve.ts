/** One server: rooms, door, first tenant, banner. Nothing here reads the environment. */
import { createHttp, createSecrets } from "#doors/http";
import type { Config, Keys } from "#platform/config";
import { formatId } from "#platform/kernel";
import type { Telemetry } from "#platform/telemetry";
import { renderBanner } from "./banner.ts";
import { type App, compose } from "./compose.ts";
import { faultAt } from "./fault-point.ts";
import { checkHealth } from "./health.ts";
import { assertFree, atPort } from "./listening.ts";
import { limitsOf } from "./roles.ts";
import { version } from "./version.ts";

export interface ServeOptions {
  readonly config: Config;
  readonly keys: Keys;
  readonly telemetry: Telemetry;
  readonly print: (text: string) => void;
  /** Ends the process at once, for fault points. */
  readonly kill: () => void;
}

export interface Serving {
  readonly app: App;
  /** Where it listens. */
  readonly url: string;
  /** Ends requests, hands work back and closes the database. */
  stop(): Promise<void>;
  /** Resolves when another process declared this one dead: it must end. */
  readonly fenced: Promise<void>;
}

/** `worker`: it executes runs too; else it leaves them to other processes. */
export async function serve(given: ServeOptions, worker = true): Promise<Serving> {
  const started = performance.now();
  const config = atPort(given.config, await assertFree(given.config.http.host, given.config.http.port));
  const options = { ...given, config };
  const { telemetry } = options;
  for (const warning of config.warnings) telemetry.log.warn(warning);
  const fencing = Promise.withResolvers<void>();
  const app = await compose({
    ...options,
    fault: faultAt(config.faultPoint, options.kill),
    onFenced: fencing.resolve,
  });
  const first = await app.access.bootstrap("default");
  const http = await createHttp({
    ...app,
    config: config.http,
    logger: telemetry.log,
    metrics: telemetry.metrics,
    registry: telemetry.registry,
    receiptLog: app.log,
    secrets: createSecrets(app),
    health: () => checkHealth(app),
    isOverloaded: app.pressure.high,
    firstTenantId: first.tenantId,
    version,
  });
  await app.start({ worker });
  telemetry.log.info({ role: worker ? "serve" : "api", ...limitsOf(config) }, "started");
  await http.listen({ host: config.http.host, port: config.http.port });
  const url = config.http.publicUrl;
  options.print(
    renderBanner({
      url,
      address: url.endsWith(`:${config.http.port}`) ? undefined : `${config.http.host}:${config.http.port}`,
      store: config.store.kind === "pglite" ? `embedded, in ${config.dataDir}` : "PostgreSQL",
      tenant: formatId("tenant", first.tenantId),
      adminKey: first.created ? first.apiKey : undefined,
      ms: Math.round(performance.now() - started),
    }),
  );
  return {
    app,
    url,
    fenced: fencing.promise,
    stop: async () => {
      await Promise.all([app.quiesce(), http.close()]);
      await app.stop();
      telemetry.log.info("stopped");
    },
  };
}
