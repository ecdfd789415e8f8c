import { type Database, type Db, sql, type Tx } from "#platform/db";

export interface ConsentRow {
  readonly connectionId: string;
  readonly principalId: string;
  readonly browserHash: Uint8Array;
  readonly digest: string;
  readonly sealed: Uint8Array;
  readonly expired: boolean;
}

export const insertConsent = (
  tx: Tx,
  row: Omit<ConsentRow, "expired"> & { tenantId: string; stateHash: Uint8Array; lifeMs: number },
): Promise<{ expiresAt: Date }[]> =>
  tx.query(sql`/* connector_auth.insert_consent */
    insert into connection_authorization (tenant_id, state_hash, connection_id, principal_id, browser_hash, digest,
      sealed, expires_at)
    values (${row.tenantId}, ${row.stateHash}, ${row.connectionId}, ${row.principalId}, ${row.browserHash},
      ${row.digest}, ${row.sealed}, now() + make_interval(secs => ${row.lifeMs / 1_000}))
    returning expires_at as "expiresAt"`);

export async function findConsent(
  db: Db,
  tenantId: string,
  stateHash: Uint8Array,
): Promise<ConsentRow | undefined> {
  const [row] = await db.query<ConsentRow>(sql`/* connector_auth.find_consent */
    select connection_id as "connectionId", principal_id as "principalId", browser_hash as "browserHash", digest,
      sealed, expires_at <= now() as expired
    from connection_authorization where tenant_id = ${tenantId} and state_hash = ${stateHash}`);
  return row;
}

/** A consent ends once: whoever deletes it may use its code. */
export async function takeConsent(tx: Tx, tenantId: string, stateHash: Uint8Array): Promise<boolean> {
  const rows = await tx.query(sql`/* connector_auth.take_consent */
    delete from connection_authorization where tenant_id = ${tenantId} and state_hash = ${stateHash}
    returning 1 as one`);
  return rows.length > 0;
}

export async function purgeConsents(db: Database, limit: number): Promise<number> {
  const rows = await db.system.query(sql`/* connector_auth.purge_consents */
    delete from connection_authorization where (tenant_id, state_hash) in (
      select tenant_id, state_hash from connection_authorization where expires_at < now() limit ${limit})
    returning 1 as one`);
  return rows.length;
}
