/**
 * Data keys of tenants, unwrapped and kept in memory. A tenant's first key is made on first use; when many
 * processes are first at once, all of them use the one that became durable.
 */
import { createHash, randomBytes } from "node:crypto";
import type { Database, Tx } from "#platform/db";
import { OarsError } from "#platform/kernel";
import { type KeyRing, toKeyRing, wrapKey } from "./domain.ts";
import { insertDataKey, listDataKeys } from "./store.ts";
import { toXaesKey } from "./xaes.ts";

export interface KeyRings {
  cached(tenantId: string): KeyRing | undefined;
  /** Inside a transaction pass it: a second connection cannot be had there. */
  get(tenantId: string, within?: Tx): Promise<KeyRing>;
  /** Reads the database even where a ring is cached: another process may have added a key. */
  reload(tenantId: string): Promise<KeyRing>;
}

const mostTenants = 10_000;

export function createKeyRings(deps: { db: Database; kek: Uint8Array }): KeyRings {
  if (deps.kek.length !== 32) throw new OarsError("VAULT_KEY_INVALID");
  const kek = toXaesKey(deps.kek);
  const kekId = createHash("sha256").update("oars/kek-id\0").update(deps.kek).digest("hex").slice(0, 16);
  const rings = new Map<string, KeyRing>();
  const loading = new Map<string, Promise<KeyRing>>();

  const keep = (ring: KeyRing): KeyRing => {
    const oldest = rings.size >= mostTenants ? rings.keys().next().value : undefined;
    if (oldest !== undefined) rings.delete(oldest);
    rings.set(ring.tenantId, ring);
    return ring;
  };

  const readOrMake = async (tx: Tx, tenantId: string): Promise<KeyRing> => {
    let rows = await listDataKeys(tx, tenantId);
    if (rows.length === 0) {
      const wrapped = wrapKey(kek, tenantId, 1, randomBytes(32));
      await insertDataKey(tx, tenantId, { number: 1, kekId, wrapped });
      rows = await listDataKeys(tx, tenantId);
    }
    return toKeyRing(kek, kekId, tenantId, rows);
  };

  const load = (tenantId: string): Promise<KeyRing> => {
    const pending = loading.get(tenantId);
    if (pending !== undefined) return pending;
    const started = deps.db
      .tx(tenantId, (tx) => readOrMake(tx, tenantId))
      .then(keep)
      .finally(() => loading.delete(tenantId));
    loading.set(tenantId, started);
    return started;
  };

  return {
    cached: (tenantId) => rings.get(tenantId),
    reload: load,
    get: async (tenantId, within) => {
      const ring = rings.get(tenantId);
      if (ring) return ring;
      if (!within) return load(tenantId);
      const made = await readOrMake(within, tenantId);
      within.onCommit(() => keep(made)); // a key that was rolled back must not seal anything
      return made;
    },
  };
}
