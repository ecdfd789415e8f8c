/**
 * Makes each tenant's log again from its receipts and compares: leaves with receipts, tiles with leaves, heads with
 * the tree and with their signatures, receipts with leaves. Names the first difference. Reads alone, page by page in
 * constant memory, and may run while the log grows: it stops at the head that it found first.
 */
import {
  equalBytes,
  FormatError,
  type Hash,
  lateCheckpoint,
  parseCheckpoint,
  readTrust,
  receiptLeaf,
  type TrustedTenant,
  tileKey,
  verifyNote,
} from "@oars/receipts";
import { createNodeCrypto } from "@oars/receipts/node";
import { type Database, listMonths, type Month } from "#platform/db";
import { sha256 } from "#platform/kernel";
import { installationId, readTrustDocument } from "#sign/receipts";
import {
  findLost,
  type LeafWithReceipt,
  listCheckpoints,
  listLeavesWithReceipts,
  listLogs,
  type StoredCheckpoint,
} from "./fsck-store.ts";
import { findHead } from "./store.ts";
import { loadTiles } from "./tree.ts";
import { createWalk, type MadeTile, type Walk } from "./walk.ts";

export interface Difference {
  readonly message: string;
  readonly leafIndex?: number;
  readonly receiptId?: string;
}

export interface LogFindings {
  readonly tenantId: string;
  /** Leaves of the head at the start; all up to there, or to the difference, were made again. */
  readonly treeSize: number;
  readonly checkpoints: number;
  /** Leaves whose receipts retention has dropped: their hashes are compared with tiles and heads alone. */
  readonly retired: number;
  readonly difference: Difference | null;
}

export interface FsckDeps {
  readonly db: Database;
  /** Tells that a log is done. */
  readonly onLog?: (findings: LogFindings) => void;
}

const pageLeaves = 1024;
const pageHeads = 256;
const crypto = createNodeCrypto();

/** All logs of the installation, in order of their tenants. */
export async function checkLogs({ db, onLog }: FsckDeps): Promise<LogFindings[]> {
  const months = await listMonths(db, "receipt");
  const findings: LogFindings[] = [];
  for (const tenantId of await listLogs(db)) {
    const found = await checkLog(db, tenantId, months);
    findings.push(found);
    onLog?.(found);
  }
  return findings;
}

class Differs extends Error {
  readonly difference: Difference;
  constructor(difference: Difference) {
    super(difference.message);
    this.difference = difference;
  }
}
const differs = (message: string, place: Omit<Difference, "message"> = {}): never => {
  throw new Differs({ message, ...place });
};

async function checkLog(db: Database, tenantId: string, months: readonly Month[]): Promise<LogFindings> {
  const counts = { treeSize: 0, checkpoints: 0, retired: 0 };
  try {
    await walkLog(db, tenantId, months, counts);
    return { tenantId, ...counts, difference: null };
  } catch (error) {
    if (!(error instanceof Differs)) throw error;
    return { tenantId, ...counts, difference: error.difference };
  }
}

type Counts = { treeSize: number; checkpoints: number; retired: number };

async function walkLog(
  db: Database,
  tenantId: string,
  months: readonly Month[],
  counts: Counts,
): Promise<void> {
  const head = await db.read(tenantId, (tx) => findHead(tx, tenantId));
  counts.treeSize = head?.size ?? 0;
  const trust = readTrust(await readTrustDocument(db, tenantId), sha256);
  const heads = headsOf(db, tenantId, counts.treeSize);
  let next = await heads.next();
  const walk = createWalk();
  while (walk.size() < counts.treeSize) {
    const from = walk.size();
    const page = await db.read(tenantId, (tx) => listLeavesWithReceipts(tx, tenantId, from, pageLeaves));
    if (page.length === 0)
      differs(`leaf ${from} is missing; the head says ${counts.treeSize}`, { leafIndex: from });
    const filled: MadeTile[] = [];
    for (const leaf of page.slice(0, counts.treeSize - from)) {
      if (checkLeaf(leaf, walk.size(), tenantId, months)) counts.retired += 1;
      filled.push(...walk.add(leaf.leafHash));
      while (!next.done && next.value.size === walk.size()) {
        await checkHead(next.value, walk, trust);
        counts.checkpoints += 1;
        next = await heads.next();
      }
    }
    await checkTiles(db, tenantId, filled);
  }
  if (!next.done) differs(`checkpoint ${next.value.size} lies beyond the newest head or between leaves`);
  await checkTiles(db, tenantId, walk.edge());
  if (tenantId === installationId) return;
  for (const month of months) {
    const lost = await db.read(tenantId, (tx) => findLost(tx, tenantId, month));
    if (lost) differs("a receipt is neither in the log nor waiting for it", { receiptId: lost });
  }
}

