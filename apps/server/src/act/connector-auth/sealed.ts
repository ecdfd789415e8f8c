import { sql } from "#platform/db";
import type { SealedTable } from "#platform/vault";

/** Credentials of connections, as the rotation of keys sees them. */
export const sealedGrants: SealedTable = {
  name: "connection_grant",
  list: (db, tenantId, { header, after, limit }) =>
    db.query(sql`/* connector_auth.list_sealed */
      select connection_id as id, 'connection-grant/' || connection_id as purpose, sealed from connection_grant
      where tenant_id = ${tenantId} and sealed is not null and substring(sealed from 1 for 5) <> ${header}
        and (${after}::uuid is null or connection_id > ${after}::uuid)
      order by connection_id limit ${limit}`),
  replace: (tx, tenantId, row, sealed) =>
    tx.query(sql`/* connector_auth.replace_sealed */
      update connection_grant set sealed = ${sealed}
      where tenant_id = ${tenantId} and connection_id = ${row.id} and sealed = ${row.sealed}`),
};
