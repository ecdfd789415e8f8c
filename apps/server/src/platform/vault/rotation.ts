/**
 * Rotation of keys while servers run. Owns: its order, and that it goes on where it was cut off.
 * Z1 A rotation that was not completed is taken up again; it makes no second new key for a tenant.
 * Z2 A new data key seals only after every running process has read it.
 * Z3 What an old key sealed is sealed anew only if it is still what was read; old keys stay readable.
 * Z4 It is complete when a look that began after every process uses the new key finds nothing of an old one.
 * Two rotations at once do the same work twice and no harm.
 */
import { randomBytes } from "node:crypto";
import { type Database, type Db, sql, type Tx } from "#platform/db";
import { type Fault, formatId, isOarsError, newId } from "#platform/kernel";
import type { WrappedKey } from "./domain.ts";
import { headerOf } from "./domain.ts";
import type { KeyService } from "./key-service.ts";
import { insertDataKey, listDataKeys } from "./store.ts";

/** Rows of a room that the vault sealed. */
export interface SealedTable {
  readonly name: string;
  /** Rows of the tenant that begin with another header, by id, after `after` (null: from the first on). */
  list(
    db: Db,
    tenantId: string,
    page: { readonly header: Uint8Array; readonly after: string | null; readonly limit: number },
  ): Promise<SealedRow[]>;
  /** Only if it still holds `row.sealed`. */
  replace(tx: Tx, tenantId: string, row: SealedRow, sealed: Uint8Array): Promise<unknown>;
}

export interface SealedRow {
  readonly id: string;
  readonly purpose: string;
  readonly sealed: Uint8Array;
}

export interface RotationDeps {
  readonly db: Database;
  readonly keys: KeyService;
  readonly tables: readonly SealedTable[];
  /** Opens with whichever key sealed it, and seals with the newest. */
  readonly reseal: (tenantId: string, purpose: string, sealed: Uint8Array) => Promise<Uint8Array>;
  /** How long processes use a ring before they read it anew. */
  readonly ringMs: number;
  readonly report: (line: string) => void;
  readonly fault?: Fault;
}

export interface Rotation {
  readonly id: string;
  readonly rewrapped: number;
  readonly resealed: number;
  /** It was begun before. */
  readonly resumed: boolean;
}

const page = 200;

/** Wraps every data key with the newest key-encryption key. */
export async function rewrapKeys(deps: RotationDeps): Promise<Rotation> {
  const { id, resumed } = await begin(deps.db, "rewrap");
  let rewrapped = 0;
  for (const tenantId of await tenantsOf(deps.db)) {
    for (const row of await deps.db.read(tenantId, (db) => listDataKeys(db, tenantId))) {
      const made = await deps.keys.rewrap(tenantId, row);
      if (made === undefined) continue;
      await deps.db.tx(tenantId, (tx) => replaceWrapped(tx, tenantId, row, made));
      rewrapped += 1;
      deps.fault?.("vault.after-rewrap");
    }
  }
  await complete(deps.db, id, { rewrapped, resealed: 0 });
  deps.report(`${rewrapped} data keys are wrapped anew.`);
  return { id, rewrapped, resealed: 0, resumed };
}

/** Gives every tenant a new data key and seals everything with it. */
export async function rotateDataKeys(deps: RotationDeps): Promise<Rotation> {
  const { id, startedAt, resumed } = await begin(deps.db, "data_keys");
  const tenants = await tenantsOf(deps.db);
  for (const tenantId of tenants) await addKey(deps, startedAt, tenantId);
  deps.report(`${tenants.length} tenants have a new data key.`);
  await untilActive(deps);
  let resealed = 0;
  for (;;) {
    const began = performance.now();
    let found = 0;
    for (const [index, tenantId] of tenants.entries()) {
      found += await resealTenant(deps, tenantId);
      if (found > 0)
        deps.report(`tenant ${index + 1} of ${tenants.length}: ${resealed + found} values so far`);
    }
    resealed += found;
    if (found === 0) break; // [Z4]
    await sleep(Math.max(0, deps.ringMs - (performance.now() - began)));
  }
  await complete(deps.db, id, { rewrapped: 0, resealed });
  deps.report(`${resealed} values are sealed anew.`);
  return { id, rewrapped: 0, resealed, resumed };
}

