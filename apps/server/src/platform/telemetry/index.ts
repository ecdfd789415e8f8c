import type { DestinationStream } from "pino";
import { collectDefaultMetrics, Registry } from "prom-client";
import { createLogger, type Logger, type LogLevel } from "./logger.ts";
import { createMetrics, type Metrics } from "./metrics.ts";

export { type LogContext, type Logger, type LogLevel, logWith } from "./logger.ts";
export type { Metrics } from "./metrics.ts";
export type { Counter, Gauge, Histogram, Labelled } from "./series.ts";

export interface Telemetry {
  readonly log: Logger;
  readonly metrics: Metrics;
  /** `await registry.metrics()` is the Prometheus text; `registry.contentType` its content type. */
  readonly registry: Registry;
}

export interface TelemetryOptions {
  readonly level: LogLevel;
  /** Name of the program in every line. */
  readonly name: string;
  /** Where lines go; standard output when absent. */
  readonly to?: DestinationStream;
  /** Process metrics (memory, event loop, garbage collection) watch the whole process: on when absent. */
  readonly processMetrics?: boolean;
}

/** Log and metrics of one server. Shares nothing with another one in the same process. */
export function createTelemetry(options: TelemetryOptions): Telemetry {
  const registry = new Registry();
  if (options.processMetrics ?? true) collectDefaultMetrics({ register: registry });
  return { log: createLogger(options), metrics: createMetrics(registry), registry };
}
