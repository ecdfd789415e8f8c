import { type DestinationStream, type Logger, pino, stdTimeFunctions } from "pino";
import { maskLine } from "./mask.ts";

export type { Logger } from "pino";

export type LogLevel = "trace" | "debug" | "info" | "warn" | "error" | "fatal" | "silent";

/** Ids are in their public form (`run_01…`). */
export interface LogContext {
  readonly requestId?: string;
  readonly tenantId?: string;
  readonly runId?: string;
  readonly step?: string;
  readonly traceId?: string;
}

/** JSON lines on standard output, or on `to`. Secrets are masked; see mask.ts. */
export function createLogger(options: {
  level: LogLevel;
  name: string;
  to?: DestinationStream | undefined;
}): Logger {
  const settings = {
    level: options.level,
    base: { name: options.name },
    timestamp: stdTimeFunctions.isoTime,
    formatters: { level: (level: string) => ({ level }) },
    hooks: { streamWrite: maskLine },
  };
  return options.to === undefined ? pino(settings) : pino(settings, options.to);
}

/** A logger whose lines all carry `context`. */
export const logWith = (log: Logger, context: LogContext): Logger => log.child(context);
