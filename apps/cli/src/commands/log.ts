import type { Command } from "commander";
import { addCommand, addGroup, type CommandHost, wholeNumber } from "../command.ts";
import { writeResult } from "../files.ts";
import type { Session } from "../session.ts";
import { fields } from "../text.ts";
import { when } from "../time.ts";

export function addLog(program: Command, host: CommandHost): void {
  const log = addGroup(program, "log", "The tenant's transparency log");
  addCommand(log, host, "status", "Show size and state; exit 1 when the log cannot be signed", status);
  addCommand(log, host, "checkpoint", "Print the newest signed checkpoint", checkpoint).option(
    "--out <file>",
    "write it to a file",
  );
  addCommand(log, host, "inclusion <receipt>", "Prove that a receipt is in the log", inclusion);
  addCommand(log, host, "consistency", "Prove that the log only grew since a size", consistency)
    .requiredOption("--from <size>", "leaves of the older checkpoint", wholeNumber(0, 999_999_999))
    .option("--to <size>", "leaves of the newer one; the newest when absent", wholeNumber(0, 999_999_999));
}

async function status(session: Session): Promise<number> {
  const found = await (await session.client()).log.status();
  session.show(found, () =>
    fields([
      ["origin", found.origin],
      ["url", found.url],
      ["public", found.public ? "yes" : "no"],
      ["leaves", String(found.treeSize)],
      ["root", found.rootHash],
      ["checkpoint", when(found.checkpointAt, session.now())],
      ["pending", String(found.pending)],
      ["healthy", found.healthy ? "yes" : "no"],
      ["problem", found.problem],
    ]),
  );
  return found.healthy ? 0 : 1;
}

async function checkpoint(session: Session, options: { out?: string }): Promise<void> {
  const text = await (await session.client()).log.checkpoint();
  if (options.out === undefined) return session.terminal.out(text);
  await writeResult(options.out, text);
  session.show({ file: options.out }, () => `The checkpoint is in ${options.out}.\n`);
}

async function inclusion(session: Session, _options: object, receipt: string): Promise<void> {
  const proof = await (await session.client()).log.inclusion(receipt);
  session.show(proof, () =>
    fields([
      ["receipt", proof.receiptId],
      ["log", proof.origin],
      ["leaf", `${proof.leafIndex} of ${proof.treeSize}`],
      ["leaf hash", proof.leafHash],
      ...proof.hashes.map((hash, i) => [i === 0 ? "hashes" : "", hash] as const),
    ]),
  );
}

async function consistency(session: Session, range: { from: number; to?: number }): Promise<void> {
  const proof = await (await session.client()).log.consistency({
    from: range.from,
    ...(range.to === undefined ? {} : { to: range.to }),
  });
  session.show(proof, () =>
    fields([
      ["log", proof.origin],
      ["from", String(proof.from)],
      ["to", String(proof.to)],
      ...proof.hashes.map((hash, i) => [i === 0 ? "hashes" : "", hash] as const),
    ]),
  );
}
