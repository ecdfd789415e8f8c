import type { ZodType } from "zod";
import { type FieldProblem, type Json, OarsError } from "#platform/kernel";
import type {
  ActionShape,
  Connection,
  FactValue,
  Operation,
  OperationContext,
  OperationOutcome,
  Verb,
} from "./connector.ts";

/** What an input means. The rest of the shape comes from the connection. */
export interface Meaning {
  readonly verb: Verb;
  readonly target: string;
  readonly idempotent: boolean;
  readonly facts?: Readonly<Record<string, FactValue>>;
  /** Why the input does not fit this connection; all at once. Paths begin with `input`. */
  readonly problems?: readonly FieldProblem[];
}

export interface OperationSpec<Settings, Input> {
  /** `<connector>.<operation>`. */
  readonly name: string;
  readonly title: string;
  readonly description: string;
  /** Every verb that `meaning` can give, except beside problems. */
  readonly verbs: readonly Verb[];
  readonly input: ZodType<Input>;
  readonly output: ZodType;
  meaning(settings: Settings, input: Input, connection: Connection<Settings>): Meaning;
  execute(context: OperationContext<Settings>, input: Input): Promise<OperationOutcome>;
  emulate(connection: Connection<Settings>, input: Input): { readonly [key: string]: Json };
}

/**
 * An operation from its parts. `describe` refuses a connection of another connector, and takes tool,
 * environment, risk and data types from the connection: a connector cannot state them. A verb that `verbs` does not
 * name is a bug of the connector.
 */
export function defineOperation<Settings, Input>(
  spec: OperationSpec<Settings, Input>,
): Operation<Settings, Input> {
  const connector = spec.name.slice(0, spec.name.indexOf("."));
  return {
    name: spec.name,
    connector,
    title: spec.title,
    description: spec.description,
    verbs: spec.verbs,
    input: spec.input,
    output: spec.output,
    describe: (connection, input): ActionShape => {
      if (connection.connector !== connector) throw mismatch(connection, connector);
      const { verb, target, idempotent, facts, problems } = spec.meaning(
        connection.settings,
        input,
        connection,
      );
      if (problems !== undefined && problems.length > 0)
        throw new OarsError("ACTION_INVALID", {}, { errors: problems });
      if (!spec.verbs.includes(verb)) throw new Error(`${spec.name} does not name its verb ${verb}`);
      return {
        verb,
        tool: `${connection.name}/${spec.name}`,
        target,
        environment: connection.environment,
        risk: connection.risk,
        dataTypes: connection.dataTypes,
        facts: { ...facts, ...connection.facts },
        idempotent,
      };
    },
    execute: (context, input) => spec.execute(context, input),
    emulate: (connection, input) => spec.emulate(connection, input),
  };
}

function mismatch(connection: Connection, connector: string): OarsError {
  const message = `connection ${connection.name} is of connector ${connection.connector}, not ${connector}`;
  return new OarsError(
    "ACTION_INVALID",
    {},
    { errors: [{ path: "operation", code: "OPERATION_MISMATCH", message }] },
  );
}
