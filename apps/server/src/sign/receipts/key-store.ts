import { type Db, sql, type Tx } from "#platform/db";

export interface NewKey {
  readonly tenantId: string;
  readonly kid: string;
  readonly use: "receipt" | "log";
  readonly name: string;
  readonly publicX: string;
  readonly privateSealed: Uint8Array;
}

export interface StoredKey extends NewKey {
  readonly status: "active" | "retired" | "revoked";
  readonly createdAt: Date;
  readonly rotatedAt: Date | null;
}

/** All keys that a tenant ever had, oldest first. */
export const listKeys = (db: Db, tenantId: string): Promise<StoredKey[]> =>
  db.query(sql`/* receipts.list_keys */
    select tenant_id as "tenantId", kid, use, name, public_x as "publicX", private_sealed as "privateSealed",
      status, created_at as "createdAt", rotated_at as "rotatedAt"
    from signing_key where tenant_id = ${tenantId} order by created_at, kid`);

/** Keeps the active keys that are there when another transaction was first. */
export async function insertKeys(tx: Tx, keys: readonly NewKey[]): Promise<void> {
  for (const key of keys) {
    await tx.query(sql`/* receipts.insert_key */
      insert into signing_key (tenant_id, kid, use, name, public_x, private_sealed, status)
      values (${key.tenantId}, ${key.kid}, ${key.use}, ${key.name}, ${key.publicX}, ${key.privateSealed}, 'active')
      on conflict (tenant_id, use) where status = 'active' do nothing`);
  }
}
