/** A process that executes runs and answers no API. Nothing here reads the environment. */
import { listenProbes, type Probes } from "#doors/http";
import { formatId, newId } from "#platform/kernel";
import { compose } from "./compose.ts";
import { faultAt } from "./fault-point.ts";
import { checkHealth } from "./health.ts";
import { limitsOf } from "./roles.ts";
import type { ServeOptions } from "./serve.ts";
import { version } from "./version.ts";

export interface Working {
  /** Where health and metrics are, if anywhere. */
  readonly url: string | null;
  /** Takes no more runs, finishes or hands back those in hand, and closes the database. */
  stop(): Promise<void>;
  /** Resolves when another process declared this one dead: it must end. */
  readonly fenced: Promise<void>;
}

export async function work(options: ServeOptions): Promise<Working> {
  const started = performance.now();
  const { config, telemetry } = options;
  for (const warning of config.warnings) telemetry.log.warn(warning);
  const fencing = Promise.withResolvers<void>();
  const workerId = newId();
  const app = await compose({
    ...options,
    workerId,
    fault: faultAt(config.faultPoint, options.kill),
    onFenced: fencing.resolve,
  });
  const probes = await openProbes(options, () => checkHealth(app));
  await app.start();
  const worker = formatId("worker", workerId);
  telemetry.log.info({ role: "work", worker, ...limitsOf(config) }, "started");
  const where = probes === null ? "" : `, health and metrics at ${probes.url}`;
  const ms = Math.round(performance.now() - started);
  options.print(`\n  OARS works as ${worker} (${ms} ms)${where}\n\n  Ctrl-C stops it.\n`);
  return {
    url: probes?.url ?? null,
    fenced: fencing.promise,
    stop: async () => {
      await app.stop();
      await probes?.close(); // last: until then it says how it is
      telemetry.log.info("stopped");
    },
  };
}

async function openProbes(
  { config, telemetry }: ServeOptions,
  health: () => ReturnType<typeof checkHealth>,
): Promise<Probes | null> {
  const { workPort: port, host, metricsToken } = config.http;
  if (port === null) return null;
  const { registry } = telemetry;
  return listenProbes({
    host,
    port,
    health,
    registry,
    version,
    metricsToken: metricsToken?.reveal() ?? null,
  });
}
