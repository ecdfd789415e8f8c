/** What the command line prints: a table for people, JSON for programs. */
import type { VerifiedPack } from "./cli-pack.ts";
import { type CheckName, checkNames, type ReceiptReport } from "./report.ts";

export interface Verified {
  readonly place: string;
  readonly report: ReceiptReport;
}

const titles: Readonly<Record<CheckName, string>> = {
  signature: "signature",
  canonicalForm: "canonical",
  schema: "schema",
  inclusion: "inclusion",
  checkpoint: "checkpoint",
  consistency: "consistency",
  disclosures: "disclosures",
  witness: "witness",
};
const words = { ok: "ok", failed: "FAILED", absent: "-", undecidable: "?" } as const;

const printable = (text: string): string =>
  text.replaceAll(/[^\x20-\x7e\u00a0-\ud7ff\ue000-\uffff]/g, "\ufffd");

function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

function summary(results: readonly Verified[]): string {
  const count = (verdict: ReceiptReport["verdict"]): number =>
    results.filter(({ report }) => report.verdict === verdict).length;
  const parts = [
    `${results.length} receipts`,
    `${count("verified")} verified`,
    `${count("tampered")} tampered with`,
    `${count("undecidable")} undecided`,
  ];
  return parts.join(", ");
}

/** A table of checks, then one line for each check that is not ok, then the totals. */
export function toText(results: readonly Verified[], problems: readonly string[]): string {
  const head = ["receipt", "type", "verdict", ...checkNames.map((name) => titles[name])];
  const rows = results.map(({ report }) => [
    printable(report.receiptId ?? "(unreadable)"),
    printable(String(report.body?.typ ?? "-")),
    report.verdict,
    ...checkNames.map((name) => words[report.checks[name].status]),
  ]);
  const remarks = results.flatMap(({ place, report }) => remarksOf(place, report));
  return [
    ...(results.length > 0 ? [table([head, ...rows]), ""] : []),
    ...remarks,
    ...problems.map((problem) => `cannot read ${printable(problem)}`),
    ...(remarks.length + problems.length > 0 ? [""] : []),
    summary(results),
    "",
  ].join("\n");
}

function remarksOf(place: string, report: ReceiptReport): string[] {
  const bad = checkNames.filter((name) => ["failed", "undecidable"].includes(report.checks[name].status));
  const details = new Map<string, string[]>();
  for (const name of bad) {
    const { detail } = report.checks[name];
    details.set(detail, [...(details.get(detail) ?? []), titles[name]]);
  }
  return [...details].map(([detail, names]) => printable(`${place}: ${names.join(", ")}: ${detail}`));
}

export function toJson(
  results: readonly Verified[],
  problems: readonly string[],
  exitCode: number,
  packs: readonly VerifiedPack[] = [],
): string {
  const flat = <T extends object>(all: readonly { place: string; report: T }[]): object[] =>
    all.map(({ place, report }) => ({ place, ...report }));
  const more = packs.length > 0 ? { packs: flat(packs) } : {};
  return `${JSON.stringify({ exitCode, problems, receipts: flat(results), ...more }, null, 2)}\n`;
}
