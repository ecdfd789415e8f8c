import type { Command } from "commander";
import { addCommand, addGroup, type CommandHost, type PageOptions, pageOf, pageOptions } from "../command.ts";
import { aboutFile } from "../failure.ts";
import { readSource } from "../files.ts";
import { more } from "../paging.ts";
import type { Session } from "../session.ts";
import { block, fields, table } from "../text.ts";
import { when } from "../time.ts";
import { showValidation } from "./policy.ts";

export function addFlow(program: Command, host: CommandHost): void {
  const flow = addGroup(program, "flow", "Flows, written in YAML or JSON");
  addCommand(flow, host, "validate <file>", "Check a definition; nothing is stored", validate);
  addCommand(flow, host, "publish <file>", "Publish a version, which then never changes", publish);
  addCommand(flow, host, "schema", "Print the JSON Schema of definitions, for editors", schema);
  pageOptions(addCommand(flow, host, "list", "List flows", list));
  addCommand(flow, host, "show <name>", "Show a flow as it was published", show).option(
    "--flow-version <version>",
    "another version than the highest",
  );
}

async function validate(session: Session, _options: object, file: string): Promise<number> {
  const client = await session.client();
  const found = await client.flows.validate(await readSource(file, session.terminal));
  return showValidation(session, found, file, `${found.flow} ${found.version} is valid`);
}

async function publish(session: Session, _options: object, file: string): Promise<void> {
  const client = await session.client();
  const text = await readSource(file, session.terminal);
  const version = await aboutFile(file, client.flows.publish(text));
  session.show(version, () =>
    [
      `${version.flow} ${version.version} ${version.created ? "is published" : "was published before, with the same content"}.\n`,
      fields([["hash", version.hash]]),
      `Try next: oars run start ${version.flow}\n`,
    ].join(""),
  );
}

async function schema(session: Session): Promise<void> {
  const found = await (await session.client()).flows.schema();
  session.show(found, () => `${JSON.stringify(found, null, 2)}\n`);
}

async function list(session: Session, options: PageOptions): Promise<void> {
  const page = await (await session.client()).flows.list(pageOf(options)).page();
  session.show(page, () =>
    page.items.length === 0
      ? "There are no flows. Publish one: oars flow publish FILE\n"
      : table([
          ["flow", "version", "versions", "owner", "published"],
          ...page.items.map((f) => [
            f.flow,
            f.version,
            String(f.versions.length),
            f.owner ?? "-",
            when(f.publishedAt, session.now()) ?? "",
          ]),
        ]) + more(page),
  );
}

async function show(session: Session, options: { flowVersion?: string }, name: string): Promise<void> {
  const found = await (await session.client()).flows.get(name, options.flowVersion);
  session.show(
    found,
    () =>
      fields([
        ["flow", found.flow],
        ["version", found.version],
        ["hash", found.hash],
        ["owner", found.owner],
        ["published", when(found.publishedAt, session.now())],
      ]) + block("definition", found.source ?? found.definition),
  );
}
