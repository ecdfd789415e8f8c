import type { Command } from "commander";
import { addCommand, addGroup, type CommandHost, type PageOptions, pageOf, pageOptions } from "../command.ts";
import { writeResult } from "../files.ts";
import { more } from "../paging.ts";
import type { Session } from "../session.ts";
import { block, fields, table } from "../text.ts";
import { when } from "../time.ts";

export function addReceipts(program: Command, host: CommandHost): void {
  const receipts = addGroup(program, "receipts", "Signed receipts of decisions and outcomes");
  addCommand(receipts, host, "export <run>", "Save all receipts of a run with their proofs", exportRun)
    .option("--out <file>", "where to; standard output when absent")
    .option("--keys-out <file>", "save the trust keys too, which verification needs");
  pageOptions(addCommand(receipts, host, "list", "List receipts, newest first", list))
    .option("--run <id>", "only of this run")
    .option("--action <id>", "only of this action")
    .option("--type <type>", "only of this type, as in action.decision");
  addCommand(receipts, host, "show <id>", "Show what a receipt states", show);
}

async function exportRun(
  session: Session,
  options: { out?: string; keysOut?: string },
  run: string,
): Promise<void> {
  const { out, keysOut } = options;
  const client = await session.client();
  const bundle = await client.receipts.exportRun(run);
  const text = `${JSON.stringify(bundle, null, 2)}\n`;
  if (keysOut !== undefined) {
    const keys = await client.trust.keys(bundle.tenantId);
    await writeResult(keysOut, `${JSON.stringify(keys, null, 2)}\n`);
  }
  if (out === undefined) return session.terminal.out(text);
  await writeResult(out, text);
  const count = bundle.items.length;
  session.show({ run, receipts: count, file: out, keysFile: keysOut ?? null }, () =>
    [
      `${count} ${count === 1 ? "receipt" : "receipts"} of ${run} ${count === 1 ? "is" : "are"} in ${out}.`,
      ...(keysOut === undefined ? [] : [`The trust keys are in ${keysOut}.`]),
      `Try next: oars verify ${out} --keys ${keysOut ?? "KEYS (oars tenant keys --out KEYS)"}`,
      "",
    ].join("\n"),
  );
}

interface ListOptions extends PageOptions {
  readonly run?: string;
  readonly action?: string;
  readonly type?: string;
}

async function list(session: Session, options: ListOptions): Promise<void> {
  const { run, action, type } = options;
  const page = await (await session.client()).receipts.list({ ...pageOf(options), run, action, type }).page();
  session.show(page, () =>
    page.items.length === 0
      ? "There are no such receipts.\n"
      : table([
          ["receipt", "type", "effect", "tool", "created"],
          ...page.items.map((r) => [
            r.id,
            r.type,
            r.effect ?? "-",
            r.tool ?? "-",
            when(r.createdAt, session.now()) ?? "",
          ]),
        ]) + more(page),
  );
}

async function show(session: Session, _options: object, id: string): Promise<void> {
  const receipt = await (await session.client()).receipts.get(id);
  session.show(
    receipt,
    () =>
      fields([
        ["receipt", receipt.id],
        ["type", receipt.type],
        ["effect", receipt.effect],
        ["tool", receipt.tool],
        ["run", receipt.runId],
        ["action", receipt.actionId],
        ["principal", receipt.principalId],
        ["created", when(receipt.createdAt, session.now())],
      ]) +
      block("body", receipt.body) +
      block("jws", receipt.jws),
  );
}
