import { type Command, Option } from "commander";
import { addCommand, addGroup, type CommandHost, wholeNumber } from "../command.ts";
import type { Session } from "../session.ts";
import { fields, table } from "../text.ts";
import { when } from "../time.ts";

export function addKey(program: Command, host: CommandHost): void {
  const key = addGroup(program, "key", "The keys that sign the tenant's receipts and log");
  addCommand(key, host, "list", "List all keys that ever signed", list);
  addCommand(key, host, "rotate <use>", "Let a new key sign: receipt or log", rotate).addOption(
    new Option("--overlap <seconds>", "how long the old key may still sign")
      .default(86_400)
      .argParser(wholeNumber(300, 2_592_000)),
  );
  addCommand(key, host, "revoke <key>", "End a key that somebody else may have", revoke).requiredOption(
    "--reason <text>",
    "why; anybody can read it",
  );
}

async function list(session: Session): Promise<void> {
  const keys = await (await session.client()).keys.list();
  session.show(keys, () =>
    keys.items.length === 0
      ? "There are no keys yet: the first receipt makes them.\n"
      : table([
          ["key", "use", "status", "created", "ended", "counts below leaf"],
          ...keys.items.map((k) => [
            k.keyId,
            k.use,
            k.status,
            when(k.createdAt, session.now()) ?? "",
            when(k.revokedAt ?? k.retiredAt ?? null, session.now()) ?? "-",
            k.maxTreeSize === null || k.maxTreeSize === undefined ? "-" : String(k.maxTreeSize),
          ]),
        ]),
  );
}

async function rotate(session: Session, options: { overlap: number }, use: string): Promise<void> {
  const request = { use: use as "receipt" | "log", overlapSeconds: options.overlap }; // the server refuses others
  const rotated = await (await session.client()).keys.rotate(request);
  session.show(rotated, () =>
    fields([
      ["use", rotated.use],
      ["signs now", rotated.current],
      ["previous", rotated.previous],
      ["ends", when(rotated.retiredAt, session.now())],
    ]),
  );
}

async function revoke(session: Session, options: { reason: string }, keyId: string): Promise<void> {
  const key = await (await session.client()).keys.revoke(keyId, { reason: options.reason });
  session.show(key, () =>
    fields([
      ["key", key.keyId],
      ["status", key.status],
      ["reason", key.reason],
    ]),
  );
}
