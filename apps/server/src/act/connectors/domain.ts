import { z } from "zod";
import {
  type Connection,
  type ConnectionInfo,
  type Connector,
  type FactSpec,
  type FactValue,
  isJson,
  problemsOf,
} from "#act/connector-kit";
import { type FieldProblem, type Json, OarsError } from "#platform/kernel";

const factName = z.string().regex(/^(?!__)[A-Za-z_][A-Za-z0-9_]{0,63}$/, {
  error: 'must be named with letters, digits and underscores, at most 64, not starting with a digit or "__"',
});

/** What a caller puts. The config is checked by its connector. */
export const connectionInput = z.strictObject({
  name: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/, {
    error: "must be 1 to 100 letters, digits, dots, dashes or underscores and start with a letter or digit",
  }),
  connector: z.string().min(1).max(60),
  config: z.custom<Record<string, Json>>(
    (value) => isJson(value) && typeof value === "object" && value !== null,
    {
      error: "must be a JSON object",
    },
  ),
  /** What is not said is taken for the most sensitive: a policy that guards production guards it too. */
  environment: z.string().min(1).max(60).default("production"),
  risk: z.int().min(0).max(100).default(50),
  dataTypes: z.array(z.string().min(1).max(60)).max(50).default([]),
  facts: z.record(factName, z.union([z.string().max(500), z.int(), z.boolean()])).default({}),
  /** A dry run: operations answer without network and secrets. */
  emulate: z.boolean().default(false),
});

export type ConnectionInput = z.input<typeof connectionInput>;

/** Problems with a config, and the settings when there are none. */
export function readConfig(
  connector: Connector,
  config: unknown,
): { settings: unknown } | { problems: readonly FieldProblem[] } {
  const parsed = connector.configSchema.safeParse(config);
  return parsed.success ? { settings: parsed.data } : { problems: problemsOf(parsed.error, "config") };
}

/** Throws CONNECTOR_UNKNOWN or CONNECTION_INVALID for a row that an other version of the server has written. */
export function toReady(connectors: ReadonlyMap<string, Connector>, info: ConnectionInfo): Connection {
  const connector = connectors.get(info.connector);
  if (connector === undefined) throw unknownConnector(connectors, info.connector);
  const read = readConfig(connector, info.config);
  if ("problems" in read) throw new OarsError("CONNECTION_INVALID", {}, { errors: read.problems });
  return { ...info, settings: read.settings };
}

export const unknownConnector = (connectors: ReadonlyMap<string, Connector>, name: string): OarsError =>
  new OarsError("CONNECTOR_UNKNOWN", {
    connector: name.slice(0, 60),
    connectors: [...connectors.keys()].join(", "),
  });

/** Every fact that actions on this connection can carry: its own and those read from inputs. */
export function factSpecsOf(
  connector: Connector,
  facts: Record<string, FactValue>,
  settings: unknown,
): FactSpec[] {
  const own = Object.entries(facts).map(([name, value]): FactSpec => ({ name, type: typeOf(value) }));
  return [...own, ...connector.factSpecs(settings)];
}

const typeOf = (value: FactValue): FactSpec["type"] =>
  typeof value === "number" ? "integer" : typeof value === "boolean" ? "boolean" : "string";

/** A name that stands for two facts of this connection, or for facts of two types in the tenant. */
export function factProblems(
  own: readonly FactSpec[],
  others: readonly { readonly connection: string; readonly facts: readonly FactSpec[] }[],
): FieldProblem[] {
  const problems: FieldProblem[] = [];
  own.forEach((fact, index) => {
    if (own.findIndex((other) => other.name === fact.name) !== index) {
      const message = `fact ${fact.name} is both a fact of the connection and one read from inputs; rename one`;
      problems.push({ path: `facts.${fact.name}`, code: "FACT_TWICE", message });
    }
    for (const other of others) {
      const before = other.facts.find((theirs) => theirs.name === fact.name && theirs.type !== fact.type);
      if (before === undefined) continue;
      const message = `fact ${fact.name} is ${before.type} on connection ${other.connection} and ${fact.type} here; policies need one type for a name`;
      problems.push({ path: `facts.${fact.name}`, code: "FACT_CONFLICT", message });
      break;
    }
  });
  return problems;
}
