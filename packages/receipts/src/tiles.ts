/**
 * C2SP tlog-tiles: a tree stored as tiles of up to 256 consecutive hashes. Level 0 holds leaf hashes; a
 * hash of level n + 1 is the root of a full tile of level n. Tiles only grow, so a tile that is wider
 * than an older tree needs still serves that tree.
 */
import type { Sha256 } from "./crypto.ts";
import { FormatError } from "./format-error.ts";
import { type Hash, type NodeId, type NodeReader, nodeHash } from "./merkle.ts";

export const tileWidth = 256;
const tileHeight = 8;
const hashBytes = 32;

export interface TileId {
  readonly level: number;
  readonly index: number;
}

/** The stored hashes of a tile, 32 bytes each; undefined when there is no such tile. */
export type TileReader = (tile: TileId) => Uint8Array | undefined;

export const tileKey = ({ level, index }: TileId): string => `${level}/${index}`;

/** The tile that holds what a subtree's hash is computed from. */
export const tileOf = ({ level, index }: NodeId): TileId => ({
  level: Math.floor(level / tileHeight),
  index: Math.floor((index * 2 ** (level % tileHeight)) / tileWidth),
});

/** The distinct tiles behind some subtrees, in the order of first use. */
export const tilesOf = (nodes: readonly NodeId[]): TileId[] => [
  ...new Map(nodes.map(tileOf).map((tile) => [tileKey(tile), tile])).values(),
];

/** Width of a tile in a tree of `size` leaves, 0 when the tile does not exist yet. */
export function tileWidthAt({ level, index }: TileId, size: number): number {
  const hashes = Math.floor(size / tileWidth ** level);
  return Math.max(0, Math.min(tileWidth, hashes - index * tileWidth));
}

/** The rightmost tile of each level that a tree of `size` leaves leaves unfinished. */
export function edgeTiles(size: number): TileId[] {
  const tiles: TileId[] = [];
  for (let level = 0, hashes = size; hashes > 0; level++, hashes = Math.floor(hashes / tileWidth)) {
    if (hashes % tileWidth > 0) tiles.push({ level, index: Math.floor(hashes / tileWidth) });
  }
  return tiles;
}

/** Path below the log's URL prefix, `tile/<L>/<N>[.p/<W>]` with three digits per part of N. */
export function tilePath({ level, index }: TileId, width: number = tileWidth): string {
  const groups: string[] = [];
  for (let rest = index; groups.length === 0 || rest > 0; rest = Math.floor(rest / 1000))
    groups.unshift(String(rest % 1000).padStart(3, "0"));
  const last = groups.pop() ?? "000";
  const name = [...groups.map((group) => `x${group}`), last].join("/");
  return `tile/${level}/${name}${width < tileWidth ? `.p/${width}` : ""}`;
}

/** Reverses `tilePath`; undefined for anything that it would not write. */
export function parseTilePath(path: string): (TileId & { readonly width: number }) | undefined {
  const found = /^tile\/(0|[1-9]\d?)\/((?:x\d{3}\/)*\d{3})(?:\.p\/([1-9]\d{0,2}))?$/.exec(path);
  if (!found) return undefined;
  const [, level = "", name = "", partial] = found;
  const tile = { level: Number(level), index: Number(name.replaceAll(/[x/]/g, "")) };
  const width = partial === undefined ? tileWidth : Number(partial);
  return tile.level <= 63 && tilePath(tile, width) === path ? { ...tile, width } : undefined;
}

/** A C2SP entry bundle: each entry behind its length in two bytes, big-endian. */
export function entryBundle(entries: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(entries.reduce((sum, { length }) => sum + 2 + length, 0));
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const entry of entries) {
    if (entry.length > 0xffff) throw new RangeError("an entry has at most 65,535 bytes");
    view.setUint16(at, entry.length);
    bytes.set(entry, at + 2);
    at += 2 + entry.length;
  }
  return bytes;
}

