/**
 * Merkle trees of RFC 9162 §2.1 (the tree of RFC 6962) with SHA-256. Sizes and indexes are integers up
 * to 2^53-1. Proofs are made from subtree hashes that a reader supplies, so the same code works over a
 * list of leaves and over stored tiles.
 */
import { concatBytes, utf8 } from "./bytes.ts";
import type { Sha256 } from "./crypto.ts";

export type Hash = Uint8Array;

/** The complete subtree over leaves [index * 2^level, (index + 1) * 2^level). */
export interface NodeId {
  readonly level: number;
  readonly index: number;
}

/** Hash of a complete subtree. */
export type NodeReader = (node: NodeId) => Hash;

const leafPrefix = Uint8Array.of(0);
const nodePrefix = Uint8Array.of(1);
const entryPrefix = Uint8Array.of(1);

export const leafHash = (entry: Uint8Array, sha256: Sha256): Hash => sha256(concatBytes(leafPrefix, entry));

export function nodeHash(left: Hash, right: Hash, sha256: Sha256): Hash {
  const bytes = new Uint8Array(65);
  bytes.set(nodePrefix);
  bytes.set(left, 1);
  bytes.set(right, 33);
  return sha256(bytes);
}

/** What the log holds of a receipt: 0x01 and the SHA-256 of the compact JWS, 33 bytes. */
export const receiptEntry = (jws: string, sha256: Sha256): Uint8Array =>
  concatBytes(entryPrefix, sha256(utf8(jws)));

export const receiptLeaf = (jws: string, sha256: Sha256): Hash => leafHash(receiptEntry(jws, sha256), sha256);

/** A range of leaves whose tree hash is one element of a proof: [from, to). */
type Range = readonly [from: number, to: number];

/** The largest power of two below n, for n >= 2. */
function splitOf(n: number): number {
  let k = 1;
  while (k * 2 < n) k *= 2;
  return k;
}

/** Complete subtrees that make up a range of a tree, left to right. */
function nodesOf([from, to]: Range): NodeId[] {
  const nodes: NodeId[] = [];
  for (let at = from; at < to; ) {
    let level = 0;
    let width = 1;
    while (width * 2 <= to - at) {
      width *= 2;
      level += 1;
    }
    nodes.push({ level, index: at / width });
    at += width;
  }
  return nodes;
}

function inclusionRanges(index: number, from: number, to: number): Range[] {
  if (to - from === 1) return [];
  const middle = from + splitOf(to - from);
  return index < middle
    ? [...inclusionRanges(index, from, middle), [middle, to]]
    : [...inclusionRanges(index, middle, to), [from, middle]];
}

function consistencyRanges(old: number, from: number, to: number, whole: boolean): Range[] {
  if (old === to) return whole ? [] : [[from, to]];
  const middle = from + splitOf(to - from);
  return old <= middle
    ? [...consistencyRanges(old, from, middle, whole), [middle, to]]
    : [...consistencyRanges(old, middle, to, false), [from, middle]];
}

function hashOf(range: Range, read: NodeReader, sha256: Sha256): Hash {
  const hashes = nodesOf(range).map(read);
  return hashes.reduceRight((right, left) => nodeHash(left, right, sha256));
}

function requireSize(size: number): void {
  if (!Number.isSafeInteger(size) || size < 0) throw new RangeError(`${size} is not a tree size`);
}

function rangesOfInclusion(index: number, size: number): Range[] {
  requireSize(size);
  if (!Number.isSafeInteger(index) || index < 0 || index >= size)
    throw new RangeError(`leaf ${index} is not in a tree of ${size}`);
  return inclusionRanges(index, 0, size);
}

function rangesOfConsistency(from: number, to: number): Range[] {
  requireSize(to);
  if (!Number.isSafeInteger(from) || from < 0 || from > to)
    throw new RangeError(`a tree of ${from} does not come before one of ${to}`);
  return from === 0 || from === to ? [] : consistencyRanges(from, 0, to, true);
}

/** Subtrees that a root needs; load them before calling `rootHash` over storage. */
export const rootNodes = (size: number): NodeId[] => nodesOf([0, size]);
export const inclusionNodes = (index: number, size: number): NodeId[] =>
  rangesOfInclusion(index, size).flatMap(nodesOf);
export const consistencyNodes = (from: number, to: number): NodeId[] =>
  rangesOfConsistency(from, to).flatMap(nodesOf);

/** Root of the tree over the first `size` leaves; the empty tree has SHA-256 of nothing. */
export function rootHash(size: number, read: NodeReader, sha256: Sha256): Hash {
  requireSize(size);
  return size === 0 ? sha256(new Uint8Array(0)) : hashOf([0, size], read, sha256);
}

/** Hashes from the leaf's sibling up to the root's child. Throws RangeError for a leaf outside the tree. */
export const inclusionProof = (index: number, size: number, read: NodeReader, sha256: Sha256): Hash[] =>
  rangesOfInclusion(index, size).map((range) => hashOf(range, read, sha256));

/** Proof that the tree of `from` leaves is a prefix of the tree of `to`; empty when `from` is 0 or `to`. */
export const consistencyProof = (from: number, to: number, read: NodeReader, sha256: Sha256): Hash[] =>
  rangesOfConsistency(from, to).map((range) => hashOf(range, read, sha256));

/** A reader over leaf hashes in memory. Quadratic work is avoided by keeping what it computed. */
export function leavesReader(leaves: readonly Hash[], sha256: Sha256): NodeReader {
  const kept = new Map<string, Hash>();
  const read: NodeReader = ({ level, index }) => {
    const leaf = leaves[index];
    if (level === 0) {
      if (!leaf) throw new RangeError(`there is no leaf ${index}`);
      return leaf;
    }
    const key = `${level}/${index}`;
    const found = kept.get(key);
    if (found) return found;
    const child = level - 1;
    const made = nodeHash(
      read({ level: child, index: index * 2 }),
      read({ level: child, index: index * 2 + 1 }),
      sha256,
    );
    kept.set(key, made);
    return made;
  };
  return read;
}
