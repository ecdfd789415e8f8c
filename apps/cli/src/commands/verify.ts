/** `oars verify`: the offline verifier of @oars/receipts over files. No network, no credentials. */
import {
  checkNames,
  createVerifier,
  FormatError,
  isTrustDocument,
  type ReceiptReport,
  splitEvidence,
  type TrustDocument,
  type Verifier,
  worstExit,
} from "@oars/receipts";
import { createNodeCrypto } from "@oars/receipts/node";
import type { Command } from "commander";
import { addCommand, type CommandHost, collect } from "../command.ts";
import { UsageError } from "../failure.ts";
import { nameOf, parseJson, readSource } from "../files.ts";
import type { Session } from "../session.ts";
import { printable, table } from "../text.ts";

interface Verified {
  readonly place: string;
  readonly report: ReceiptReport;
}

export function addVerify(program: Command, host: CommandHost): void {
  addCommand(
    program,
    host,
    "verify <file...>",
    "Verify receipts offline: bundles, tlog-proofs, SD-JWTs, JWS",
    verify,
  )
    .option("--keys <file>", "trust keys, from oars tenant keys; repeatable", collect)
    .addHelpText("after", "\nExit codes: 0 verified, 1 proven to be tampered with, 2 cannot decide.");
}

async function verify(
  session: Session,
  options: { keys?: readonly string[] },
  files: readonly string[],
): Promise<number> {
  const keys = options.keys ?? [];
  if (keys.length === 0) {
    session.remark(
      "oars: without --keys no signature can be decided; save them: oars tenant keys --out keys.json\n",
    );
  }
  const verifier = await verifierOf(session, keys);
  const receipts: Verified[] = [];
  const problems: string[] = [];
  for (const file of files) {
    const text = await readSource(file, session.terminal);
    await verifyText(verifier, nameOf(file), text, receipts, problems);
  }
  const exitCode = worstExit([
    ...receipts.map(({ report }) => report.exitCode),
    ...problems.map(() => 2 as const),
  ]);
  const flat = receipts.map(({ place, report }) => ({ place, ...report }));
  session.show({ exitCode, problems, receipts: flat }, () => render(receipts, problems));
  return exitCode;
}

async function verifierOf(session: Session, files: readonly string[]): Promise<Verifier> {
  const documents: TrustDocument[] = [];
  for (const file of files) {
    const value = parseJson(await readSource(file, session.terminal), file);
    const list: unknown[] = Array.isArray(value) ? value : [value];
    if (!list.every(isTrustDocument))
      throw new UsageError(`${nameOf(file)} holds no trust keys (oars tenant keys).`);
    documents.push(...list);
  }
  try {
    return createVerifier(documents, createNodeCrypto());
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    throw new UsageError(`The trust keys contradict themselves: ${error.message}.`);
  }
}

async function verifyText(
  verifier: Verifier,
  name: string,
  text: string,
  receipts: Verified[],
  problems: string[],
): Promise<void> {
  try {
    const items = splitEvidence(text);
    if (items.length === 0) problems.push(`${name}: the bundle is empty`);
    for (const [i, { text: one, receiptId }] of items.entries()) {
      const place = items.length > 1 ? `${name} #${i + 1}` : name;
      receipts.push({
        place,
        report: await verifier.verify(one, receiptId === undefined ? {} : { receiptId }),
      });
    }
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    problems.push(`${name}: ${error.message}`);
  }
}

const words = { ok: "ok", failed: "FAILED", absent: "-", undecidable: "?" } as const;
const verdicts = { verified: "verified", tampered: "tampered with", undecidable: "undecided" } as const;

/** A table of checks, what is wrong in words, then the totals. */
function render(receipts: readonly Verified[], problems: readonly string[]): string {
  const rows = receipts.map(({ report }) => [
    report.receiptId ?? "(unreadable)",
    String(report.body?.typ ?? "-"),
    report.verdict,
    ...checkNames.map((name) => words[report.checks[name].status]),
  ]);
  const head = [
    "receipt",
    "type",
    "verdict",
    ...checkNames.map((name) => (name === "canonicalForm" ? "canonical" : name)),
  ];
  const remarks = [...remarksOf(receipts), ...problems.map((problem) => `cannot read ${problem}`)];
  const totals = Object.entries(verdicts).map(
    ([verdict, word]) => `${receipts.filter(({ report }) => report.verdict === verdict).length} ${word}`,
  );
  return [
    rows.length > 0 ? `${table([head, ...rows])}\n` : "",
    ...remarks.map((remark) => `${printable(remark)}\n`),
    remarks.length > 0 ? "\n" : "",
    `${receipts.length} ${receipts.length === 1 ? "receipt" : "receipts"}: ${totals.join(", ")}\n`,
  ].join("");
}

/** One line for each reason, with the checks and the receipts that it concerns. */
function remarksOf(receipts: readonly Verified[]): string[] {
  const reasons = new Map<string, string[]>();
  for (const { place, report } of receipts) {
    for (const [detail, names] of reasonsOf(report)) {
      const reason = `${names.join(", ")}: ${detail}`;
      reasons.set(reason, [...(reasons.get(reason) ?? []), place]);
    }
  }
  return [...reasons].map(([reason, [first, ...others]]) =>
    others.length === 0 ? `${first}: ${reason}` : `${first} and ${others.length} more: ${reason}`,
  );
}

function reasonsOf(report: ReceiptReport): Map<string, string[]> {
  const reasons = new Map<string, string[]>();
  for (const name of checkNames) {
    const { status, detail } = report.checks[name];
    if (status === "failed" || status === "undecidable")
      reasons.set(detail, [...(reasons.get(detail) ?? []), name]);
  }
  return reasons;
}
