/**
 * A second Merkle checker, written from the text of RFC 9162 sections 2.1.1 to 2.1.4 and nothing else: it shares no
 * line with the verifier that is published, so that a mistake of one is found by the other. Slow and plain.
 */
import { createHash } from "node:crypto";

const H = (...parts: Uint8Array[]): Buffer => {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest();
};
const [zero, one] = [Buffer.of(0), Buffer.of(1)];

/** 2.1.1: the hash of one entry. */
export const leafOf = (entry: Uint8Array): Buffer => H(zero, entry);
const node = (left: Uint8Array, right: Uint8Array): Buffer => H(one, left, right);

/** The entry of a receipt: 0x01 and the SHA-256 of its compact JWS. */
export const entryOf = (jws: string): Buffer => Buffer.concat([one, H(Buffer.from(jws))]);

/** 2.1.2: the root over leaf hashes, kept as a stack of complete subtrees while leaves arrive. */
export function createTree(): { add(leaf: Uint8Array): void; root(): Buffer; size(): number } {
  const stack: Uint8Array[] = [];
  let size = 0;
  return {
    add: (leaf) => {
      let hash: Uint8Array = leaf;
      for (let bits = size; bits % 2 === 1; bits = (bits - 1) / 2) hash = node(stack.pop() ?? zero, hash);
      stack.push(hash);
      size += 1;
    },
    root: () => Buffer.from(stack.length === 0 ? H() : stack.reduceRight((right, left) => node(left, right))),
    size: () => size,
  };
}

export const rootOf = (leaves: readonly Uint8Array[]): Buffer => {
  const tree = createTree();
  for (const leaf of leaves) tree.add(leaf);
  return tree.root();
};

const same = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;
const half = (n: bigint): bigint => n >> 1n;
const odd = (n: bigint): boolean => (n & 1n) === 1n;

/** 2.1.3.2: whether `path` proves that `leaf` stands at `index` in the tree of `size` with `root`. */
export function isIncluded(
  leaf: Uint8Array,
  index: number,
  size: number,
  path: readonly Uint8Array[],
  root: Uint8Array,
): boolean {
  if (index >= size) return false;
  let fn = BigInt(index);
  let sn = BigInt(size - 1);
  let r: Uint8Array = leaf;
  for (const p of path) {
    if (sn === 0n) return false;
    if (odd(fn) || fn === sn) {
      r = node(p, r);
      while (!odd(fn) && fn !== 0n) [fn, sn] = [half(fn), half(sn)];
    } else r = node(r, p);
    [fn, sn] = [half(fn), half(sn)];
  }
  return sn === 0n && same(r, root);
}

/** 2.1.4.2: whether `path` proves that the tree of `second` leaves begins with the tree of `first`. */
export function isConsistent(
  first: number,
  second: number,
  firstRoot: Uint8Array,
  secondRoot: Uint8Array,
  path: readonly Uint8Array[],
): boolean {
  if (first === second) return path.length === 0 && same(firstRoot, secondRoot);
  if (path.length === 0 || first === 0) return first === 0 && path.length === 0;
  const whole = Number.isInteger(Math.log2(first));
  const [start, ...rest] = whole ? [firstRoot, ...path] : path;
  let fn = BigInt(first - 1);
  let sn = BigInt(second - 1);
  while (odd(fn)) [fn, sn] = [half(fn), half(sn)];
  let fr: Uint8Array = start ?? zero;
  let sr = fr;
  for (const c of rest) {
    if (sn === 0n) return false;
    if (odd(fn) || fn === sn) {
      fr = node(c, fr);
      sr = node(c, sr);
      while (!odd(fn) && fn !== 0n) [fn, sn] = [half(fn), half(sn)];
    } else sr = node(sr, c);
    [fn, sn] = [half(fn), half(sn)];
  }
  return same(fr, firstRoot) && same(sr, secondRoot) && sn === 0n;
}

/** Leaf hashes of a log, out of its level-0 tiles alone. */
export const leavesIn = (tile: Uint8Array): Buffer[] =>
  Array.from({ length: tile.length / 32 }, (_, i) => Buffer.from(tile.subarray(i * 32, i * 32 + 32)));
