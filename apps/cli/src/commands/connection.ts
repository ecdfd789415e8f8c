import type { ConnectionDetail, PutConnectionRequest } from "@oars/sdk";
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
  )
    .option("--name <name>", "its name, in place of the file's own")
    .option("--if-match <etag>", "only if it still has this etag");
  addCommand(connection, host, "list", "List connections", list);
  addCommand(connection, host, "show <name>", "Show a connection", show);
  addCommand(connection, host, "versions <name>", "List the revisions of a connection", versions);
  addCommand(connection, host, "delete <name>", "Delete a connection", remove)
    .option("--force", "although the newest version of a flow names it")
    .option("--if-match <etag>", "only if it still has this etag");
  addCommand(connection, host, "authorize <name>", "Begin a person's consent (OAuth)", authorize);
  addCommand(
    connection,
    host,
    "finish <address>",
    "End a consent with the address that the browser came back to",
    finish,
  );
  addCommand(connection, host, "test <name>", "Reach the system behind a connection, changing nothing", test);
  addCommand(connection, host, "egress", "Show or set the hosts that connections may reach", egress)
    .option("--hosts <list>", "host, host:port, *.domain or *:port, with commas between")
    .option("--any", "every host that the operator allows");
  addCommand(connection, host, "connectors", "List what a connection can be of", connectors);
}

async function put(
  session: Session,
  options: { name?: string; ifMatch?: string },
  file: string,
): Promise<void> {
  const client = await session.client();
  const { name: own, ...request } = parseJsonObject(await readSource(file, session.terminal), file);
  const name = options.name ?? own;
  if (typeof name !== "string" || name === "") {
    throw new UsageError(`${nameOf(file)} has no "name"; add it, or give --name.`);
  }
  const body = request as unknown as PutConnectionRequest; // the server checks it and names every problem
  const stored = await aboutFile(file, client.connections.put(name, body, { ifMatch: options.ifMatch }));
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

async function versions(session: Session, _options: object, name: string): Promise<void> {
  const page = await (await session.client()).connections.versions(name).page();
  session.show(page, () =>
    table([
      ["revision", "change", "by", "at"],
      ...page.items.map((v) => [
        String(v.revision),
        v.change,
        v.changedBy,
        when(v.changedAt, session.now()) ?? "",
      ]),
    ]),
  );
}

async function remove(
  session: Session,
  options: { force?: boolean; ifMatch?: string },
  name: string,
): Promise<void> {
  const client = await session.client();
  await client.connections.delete(name, { force: options.force, ifMatch: options.ifMatch });
  session.show({ deleted: name }, () => `Connection ${name} is deleted.\n`);
}

async function authorize(session: Session, _options: object, name: string): Promise<void> {
  const begun = await (await session.client()).connections.authorize(name);
  session.show(
    begun,
    () =>
      `Open this address and consent:\n\n  ${begun.url}\n\nThen, before ${when(begun.expiresAt, session.now())}, pass the address of the page that you come back to:\n\n  oars connection finish 'ADDRESS'\n`,
  );
}

async function finish(session: Session, _options: object, address: string): Promise<void> {
  if (!URL.canParse(address)) throw new UsageError("That is not an address; copy all of it, and quote it.");
  const { searchParams } = new URL(address);
  const given = (name: string) => searchParams.get(name) ?? undefined;
  const state = given("state");
  if (state === undefined)
    throw new UsageError("The address holds no `state`; copy all of it, and quote it.");
  const client = await session.client();
  const done = await client.connections.finish({
    state,
    code: given("code"),
    error: given("error"),
    iss: given("iss"),
  });
  session.show(done, () => `Connection ${done.connection} is authorized.\n`);
}

const credentialText = (found: ConnectionDetail, now: Date): string => {
  const { credential: c } = found;
  if (c === null) return "as its config says";
  const until = c.validUntil === null ? "" : `, until ${when(c.validUntil, now)}`;
  const error = c.lastErrorCode === null ? "" : `, last error ${c.lastErrorCode}`;
  return `${c.state}${until}${error}`;
};

const circuitText = ({ circuit }: ConnectionDetail): string =>
  circuit.failures === 0
    ? circuit.state
    : `${circuit.state}, ${circuit.failures} failures in a row, the last ${circuit.lastCode}`;

async function test(session: Session, _options: object, name: string): Promise<number> {
  const report = await (await session.client()).connections.test(name);
  session.show(
    report,
    () => `${report.ok ? "ok" : `failed (${report.code ?? "no code"})`}: ${report.message}\n`,
  );
  return report.ok ? 0 : 1;
}

async function egress(session: Session, options: { hosts?: string; any?: boolean }): Promise<void> {
  if (options.hosts !== undefined && options.any === true)
    throw new UsageError("Give --hosts or --any, not both.");
  const { connections } = await session.client();
  const wanted = options.hosts?.split(",").map((part) => part.trim());
  const changes = wanted !== undefined || options.any === true;
  const now = changes ? await connections.setEgress({ hosts: wanted ?? null }) : await connections.egress();
  session.show(now, () =>
    now.hosts === null
      ? "Connections may reach every host that the operator allows.\n"
      : `Connections may reach:\n${now.hosts.map((one) => `  ${one}\n`).join("")}`,
  );
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
        ["etag", found.etag],
        ["credential", credentialText(found, session.now())],
        ["circuit", circuitText(found)],
        ["changed", when(found.updatedAt, session.now())],
      ]) +
      block("facts", found.facts) +
      block("config", found.config),
  );
}
