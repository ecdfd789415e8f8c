/**
 * What the page decides, without a document: which of the given files are keys, receipts, packs or an older view of
 * the log, and what each of them is worth. Everything in them is hostile.
 *
 * Keys are believed because they were chosen as keys: a trust document among the evidence is never used.
 */
import {
  type Bytes,
  type Check,
  createVerifier,
  createWebCrypto,
  exitCodes,
  FormatError,
  isTrustDocument,
  type PackReport,
  parseCheckpoint,
  parseEvidence,
  type ReceiptReport,
  readTrust,
  readZip,
  receiptDigest,
  splitEvidence,
  type TrustDocument,
  type Verdict,
  type Verifier,
  type VerifyOptions,
  verifyChain,
  verifyPack,
  webUnpack,
  worstExit,
} from "../src/index.ts";

/** A file that was chosen or dropped. */
export interface Given extends Bytes {
  readonly name: string;
}

export interface Problem {
  readonly place: string;
  readonly reason: string;
}

export interface Keys {
  readonly documents: readonly TrustDocument[];
  readonly problems: readonly Problem[];
}

export interface JudgedReceipt {
  /** File name, and the number of the item when the file holds several. */
  readonly place: string;
  readonly report: ReceiptReport;
}

/** One action of a bundle: whether any of its receipts is missing. */
export interface JudgedChain {
  readonly place: string;
  readonly actionId: string;
  readonly check: Check;
}

export interface JudgedPack {
  readonly place: string;
  readonly report: PackReport;
}

export interface Judgement {
  /** The worst of all: whatever is not proven is in doubt, and so is nothing at all. */
  readonly verdict: Verdict;
  readonly receipts: readonly JudgedReceipt[];
  readonly chains: readonly JudgedChain[];
  readonly packs: readonly JudgedPack[];
  /** What could not be read, or was left aside, with the reason. */
  readonly problems: readonly Problem[];
  /** Whether an older checkpoint was among the files, so that consistency could be asked for. */
  readonly compared: boolean;
}

const mostText = 256 * 1024 * 1024;
const crypto = createWebCrypto();
const verdicts = Object.keys(exitCodes) as Verdict[]; // the keys of the table

async function textOf(file: Given): Promise<string> {
  if (file.size > mostText) throw new FormatError("it is too large to be read");
  return new TextDecoder("utf-8", { fatal: true }).decode(await file.readAt(0, file.size));
}

const jsonOf = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // no JSON, so something else
  }
};

/** For people. A decoder's own words help nobody. */
const reasonOf = (error: unknown): string =>
  error instanceof FormatError ? error.message : "it is neither text nor an archive that can be read";

/** Reads trust documents: one, or a list of them, per file. Never rejects for what is in them. */
export async function readKeys(files: readonly Given[]): Promise<Keys> {
  const documents: TrustDocument[] = [];
  const problems: Problem[] = [];
  for (const file of files) {
    try {
      const value = jsonOf(await textOf(file));
      const list: unknown[] = Array.isArray(value) ? value : [value];
      if (list.length === 0 || !list.every(isTrustDocument))
        throw new FormatError("not the answer of GET /v1/trust/tenants/<tenant>/keys");
      for (const document of list) checkKeys(document);
      documents.push(...list);
    } catch (error) {
      problems.push({ place: file.name, reason: reasonOf(error) });
    }
  }
  return { documents, problems };
}

function checkKeys(document: TrustDocument): void {
  try {
    readTrust(document, crypto.sha256);
  } catch (cause) {
    if (cause instanceof FormatError) throw cause;
    throw new FormatError("its keys cannot be read", { cause });
  }
}

interface Text {
  readonly place: string;
  readonly text: string;
}

interface Sorted {
  readonly evidence: readonly Text[];
  readonly packs: readonly Given[];
  readonly checkpoint: string | undefined;
  readonly hashes: readonly string[];
  readonly problems: readonly Problem[];
}

