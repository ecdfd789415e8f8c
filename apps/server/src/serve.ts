/** One server: rooms, door, first tenant, banner. Nothing here reads the environment. */
import { createHttp, createSecrets } from "#doors/http";
import type { Config, Keys } from "#platform/config";
import { formatId } from "#platform/kernel";
import type { Telemetry } from "#platform/telemetry";
import { renderBanner } from "./banner.ts";
import { type App, compose } from "./compose.ts";
import { checkHealth } from "./health.ts";
import { assertFree } from "./listening.ts";
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

export async function serve(options: ServeOptions): Promise<Serving> {
  const started = performance.now();
  const { config, telemetry } = options;
  await assertFree(config.http.host, config.http.port);
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
  await app.start();
  await http.listen({ host: config.http.host, port: config.http.port });
  const url = config.http.publicUrl;
  options.print(
    renderBanner({
      url,
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
      await http.close();
      await app.stop();
      telemetry.log.info("stopped");
    },
  };
}

/** `name` kills at the first hit of that point, `name:3` at the third. */
function faultAt(spec: string | null, kill: () => void): (point: string) => void {
  if (spec === null) return () => {};
  const [name, count = "1"] = spec.split(":");
  let left = Number(count);
  return (point) => {
    if (point === name && --left === 0) kill();
  };
}
