import type { PutConnectionRequest } from "@oars/sdk";
import type { Command } from "commander";
import { addCommand, addGroup, type CommandHost } from "../command.ts";
import { aboutFile, UsageError } from "../failure.ts";
import { nameOf, parseJsonObject, readSource } from "../files.ts";
import type { Session } from "../session.ts";
import { block, fields, table } from "../text.ts";
import { when } from "../time.ts";

export function addConnection(program: Command, host: CommandHost): void {
  const connection = addGroup(program, "connection", "Connections to outside systems").alias("connections");
  addCommand(
    connection,
    host,
    "put <file>",
    "Create or replace the connection that a JSON file describes",
    put,
  ).option("--name <name>", "its name, in place of the file's own");
  addCommand(connection, host, "list", "List connections", list);
  addCommand(connection, host, "show <name>", "Show a connection", show);
  addCommand(connection, host, "test <name>", "Reach the system behind a connection, changing nothing", test);
  addCommand(connection, host, "connectors", "List what a connection can be of", connectors);
}

async function put(session: Session, options: { name?: string }, file: string): Promise<void> {
  const client = await session.client();
  const { name: own, ...request } = parseJsonObject(await readSource(file, session.terminal), file);
  const name = options.name ?? own;
  if (typeof name !== "string" || name === "") {
    throw new UsageError(`${nameOf(file)} has no "name"; add it, or give --name.`);
  }
  const body = request as unknown as PutConnectionRequest; // the server checks it and names every problem
  const stored = await aboutFile(file, client.connections.put(name, body));
  session.show(
    stored,
    () =>
      `Connection ${stored.name} (${stored.connector}, ${stored.environment}) is stored, revision ${stored.revision}.\n`,
  );
}

async function list(session: Session): Promise<void> {
  const page = await (await session.client()).connections.list().page();
  session.show(page, () =>
    page.items.length === 0
      ? "There are no connections. Add one: oars connection put FILE\n"
      : table([
          ["name", "connector", "environment", "risk", "revision", "changed"],
          ...page.items.map((c) => [
            c.name,
            c.connector,
            c.environment,
            String(c.risk),
            String(c.revision),
            when(c.updatedAt, session.now()) ?? "",
          ]),
        ]),
  );
}

async function test(session: Session, _options: object, name: string): Promise<number> {
  const report = await (await session.client()).connections.test(name);
  session.show(
    report,
    () => `${report.ok ? "ok" : `failed (${report.code ?? "no code"})`}: ${report.message}\n`,
  );
  return report.ok ? 0 : 1;
}

async function connectors(session: Session): Promise<void> {
  const page = await (await session.client()).connections.connectors().page();
  session.show(page, () =>
    table([
      ["connector", "operations", "what it reaches"],
      ...page.items.map((c) => [c.name, c.operations.map((o) => o.name).join(", "), c.description]),
    ]),
  );
}

async function show(session: Session, _options: object, name: string): Promise<void> {
  const found = await (await session.client()).connections.get(name);
  session.show(
    found,
    () =>
      fields([
        ["name", found.name],
        ["id", found.id],
        ["connector", found.connector],
        ["environment", found.environment],
        ["risk", String(found.risk)],
        ["emulated", found.emulate ? "yes: nothing is called" : "no"],
        ["data types", found.dataTypes.join(", ")],
        ["revision", String(found.revision)],
        ["changed", when(found.updatedAt, session.now())],
      ]) +
      block("facts", found.facts) +
      block("config", found.config),
  );
}