/** Verifies files with the keys. Never rejects for what is in them. */
export async function judge(
  files: readonly Given[],
  documents: readonly TrustDocument[],
): Promise<Judgement> {
  const sorted = await sortFiles(files);
  const { checkpoint, hashes } = sorted;
  const options: VerifyOptions = checkpoint === undefined ? {} : { since: { checkpoint, hashes } };
  const problems = [...sorted.problems];
  const receipts: JudgedReceipt[] = [];
  const chains: JudgedChain[] = [];
  const verifier = createVerifier(documents, crypto);
  for (const text of sorted.evidence) {
    try {
      const judged = await judgeText(text, verifier, options);
      receipts.push(...judged.receipts);
      chains.push(...judged.chains);
    } catch (error) {
      problems.push({ place: text.place, reason: reasonOf(error) });
    }
  }
  const packs: JudgedPack[] = [];
  for (const file of sorted.packs) {
    try {
      const report = await verifyPack(await readZip(file, webUnpack), documents, crypto);
      packs.push({ place: file.name, report });
    } catch (error) {
      problems.push({ place: file.name, reason: reasonOf(error) });
    }
  }
  const exit = worstExit([
    ...[...receipts, ...packs].map(({ report }) => report.exitCode),
    ...chains.map(({ check }) => (check.status === "failed" ? 1 : check.status === "ok" ? 0 : 2)),
    ...problems.map(() => 2 as const),
  ]);
  const verdict = verdicts.find((name) => exitCodes[name] === exit) ?? "undecidable";
  return { verdict, receipts, chains, packs, problems, compared: checkpoint !== undefined };
}

async function sortFiles(files: readonly Given[]): Promise<Sorted> {
  const evidence: Text[] = [];
  const packs: Given[] = [];
  const problems: Problem[] = [];
  let checkpoint: string | undefined;
  let hashes: readonly string[] = [];
  for (const file of files) {
    try {
      const start = await file.readAt(0, Math.min(4, file.size));
      if (start[0] === 0x50 && start[1] === 0x4b) {
        packs.push(file);
        continue;
      }
      const text = await textOf(file);
      const value = jsonOf(text);
      if ((Array.isArray(value) ? value : [value]).some(isTrustDocument))
        throw new FormatError("keys among the evidence are not believed; choose them as keys in step 1");
      if (isConsistency(value)) hashes = value.hashes;
      else if (isCheckpoint(text)) checkpoint = text;
      else evidence.push({ place: file.name, text });
    } catch (error) {
      problems.push({ place: file.name, reason: reasonOf(error) });
    }
  }
  return { evidence, packs, problems, checkpoint, hashes };
}

/** The answer of `GET /v1/log/proof/consistency`. */
const isConsistency = (value: unknown): value is { readonly hashes: readonly string[] } =>
  typeof value === "object" &&
  value !== null &&
  "from" in value &&
  "hashes" in value &&
  Array.isArray(value.hashes) &&
  value.hashes.every((hash) => typeof hash === "string");

function isCheckpoint(text: string): boolean {
  try {
    parseCheckpoint(text);
    return true;
  } catch (error) {
    if (error instanceof FormatError) return false;
    throw error;
  }
}

async function judgeText(
  { place, text }: Text,
  verifier: Verifier,
  since: VerifyOptions,
): Promise<{ readonly receipts: JudgedReceipt[]; readonly chains: JudgedChain[] }> {
  const items = splitEvidence(text);
  if (items.length === 0) throw new FormatError("the bundle is empty");
  const receipts: JudgedReceipt[] = [];
  const actions = new Map<string, { readonly report: ReceiptReport; readonly digest: string }[]>();
  for (const [i, item] of items.entries()) {
    const { receiptId } = item;
    const report = await verifier.verify(item.text, { ...since, ...(receiptId ? { receiptId } : {}) });
    receipts.push({ place: items.length > 1 ? `${place} #${i + 1}` : place, report });
    const actionId = report.body?.action?.id;
    if (receiptId === undefined || typeof actionId !== "string") continue; // only a bundle says that it is all
    const link = { report, digest: receiptDigest(parseEvidence(item.text).sdJwt.jws, crypto.sha256) };
    actions.set(actionId, [...(actions.get(actionId) ?? []), link]);
  }
  const chains = [...actions].flatMap(([actionId, links]) => {
    const [first] = links;
    return first ? [{ place, actionId, check: verifyChain(first, links) }] : [];
  });
  return { receipts, chains };
}
