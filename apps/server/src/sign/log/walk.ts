/**
 * A tree made again from its leaves, one after the other, in constant memory: the roots of complete subtrees so far
 * (a compact range), and one tile under way for each level.
 */
import { type Hash, nodeHash, type TileId, tileWidth } from "@oars/receipts";
import { sha256 } from "#platform/kernel";

export interface MadeTile extends TileId {
  readonly hashes: Uint8Array;
}

export interface Walk {
  /** Tiles that this leaf filled, lowest level first. */
  add(leaf: Hash): readonly MadeTile[];
  /** Tiles that are not full yet. */
  edge(): readonly MadeTile[];
  size(): number;
  root(): Hash;
}

interface Level {
  index: number;
  hashes: Hash[];
}

export function createWalk(): Walk {
  const peaks: Hash[] = [];
  const levels: Level[] = [];
  let size = 0;

  const put = (level: number, hash: Hash, filled: MadeTile[]): void => {
    const at = levels[level] ?? { index: 0, hashes: [] };
    levels[level] = at;
    at.hashes.push(hash);
    if (at.hashes.length < tileWidth) return;
    filled.push({ level, index: at.index, hashes: Buffer.concat(at.hashes) });
    const whole = rootOfFull(at.hashes);
    at.index += 1;
    at.hashes = [];
    put(level + 1, whole, filled);
  };

  return {
    add: (leaf) => {
      let hash = leaf;
      for (let rest = size; rest % 2 === 1; rest = (rest - 1) / 2) {
        const left = peaks.pop();
        if (left) hash = nodeHash(left, hash, sha256);
      }
      peaks.push(hash);
      size += 1;
      const filled: MadeTile[] = [];
      put(0, leaf, filled);
      return filled;
    },
    edge: () =>
      levels.flatMap(({ index, hashes }, level) =>
        hashes.length === 0 ? [] : [{ level, index, hashes: Buffer.concat(hashes) }],
      ),
    size: () => size,
    root: () =>
      peaks.length === 0
        ? sha256(new Uint8Array(0))
        : peaks.reduceRight((right, left) => nodeHash(left, right, sha256)),
  };
}

function rootOfFull(hashes: readonly Hash[]): Hash {
  let row = hashes;
  while (row.length > 1) {
    const above: Hash[] = [];
    for (let i = 0; i + 1 < row.length; i += 2) {
      const [left, right] = [row[i], row[i + 1]];
      if (left && right) above.push(nodeHash(left, right, sha256));
    }
    row = above;
  }
  const [root] = row;
  if (!root) throw new RangeError("a tile that is full has hashes");
  return root;
}
