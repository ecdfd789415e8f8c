/** For this room's tests: an operation of a connector on a connection, over a real dialer. */
import type { Connector, OperationOutcome, TestReport } from "#act/connector-kit";
import { newId } from "#platform/kernel";
import { createDialer, type Dialer } from "#platform/net";

export interface Wire {
  /** Parses, describes and executes, as an action does. */
  act(
    name: string,
    input: object,
    more?: { timeoutMs?: number; signal?: AbortSignal },
  ): Promise<OperationOutcome>;
  describe(name: string, input: object): object;
  test(): Promise<TestReport>;
}

export const localDialer = (): Dialer =>
  createDialer({ allow: ["127.0.0.0/8"], maxResponseBytes: 1, connectTimeoutMs: 2_000 });

export function wireOf(
  connector: Connector,
  config: object,
  secrets: Readonly<Record<string, string>>,
  dialer: Dialer = localDialer(),
): Wire {
  const connection = {
    id: newId(),
    tenantId: newId(),
    name: "remote",
    connector: connector.name,
    config: {},
    settings: connector.configSchema.parse(config),
    environment: "test",
    risk: 10,
    dataTypes: [],
    facts: {},
    emulate: false,
    revision: 1,
    createdAt: new Date(0),
    updatedAt: new Date(0),
  };
  const context = {
    connection,
    dialer,
    secrets: async (name: string) => secrets[name] ?? "",
    timeoutMs: 10_000,
  };
  const parsed = (name: string, input: object) => {
    const operation = connector.operations[name];
    if (operation === undefined) throw new Error(`there is no ${name}`);
    return { operation, input: operation.input.parse({ connection: "remote", ...input }) };
  };
  return {
    async act(name, given, more = {}) {
      const { operation, input } = parsed(name, given);
      operation.describe(connection, input);
      return operation.execute({ ...context, idempotencyKey: "effect-1", ...more }, input);
    },
    describe(name, given) {
      const { operation, input } = parsed(name, given);
      return operation.describe(connection, input);
    },
    test: () => connector.test(context),
  };
}
