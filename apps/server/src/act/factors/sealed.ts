import { sql } from "#platform/db";
import type { SealedTable } from "#platform/vault";

/** Secrets of one-time passwords, as the rotation of keys sees them. */
export const sealedFactors: SealedTable = {
  name: "factor",
  list: (db, tenantId, { header, after, limit }) =>
    db.query(sql`/* factors.list_sealed */
      select id, 'factor:' || id as purpose, secret as sealed from factor
      where tenant_id = ${tenantId} and secret is not null and substring(secret from 1 for 5) <> ${header}
        and (${after}::uuid is null or id > ${after}::uuid)
      order by id limit ${limit}`),
  replace: (tx, tenantId, row, sealed) =>
    tx.query(sql`/* factors.replace_sealed */
      update factor set secret = ${sealed}
      where tenant_id = ${tenantId} and id = ${row.id} and secret = ${row.sealed}`),
};
