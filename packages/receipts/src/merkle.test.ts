import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { concatBytes, fromHex, toHex } from "./bytes.ts";
import {
  consistencyProof,
  type Hash,
  inclusionProof,
  leafHash,
  leavesReader,
  nodeHash,
  rootHash,
} from "./merkle.ts";
import { verifyConsistency, verifyInclusion } from "./merkle-verify.ts";
import { sha256 } from "./sha256.ts";

// The reference tree of Certificate Transparency (RFC 6962): eight entries, all roots, published proofs.
const entries = [
  "",
  "00",
  "10",
  "2021",
  "3031",
  "40414243",
  "5051525354555657",
  "606162636465666768696a6b6c6d6e6f",
].map(fromHex);
const roots = [
  "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
  "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
  "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
  "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
  "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
  "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
  "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
  "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];
const publishedInclusion: readonly (readonly [index: number, size: number, proof: readonly string[]])[] = [
  [0, 1, []],
  [
    0,
    8,
    [
      "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
      "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
      "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
  ],
  [
    5,
    8,
    [
      "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
      "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
      "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
  ],
  [2, 3, ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"]],
  [
    1,
    5,
    [
      "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
      "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
      "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
  ],
];
const publishedConsistency: readonly (readonly [from: number, to: number, proof: readonly string[]])[] = [
  [1, 1, []],
  [
    1,
    8,
    [
      "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
      "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
      "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
  ],
  [
    6,
    8,
    [
      "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
      "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
      "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
  ],
  [
    2,
    5,
    [
      "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
      "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
  ],
  [
    6,
    7,
    [
      "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
      "b08693ec2e721597130641e8211e7eedccb4c26413963eee6c1e2ed16ffb1a5f",
      "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
  ],
];

const leaves = entries.map((entry) => leafHash(entry, sha256));
const read = leavesReader(leaves, sha256);
const at = <T>(list: readonly T[], i: number): T => {
  const item = list[i];
  if (item === undefined) throw new RangeError(`no item ${i}`);
  return item;
};
const rootAt = (size: number): Hash => fromHex(at(roots, size - 1));

/** MTH, PATH and PROOF written as RFC 6962 §2.1 defines them, over whole lists. */
const split = (n: number): number => 2 ** Math.ceil(Math.log2(n) - 1);
const naiveRoot = (list: readonly Hash[]): Hash => {
  if (list.length === 0) return sha256(new Uint8Array(0));
  if (list.length === 1) return at(list, 0);
  const k = split(list.length);
  return nodeHash(naiveRoot(list.slice(0, k)), naiveRoot(list.slice(k)), sha256);
};
const naivePath = (m: number, list: readonly Hash[]): Hash[] => {
  if (list.length === 1) return [];
  const k = split(list.length);
  return m < k
    ? [...naivePath(m, list.slice(0, k)), naiveRoot(list.slice(k))]
    : [...naivePath(m - k, list.slice(k)), naiveRoot(list.slice(0, k))];
};
const naiveProof = (m: number, list: readonly Hash[], whole = true): Hash[] => {
  if (m === list.length) return whole ? [] : [naiveRoot(list)];
  const k = split(list.length);
  return m <= k
    ? [...naiveProof(m, list.slice(0, k), whole), naiveRoot(list.slice(k))]
    : [...naiveProof(m - k, list.slice(k), false), naiveRoot(list.slice(0, k))];
};
const hexes = (hashes: readonly Hash[]): string[] => hashes.map(toHex);
const someLeaves = (count: number): Hash[] =>
  Array.from({ length: count }, (_, i) => leafHash(Uint8Array.of(i >> 8, i & 255), sha256));

describe("Merkle tree (RFC 9162, RFC 6962)", () => {
  it("gives the published roots of the reference tree", () => {
    expect(toHex(rootHash(0, read, sha256))).toBe(
      "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    );
    roots.forEach((root, i) => {
      expect(toHex(rootHash(i + 1, read, sha256))).toBe(root);
    });
  });

  it("makes and verifies the published inclusion proofs", () => {
    for (const [index, size, proof] of publishedInclusion) {
      expect(hexes(inclusionProof(index, size, read, sha256))).toEqual(proof);
      const claim = { leaf: at(leaves, index), index, size, proof: proof.map(fromHex), root: rootAt(size) };
      expect(verifyInclusion(claim, sha256)).toBe(true);
    }
  });

  it("makes and verifies the published consistency proofs", () => {
    for (const [from, to, proof] of publishedConsistency) {
      expect(hexes(consistencyProof(from, to, read, sha256))).toEqual(proof);
      const claim = { from, to, oldRoot: rootAt(from), newRoot: rootAt(to), proof: proof.map(fromHex) };
      expect(verifyConsistency(claim, sha256)).toBe(true);
    }
  });

  it("agrees with the recursive definition for trees of every size up to 70", () => {
    const all = someLeaves(70);
    const reader = leavesReader(all, sha256);
    for (let size = 1; size <= 70; size++) {
      const list = all.slice(0, size);
      expect(toHex(rootHash(size, reader, sha256))).toBe(toHex(naiveRoot(list)));
      for (const index of [0, size >> 1, size - 1])
        expect(hexes(inclusionProof(index, size, reader, sha256))).toEqual(hexes(naivePath(index, list)));
      for (const from of [1, (size >> 1) + 1, size])
        expect(hexes(consistencyProof(from, size, reader, sha256))).toEqual(
          from === size ? [] : hexes(naiveProof(from, list)),
        );
    }
  });

  it("verifies every honest proof and refuses every changed one", () => {
    const all = someLeaves(300);
    const reader = leavesReader(all, sha256);
    const sizes = fc
      .integer({ min: 2, max: 300 })
      .chain((size) => fc.tuple(fc.constant(size), fc.nat(size - 1), fc.nat()));
    fc.assert(
      fc.property(sizes, ([size, index, noise]) => {
        const root = rootHash(size, reader, sha256);
        const proof = inclusionProof(index, size, reader, sha256);
        const claim = { leaf: at(all, index), index, size, proof, root };
        expect(verifyInclusion(claim, sha256)).toBe(true);
        const other = (index + 1 + (noise % (size - 1))) % size;
        expect(verifyInclusion({ ...claim, index: other }, sha256)).toBe(false);
        expect(verifyInclusion({ ...claim, leaf: at(all, other) }, sha256)).toBe(false);
        expect(verifyInclusion({ ...claim, proof: flipped(proof, noise) }, sha256)).toBe(false);
        expect(verifyInclusion({ ...claim, proof: proof.slice(1) }, sha256)).toBe(false);
        expect(verifyInclusion({ ...claim, proof: [...proof, root] }, sha256)).toBe(false);
      }),
    );
  });

  it("verifies every honest extension and refuses a rewritten past", () => {
    const all = someLeaves(200);
    const sizes = fc
      .integer({ min: 2, max: 200 })
      .chain((to) => fc.tuple(fc.integer({ min: 1, max: to - 1 }), fc.constant(to), fc.nat()));
    const reader = leavesReader(all, sha256);
    fc.assert(
      fc.property(sizes, ([from, to, noise]) => {
        const [oldRoot, newRoot] = [rootHash(from, reader, sha256), rootHash(to, reader, sha256)];
        const proof = consistencyProof(from, to, reader, sha256);
        const claim = { from, to, oldRoot, newRoot, proof };
        expect(verifyConsistency(claim, sha256)).toBe(true);
        const past = all.with(noise % from, sha256(Uint8Array.of(1)));
        const forged = leavesReader(past, sha256);
        const rewritten = {
          ...claim,
          newRoot: rootHash(to, forged, sha256),
          proof: consistencyProof(from, to, forged, sha256),
        };
        expect(verifyConsistency(rewritten, sha256)).toBe(false);
        expect(verifyConsistency({ ...claim, proof: flipped(proof, noise) }, sha256)).toBe(false);
        expect(verifyConsistency({ ...claim, proof: [...proof, newRoot] }, sha256)).toBe(false);
        expect(verifyConsistency({ ...claim, oldRoot: newRoot, newRoot: oldRoot }, sha256)).toBe(false);
      }),
    );
  });

  it("refuses proofs that are empty, too long or of impossible sizes", () => {
    const root = rootAt(1);
    const none = { leaf: root, index: 0, size: 1, proof: [], root };
    expect(verifyInclusion(none, sha256)).toBe(true);
    expect(verifyInclusion({ ...none, size: 0 }, sha256)).toBe(false);
    expect(verifyInclusion({ ...none, index: 1 }, sha256)).toBe(false);
    expect(verifyInclusion({ ...none, index: 0.5 }, sha256)).toBe(false);
    expect(verifyInclusion({ ...none, leaf: new Uint8Array(0), root: new Uint8Array(0) }, sha256)).toBe(
      false,
    );
    expect(verifyInclusion({ ...none, proof: [concatBytes(root, root)] }, sha256)).toBe(false);
    const same = { from: 1, to: 1, oldRoot: root, newRoot: root, proof: [] };
    expect(verifyConsistency(same, sha256)).toBe(true);
    expect(verifyConsistency({ ...same, proof: [root] }, sha256)).toBe(false);
    expect(verifyConsistency({ ...same, from: 2 }, sha256)).toBe(false);
    expect(verifyConsistency({ ...same, to: 2, newRoot: rootAt(2) }, sha256)).toBe(false);
    expect(verifyConsistency({ ...same, from: 0, oldRoot: root, to: 1 }, sha256)).toBe(false);
  });

  it("refuses to make a proof for a leaf or a size that does not exist", () => {
    expect(() => inclusionProof(8, 8, read, sha256)).toThrow(RangeError);
    expect(() => inclusionProof(-1, 8, read, sha256)).toThrow(RangeError);
    expect(() => consistencyProof(9, 8, read, sha256)).toThrow(RangeError);
  });
});

function flipped(proof: readonly Hash[], noise: number): Hash[] {
  return proof.map((hash, i) => {
    if (i !== noise % proof.length) return hash;
    const copy = Uint8Array.from(hash);
    copy[noise % 32] = (copy[noise % 32] ?? 0) ^ 1;
    return copy;
  });
}
