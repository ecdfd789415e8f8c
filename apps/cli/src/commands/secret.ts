import { parseEnv } from "node:util";
import type { Command } from "commander";
import { addCommand, addGroup, type CommandHost } from "../command.ts";
import { UsageError } from "../failure.ts";
import { nameOf, parseJsonObject, readSource } from "../files.ts";
import type { Session } from "../session.ts";
import { table } from "../text.ts";
import { when } from "../time.ts";

export function addSecret(program: Command, host: CommandHost): void {
  const secret = addGroup(program, "secret", "Secrets, which connections name as vault:NAME").alias("vault");
  addCommand(secret, host, "set <name>", "Store or replace a secret", set)
    .option("--value <value>", "the value; without it, standard input or a hidden question")
    .addHelpText(
      "after",
      "\nA value in --value stays in the shell's history. Better: oars secret set NAME < FILE",
    );
  addCommand(secret, host, "list", "List secrets, without their values", list);
  addCommand(
    secret,
    host,
    "import <file>",
    "Store the secrets of a file: NAME=VALUE lines, or JSON",
    importFile,
  )
    .option("--dry-run", "say what would happen and store nothing")
    .option("--overwrite", "also replace those that exist")
    .option("--prefix <prefix>", "before each name");
  addCommand(secret, host, "access <name>", "List who used a secret for what", access);
  addCommand(secret, host, "delete <name>", "Delete a secret", remove);
}

async function set(session: Session, options: { value?: string }, name: string): Promise<void> {
  const client = await session.client();
  const value = options.value ?? (await readValue(session));
  if (value === "") throw new UsageError("The value is empty; nothing was stored.");
  const stored = await client.secrets.put(name, value);
  session.show(
    stored,
    () => `Secret ${stored.name} is stored, version ${stored.version}. Use it as vault:${stored.name}.\n`,
  );
}

/** Without the one line break that echo and editors add at the end. */
const readValue = async ({ terminal }: Session): Promise<string> =>
  terminal.interactive
    ? await terminal.ask("Value (not shown): ")
    : (await terminal.readInput()).replace(/\r?\n$/, "");

interface ImportOptions {
  readonly dryRun?: boolean;
  readonly overwrite?: boolean;
  readonly prefix?: string;
}

async function importFile(session: Session, options: ImportOptions, file: string): Promise<void> {
  const text = await readSource(file, session.terminal);
  const values = text.trimStart().startsWith("{") ? parseJsonObject(text, file) : parseEnv(text);
  const entries = Object.entries(values).map(([name, value]) => {
    if (typeof value === "string" && value !== "") return [`${options.prefix ?? ""}${name}`, value] as const;
    throw new UsageError(`${nameOf(file)}: ${name} must be a text that is not empty.`);
  });
  if (entries.length === 0) throw new UsageError(`${nameOf(file)} holds no secrets.`);
  const dryRun = options.dryRun === true;
  const request = { secrets: Object.fromEntries(entries), overwrite: options.overwrite === true, dryRun };
  const done = await (await session.client()).secrets.import(request);
  session.show(done, () => {
    const lines = table([["name", "outcome"], ...done.items.map((one) => [one.name, one.outcome])]);
    return dryRun ? `${lines}\nNothing was stored: this was a dry run.\n` : lines;
  });
}

async function access(session: Session, _options: object, name: string): Promise<void> {
  const page = await (await session.client()).secrets.uses(name).page();
  session.show(page, () =>
    page.items.length === 0
      ? "Nobody has used it.\n"
      : table([
          ["hour", "by", "for", "uses", "last action"],
          ...page.items.map((use) => [
            when(use.hour, session.now()) ?? "",
            use.principalId ?? "the server",
            use.purpose,
            String(use.reads),
            use.lastActionId ?? "",
          ]),
        ]),
  );
}

async function list(session: Session): Promise<void> {
  const page = await (await session.client()).secrets.list().page();
  session.show(page, () =>
    page.items.length === 0
      ? "There are no secrets. Store one: oars secret set NAME\n"
      : table([
          ["name", "version", "changed"],
          ...page.items.map((s) => [s.name, String(s.version), when(s.updatedAt, session.now()) ?? ""]),
        ]),
  );
}

async function remove(session: Session, _options: object, name: string): Promise<void> {
  await (await session.client()).secrets.delete(name);
  session.show({ name, deleted: true }, () => `Secret ${name} is deleted.\n`);
}
