import { type Database, type Db, sql, type Tx } from "#platform/db";

export type KeyUse = "receipt" | "log" | "witness";

export interface NewKey {
  readonly tenantId: string;
  readonly kid: string;
  readonly use: KeyUse;
  /** Issuer of a receipt key, origin of a log key, name of a witness. */
  readonly name: string;
  readonly publicX: string;
  /** Who holds the private half. */
  readonly provider: string;
  /** Of software keys. */
  readonly privateSealed: Uint8Array | null;
  /** Of all others: how the provider names it. */
  readonly providerRef: string | null;
}

export interface StoredKey extends NewKey {
  readonly status: "active" | "retiring" | "retired" | "revoked";
  readonly createdAt: Date;
  readonly rotatedAt: Date | null;
  readonly retiredAt: Date | null;
  readonly revokedAt: Date | null;
  readonly reason: string | null;
  readonly maxTreeSize: number | null;
  /** May sign now, by the clock of the database. */
  readonly signs: boolean;
}

const columns = sql`tenant_id as "tenantId", kid, use, name, public_x as "publicX", private_sealed as "privateSealed",
  provider, provider_ref as "providerRef", status, created_at as "createdAt", rotated_at as "rotatedAt",
  retired_at as "retiredAt", revoked_at as "revokedAt", reason, max_tree_size as "maxTreeSize",
  status = 'active' or (status = 'retiring' and retired_at > now()) as "signs"`;

/** All keys that a tenant ever had, oldest first. */
export const listKeys = (db: Db, tenantId: string): Promise<StoredKey[]> =>
  db.query(sql`/* receipts.list_keys */
    select ${columns} from signing_key where tenant_id = ${tenantId} order by created_at, kid`);

/** Whether the log of a tenant is signed by exactly these keys now. */
export async function areLogKeys(
  db: Db,
  tenantId: string,
  keys: readonly { readonly kid: string }[],
): Promise<boolean> {
  const rows = await db.query<{ kid: string }>(sql`/* receipts.list_log_keys */
    select kid from signing_key where tenant_id = ${tenantId} and use = 'log'
      and (status = 'active' or (status = 'retiring' and retired_at > now()))`);
  return rows.length === keys.length && rows.every(({ kid }) => keys.some((key) => key.kid === kid));
}

/** Keeps the active keys that are there when another transaction was first. */
export async function insertKeys(tx: Tx, keys: readonly NewKey[]): Promise<void> {
  for (const key of keys) {
    await tx.query(sql`/* receipts.insert_key */
      insert into signing_key
        (tenant_id, kid, use, name, public_x, private_sealed, provider, provider_ref, status)
      values (${key.tenantId}, ${key.kid}, ${key.use}, ${key.name}, ${key.publicX}, ${key.privateSealed},
        ${key.provider}, ${key.providerRef}, 'active')
      on conflict do nothing`);
  }
}

/** Changes of a tenant's keys follow each other: the next one sees what this transaction leaves. */
export const lockKeys = (tx: Tx, tenantId: string): Promise<unknown[]> =>
  tx.query(sql`/* receipts.lock_keys */
    select pg_advisory_xact_lock(hashtextextended(${`oars/keys/${tenantId}`}, 0)) as locked`);

/** The key may sign for so much longer. */
export const beginRetirement = (
  tx: Tx,
  tenantId: string,
  kid: string,
  overlapMs: number,
): Promise<{ retiredAt: Date }[]> =>
  tx.query(sql`/* receipts.begin_retirement */
    update signing_key set status = 'retiring', rotated_at = now(),
      retired_at = now() + ${overlapMs} * interval '1 millisecond'
    where tenant_id = ${tenantId} and kid = ${kid} and status = 'active' returning retired_at as "retiredAt"`);

/** Once and for all: a key that is revoked stays so. */
export const revokeKeyRow = (
  tx: Tx,
  tenantId: string,
  kid: string,
  reason: string,
): Promise<{ one: number }[]> =>
  tx.query(sql`/* receipts.revoke_key */
    update signing_key set status = 'revoked', revoked_at = now(), reason = ${reason},
      rotated_at = coalesce(rotated_at, now())
    where tenant_id = ${tenantId} and kid = ${kid} and status <> 'revoked' returning 1 as one`);

/** Writes where a key ended; only the first one that does counts. */
export const settleKeyRow = (
  tx: Tx,
  tenantId: string,
  kid: string,
  size: number,
): Promise<{ one: number }[]> =>
  tx.query(sql`/* receipts.settle_key */
    update signing_key set max_tree_size = coalesce(max_tree_size, ${size}),
      status = case when status = 'retiring' then 'retired' else status end
    where tenant_id = ${tenantId} and kid = ${kid} and status in ('retiring', 'revoked') returning 1 as one`);

/** Across tenants: keys that end or have ended of late. */
export const listEnding = (db: Database): Promise<{ tenantId: string; kid: string }[]> =>
  db.system.query(sql`/* receipts.list_ending_keys */
    select tenant_id as "tenantId", kid from signing_key
    where status = 'retiring' or (status = 'revoked' and max_tree_size is null)`);

/** Across tenants: keys that have ended so long ago that no process signs with them any more. */
export const listUnsettled = (
  db: Database,
  graceMs: number,
): Promise<{ tenantId: string; kid: string; use: KeyUse }[]> =>
  db.system.query(sql`/* receipts.list_unsettled_keys */
    select tenant_id as "tenantId", kid, use from signing_key
    where (status = 'retiring' or (status = 'revoked' and max_tree_size is null))
      and coalesce(revoked_at, retired_at) < now() - ${graceMs} * interval '1 millisecond'
    order by tenant_id, kid limit 100`);

/** Across tenants: active keys that are older. */
export const listDueKeys = (
  db: Database,
  days: number,
): Promise<{ tenantId: string; use: "receipt" | "log" }[]> =>
  db.system.query(sql`/* receipts.list_due_keys */
    select tenant_id as "tenantId", use from signing_key
    where status = 'active' and use in ('receipt', 'log') and created_at < now() - ${days} * interval '1 day'
    order by tenant_id, use limit 100`);