/** Reverses `entryBundle`; hostile input. Throws FormatError. */
export function parseEntryBundle(bytes: Uint8Array): Uint8Array[] {
  const entries: Uint8Array[] = [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at < bytes.length; ) {
    const end = at + 2 <= bytes.length ? at + 2 + view.getUint16(at) : Number.POSITIVE_INFINITY;
    if (end > bytes.length) throw new FormatError("the entry bundle ends within an entry");
    entries.push(bytes.subarray(at + 2, end));
    at = end;
  }
  return entries;
}

/**
 * Reads subtree hashes out of tiles and remembers those that it computed, so that proofs of many leaves cost
 * each subtree once. Throws FormatError when a tile is missing or too short.
 */
export function tileReader(read: TileReader, sha256: Sha256): NodeReader {
  const kept = new Map<string, Hash>();
  const hashOf = (node: NodeId): Hash => {
    if (node.level % tileHeight === 0) return stored(node);
    const key = `${node.level}/${node.index}`;
    const known = kept.get(key);
    if (known) return known;
    const child = { level: node.level - 1, index: node.index * 2 };
    const made = nodeHash(hashOf(child), hashOf({ ...child, index: child.index + 1 }), sha256);
    kept.set(key, made);
    return made;
  };
  const stored = (node: NodeId): Hash => {
    const tile = tileOf(node);
    const at = (node.index % tileWidth) * hashBytes;
    const hashes = read(tile);
    if (!hashes || hashes.length < at + hashBytes)
      throw new FormatError(`tile ${tileKey(tile)} does not hold what its tree size needs`);
    return hashes.subarray(at, at + hashBytes);
  };
  return hashOf;
}

function subtree(hashes: Uint8Array, first: number, width: number, sha256: Sha256): Hash {
  if (width === 1) return hashes.subarray(first * hashBytes, (first + 1) * hashBytes);
  const half = width / 2;
  return nodeHash(subtree(hashes, first, half, sha256), subtree(hashes, first + half, half, sha256), sha256);
}

export interface ChangedTile extends TileId {
  readonly hashes: Uint8Array;
}

/**
 * Tiles that change when `leaves` are appended to a tree of `size`. `read` serves the unfinished tiles
 * of that tree (`edgeTiles`). Throws FormatError when an unfinished tile has not the width that `size` says.
 */
export function appendLeaves(
  size: number,
  leaves: readonly Hash[],
  read: TileReader,
  sha256: Sha256,
): ChangedTile[] {
  const changed: ChangedTile[] = [];
  let fresh: readonly Hash[] = leaves;
  for (let level = 0, count = size; fresh.length > 0; level++, count = Math.floor(count / tileWidth)) {
    const grown = growLevel({ level, count, fresh }, read, sha256);
    changed.push(...grown.tiles);
    fresh = grown.full;
  }
  return changed;
}

/** Appends hashes to one level that holds `count`; `full` are the roots of the tiles that this filled. */
function growLevel(
  at: { readonly level: number; readonly count: number; readonly fresh: readonly Hash[] },
  read: TileReader,
  sha256: Sha256,
): { tiles: ChangedTile[]; full: Hash[] } {
  const tiles: ChangedTile[] = [];
  const full: Hash[] = [];
  let used = 0;
  for (let index = Math.floor(at.count / tileWidth); used < at.fresh.length; index++) {
    const kept = index === Math.floor(at.count / tileWidth) ? at.count % tileWidth : 0;
    const before = kept > 0 ? read({ level: at.level, index }) : new Uint8Array(0);
    if (!before || before.length !== kept * hashBytes)
      throw new FormatError(`tile ${at.level}/${index} has not the ${kept} hashes that the tree size says`);
    const added = at.fresh.slice(used, used + tileWidth - kept);
    const hashes = new Uint8Array((kept + added.length) * hashBytes);
    hashes.set(before);
    added.forEach((hash, i) => {
      hashes.set(hash, (kept + i) * hashBytes);
    });
    tiles.push({ level: at.level, index, hashes });
    if (kept + added.length === tileWidth) full.push(subtree(hashes, 0, tileWidth, sha256));
    used += added.length;
  }
  return { tiles, full };
}
