import { z } from "zod";
import { type Connector, connectionField, defineOperation } from "#act/connector-kit";
import { type Parameter, type SqlSettings, sqlConfig } from "./sql-config.ts";
import { runSql } from "./sql-run.ts";
import { type Statement, statementOf } from "./sql-statement.ts";

const input = z.strictObject({
  connection: connectionField,
  /** One statement. Values stand in `parameters`, as $1, $2 … (PostgreSQL) or ? (MySQL). */
  statement: z.string().min(1).max(100_000),
  parameters: z
    .array(z.union([z.string().max(1_000_000), z.number(), z.boolean(), z.null()]))
    .max(1_000)
    .default([]),
});
type Input = z.output<typeof input>;

const output = z.looseObject({
  columns: z.array(z.string()),
  rows: z.array(z.record(z.string(), z.json())),
  rowCount: z.int(),
  truncated: z.boolean(),
});

/** What policy may read of a statement. */
const factSpecs = [
  { name: "sql_class", type: "string" },
  { name: "sql_kind", type: "string" },
] as const;

const reads = (statement: Statement): boolean => statement.class === "read";

function operation(name: string, title: string, description: string, wanted: "read" | "change") {
  return defineOperation<SqlSettings, Input>({
    name,
    title,
    description,
    verbs: wanted === "read" ? ["read"] : ["write", "delete", "execute"],
    input,
    output,
    meaning(settings, from) {
      const base = `${settings.host}:${settings.port}/${encodeURIComponent(settings.database)}`;
      const found = statementOf(from.statement, settings.engine, settings.literals);
      const problem = problemOf(settings, found, name, wanted);
      if (typeof found === "string" || problem !== undefined) {
        const message = problem ?? String(found);
        const problems = [{ path: "input.statement", code: "SQL_STATEMENT", message }];
        return { verb: "execute", target: base, idempotent: false, problems };
      }
      const verb = reads(found)
        ? "read"
        : found.class === "ddl"
          ? "execute"
          : found.kind === "delete"
            ? "delete"
            : "write";
      const object = found.object === "" ? "" : `/${encodeURIComponent(found.object)}`;
      return {
        verb,
        target: `${base}${object}`,
        idempotent: reads(found),
        facts: { sql_class: found.class, sql_kind: found.kind },
      };
    },
    execute: (context, from) => runSql(context, from.statement, from.parameters, wanted === "read"),
    emulate: () => ({ columns: [], rows: [], rowCount: 0, truncated: false }),
  });
}

function problemOf(
  settings: SqlSettings,
  found: Statement | string,
  name: string,
  wanted: "read" | "change",
): string | undefined {
  if (typeof found === "string") return found;
  if (!settings.allow.includes(found.class))
    return `is of class ${found.class}, and the connection allows ${settings.allow.join(", ")}`;
  if (reads(found) === (wanted === "read")) return undefined;
  return reads(found)
    ? `only reads; use sql.query in place of ${name}`
    : `changes something; use sql.execute`;
}

/** Statements on one PostgreSQL, MySQL or MariaDB database. */
export const sqlConnector: Connector<SqlSettings> = {
  name: "sql",
  title: "SQL database",
  description: "Runs single statements with parameters on PostgreSQL, MySQL or MariaDB.",
  docs: "https://www.postgresql.org/docs/current/protocol.html",
  auth: ["password"],
  configSchema: sqlConfig,
  operations: {
    "sql.query": operation("sql.query", "Read rows", "Reads rows in a read-only transaction.", "read"),
    "sql.execute": operation(
      "sql.execute",
      "Change rows or definitions",
      "Runs one statement that changes rows or definitions, in a transaction of its own.",
      "change",
    ),
  },
  factSpecs: () => factSpecs,
  secretNames: (settings) => [settings.password],
  async test(context) {
    const { host, port, database } = context.connection.settings;
    const outcome = await runSql(context, "select 1", [] satisfies Parameter[], true);
    if (outcome.status === "completed") return { ok: true, message: `${host}:${port}/${database} answered.` };
    return { ok: false, code: outcome.error.code, message: outcome.error.message };
  },
  fixtures: {
    config: {
      engine: "postgresql",
      host: "db.example.com",
      database: "orders",
      user: "oars",
      password: "vault:orders-db",
      allow: ["read", "write"],
    },
    inputs: {
      "sql.query": [
        {
          input: { statement: "select id from orders where state = $1", parameters: ["open"] },
          shape: { verb: "read", target: "db.example.com:5432/orders", idempotent: true },
        },
      ],
      "sql.execute": [
        {
          input: { statement: "update app.orders set state = $1 where id = $2", parameters: ["sent", 7] },
          shape: {
            verb: "write",
            target: "db.example.com:5432/orders/app.orders",
            idempotent: false,
            facts: { sql_class: "write", sql_kind: "update" },
          },
        },
        { input: { statement: "delete from app.orders where id = $1" }, shape: { verb: "delete" } },
      ],
    },
  },
};
