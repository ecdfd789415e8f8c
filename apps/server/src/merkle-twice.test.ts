/** Two Merkle implementations, written apart, over the same trees. */
import {
  appendLeaves,
  consistencyProof,
  edgeTiles,
  inclusionProof,
  rootHash,
  tileKey,
  tileReader,
  verifyConsistency,
  verifyInclusion,
} from "@oars/receipts";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { sha256 } from "#platform/kernel";
import { createTree, isConsistent, isIncluded, leafOf } from "./testing/rfc9162.ts";

/** A log that grows in steps, kept as the server keeps it, with the root that the other checker gives each size. */
function growTo(steps: readonly number[], salt: string) {
  const tiles = new Map<string, Uint8Array>();
  const leaves: Uint8Array[] = [];
  const roots = new Map<number, Uint8Array>();
  const other = createTree();
  for (const step of steps) {
    const fresh = Array.from({ length: step }, (_, i) => leafOf(Buffer.from(`${salt}/${leaves.length + i}`)));
    for (const { level, index } of edgeTiles(leaves.length))
      expect(tiles.has(tileKey({ level, index }))).toBe(true);
    for (const tile of appendLeaves(leaves.length, fresh, (id) => tiles.get(tileKey(id)), sha256))
      tiles.set(tileKey(tile), tile.hashes);
    for (const leaf of fresh) other.add(leaf);
    leaves.push(...fresh);
    roots.set(leaves.length, other.root());
  }
  return { leaves, roots, read: tileReader((id) => tiles.get(tileKey(id)), sha256) };
}

const at = (share: number, below: number): number => Math.min(below - 1, Math.floor(share * below));

/** Both verifiers say yes to what the server proves of this tree, and no to each of the forgeries. */
function agreeOn(tree: ReturnType<typeof growTo>, size: number, index: number): void {
  const { leaves, roots, read } = tree;
  const root = roots.get(size) ?? new Uint8Array(32);
  expect(Buffer.from(rootHash(size, read, sha256)).equals(root)).toBe(true);
  const proof = inclusionProof(index, size, read, sha256);
  const leaf = leaves[index] ?? new Uint8Array(32);
  const wrong = leaves[(index + 1) % leaves.length] ?? new Uint8Array(32);
  for (const [claimed, place, path] of [
    [leaf, index, proof],
    [wrong, index, proof],
    [leaf, index + 1, proof],
    [leaf, index, proof.slice(0, -1)],
    [leaf, index, [...proof, leaf]],
  ] as const) {
    const ours = verifyInclusion({ leaf: claimed, index: place, size, proof: path, root }, sha256);
    expect(ours).toBe(isIncluded(claimed, place, size, path, root));
    expect(ours).toBe(claimed === leaf && place === index && path === proof);
  }
}

function agreeOnGrowth({ roots, read }: ReturnType<typeof growTo>, from: number, to: number): void {
  const [oldRoot, newRoot] = [roots.get(from) ?? new Uint8Array(32), roots.get(to) ?? new Uint8Array(32)];
  const proof = consistencyProof(from, to, read, sha256);
  const flipped = proof.map((hash, i) => (i === 0 ? sha256(hash) : hash));
  for (const path of proof.length === 0 ? [proof] : [proof, flipped, proof.slice(1)]) {
    const ours = verifyConsistency({ from, to, oldRoot, newRoot, proof: path }, sha256);
    expect(ours).toBe(isConsistent(from, to, oldRoot, newRoot, path));
    expect(ours).toBe(path === proof);
  }
  if (from < to) expect(isConsistent(from, to, sha256(oldRoot), newRoot, proof)).toBe(false);
}

describe("the tree of RFC 9162, checked by a second implementation", () => {
  it("is the same for random trees that grow in random steps", () => {
    const share = fc.double({ min: 0, max: 1, noNaN: true });
    const steps = fc.array(fc.integer({ min: 1, max: 700 }), { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(steps, fc.string(), share, (sizes, salt, where) => {
        const tree = growTo(sizes, salt);
        const known = [...tree.roots.keys()];
        for (const size of known) agreeOn(tree, size, at(where, size));
        for (const from of known) agreeOnGrowth(tree, from, known.at(-1) ?? from);
      }),
      { numRuns: 12 },
    );
  });

  it("is the same for a tree of 100,000 leaves that grew past full tiles of two levels", () => {
    const tree = growTo([65_535, 1, 1, 20_463, 14_000], "big");
    const known = [...tree.roots.keys()];
    expect(known.at(-1)).toBe(100_000);
    for (const size of known) for (const where of [0, 0.37, 0.99999]) agreeOn(tree, size, at(where, size));
    for (const from of known) for (const to of known) if (from <= to) agreeOnGrowth(tree, from, to);
  });
});
