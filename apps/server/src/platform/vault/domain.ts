/**
 * Frame of sealed bytes: `01 | key number (4, big endian) | nonce (24) | tag (16) | ciphertext`, sealed by
 * XAES-256-GCM under the tenant's data key of that number. Tenant and purpose are associated data, so bytes
 * moved to another tenant, secret or use do not open.
 */
import { OarsError } from "#platform/kernel";
import { type XaesKey, xaesOpen, xaesSeal } from "./xaes.ts";

/** Secrets as the API shows them: everything but the value. */
export interface SecretInfo {
  readonly id: string;
  readonly name: string;
  /** 1 when first stored, one more each time the value is replaced. */
  readonly version: number;
  readonly createdAt: Date;
  readonly createdBy: string | null;
  readonly updatedAt: Date;
  readonly updatedBy: string | null;
}

/** A tenant's data keys by number; `current` seals. */
export interface KeyRing {
  readonly tenantId: string;
  readonly current: number;
  readonly keys: ReadonlyMap<number, XaesKey>;
}

/** A tenant's data keys as the database keeps them. */
export interface WrappedKey {
  readonly number: number;
  readonly kekId: string;
  readonly wrapped: Uint8Array;
  readonly createdAt: Date;
  /** Milliseconds until it seals; 0 or less: it does. */
  readonly activeInMs: number;
}

const format = 1;
const headerBytes = 5;
const namePattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/;

/** Throws REQUEST_INVALID unless the text may name a secret. */
export function checkSecretName(name: string): void {
  if (namePattern.test(name)) return;
  const message =
    "must be 1 to 100 letters, digits, dots, dashes or underscores and start with a letter or digit";
  throw new OarsError("REQUEST_INVALID", {}, { errors: [{ path: "name", code: "format", message }] });
}

export const purposeOfSecret = (name: string): string => `secret/${name}`;

export function sealWith(ring: KeyRing, purpose: string, plain: Uint8Array): Uint8Array {
  const key = ring.keys.get(ring.current);
  if (!key) throw new Error("a key ring without its current key");
  return Buffer.concat([headerOf(ring.current), xaesSeal(key, plain, associated(ring.tenantId, purpose))]);
}

/** Number of the data key that sealed these bytes; undefined when they are not sealed bytes of this format. */
export const keyNumberOf = (sealed: Uint8Array): number | undefined =>
  sealed.length > headerBytes && sealed[0] === format
    ? new DataView(sealed.buffer, sealed.byteOffset).getUint32(1)
    : undefined;

/** The plain bytes; throws SECRET_UNREADABLE, naming `name`, when they are not what was sealed for this purpose. */
export function openWith(
  ring: KeyRing,
  purpose: string,
  sealed: Uint8Array,
  name: string = purpose,
): Uint8Array {
  const key = ring.keys.get(keyNumberOf(sealed) ?? 0);
  if (!key)
    throw new OarsError("SECRET_UNREADABLE", { name }, { cause: new Error("its data key is not there") });
  try {
    return xaesOpen(key, sealed.subarray(headerBytes), associated(ring.tenantId, purpose));
  } catch (cause) {
    throw new OarsError("SECRET_UNREADABLE", { name }, { cause });
  }
}

/** The ring of those keys that could be unwrapped; the one that seals must be among them. */
export function keyRingOf(
  tenantId: string,
  rows: readonly WrappedKey[],
  keys: ReadonlyMap<number, XaesKey>,
): KeyRing {
  const sealing = rows.filter((row) => row.activeInMs <= 0).at(-1) ?? rows[0];
  if (!sealing || !keys.has(sealing.number)) {
    const cause = new Error(`the data key is wrapped by key ${sealing?.kekId}, which is not configured`);
    throw new OarsError("SECRET_UNREADABLE", { name: "of the tenant" }, { cause });
  }
  return { tenantId, current: sealing.number, keys };
}

/** How sealed bytes of that data key begin. */
export function headerOf(number: number): Uint8Array {
  const header = Buffer.alloc(headerBytes);
  header[0] = format;
  header.writeUInt32BE(number, 1);
  return header;
}

/** Unambiguous: a tenant id is a UUID and holds no zero byte. */
export const associated = (tenantId: string, purpose: string): Uint8Array =>
  Buffer.from(`oars/sealed/${format}\0${tenantId}\0${purpose}`);