async function* headsOf(
  db: Database,
  tenantId: string,
  upTo: number,
): AsyncGenerator<StoredCheckpoint, undefined> {
  for (let after = 0; ; ) {
    const page = await db.read(tenantId, (tx) => listCheckpoints(tx, tenantId, after, pageHeads));
    for (const head of page) {
      if (head.size > upTo) return undefined;
      yield head;
      after = head.size;
    }
    if (page.length < pageHeads) return undefined;
  }
}

/** Whether the receipt of the leaf is past its retention. */
function checkLeaf(
  leaf: LeafWithReceipt,
  index: number,
  tenantId: string,
  months: readonly Month[],
): boolean {
  const place = { leafIndex: index, receiptId: leaf.receiptId };
  if (leaf.index !== index)
    differs(`leaf ${index} is missing; the next one is ${leaf.index}`, { leafIndex: index });
  if (tenantId === installationId) return false; // its leaves are heads of logs, compared by the room that wrote them
  if (leaf.jws === null) {
    const kept = months.some(({ firstId, endId }) => leaf.receiptId >= firstId && leaf.receiptId < endId);
    if (kept) differs("the receipt of the leaf is missing, and its month was not dropped", place);
    return true;
  }
  if (!equalBytes(receiptLeaf(leaf.jws, sha256), leaf.leafHash))
    differs("the receipt is another one than was logged", place);
  return false;
}

async function checkHead(head: StoredCheckpoint, walk: Walk, trust: TrustedTenant): Promise<void> {
  const at = { leafIndex: head.size - 1 };
  const same = (root: Hash): boolean => equalBytes(root, walk.root());
  if (!same(head.root)) differs(`checkpoint ${head.size} is not of the tree that the leaves make`, at);
  try {
    const { note, size, root, origin } = parseCheckpoint(head.note);
    if (size !== head.size || !same(root) || origin !== trust.origin)
      differs(`the note of checkpoint ${head.size} says something else than its row`, at);
    const verdict = await verifyNote(note, trust.logKeys, crypto);
    const signed = verdict.status === "signed" ? verdict.by : [];
    const counts = trust.logKeys.some(
      (key) => signed.some(({ id }) => id === key.id) && lateCheckpoint(key, size) === undefined,
    );
    if (!counts) differs(`checkpoint ${head.size} is not signed by a key that the log had then`, at);
  } catch (error) {
    if (error instanceof FormatError) differs(`checkpoint ${head.size} cannot be read: ${error.message}`, at);
    throw error;
  }
}

/** Stored tiles may be wider than the tree that was read: it grew meanwhile. */
async function checkTiles(db: Database, tenantId: string, tiles: readonly MadeTile[]): Promise<void> {
  for (let i = 0; i < tiles.length; i += 64) {
    const some = tiles.slice(i, i + 64);
    const stored = await db.read(tenantId, (tx) => loadTiles(tx, tenantId, some));
    for (const tile of some) {
      const found = stored.get(tileKey(tile));
      if (!found || !equalBytes(found.subarray(0, tile.hashes.length), tile.hashes))
        differs(`tile ${tileKey(tile)} does not hold what the leaves make`, { leafIndex: firstLeafOf(tile) });
    }
  }
}

const firstLeafOf = ({ level, index }: MadeTile): number => index * 256 ** (level + 1);
