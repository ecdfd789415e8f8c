import { type Database, type Db, sql, type Tx } from "#platform/db";
import type { SecretInfo, WrappedKey } from "./domain.ts";
import type { SealedTable } from "./rotation.ts";

export const listDataKeys = (db: Db, tenantId: string): Promise<WrappedKey[]> =>
  db.query(sql`/* vault.list_data_keys */
    select number, kek_id as "kekId", wrapped, created_at as "createdAt",
      (extract(epoch from active_at - now()) * 1000)::float8 as "activeInMs"
    from data_key where tenant_id = ${tenantId} order by number`);

/** Keeps the key that is there when another transaction was first. */
export const insertDataKey = (
  tx: Tx,
  tenantId: string,
  key: Omit<WrappedKey, "createdAt">,
): Promise<unknown[]> =>
  tx.query(sql`/* vault.insert_data_key */
    insert into data_key (tenant_id, number, kek_id, wrapped, created_at, active_at)
    values (${tenantId}, ${key.number}, ${key.kekId}, ${key.wrapped}, clock_timestamp(),
      now() + make_interval(secs => ${key.activeInMs / 1_000}))
    on conflict (tenant_id, number) do nothing`);

const info = sql`id, name, version, created_at as "createdAt", created_by as "createdBy",
  updated_at as "updatedAt", updated_by as "updatedBy"`;

export const putSecretRow = (
  tx: Tx,
  row: { tenantId: string; id: string; name: string; sealed: Uint8Array; by: string | null },
): Promise<SecretInfo[]> =>
  tx.query(sql`/* vault.put_secret */
    insert into secret (tenant_id, id, name, sealed, created_by, updated_by)
    values (${row.tenantId}, ${row.id}, ${row.name}, ${row.sealed}, ${row.by}, ${row.by})
    on conflict (tenant_id, name) do update set
      sealed = excluded.sealed, version = secret.version + 1,
      updated_at = now(), updated_by = excluded.updated_by
    returning ${info}`);

export const findSealed = (db: Db, tenantId: string, name: string): Promise<{ sealed: Uint8Array }[]> =>
  db.query(sql`/* vault.find_sealed */
    select sealed from secret where tenant_id = ${tenantId} and name = ${name}`);

export const listSecretRows = (db: Db, tenantId: string): Promise<SecretInfo[]> =>
  db.query(sql`/* vault.list_secrets */
    select ${info} from secret where tenant_id = ${tenantId} order by name`);

export const deleteSecretRow = (tx: Tx, tenantId: string, name: string): Promise<{ id: string }[]> =>
  tx.query(sql`/* vault.delete_secret */
    delete from secret where tenant_id = ${tenantId} and name = ${name} returning id`);

/** Key-encryption keys that data keys are wrapped with, of all tenants. */
export const listKeks = (
  db: Database,
): Promise<{ kekId: string; keys: number; tenants: number; newest: number }[]> =>
  db.system.query(sql`/* vault.list_keks */
    select kek_id as "kekId", count(*)::int as keys, count(distinct tenant_id)::int as tenants, max(number) as newest
    from data_key group by kek_id order by kek_id`);

/** Secrets, as rotation sees them. */
export const sealedSecrets: SealedTable = {
  name: "secret",
  list: (db, tenantId, { header, after, limit }) =>
    db.query(sql`/* vault.list_sealed_secrets */
      select name as id, 'secret/' || name as purpose, sealed from secret
      where tenant_id = ${tenantId} and name > ${after ?? ""} and substring(sealed from 1 for 5) <> ${header}
      order by name limit ${limit}`),
  replace: (tx, tenantId, row, sealed) =>
    tx.query(sql`/* vault.replace_sealed_secret */
      update secret set sealed = ${sealed}
      where tenant_id = ${tenantId} and name = ${row.id} and sealed = ${row.sealed}`),
};
