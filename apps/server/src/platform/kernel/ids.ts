/**
 * Identifiers. Inside the server an id is a lower-case UUIDv7 string (RFC 9562); the doors, receipts,
 * logs and errors show it as a TypeID (`run_01j…`: prefix, underscore, 26 characters of Crockford base32).
 * UUIDv7 sorts by creation time, so keys cluster and time partitions follow from the id.
 */
import { randomFillSync } from "node:crypto";

export const idPrefixes = {
  tenant: "ten",
  principal: "prn",
  apiKey: "key",
  secret: "sec",
  connection: "con",
  flow: "flw",
  flowVersion: "flv",
  run: "run",
  wait: "wai",
  gate: "gat",
  signal: "sig",
  action: "act",
  approval: "apr",
  vote: "vot",
  comment: "cmt",
  delegation: "dlg",
  factor: "fac",
  challenge: "chl",
  policy: "pol",
  grant: "gnt",
  replay: "rpl",
  receipt: "rct",
  hold: "hld",
  erasure: "ers",
  evidence: "evd",
  control: "ctl",
  worker: "wrk",
  webhook: "whk",
  delivery: "dlv",
  request: "req",
  incident: "inc",
  event: "evt",
  alert: "alr",
  target: "tgt",
  deadLetter: "dlq",
} as const;

export type IdKind = keyof typeof idPrefixes;

const pool = new Uint8Array(10 * 512);
let poolAt = pool.length;
let lastMs = 0;
let counter = 0;
const hex = Array.from({ length: 256 }, (_, i) => i.toString(16).padStart(2, "0"));
const h = (n: number): string => hex[n & 255] as string; // index is masked to 0..255

/**
 * A new UUIDv7. Monotonic within the process: ids made in one millisecond count upward in `rand_a`
 * and, when those 12 bits run over, borrow the next millisecond (RFC 9562 §6.2, method 1).
 */
export function newId(now: number = Date.now()): string {
  if (poolAt + 8 > pool.length) {
    randomFillSync(pool);
    poolAt = 0;
  }
  if (now > lastMs) {
    lastMs = now;
    counter = (((pool[poolAt] as number) << 8) | (pool[poolAt + 1] as number)) & 0x3ff; // room to count upward
  } else if (++counter > 0xfff) {
    lastMs += 1;
    counter = 0;
  }
  const hi = Math.floor(lastMs / 0x10000);
  const lo = lastMs & 0xffff;
  const p = poolAt;
  poolAt += 8;
  const r = (i: number): number => pool[p + i] as number; // p + 7 < pool.length by the refill above
  return `${h(hi >>> 24)}${h(hi >>> 16)}${h(hi >>> 8)}${h(hi)}-${h(lo >>> 8)}${h(lo)}-${h(0x70 | (counter >>> 8))}${h(counter)}-${h(0x80 | (r(0) & 0x3f))}${h(r(1))}-${h(r(2))}${h(r(3))}${h(r(4))}${h(r(5))}${h(r(6))}${h(r(7))}`;
}

/**
 * The smallest id of a day before this UUIDv7 was made: what was made after it, by whichever clock of the
 * installation, has a greater one.
 */
export function dayBefore(id: string): string {
  return idAt(Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16) - 86_400_000);
}

/** The first id of a millisecond since 1970: ids made earlier are smaller. */
export function idAt(ms: number): string {
  const digits = Math.min(2 ** 48 - 1, Math.max(0, Math.trunc(ms)))
    .toString(16)
    .padStart(12, "0");
  return `${digits.slice(0, 8)}-${digits.slice(8)}-0000-0000-000000000000`;
}

const alphabet = "0123456789abcdefghjkmnpqrstvwxyz";
const digitOf = new Map([...alphabet].map((c, i) => [c, BigInt(i)]));
const uuidShape = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const suffixShape = /^[0-7][0-9a-hjkmnp-tv-z]{25}$/;

/** The TypeID text of an id, as people, receipts and the API see it. On the hot path: BigInt took four times as long. */
export function formatId(kind: IdKind, uuid: string): string {
  let text = "";
  let bits = 0; // the first of the 26 digits holds three of the 128 bits
  let held = 2;
  for (let i = 0; i < uuid.length; i++) {
    const code = uuid.charCodeAt(i);
    if (code === 45) continue; // "-"
    bits = ((bits << 4) | (code < 58 ? code - 48 : code - 87)) & 0xff;
    held += 4;
    if (held >= 5) {
      held -= 5;
      text += alphabet[(bits >> held) & 31] as string; // masked to 0..31
    }
  }
  return `${idPrefixes[kind]}_${text}`;
}

/** The id behind a TypeID, or undefined when the text is not a TypeID of that kind. */
export function parseId(kind: IdKind, text: string): string | undefined {
  const prefix = `${idPrefixes[kind]}_`;
  const suffix = text.slice(prefix.length);
  if (!text.startsWith(prefix) || !suffixShape.test(suffix)) return undefined;
  let value = 0n;
  for (const c of suffix) value = (value << 5n) | (digitOf.get(c) as bigint); // suffixShape admits alphabet only
  const digits = value.toString(16).padStart(32, "0");
  return `${digits.slice(0, 8)}-${digits.slice(8, 12)}-${digits.slice(12, 16)}-${digits.slice(16, 20)}-${digits.slice(20)}`;
}

export const isUuid = (text: string): boolean => uuidShape.test(text);
