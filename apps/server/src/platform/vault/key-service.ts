/** Who wraps data keys: keys of this process, or a service. Tenant and number are bound to what is wrapped. */
import { createHash } from "node:crypto";
import { OarsError } from "#platform/kernel";
import { associated, type WrappedKey } from "./domain.ts";
import { toXaesKey, type XaesKey, xaesOpen, xaesSeal } from "./xaes.ts";

export interface Wrapped {
  /** Names the key-encryption key, and its version where it has some. */
  readonly kekId: string;
  readonly wrapped: Uint8Array;
}

export interface KeyService {
  wrap(tenantId: string, number: number, dataKey: Uint8Array): Promise<Wrapped>;
  /** Undefined: it is wrapped by another key than this service has. Throws KMS_UNAVAILABLE. */
  unwrap(tenantId: string, row: WrappedKey): Promise<Uint8Array | undefined>;
  /** Under the newest key; undefined when it is, or cannot be read. */
  rewrap(tenantId: string, row: WrappedKey): Promise<Wrapped | undefined>;
  /** Whether what that key wrapped can be read here. */
  knows(kekId: string): boolean;
}

interface LocalKey {
  readonly id: string;
  readonly key: XaesKey;
}

/** Names a key without giving it away. */
export const kekIdOf = (kek: Uint8Array): string =>
  createHash("sha256").update("oars/kek-id\0").update(kek).digest("hex").slice(0, 16);

/** The first key wraps, all of them unwrap. Throws VAULT_KEY_INVALID unless each is 32 bytes. */
export function localKeys(first: Uint8Array, more: readonly Uint8Array[] = []): KeyService {
  const keys = [first, ...more].map((kek): LocalKey => {
    if (kek.length !== 32) throw new OarsError("VAULT_KEY_INVALID");
    return { id: kekIdOf(kek), key: toXaesKey(kek) };
  });
  const newest = keys[0] as LocalKey; // there is a first one
  const purpose = (number: number) => `data-key/${number}`;
  const wrapNow = (tenantId: string, number: number, dataKey: Uint8Array): Wrapped => ({
    kekId: newest.id,
    wrapped: xaesSeal(newest.key, dataKey, associated(tenantId, purpose(number))),
  });
  const open = (tenantId: string, row: WrappedKey): Uint8Array | undefined => {
    const key = keys.find(({ id }) => id === row.kekId);
    try {
      return key && xaesOpen(key.key, row.wrapped, associated(tenantId, purpose(row.number)));
    } catch {
      return undefined; // damaged, or another tenant's
    }
  };
  return {
    wrap: async (tenantId, number, dataKey) => wrapNow(tenantId, number, dataKey),
    unwrap: async (tenantId, row) => open(tenantId, row),
    rewrap: async (tenantId, row) => {
      const plain = row.kekId === newest.id ? undefined : open(tenantId, row);
      return plain && wrapNow(tenantId, row.number, plain);
    },
    knows: (kekId) => keys.some(({ id }) => id === kekId),
  };
}

/** The first service wraps, each of them unwraps what it knows: for moving from one to another. */
export function firstOf(newest: KeyService, older: KeyService): KeyService {
  const holder = (kekId: string) => (newest.knows(kekId) ? newest : older);
  return {
    wrap: newest.wrap,
    unwrap: (tenantId, row) => holder(row.kekId).unwrap(tenantId, row),
    rewrap: async (tenantId, row) => {
      if (newest.knows(row.kekId)) return newest.rewrap(tenantId, row);
      const plain = await older.unwrap(tenantId, row);
      return plain && newest.wrap(tenantId, row.number, plain);
    },
    knows: (kekId) => newest.knows(kekId) || older.knows(kekId),
  };
}
