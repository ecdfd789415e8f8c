/**
 * Proof that some leaves are exactly the leaves [first, end) of a tree, none left out and none added: all of them, and
 * the hashes of the complete subtrees beside them, from left to right, give the root. Hostile input is told by
 * an undefined root, which is never equal to a signed one.
 */
import type { Sha256 } from "./crypto.ts";
import { type Hash, type NodeId, nodeHash } from "./merkle.ts";

interface Span {
  readonly first: number;
  readonly end: number;
  readonly size: number;
}

type Piece = (from: number, to: number) => Hash | undefined;

const isPower = (n: number): boolean => Number.isInteger(Math.log2(n));

/** The largest power of two below n, for n >= 2. */
const splitOf = (n: number): number => 2 ** Math.floor(Math.log2(n - 1));

/** Complete subtrees beside a range, left to right: the proof holds one hash for each. */
export function rangeNodes({ first, end, size }: Span): NodeId[] {
  const nodes: NodeId[] = [];
  const walk = (from: number, to: number): void => {
    const width = to - from;
    const outside = to <= first || from >= end;
    if (width === 0 || (from >= first && to <= end)) return;
    if (outside && isPower(width)) nodes.push({ level: Math.log2(width), index: from / width });
    else {
      const middle = from + splitOf(width);
      walk(from, middle);
      walk(middle, to);
    }
  };
  walk(0, size);
  return nodes;
}

/** The root that leaves and proof give; undefined when their numbers do not fit the range. `size` is that of the signed head. */
export function rangeRoot(
  span: Span,
  leaves: readonly Hash[],
  proof: readonly Hash[],
  sha256: Sha256,
): Hash | undefined {
  const { first, end, size } = span;
  const sane =
    [first, end, size].every((n) => Number.isSafeInteger(n) && n >= 0) && first <= end && end <= size;
  if (!sane || size === 0 || leaves.length !== end - first) return undefined;
  if (proof.length > 128 || [...proof, ...leaves].some((hash) => hash.length !== 32)) return undefined;
  let used = 0;
  const join = (from: number, to: number, piece: Piece): Hash | undefined => {
    const middle = from + splitOf(to - from);
    const left = piece(from, middle);
    const right = left && piece(middle, to);
    return left && right && nodeHash(left, right, sha256);
  };
  const hashOf: Piece = (from, to) => {
    const width = to - from;
    if ((to <= first || from >= end) && isPower(width)) return proof[used++];
    return width === 1 ? leaves[from - first] : join(from, to, hashOf);
  };
  const root = hashOf(0, size);
  return used === proof.length ? root : undefined;
}
