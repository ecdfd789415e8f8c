import type { Socket } from "node:net";
import {
  brokenOff,
  type CallContext,
  failed,
  type OperationOutcome,
  refusal,
  scrubber,
} from "#act/connector-kit";
import { type Parameter, type SqlProgress, SqlRefusal, type SqlSettings } from "./sql-config.ts";
import { runMysql } from "./sql-mysql.ts";
import { runPostgres } from "./sql-postgres.ts";

/**
 * One statement on a connection of its own. What was refused or not committed failed; when the commit may have
 * happened and no answer came, it is unknown.
 */
export async function runSql(
  context: CallContext<SqlSettings>,
  statement: string,
  parameters: readonly Parameter[],
  read: boolean,
): Promise<OperationOutcome> {
  const { settings, tenantId, name } = context.connection;
  const timeoutMs = Math.min(context.timeoutMs, settings.timeout);
  const begin = performance.now();
  let password: string;
  let socket: Socket;
  try {
    password = await context.secrets(settings.password);
    const { host, port } = settings;
    socket = await context.dialer.connect({ host, port, timeoutMs, signal: context.signal, tenantId });
  } catch (error) {
    return refusal(error);
  }
  const progress: SqlProgress = { committing: false };
  const left = Math.max(1, timeoutMs - (performance.now() - begin));
  const stop = stopper(socket, left, context.signal);
  const task = { context, password, statement, parameters, read, timeoutMs: left };
  try {
    const result = await (settings.engine === "postgresql" ? runPostgres : runMysql)(socket, task, progress);
    return { status: "completed", output: { ...result } };
  } catch (error) {
    const clean = scrubber([password]);
    if (error instanceof SqlRefusal) return refused(error, name, clean);
    const code = stop.stopped() ?? "SQL_CONNECTION";
    const reason =
      stop.stopped() === undefined && error instanceof Error ? error.message : "it took too long";
    const message = `${name} gave no complete answer: ${clean(reason).slice(0, 500)}.`;
    return brokenOff({ code, message }, { sent: progress.committing, idempotent: read, passing: true });
  } finally {
    stop.end();
    socket.destroy();
  }
}

/** Ends a connection at its time or with the caller's signal; the client above sees it close. */
function stopper(socket: Socket, ms: number, signal: AbortSignal | undefined) {
  let why: string | undefined;
  const stop = (code: string) => () => {
    why ??= code;
    socket.destroy(new Error("stopped"));
  };
  const timer = setTimeout(stop("SQL_TIMEOUT"), ms);
  const aborted = stop("NET_ABORTED");
  if (signal?.aborted) aborted();
  else signal?.addEventListener("abort", aborted, { once: true });
  return {
    stopped: () => why,
    end: () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", aborted);
    },
  };
}

/** Conflicts between transactions, shortages and shutdowns pass; a timeout may. */
const passingStates = /^(?:40|53|57|08|55P03|HYT)/;

function refused(error: SqlRefusal, name: string, clean: (text: string) => string): OperationOutcome {
  const details = error.position === undefined ? {} : { details: { position: error.position } };
  return failed(`SQL_${error.state}`, `${name}: ${clean(error.message).slice(0, 1_000)}`, {
    retryable: passingStates.test(error.state),
    ...details,
  });
}
