/** Growing a stored tree, for logs of tenants and the log of logs alike. */
import { appendLeaves, edgeTiles, rootHash, tileKey } from "@oars/receipts";
import { signCheckpointWith } from "@oars/receipts/node";
import { applyWrites, sql, type Tx, type WriteSet } from "#platform/db";
import { sha256 } from "#platform/kernel";
import type { TenantSigners } from "#sign/receipts";
import { rootProblem } from "./self-check.ts";
import { type Head, insertCheckpoint, insertLeaf, putTile } from "./store.ts";
import { loadTiles, readerOf } from "./tree.ts";

export interface NewLeaf {
  /** Of the receipt, or of the entry in the log of logs. */
  readonly id: string;
  readonly leafHash: Uint8Array;
}

/** One process at a time may grow a log; false: another one is at it. Held until the transaction ends. */
export async function lockLog(tx: Tx, tenantId: string): Promise<boolean> {
  const [lock] = await tx.query<{ held: boolean }>(sql`/* log.lock */
    select pg_try_advisory_xact_lock(hashtextextended(${`oars/log/${tenantId}`}, 0)) as held`);
  return lock?.held === true;
}

/**
 * Appends, signs and stores, together with what `set` holds already; or says why the tree must not be signed. Costs
 * what the new leaves cost: of the old tree it reads one unfinished tile of each level.
 */
export async function growLog(
  tx: Tx,
  signers: TenantSigners,
  head: Head | undefined,
  leaves: readonly NewLeaf[],
  set: WriteSet,
): Promise<{ size: number } | string> {
  const { tenantId } = signers;
  const before = head?.size ?? 0;
  const tiles = new Map(await loadTiles(tx, tenantId, edgeTiles(before)));
  const problem = head ? rootProblem(head, tiles) : undefined;
  if (problem) return problem;

  const hashes = leaves.map(({ leafHash }) => leafHash);
  for (const tile of appendLeaves(before, hashes, (id) => tiles.get(tileKey(id)), sha256)) {
    tiles.set(tileKey(tile), tile.hashes);
    set.add(putTile, { tenant_id: tenantId, level: tile.level, tile_index: tile.index, hashes: tile.hashes });
  }
  leaves.forEach(({ id, leafHash }, i) => {
    set.add(insertLeaf, { tenant_id: tenantId, leaf_index: before + i, receipt_id: id, leaf_hash: leafHash });
  });
  const size = before + leaves.length;
  const root = rootHash(size, readerOf(tiles), sha256);
  const note = await signCheckpointWith({ origin: signers.origin, size, root }, signers.log);
  set.add(insertCheckpoint, { tenant_id: tenantId, size, root, note });
  await applyWrites(tx, set);
  return { size };
}
