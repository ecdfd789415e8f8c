/**
 * Checks a stored tree against the head that was signed for it, before anything is added to it. A tree that
 * fails is never signed again: someone restored an old database or changed rows, and a person must look.
 */
import {
  equalBytes,
  FormatError,
  leavesReader,
  parseCheckpoint,
  rootHash,
  rootNodes,
  tileKey,
  tilesOf,
  tileWidth,
} from "@oars/receipts";
import type { Db } from "#platform/db";
import { sha256 } from "#platform/kernel";
import { type Head, listLeafHashes } from "./store.ts";
import { type LoadedTiles, loadTiles, readerOf } from "./tree.ts";

/** Leaves that are compared with their tiles, counted from the newest; takes about 50 ms. */
const leavesCompared = 64 * tileWidth;

/** What is wrong with the tree, as a sentence; undefined when it agrees with its head. */
export async function findDamage(db: Db, tenantId: string, head: Head): Promise<string | undefined> {
  const { size, root } = parseCheckpoint(head.note);
  if (size !== head.size || !equalBytes(root, head.root))
    return `the row of checkpoint ${head.size} does not match its signed note`;
  return (await findRootDamage(db, tenantId, head)) ?? (await findLeafDamage(db, tenantId, head.size));
}

async function findRootDamage(db: Db, tenantId: string, head: Head): Promise<string | undefined> {
  const tiles = await loadTiles(db, tenantId, tilesOf(rootNodes(head.size)));
  return rootProblem(head, tiles);
}

/** Compares the root of the right edge with the head: cheap enough for every batch. */
export function rootProblem(head: Head, tiles: LoadedTiles): string | undefined {
  try {
    const root = rootHash(head.size, readerOf(tiles), sha256);
    return equalBytes(root, head.root)
      ? undefined
      : `the tiles give another root than checkpoint ${head.size}`;
  } catch (error) {
    if (error instanceof FormatError) return error.message;
    throw error;
  }
}

/** The newest leaves must be gapless and equal to the tiles; full tiles must be hashed into the level above. */
async function findLeafDamage(db: Db, tenantId: string, size: number): Promise<string | undefined> {
  const first = Math.max(0, Math.floor((size - leavesCompared) / tileWidth) * tileWidth);
  const count = Math.ceil((size - first) / tileWidth);
  const ids = Array.from({ length: count }, (_, i) => ({ level: 0, index: first / tileWidth + i }));
  const above = tilesOf(ids.map(({ index }) => ({ level: 8, index })));
  const tiles = await loadTiles(db, tenantId, [...ids, ...above]);
  const leaves = await listLeafHashes(db, tenantId, first, size + 1);
  if (leaves.length !== size - first)
    return `the log has ${leaves.length + first} leaves, its head says ${size}`;
  for (const id of ids) {
    const from = id.index * tileWidth - first;
    const own = leaves.slice(from, from + tileWidth).map(({ leafHash }) => leafHash);
    const wanted = Buffer.concat(own);
    const stored = tiles.get(tileKey(id));
    if (!stored || !equalBytes(wanted, stored))
      return `tile ${tileKey(id)} does not hold the leaves of the log`;
    if (own.length === tileWidth && !isHashedAbove(id.index, own, tiles))
      return `tile ${tileKey(id)} is not what the level above was made from`;
  }
  return undefined;
}

function isHashedAbove(index: number, leaves: readonly Uint8Array[], tiles: LoadedTiles): boolean {
  const above = tiles.get(tileKey({ level: 1, index: Math.floor(index / tileWidth) }));
  const at = (index % tileWidth) * 32;
  const whole = rootHash(tileWidth, leavesReader(leaves, sha256), sha256);
  return above !== undefined && equalBytes(above.subarray(at, at + 32), whole);
}
