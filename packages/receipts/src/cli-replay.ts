/** `oars-verify --replay`: one decision, verified and made again. Cedar is looked for only here, and may be absent. */
import { readFile } from "node:fs/promises";
import { text } from "node:stream/consumers";
import { createNodeCrypto } from "./node.ts";
import { type ReplayReport, replay, replayCheckNames } from "./replay.ts";
import { parseReplay } from "./replay-file.ts";
import type { CedarPort } from "./replay-rules.ts";
import { checkNames, type ReceiptReport } from "./report.ts";
import type { TrustDocument } from "./trust.ts";
import { createVerifier } from "./verify.ts";

/** A name that no bundler and no compiler follows: the engine is an optional peer. */
const engineModule: string = "@cedar-policy/cedar-wasm/nodejs";

async function findCedar(): Promise<CedarPort | undefined> {
  try {
    const found: { default?: CedarPort } & CedarPort = await import(engineModule);
    return found.default ?? found;
  } catch (error) {
    if ((error as { code?: unknown }).code === "ERR_MODULE_NOT_FOUND") return undefined; // set by the loader
    throw error;
  }
}

export interface ReplayRun {
  readonly receipt: ReceiptReport;
  readonly replay: ReplayReport;
}

/** Throws FormatError for a file that is no replay. */
export async function replayFile(path: string, trust: readonly TrustDocument[]): Promise<ReplayRun> {
  const file = parseReplay(path === "-" ? await text(process.stdin) : await readFile(path, "utf8"));
  const receipt = await createVerifier(trust, createNodeCrypto()).verify(file.receipt);
  return { receipt, replay: replay(file, receipt, await findCedar()) };
}

const words = { 0: "the decision agrees", 1: "PROVEN TO DIFFER", 2: "cannot be decided" } as const;
const printable = (value: string): string =>
  value.replaceAll(/[^\x20-\x7e\u00a0-\ud7ff\ue000-\uffff]/g, "\ufffd");

export function replayText({ receipt, replay: { checks, exitCode, remarks } }: ReplayRun): string {
  const line = (name: string, { status, detail }: { status: string; detail: string }): string =>
    `${name.padEnd(13)}${(status === "failed" ? "FAILED" : status).padEnd(13)}${detail}`;
  const lines = [
    `receipt ${receipt.receiptId ?? "(unreadable)"}: ${receipt.verdict}`,
    ...checkNames
      .filter((name) => ["failed", "undecidable"].includes(receipt.checks[name].status))
      .map((name) => line(name, receipt.checks[name])),
    ...replayCheckNames.map((name) => line(name, checks[name])),
    ...remarks,
    `replay: ${words[exitCode]}`,
  ];
  return `${lines.map(printable).join("\n")}\n`;
}
