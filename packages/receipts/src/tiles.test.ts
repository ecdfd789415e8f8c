import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { toHex, utf8 } from "./bytes.ts";
import { FormatError } from "./format-error.ts";
import {
  consistencyNodes,
  consistencyProof,
  inclusionNodes,
  inclusionProof,
  leafHash,
  leavesReader,
  rootHash,
  rootNodes,
} from "./merkle.ts";
import { sha256 } from "./sha256.ts";
import {
  appendLeaves,
  edgeTiles,
  parseTilePath,
  tileKey,
  tilePath,
  tileReader,
  tilesOf,
  tileWidthAt,
} from "./tiles.ts";

const leaves = Array.from({ length: 1500 }, (_, i) => leafHash(utf8(`entry ${i}`), sha256));

function grow(batches: readonly number[]): { tiles: Map<string, Uint8Array>; size: number } {
  const tiles = new Map<string, Uint8Array>();
  let size = 0;
  for (const batch of batches) {
    const fresh = leaves.slice(size, size + batch);
    for (const tile of appendLeaves(size, fresh, (id) => tiles.get(tileKey(id)), sha256))
      tiles.set(tileKey(tile), tile.hashes);
    size += fresh.length;
  }
  return { tiles, size };
}

describe("C2SP tiles", () => {
  it("has the layout that the specification gives for a tree of 70,000", () => {
    expect(edgeTiles(70_000)).toEqual([
      { level: 0, index: 273 },
      { level: 1, index: 1 },
      { level: 2, index: 0 },
    ]);
    expect(tileWidthAt({ level: 0, index: 273 }, 70_000)).toBe(112);
    expect(tileWidthAt({ level: 1, index: 0 }, 70_000)).toBe(256);
    expect(tileWidthAt({ level: 1, index: 1 }, 70_000)).toBe(17);
    expect(tileWidthAt({ level: 2, index: 0 }, 70_000)).toBe(1);
    expect(tileWidthAt({ level: 0, index: 274 }, 70_000)).toBe(0);
    expect(edgeTiles(256)).toEqual([{ level: 1, index: 0 }]);
  });

  it("names tiles as the specification does, and reads only those names", () => {
    expect(tilePath({ level: 0, index: 1_234_067 })).toBe("tile/0/x001/x234/067");
    expect(tilePath({ level: 2, index: 0 }, 17)).toBe("tile/2/000.p/17");
    for (const path of ["tile/0/x001/x234/067", "tile/2/000.p/17", "tile/63/999"]) {
      const tile = parseTilePath(path);
      expect(tile && tilePath(tile, tile.width)).toBe(path);
    }
    for (const path of [
      "tile/0/1",
      "tile/00/000",
      "tile/64/000",
      "tile/0/x000/001",
      "tile/0/001.p/0",
      "tile/0/001.p/256",
      "tile/0/001.p/300",
    ])
      expect(parseTilePath(path), path).toBeUndefined();
  });

  it("gives the same roots and proofs as the leaves, however the leaves arrived", () => {
    const memory = leavesReader(leaves, sha256);
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1, maxLength: 6 }),
        fc.nat(),
        fc.nat(),
        (batches, someIndex, someSize) => {
          const { tiles, size } = grow(batches);
          const older = (someSize % size) + 1;
          const index = someIndex % older;
          const needed = new Set(
            tilesOf([
              ...rootNodes(older),
              ...inclusionNodes(index, older),
              ...consistencyNodes(older, size),
            ]).map(tileKey),
          );
          const reader = tileReader(
            (id) => (needed.has(tileKey(id)) ? tiles.get(tileKey(id)) : undefined),
            sha256,
          );
          expect(toHex(rootHash(older, reader, sha256))).toBe(toHex(rootHash(older, memory, sha256)));
          expect(inclusionProof(index, older, reader, sha256).map(toHex)).toEqual(
            inclusionProof(index, older, memory, sha256).map(toHex),
          );
          expect(consistencyProof(older, size, reader, sha256).map(toHex)).toEqual(
            consistencyProof(older, size, memory, sha256).map(toHex),
          );
        },
      ),
      { numRuns: 40 },
    );
  });

  it("needs only the unfinished tiles to grow", () => {
    const { tiles, size } = grow([700]);
    const edges = new Set(edgeTiles(size).map(tileKey));
    const asked: string[] = [];
    appendLeaves(
      size,
      leaves.slice(700, 900),
      (id) => {
        asked.push(tileKey(id));
        return tiles.get(tileKey(id));
      },
      sha256,
    );
    expect(asked.every((key) => edges.has(key))).toBe(true);
  });

  it("refuses to grow from, or to prove with, a tile that is too short", () => {
    const { tiles, size } = grow([300]);
    tiles.set("0/1", (tiles.get("0/1") ?? new Uint8Array(0)).subarray(32));
    const read = (id: { level: number; index: number }): Uint8Array | undefined => tiles.get(tileKey(id));
    expect(() => appendLeaves(size, leaves.slice(300, 301), read, sha256)).toThrow(FormatError);
    expect(() => rootHash(size, tileReader(read, sha256), sha256)).toThrow(FormatError);
  });
});
