import type { Command } from "commander";
import { addCommand, addGroup, type CommandHost } from "../command.ts";
import { UsageError } from "../failure.ts";
import type { Session } from "../session.ts";
import { table } from "../text.ts";
import { when } from "../time.ts";

export function addSecret(program: Command, host: CommandHost): void {
  const secret = addGroup(program, "secret", "Secrets, which connections name as vault:NAME");
  addCommand(secret, host, "set <name>", "Store or replace a secret", set)
    .option("--value <value>", "the value; without it, standard input or a hidden question")
    .addHelpText(
      "after",
      "\nA value in --value stays in the shell's history. Better: oars secret set NAME < FILE",
    );
  addCommand(secret, host, "list", "List secrets, without their values", list);
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
