import type { ReceiptFilter, ReceiptFormat } from "@oars/contract";
import { type Command, Option } from "commander";
import { addCommand, addGroup, type CommandHost, type PageOptions, pageOf, pageOptions } from "../command.ts";
import { UsageError } from "../failure.ts";
import { writeResult } from "../files.ts";
import { more } from "../paging.ts";
import type { Session } from "../session.ts";
import { block, fields, table } from "../text.ts";
import { when } from "../time.ts";

const formats = [
  "jws",
  "sd-jwt",
  "tlog-proof",
  "dsse",
  "cose",
  "cloudevents",
  "replay",
] satisfies ReceiptFormat[];

export function addReceipts(program: Command, host: CommandHost): void {
  const receipts = addGroup(program, "receipts", "Signed receipts of decisions and outcomes").alias(
    "receipt",
  );
  addCommand(receipts, host, "export <id>", "Save a receipt, or all of a run with their proofs", exportAny)
    .option("--out <file>", "where to; standard output when absent")
    .option("--keys-out <file>", "save the trust keys too, which verification needs (runs)")
    .addOption(new Option("--format <format>", "of one receipt").choices(formats))
    .option("--disclose", "with the sensitive members, for who may see them");
  pageOptions(addCommand(receipts, host, "list", "List receipts, newest first", list))
    .option("--run <id>", "only of this run")
    .option("--action <id>", "only of this action")
    .option("--actor <id>", "only of this person or agent, or on their behalf")
    .option("--agent <id>", "only of this agent")
    .option("--type <type>", "only of this type, as in action.decision")
    .option("--tool <tool>", "only of this tool, as in wms/http.request")
    .option("--operation <verb>", "only of this kind of effect, as in write")
    .option("--target <target>", "only of this target")
    .option("--decision <effect>", "only with this decision, as in deny")
    .option("--policy <digest>", "only decided by this policy bundle")
    .option("--rule <id>", "only determined by this rule")
    .option("--control <control>", "only evidence of this control, as in soc2/CC6.1")
    .option("--from <time>", "not older than this, ISO 8601")
    .option("--to <time>", "older than this, ISO 8601");
  addCommand(receipts, host, "show <id>", "Show what a receipt states", show).option(
    "--disclose",
    "with the sensitive members, for who may see them",
  );
  addCommand(receipts, host, "verify <id>", "Have the server verify a receipt and its chain", verify);
}

interface ExportOptions {
  readonly out?: string;
  readonly keysOut?: string;
  readonly format?: ReceiptFormat;
  readonly disclose?: boolean;
}

async function exportAny(session: Session, options: ExportOptions, id: string): Promise<void> {
  if (id.startsWith("run_")) return exportRun(session, options, id);
  const { format = "tlog-proof", disclose = false, out } = options;
  const bytes = await (await session.client()).receipts.export(id, { format, disclose });
  if (out !== undefined) {
    await writeResult(out, bytes);
    return session.show({ receipt: id, format, file: out }, () => `${id} is in ${out}, as ${format}.\n`);
  }
  if (format === "cose") throw new UsageError("COSE is binary: name a file with --out.");
  session.terminal.out(`${new TextDecoder().decode(bytes).trimEnd()}\n`);
}

/** Exits 0 verified, 1 proven to be tampered with, 2 cannot decide. */
async function verify(session: Session, _options: object, id: string): Promise<number> {
  const report = await (await session.client()).receipts.verify({ receiptId: id });
  session.show(
    report,
    () =>
      `${table([
        ["check", "result", "detail"],
        ...Object.entries(report.checks).map(([name, { status, detail }]) => [name, status, detail]),
      ])}\n${id}: ${report.verdict}\n`,
  );
  return report.exitCode;
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

type ListOptions = PageOptions & Omit<ReceiptFilter, "limit" | "cursor">;

async function list(session: Session, options: ListOptions): Promise<void> {
  const { json: _json, ...filter } = options as ListOptions & { json?: boolean }; // commander adds it
  const page = await (await session.client()).receipts.list({ ...filter, ...pageOf(options) }).page();
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

async function show(session: Session, options: { disclose?: boolean }, id: string): Promise<void> {
  const receipt = await (await session.client()).receipts.get(id, options);
  session.show(
    receipt,
    () =>
      fields([
        ["receipt", receipt.id],
        ["type", receipt.type],
        ["effect", receipt.effect],
        ["rules", receipt.rules.join(", ") || null],
        ["tool", receipt.tool],
        ["target", receipt.target],
        ["run", receipt.runId],
        ["action", receipt.actionId],
        ["principal", receipt.principalId],
        ["created", when(receipt.createdAt, session.now())],
        ["log", receipt.proof ? `leaf ${receipt.proof.index} of ${receipt.proof.size}` : "not yet"],
      ]) +
      block("body", receipt.body) +
      (receipt.disclosed ? block("disclosed", receipt.disclosed) : "") +
      block("jws", receipt.jws),
  );
}
