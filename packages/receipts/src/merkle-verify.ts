/** Proof verification, step by step as in RFC 9162 §2.1.3.2 and §2.1.4.2. Hostile input; never throws. */
import { equalBytes } from "./bytes.ts";
import type { Sha256 } from "./crypto.ts";
import { type Hash, nodeHash } from "./merkle.ts";

const isHash = (hash: Hash): boolean => hash.length === 32;
const isSize = (n: number): boolean => Number.isSafeInteger(n) && n >= 0;
const half = (n: number): number => Math.floor(n / 2);
const odd = (n: number): boolean => n % 2 === 1;

/** True when `leaf` is leaf number `index` of the tree with this size and root. */
export function verifyInclusion(
  claim: {
    readonly leaf: Hash;
    readonly index: number;
    readonly size: number;
    readonly proof: readonly Hash[];
    readonly root: Hash;
  },
  sha256: Sha256,
): boolean {
  const { leaf, index, size, proof, root } = claim;
  if (!isSize(index) || !isSize(size) || index >= size) return false;
  if (![leaf, root, ...proof].every(isHash)) return false;
  let fn = index;
  let sn = size - 1;
  let hash = leaf;
  for (const sibling of proof) {
    if (sn === 0) return false;
    if (odd(fn) || fn === sn) {
      hash = nodeHash(sibling, hash, sha256);
      while (!odd(fn) && fn !== 0) {
        fn = half(fn);
        sn = half(sn);
      }
    } else {
      hash = nodeHash(hash, sibling, sha256);
    }
    fn = half(fn);
    sn = half(sn);
  }
  return sn === 0 && equalBytes(hash, root);
}

/** True when the tree (`from`, `oldRoot`) is a prefix of the tree (`to`, `newRoot`). */
export function verifyConsistency(
  claim: {
    readonly from: number;
    readonly to: number;
    readonly oldRoot: Hash;
    readonly newRoot: Hash;
    readonly proof: readonly Hash[];
  },
  sha256: Sha256,
): boolean {
  const { from, to, oldRoot, newRoot, proof } = claim;
  if (!isSize(from) || !isSize(to) || from > to) return false;
  if (![oldRoot, newRoot, ...proof].every(isHash)) return false;
  if (from === to) return proof.length === 0 && equalBytes(oldRoot, newRoot);
  if (from === 0) return proof.length === 0 && equalBytes(oldRoot, sha256(new Uint8Array(0)));
  if (proof.length === 0) return false;
  return climb(from, to, Number.isInteger(Math.log2(from)) ? [oldRoot, ...proof] : proof, claim, sha256);
}

function climb(
  from: number,
  to: number,
  path: readonly Hash[],
  roots: { readonly oldRoot: Hash; readonly newRoot: Hash },
  sha256: Sha256,
): boolean {
  let fn = from - 1;
  let sn = to - 1;
  while (odd(fn)) {
    fn = half(fn);
    sn = half(sn);
  }
  const [first, ...rest] = path;
  if (!first) return false;
  let old = first;
  let now = first;
  for (const hash of rest) {
    if (sn === 0) return false;
    if (odd(fn) || fn === sn) {
      old = nodeHash(hash, old, sha256);
      now = nodeHash(hash, now, sha256);
      while (!odd(fn) && fn !== 0) {
        fn = half(fn);
        sn = half(sn);
      }
    } else {
      now = nodeHash(now, hash, sha256);
    }
    fn = half(fn);
    sn = half(sn);
  }
  return sn === 0 && equalBytes(old, roots.oldRoot) && equalBytes(now, roots.newRoot);
}