/** [Z1] [Z2] */
async function addKey(deps: RotationDeps, startedAt: Date, tenantId: string): Promise<void> {
  await deps.db.tx(tenantId, async (tx) => {
    const rows = await listDataKeys(tx, tenantId);
    const last = rows.at(-1);
    if (last === undefined || last.createdAt >= startedAt) return;
    const number = last.number + 1;
    const made = await deps.keys.wrap(tenantId, number, randomBytes(32));
    await insertDataKey(tx, tenantId, { number, ...made, activeInMs: deps.ringMs * 2 });
  });
  deps.fault?.("vault.after-key");
}

async function resealTenant(deps: RotationDeps, tenantId: string): Promise<number> {
  const keys = await deps.db.read(tenantId, (db) => listDataKeys(db, tenantId));
  const header = headerOf(keys.at(-1)?.number ?? 1);
  let changed = 0;
  for (const table of deps.tables) {
    let after: string | null = null;
    for (;;) {
      const at = { header, after, limit: page };
      const rows: SealedRow[] = await deps.db.read(tenantId, (db) => table.list(db, tenantId, at));
      if (rows.length === 0) break;
      const fresh = (await Promise.all(rows.map((row) => resealRow(deps, tenantId, table, row)))).flat();
      await deps.db.tx(tenantId, async (tx) => {
        for (const { row, sealed } of fresh) await table.replace(tx, tenantId, row, sealed);
      });
      changed += fresh.length;
      after = rows.at(-1)?.id ?? null;
      deps.fault?.("vault.after-reseal");
    }
  }
  return changed;
}

/** A value that no key opens any more stays as it is, and is told of. */
async function resealRow(deps: RotationDeps, tenantId: string, table: SealedTable, row: SealedRow) {
  try {
    return [{ row, sealed: await deps.reseal(tenantId, row.purpose, row.sealed) }];
  } catch (error) {
    if (!isOarsError(error) || error.code !== "SECRET_UNREADABLE") throw error;
    deps.report(
      `${table.name} ${row.id} of tenant ${formatId("tenant", tenantId)} cannot be opened; it was left.`,
    );
    return [];
  }
}

const sleep = (ms: number): Promise<void> => new Promise((resume) => setTimeout(resume, ms));

async function untilActive(deps: RotationDeps): Promise<void> {
  for (;;) {
    const [row] = await deps.db.system.query<{ ms: number | null }>(sql`/* vault.until_active */
      select (extract(epoch from max(active_at) - now()) * 1000)::float8 as ms from data_key`);
    if ((row?.ms ?? 0) <= 0) return;
    deps.report(`The new keys seal in ${Math.ceil((row?.ms ?? 0) / 1_000)} s, when every process has them.`);
    await sleep(Math.min(row?.ms ?? 0, 10_000) + 5);
  }
}

async function begin(
  db: Database,
  kind: "rewrap" | "data_keys",
): Promise<{ id: string; startedAt: Date; resumed: boolean }> {
  const id = newId();
  await db.system.query(sql`/* vault.begin_rotation */
    insert into vault_rotation (id, kind) values (${id}, ${kind}) on conflict (kind) where completed_at is null do nothing`);
  const [row] = await db.system.query<{ id: string; startedAt: Date }>(sql`/* vault.find_rotation */
    select id, started_at as "startedAt" from vault_rotation where kind = ${kind} and completed_at is null`);
  if (row === undefined) throw new Error("another process has completed the rotation; begin again");
  return { ...row, resumed: row.id !== id };
}

const complete = (db: Database, id: string, did: { rewrapped: number; resealed: number }) =>
  db.system.query(sql`/* vault.complete_rotation */
    update vault_rotation set completed_at = now(), rewrapped = ${did.rewrapped}, resealed = ${did.resealed}
    where id = ${id} and completed_at is null`);

async function tenantsOf(db: Database): Promise<string[]> {
  const rows = await db.system.query<{ id: string }>(sql`/* vault.tenants */
    select distinct tenant_id as id from data_key order by tenant_id`);
  return rows.map(({ id }) => id);
}

const replaceWrapped = (
  tx: Tx,
  tenantId: string,
  row: WrappedKey,
  to: { readonly kekId: string; readonly wrapped: Uint8Array },
): Promise<unknown> =>
  tx.query(sql`/* vault.replace_wrapped */
    update data_key set kek_id = ${to.kekId}, wrapped = ${to.wrapped}
    where tenant_id = ${tenantId} and number = ${row.number} and wrapped = ${row.wrapped}`);
