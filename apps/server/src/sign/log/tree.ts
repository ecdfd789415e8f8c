/** The stored tree: loads the tiles that some subtrees need and makes roots and proofs from them. */
import {
  consistencyNodes,
  consistencyProof,
  type Hash,
  inclusionNodes,
  inclusionProof,
  type NodeId,
  type NodeReader,
  type TileId,
  tileKey,
  tileReader,
  tilesOf,
} from "@oars/receipts";
import type { Db } from "#platform/db";
import { sha256 } from "#platform/kernel";
import { listTiles } from "./store.ts";

export type LoadedTiles = ReadonlyMap<string, Uint8Array>;

export async function loadTiles(db: Db, tenantId: string, tiles: readonly TileId[]): Promise<LoadedTiles> {
  if (tiles.length === 0) return new Map();
  const rows = await listTiles(db, tenantId, tiles);
  return new Map(rows.map((row) => [tileKey(row), row.hashes]));
}

export const readerOf = (tiles: LoadedTiles): NodeReader =>
  tileReader((tile) => tiles.get(tileKey(tile)), sha256);

/** Proofs of several leaves against one tree size, with one read of the tiles. */
export async function proveLeaves(
  db: Db,
  tenantId: string,
  size: number,
  indexes: readonly number[],
): Promise<Hash[][]> {
  const nodes = indexes.flatMap((index): NodeId[] => inclusionNodes(index, size));
  const read = readerOf(await loadTiles(db, tenantId, tilesOf(nodes)));
  return indexes.map((index) => inclusionProof(index, size, read, sha256));
}

/** Proof that the tree of `from` leaves is a prefix of the tree of `to`. */
export async function proveConsistency(db: Db, tenantId: string, from: number, to: number): Promise<Hash[]> {
  const tiles = await loadTiles(db, tenantId, tilesOf(consistencyNodes(from, to)));
  return consistencyProof(from, to, readerOf(tiles), sha256);
}
