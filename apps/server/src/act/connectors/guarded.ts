import type { Operation, OperationOutcome } from "#act/connector-kit";
import type { AllowedTools } from "./allowed-tools.ts";

/**
 * An operation as actions get it: refused before any decision when the tenant may not use it, and answered by
 * its emulation, with neither dialer nor secrets in reach, when the connection says so.
 */
export const guarded = (operation: Operation, allowed: AllowedTools): Operation => ({
  ...operation,
  describe(connection, input) {
    allowed.check(connection.tenantId, connection.name, operation.name);
    return operation.describe(connection, input);
  },
  async execute(context, input): Promise<OperationOutcome> {
    const { connection } = context;
    if (!connection.emulate) return operation.execute(context, input);
    return { status: "completed", output: { ...operation.emulate(connection, input), emulated: true } };
  },
});
