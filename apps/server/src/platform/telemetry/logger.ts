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

/**
 * Lines gather for a tenth of a second and leave together, in the background: a write for each request costs more
 * than the rest of its line, and a reader that is slow would hold the server up. An end in order writes what is left;
 * a killed process loses what it logged in its last moment. Of a reader that stopped, the newest lines are dropped.
 */
const gathered = { sync: false, minLength: 8_192, periodicFlush: 100, maxLength: 16_777_216 } as const;

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
  return pino(settings, options.to ?? pino.destination({ dest: 1, ...gathered }));
}

/** A logger whose lines all carry `context`. */
export const logWith = (log: Logger, context: LogContext): Logger => log.child(context);
