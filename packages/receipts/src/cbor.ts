/**
 * Deterministic CBOR (RFC 8949 §4.2.1), as far as COSE exports need it: integers, byte strings, texts, lists,
 * maps, tags and null. Writing only; what was written is read by anybody's decoder.
 */
import { concatBytes, utf8 } from "./bytes.ts";

export type CborValue = number | string | Uint8Array | null | readonly CborValue[] | CborMap | CborTag;

/** Keys are integers or texts. Entries are written in the order of their encoded keys. */
export class CborMap {
  readonly entries: readonly (readonly [number | string, CborValue])[];
  constructor(entries: readonly (readonly [number | string, CborValue])[]) {
    this.entries = entries;
  }
}

export class CborTag {
  readonly tag: number;
  readonly value: CborValue;
  constructor(tag: number, value: CborValue) {
    this.tag = tag;
    this.value = value;
  }
}

/** Major type and argument in the fewest bytes. `n` is 0 to 2^53-1. */
function head(major: number, n: number): Uint8Array {
  const top = major << 5;
  if (n < 24) return Uint8Array.of(top | n);
  if (n < 0x100) return Uint8Array.of(top | 24, n);
  const size = n < 0x1_0000 ? 2 : n < 0x1_0000_0000 ? 4 : 8;
  const bytes = new Uint8Array(1 + size);
  const view = new DataView(bytes.buffer);
  bytes[0] = top | (size === 2 ? 25 : size === 4 ? 26 : 27);
  if (size === 2) view.setUint16(1, n);
  else if (size === 4) view.setUint32(1, n);
  else view.setBigUint64(1, BigInt(n));
  return bytes;
}

/** Throws RangeError for a number that is not a safe integer. */
export function encodeCbor(value: CborValue): Uint8Array {
  if (value === null) return Uint8Array.of(0xf6);
  if (typeof value === "number") {
    if (!Number.isSafeInteger(value)) throw new RangeError("CBOR exports hold whole numbers only");
    return value < 0 ? head(1, -1 - value) : head(0, value);
  }
  if (typeof value === "string") {
    const bytes = utf8(value);
    return concatBytes(head(3, bytes.length), bytes);
  }
  if (value instanceof Uint8Array) return concatBytes(head(2, value.length), value);
  if (value instanceof CborTag) return concatBytes(head(6, value.tag), encodeCbor(value.value));
  if (value instanceof CborMap) {
    const pairs = value.entries.map(([key, member]) => [encodeCbor(key), encodeCbor(member)] as const);
    pairs.sort(([a], [b]) => compare(a, b));
    return concatBytes(head(5, pairs.length), ...pairs.flat());
  }
  return concatBytes(head(4, value.length), ...value.map(encodeCbor));
}

function compare(a: Uint8Array, b: Uint8Array): number {
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0); // within both, by the bound of the loop
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}
