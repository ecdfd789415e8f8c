import type { Operation, OperationOutcome } from "#act/connector-kit";

/**
 * An operation as actions get it: answered by its emulation, with neither dialer nor secrets in reach, when the
 * connection says so.
 */
export const guarded = (operation: Operation): Operation => ({
  ...operation,
  async execute(context, input): Promise<OperationOutcome> {
    const { connection } = context;
    if (!connection.emulate) return operation.execute(context, input);
    return { status: "completed", output: { ...operation.emulate(connection, input), emulated: true } };
  },
});
