import {
  bundleFormat,
  formatSdJwt,
  formatTlogProof,
  type Hash,
  type ReceiptBundle,
  type TileId,
  tileKey,
  tileWidthAt,
} from "@oars/receipts";
import type { Database, Db } from "#platform/db";
import { type Clock, formatId, OarsError } from "#platform/kernel";
import type { Logger } from "#platform/telemetry";
import type { Vault } from "#platform/vault";
import {
  createSigners,
  findReceipt,
  findReceipts,
  listRunReceipts,
  openDisclosures,
  type StoredReceipt,
} from "#sign/receipts";
import { createSequencerLoop } from "./loop.ts";
import { createSequencer } from "./sequencer.ts";
import { findHead, type Head, listIndexes } from "./store.ts";
import { loadTiles, proveConsistency, proveLeaves } from "./tree.ts";

export interface InclusionProof {
  readonly index: number;
  readonly size: number;
  readonly hashes: readonly Hash[];
}

/** Whether exported receipts show their sensitive members; they do not unless asked. */
export interface Show {
  readonly disclose?: boolean;
}

export interface Log {
  /** Starts sequencing in this process. */
  start(): void;
  /** Sequences what is waiting and stops. */
  stop(): Promise<void>;
  /** Tells that a tenant has new receipts; they are in the log within 200 ms. */
  wake(tenantId: string): void;
  /** Returns when nothing of the tenant waits any more; gives up after 2 s with RECEIPT_NOT_LOGGED. */
  sequenceNow(tenantId: string): Promise<void>;
  /** The newest signed checkpoint. Throws RECEIPT_NOT_LOGGED while the log is empty. */
  checkpoint(tenantId: string): Promise<string>;
  /** Against the newest checkpoint. Throws RECEIPT_NOT_FOUND, RECEIPT_NOT_LOGGED. */
  proof(tenantId: string, receiptId: string): Promise<InclusionProof>;
  /** The same with the signed head that the proof leads to. */
  inclusion(
    tenantId: string,
    receiptId: string,
  ): Promise<InclusionProof & { readonly root: Hash; readonly checkpoint: string }>;
  /** Receipts with proofs against one checkpoint, in the order of `receiptIds`; unknown ids are left out. Waits like `exportRun`. */
  exportSome(tenantId: string, receiptIds: readonly string[], show?: Show): Promise<ReceiptBundle["items"]>;
  /** `c2sp.org/tlog-proof@v1` text with the receipt inside. Throws like `proof`. */
  tlogProof(tenantId: string, receiptId: string, show?: Show): Promise<string>;
  /** All receipts of a run with proofs against one checkpoint. Waits up to 2 s for the log. */
  exportRun(tenantId: string, runId: string, show?: Show): Promise<ReceiptBundle>;
  /** Proof that the log of `to` leaves (newest when left out) extends the log of `from`. */
  consistency(
    tenantId: string,
    from: number,
    to?: number,
  ): Promise<{ from: number; to: number; hashes: Hash[] }>;
  /** A C2SP tile of `width` hashes, or undefined when the newest checkpoint does not reach that far. */
  tile(tenantId: string, tile: TileId & { readonly width: number }): Promise<Uint8Array | undefined>;
}

export interface LogDeps {
  readonly db: Database;
  readonly vault: Pick<Vault, "sealer" | "open">;
  /** Public URL of this server. */
  readonly origin: string;
  /** First part of log origins; the host of `origin` when absent. */
  readonly logOrigin?: string;
  readonly clock: Clock;
  readonly log: Logger;
}

const waitMs = 2000;
const notLogged = (): OarsError => new OarsError("RECEIPT_NOT_LOGGED", { seconds: 1 });

