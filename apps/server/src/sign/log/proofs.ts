/** Proofs over the stored tree, each against the newest signed head. */
import type { Hash } from "@oars/receipts";
import { parseCheckpoint } from "@oars/receipts";
import type { Db } from "#platform/db";
import { OarsError } from "#platform/kernel";
import { findReceipt, listRunReceipts, type StoredReceipt } from "#sign/receipts";
import { findHead, findLeaf, type Head, listIndexes } from "./store.ts";
import { proveConsistency, proveLeaves } from "./tree.ts";

export interface InclusionProof {
  readonly index: number;
  readonly size: number;
  readonly hashes: readonly Hash[];
}

export interface ProvenLeaf extends InclusionProof {
  readonly origin: string;
  readonly leafHash: Hash;
  readonly checkpoint: string;
}

export interface ProvenGrowth {
  readonly origin: string;
  readonly from: number;
  readonly to: number;
  readonly hashes: readonly Hash[];
  /** The newest one, whether or not it is of size `to`. */
  readonly checkpoint: string;
}

export const notLogged = (): OarsError => new OarsError("RECEIPT_NOT_LOGGED", { seconds: 1 });

/** Works for receipts whose bodies retention has dropped. Throws RECEIPT_NOT_FOUND, RECEIPT_NOT_LOGGED. */
export async function proveLeaf(db: Db, tenantId: string, receiptId: string): Promise<ProvenLeaf> {
  const leaf = await findLeaf(db, tenantId, receiptId);
  if (!leaf) {
    const [receipt] = await findReceipt(db, tenantId, receiptId);
    throw receipt ? notLogged() : new OarsError("RECEIPT_NOT_FOUND");
  }
  const head = await headOf(db, tenantId);
  if (leaf.index >= head.size) throw notLogged();
  const [hashes = []] = await proveLeaves(db, tenantId, head.size, [leaf.index]);
  const { origin } = parseCheckpoint(head.note);
  return { ...leaf, origin, size: head.size, hashes, checkpoint: head.note };
}

/** `to` is the newest size when left out. Throws RECEIPT_NOT_LOGGED for an empty log, LOG_SIZE_UNKNOWN. */
export async function proveGrowth(
  db: Db,
  tenantId: string,
  from: number,
  to?: number,
): Promise<ProvenGrowth> {
  const head = await headOf(db, tenantId);
  const size = to ?? head.size;
  if (from > size || size > head.size) throw new OarsError("LOG_SIZE_UNKNOWN", { size: head.size });
  const { origin } = parseCheckpoint(head.note);
  const hashes = await proveConsistency(db, tenantId, from, size);
  return { origin, from, to: size, hashes, checkpoint: head.note };
}

export async function headOf(db: Db, tenantId: string): Promise<Head> {
  const head = await findHead(db, tenantId);
  if (!head) throw notLogged();
  return head;
}

export interface Proven {
  readonly receipt: StoredReceipt;
  readonly head: Head;
  readonly proof: InclusionProof;
}

export async function proveOne(db: Db, tenantId: string, receiptId: string): Promise<Proven> {
  const [receipt] = await findReceipt(db, tenantId, receiptId);
  if (!receipt) throw new OarsError("RECEIPT_NOT_FOUND");
  const [proven] = await proveAll(db, tenantId, [receipt]);
  if (!proven) throw notLogged();
  return proven;
}

export const proveRun = async (db: Db, tenantId: string, runId: string): Promise<Proven[]> =>
  proveAll(db, tenantId, await listRunReceipts(db, tenantId, runId));

/** The head is read before the places, so a leaf sequenced in between lies outside it: RECEIPT_NOT_LOGGED. */
export async function proveAll(
  db: Db,
  tenantId: string,
  receipts: readonly StoredReceipt[],
): Promise<Proven[]> {
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
