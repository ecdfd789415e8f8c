import { sql } from "#platform/db";
import type { SealedTable } from "#platform/vault";

/** Configurations of targets, as the rotation of keys sees them. */
export const sealedTargets: SealedTable = {
  name: "delivery_target",
  list: (db, tenantId, { header, after, limit }) =>
    db.query(sql`/* delivery.list_sealed */
      select id, 'delivery.target:' || id as purpose, sealed from delivery_target
      where tenant_id = ${tenantId} and sealed is not null and substring(sealed from 1 for 5) <> ${header}
        and (${after}::uuid is null or id > ${after}::uuid)
      order by id limit ${limit}`),
  replace: (tx, tenantId, row, sealed) =>
    tx.query(sql`/* delivery.replace_sealed */
      update delivery_target set sealed = ${sealed}
      where tenant_id = ${tenantId} and id = ${row.id} and sealed = ${row.sealed}`),
};
