import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { equalBytes } from "./bytes.ts";
import { leafHash, leavesReader, rootHash } from "./merkle.ts";
import { rangeNodes, rangeRoot } from "./range-proof.ts";
import { sha256 } from "./sha256.ts";

const leaves = Array.from({ length: 70 }, (_, i) => leafHash(Uint8Array.of(i), sha256));
const span = fc
  .tuple(fc.nat(69), fc.nat(69), fc.nat(69))
  .map((all) => all.sort((a, b) => a - b))
  .map(([first = 0, end = 0, last = 0]) => ({ first, end, size: last + 1 }));

const proofOf = (s: { first: number; end: number; size: number }) =>
  rangeNodes(s).map(leavesReader(leaves.slice(0, s.size), sha256));

describe("a range proof", () => {
  it("leads from exactly the leaves of the range to the root, for every range of every tree", () => {
    fc.assert(
      fc.property(span, (s) => {
        const own = leaves.slice(s.first, s.end);
        const root = rootHash(s.size, leavesReader(leaves.slice(0, s.size), sha256), sha256);
        expect(rangeRoot(s, own, proofOf(s), sha256)).toEqual(root);
      }),
    );
  });

  it("does not when a leaf is left out, added, changed or moved, or when the proof is longer or shorter", () => {
    fc.assert(
      fc.property(span, fc.nat(), (s, n) => {
        fc.pre(s.end - s.first >= 2);
        const root = rootHash(s.size, leavesReader(leaves.slice(0, s.size), sha256), sha256);
        const own = leaves.slice(s.first, s.end);
        const proof = proofOf(s);
        const at = n % own.length;
        const other = own.map((leaf, i) => (i === at ? leafHash(Uint8Array.of(200), sha256) : leaf));
        const moved = [...own.slice(1), own[0] ?? new Uint8Array(32)];
        const isRoot = (hash: Uint8Array | undefined): boolean =>
          hash !== undefined && equalBytes(hash, root);
        for (const [range, list, hashes] of [
          [s, own.toSpliced(at, 1), proof],
          [{ ...s, end: s.end - 1 }, own.toSpliced(at, 1), proof],
          [{ ...s, first: s.first + 1 }, own.slice(1), proof],
          [s, other, proof],
          [s, moved, proof],
          [s, own, [...proof, root]],
          ...(proof.length > 0 ? [[s, own, proof.slice(1)] as const] : []),
        ] as const)
          expect(isRoot(rangeRoot(range, list, hashes, sha256))).toBe(false);
      }),
    );
  });

  it("of numbers that make no sense gives no root", () => {
    for (const s of [
      { first: -1, end: 1, size: 2 },
      { first: 2, end: 1, size: 2 },
      { first: 0, end: 3, size: 2 },
      { first: 0.5, end: 1, size: 2 },
      { first: 0, end: 0, size: 0 },
      { first: 0, end: 2, size: 2 ** 60 },
    ])
      expect(rangeRoot(s, leaves.slice(0, 2), [], sha256), JSON.stringify(s)).toBeUndefined();
  });
});
