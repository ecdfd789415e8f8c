import type { Grants } from "#act/connector-auth";
import type { Operation, OperationContext, OperationOutcome } from "#act/connector-kit";
import { isOarsError, OarsError } from "#platform/kernel";
import type { Breaker } from "./breaker.ts";

export interface Guards {
  readonly breaker: Breaker;
  readonly grants: Grants;
}

export const breakerKey = (connection: { readonly tenantId: string; readonly id: string }): string =>
  `${connection.tenantId} ${connection.id}`;

/**
 * An operation as actions get it: answered by its emulation, with neither dialer nor secrets in reach, when the
 * connection says so, and not sent while the system behind the connection is left alone.
 */
export const guarded = (operation: Operation, guards: Guards): Operation => ({
  ...operation,
  async execute(context, input): Promise<OperationOutcome> {
    const { connection } = context;
    if (connection.emulate)
      return { status: "completed", output: { ...operation.emulate(connection, input), emulated: true } };
    const key = breakerKey(connection);
    const waitMs = guards.breaker.enter(key);
    if (waitMs > 0) return leftAlone(connection.name, waitMs);
    const full: OperationContext & { grants: Grants } = { ...context, grants: guards.grants };
    const outcome = await operation.execute(full, input).catch((error: unknown) => thrown(error));
    guards.breaker.ended(key, outcome);
    return outcome;
  },
});

/** Connectors do not throw for what the outside does; a bug goes on as it is. */
function thrown(error: unknown): OperationOutcome {
  if (!isOarsError(error)) throw error;
  const { code, message } = error;
  return { status: "failed", error: { code, message, retry: "terminal" }, retryable: false };
}

function leftAlone(name: string, waitMs: number): OperationOutcome {
  const retryAfterMs = Math.ceil(waitMs);
  const seconds = Math.ceil(waitMs / 1_000);
  const { code, message } = new OarsError("CONNECTION_CIRCUIT_OPEN", { name, seconds });
  const error = { code, message, retry: "retryable" as const, retryAfterMs };
  return { status: "failed", error, retryable: true, retryAfterMs };
}
