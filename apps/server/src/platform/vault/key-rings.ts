/**
 * Data keys of tenants, unwrapped and kept in memory. A tenant's first key is made on first use; when many processes
 * are first at once, all of them use the one that became durable. V1 A ring is read anew after its time, and when a
 * key that is there begins to seal; while that fails, the ring in memory goes on. V2 A key that is there can be read
 * before it seals.
 */
import { randomBytes } from "node:crypto";
import type { Database, Tx } from "#platform/db";
import { type KeyRing, keyRingOf, type WrappedKey } from "./domain.ts";
import type { KeyService } from "./key-service.ts";
import { insertDataKey, listDataKeys } from "./store.ts";
import { toXaesKey, type XaesKey } from "./xaes.ts";

export interface KeyRings {
  cached(tenantId: string): KeyRing | undefined;
  /** Inside a transaction pass it: a second connection cannot be had there. */
  get(tenantId: string, within?: Tx): Promise<KeyRing>;
  /** Reads the database even where a ring is cached: another process may have added a key. */
  reload(tenantId: string): Promise<KeyRing>;
}

export interface KeyRingsDeps {
  readonly db: Database;
  readonly keys: KeyService;
  /** How long a ring serves before it is read anew. */
  readonly ringMs: number;
  readonly onError: (error: unknown) => void;
}

interface Kept {
  readonly ring: KeyRing;
  readonly until: number;
}

const mostTenants = 10_000;

export function createKeyRings(deps: KeyRingsDeps): KeyRings {
  const rings = new Map<string, Kept>();
  const loading = new Map<string, Promise<KeyRing>>();

  const keep = (made: Made): KeyRing => {
    const { ring, activeInMs } = made;
    const oldest = rings.size >= mostTenants ? rings.keys().next().value : undefined;
    if (oldest !== undefined && !rings.has(ring.tenantId)) rings.delete(oldest);
    const lifeMs = Math.min(deps.ringMs, activeInMs ?? deps.ringMs);
    rings.set(ring.tenantId, { ring, until: performance.now() + lifeMs });
    return ring;
  };

  const load = (tenantId: string): Promise<KeyRing> => {
    const pending = loading.get(tenantId);
    if (pending !== undefined) return pending;
    const started = readOrMake(deps, tenantId)
      .then(keep)
      .finally(() => loading.delete(tenantId));
    loading.set(tenantId, started);
    return started;
  };

  /** [V1] Nobody waits for the renewal of a ring. */
  const renew = (tenantId: string, kept: Kept): void => {
    if (kept.until > performance.now() || loading.has(tenantId)) return;
    load(tenantId).catch((error: unknown) => {
      const again = Math.min(deps.ringMs, 5_000);
      rings.set(tenantId, { ring: kept.ring, until: performance.now() + again });
      deps.onError(error);
    });
  };

  return {
    cached: (tenantId) => {
      const kept = rings.get(tenantId);
      if (kept !== undefined) renew(tenantId, kept);
      return kept?.ring;
    },
    reload: load,
    get: async (tenantId, within) => {
      const kept = rings.get(tenantId);
      if (kept !== undefined) {
        if (!within) renew(tenantId, kept);
        return kept.ring;
      }
      if (!within) return load(tenantId);
      const made = await readOrMakeWithin(deps.keys, within, tenantId);
      within.onCommit(() => keep(made)); // a key that was rolled back must not seal anything
      return made.ring;
    },
  };
}

interface Made {
  readonly ring: KeyRing;
  /** Milliseconds until another key seals; null: none is waiting. */
  readonly activeInMs: number | null;
}

/** Outside of a transaction: the key service may be slow. */
async function readOrMake(deps: KeyRingsDeps, tenantId: string): Promise<Made> {
  const read = () => deps.db.read(tenantId, (db) => listDataKeys(db, tenantId));
  const rows = await read();
  if (rows.length > 0) return toMade(deps.keys, tenantId, rows);
  const first = { number: 1, ...(await deps.keys.wrap(tenantId, 1, randomBytes(32))), activeInMs: 0 };
  await deps.db.tx(tenantId, (tx) => insertDataKey(tx, tenantId, first));
  return toMade(deps.keys, tenantId, await read());
}

async function readOrMakeWithin(keys: KeyService, tx: Tx, tenantId: string): Promise<Made> {
  const rows = await listDataKeys(tx, tenantId);
  if (rows.length > 0) return toMade(keys, tenantId, rows);
  const first = { number: 1, ...(await keys.wrap(tenantId, 1, randomBytes(32))), activeInMs: 0 };
  await insertDataKey(tx, tenantId, first);
  return toMade(keys, tenantId, await listDataKeys(tx, tenantId));
}

async function toMade(keys: KeyService, tenantId: string, rows: readonly WrappedKey[]): Promise<Made> {
  const opened = new Map<number, XaesKey>();
  for (const row of rows) {
    const plain = await keys.unwrap(tenantId, row);
    if (plain !== undefined) opened.set(row.number, toXaesKey(plain));
  }
  const waiting = rows.filter((row) => row.activeInMs > 0).map((row) => row.activeInMs);
  const activeInMs = waiting.length === 0 ? null : Math.min(...waiting);
  return { ring: keyRingOf(tenantId, rows, opened), activeInMs };
}
