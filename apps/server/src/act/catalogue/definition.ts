/** The tools of a connection, as clients and policy schemas need them. */
import { z } from "zod";
import type { Connection, Operation } from "#act/connectors";
import { digestOf, sha256 } from "#platform/kernel";
import { classify, noOverrides, reviewDigestOf, type Tool, toolName } from "./domain.ts";
import type { ToolRow } from "./store.ts";

type Schema = Readonly<Record<string, unknown>>;

interface Definition {
  readonly input: Schema;
  readonly output: Schema;
  readonly digest: string;
}

const definitions = new WeakMap<Operation, Definition>();

/** Once for each operation: a JSON Schema takes longer to make than all else. */
function definitionOf(operation: Operation): Definition {
  const known = definitions.get(operation);
  if (known) return known;
  const input = jsonSchemaOf(operation.input, "input");
  const output = jsonSchemaOf(operation.output, "output");
  const { name, title, description, verbs } = operation;
  const made = {
    input,
    output,
    digest: digestOf({ name, title, description, verbs: [...verbs], input, output }),
  };
  definitions.set(operation, made);
  return made;
}

function jsonSchemaOf(schema: z.ZodType, io: "input" | "output"): Schema {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: "any" });
  return JSON.parse(JSON.stringify(rest)) as Schema; // an object schema; its text drops what JSON lacks
}

export function toTool(
  connection: Connection,
  operation: Operation,
  row: ToolRow | undefined,
  allowed: boolean,
): Tool {
  const definition = definitionOf(operation);
  const reviewed = reviewDigestOf(connection);
  const digest = digestOf({ operation: definition.digest, connection: reviewed });
  const overrides = row?.overrides ?? noOverrides;
  return {
    name: toolName(connection.name, operation.name),
    source: "connector",
    connection: connection.name,
    connector: connection.connector,
    operation: operation.name,
    title: operation.title,
    description: operation.description,
    inputSchema: definition.input,
    outputSchema: definition.output,
    ...classify(connection, operation, overrides),
    digest,
    status: row === undefined || row.reviewed === reviewed ? "active" : "changed",
    allowed,
    overrides,
    reason: row?.reason ?? null,
    reviewedBy: row?.reviewedBy ?? null,
    reviewedAt: row?.reviewedAt ?? null,
    revision: row?.revision ?? 1,
    etag: sha256(`${row?.revision ?? 1} ${digest}`)
      .toString("hex")
      .slice(0, 20),
  };
}