export function createLog(deps: LogDeps): Log {
  const { db, vault } = deps;
  const sequencer = createSequencer({ db, signers: createSigners(deps) });
  const loop = createSequencerLoop(sequencer, deps.log);

  const sequenceNow = async (tenantId: string): Promise<void> => {
    const deadline = performance.now() + waitMs;
    while (performance.now() < deadline) {
      const result = await sequencer.sequence(tenantId);
      if (result.state === "empty") return;
      if (result.state === "refused") throw new Error(`the log cannot be signed: ${result.reason}`);
      if (result.state === "busy") await new Promise((done) => setTimeout(done, 10));
    }
    throw notLogged();
  };

  const sdJwtOf = async (tenantId: string, receipt: StoredReceipt, show: Show): Promise<string> =>
    formatSdJwt(receipt.jws, show.disclose ? await openDisclosures(vault, tenantId, receipt) : []);

  const itemsOf = async (tenantId: string, proven: readonly Proven[], show: Show) => {
    const items: { receiptId: string; proof: string }[] = [];
    for (const { receipt, head, proof } of proven) {
      const extra = await sdJwtOf(tenantId, receipt, show);
      const text = formatTlogProof({ ...proof, checkpoint: head.note, extra });
      items.push({ receiptId: formatId("receipt", receipt.id), proof: text });
      if (items.length % 256 === 0) await new Promise(setImmediate); // 60 us a receipt: others get their turn
    }
    return items;
  };

  return {
    start: loop.start,
    stop: loop.stop,
    wake: loop.wake,
    sequenceNow,
    checkpoint: (tenantId) => db.read(tenantId, async (tx) => (await headOf(tx, tenantId)).note),
    proof: (tenantId, receiptId) =>
      db.read(tenantId, async (tx) => (await proveOne(tx, tenantId, receiptId)).proof),
    inclusion: (tenantId, receiptId) =>
      db.read(tenantId, async (tx) => {
        const { proof, head } = await proveOne(tx, tenantId, receiptId);
        return { ...proof, root: head.root, checkpoint: head.note };
      }),
    tlogProof: async (tenantId, receiptId, show = {}) => {
      const { receipt, head, proof } = await db.read(tenantId, (tx) => proveOne(tx, tenantId, receiptId));
      const extra = await sdJwtOf(tenantId, receipt, show);
      return formatTlogProof({ ...proof, checkpoint: head.note, extra });
    },
    exportSome: async (tenantId, receiptIds, show = {}) => {
      await sequenceNow(tenantId);
      return itemsOf(
        tenantId,
        await db.read(tenantId, async (tx) =>
          proveAll(tx, tenantId, await findReceipts(tx, tenantId, receiptIds)),
        ),
        show,
      );
    },
    exportRun: async (tenantId, runId, show = {}) => {
      await sequenceNow(tenantId);
      const proven = await db.read(tenantId, (tx) => proveRun(tx, tenantId, runId));
      return {
        format: bundleFormat,
        tenantId: formatId("tenant", tenantId),
        run: formatId("run", runId),
        exportedAt: deps.clock.now().toISOString(),
        items: await itemsOf(tenantId, proven, show),
      };
    },
    consistency: (tenantId, from, to) =>
      db.read(tenantId, async (tx) => {
        const size = to ?? (await headOf(tx, tenantId)).size;
        return { from, to: size, hashes: await proveConsistency(tx, tenantId, from, size) };
      }),
    tile: (tenantId, tile) =>
      db.read(tenantId, async (tx) => {
        const { size } = await headOf(tx, tenantId);
        if (tile.width < 1 || tile.width > tileWidthAt(tile, size)) return undefined;
        const hashes = (await loadTiles(tx, tenantId, [tile])).get(tileKey(tile));
        return hashes?.subarray(0, tile.width * 32);
      }),
  };
}

async function headOf(db: Db, tenantId: string): Promise<Head> {
  const head = await findHead(db, tenantId);
  if (!head) throw notLogged();
  return head;
}

interface Proven {
  readonly receipt: StoredReceipt;
  readonly head: Head;
  readonly proof: InclusionProof;
}

async function proveOne(db: Db, tenantId: string, receiptId: string): Promise<Proven> {
  const [receipt] = await findReceipt(db, tenantId, receiptId);
  if (!receipt) throw new OarsError("RECEIPT_NOT_FOUND");
  const [proven] = await proveAll(db, tenantId, [receipt]);
  if (!proven) throw notLogged();
  return proven;
}

const proveRun = async (db: Db, tenantId: string, runId: string): Promise<Proven[]> =>
  proveAll(db, tenantId, await listRunReceipts(db, tenantId, runId));

/** The head is read before the places, so a leaf sequenced in between lies outside it: RECEIPT_NOT_LOGGED. */
async function proveAll(db: Db, tenantId: string, receipts: readonly StoredReceipt[]): Promise<Proven[]> {
  if (receipts.length === 0) return [];
  const head = await headOf(db, tenantId);
  const rows = await listIndexes(
    db,
    tenantId,
    receipts.map(({ id }) => id),
  );
  const places = new Map(rows.map(({ receiptId, index }) => [receiptId, index]));
  const indexes = receipts.map(({ id }) => places.get(id) ?? head.size);
  if (indexes.some((index) => index >= head.size)) throw notLogged();
  const proofs = await proveLeaves(db, tenantId, head.size, indexes);
  return receipts.map((receipt, i) => ({
    receipt,
    head,
    proof: { index: indexes[i] ?? 0, size: head.size, hashes: proofs[i] ?? [] }, // one index and proof per receipt
  }));
}
