import { sql } from "#platform/db";
import type { SealedTable } from "#platform/vault";

/** Private keys in this database, as the rotation of keys sees them. */
export const sealedSigningKeys: SealedTable = {
  name: "signing_key",
  list: (db, tenantId, { header, after, limit }) =>
    db.query(sql`/* receipts.list_sealed_keys */
      select kid as id, 'signing-key/' || kid as purpose, private_sealed as sealed from signing_key
      where tenant_id = ${tenantId} and private_sealed is not null and kid > ${after ?? ""}
        and substring(private_sealed from 1 for 5) <> ${header}
      order by kid limit ${limit}`),
  replace: (tx, tenantId, row, sealed) =>
    tx.query(sql`/* receipts.replace_sealed_key */
      update signing_key set private_sealed = ${sealed}
      where tenant_id = ${tenantId} and kid = ${row.id} and private_sealed = ${row.sealed}`),
};

/** Disclosures under the tenant's key; those under keys of people are not the tenant's. The signed body of a receipt holds their digests and stays as it is. */
export const sealedDisclosures: SealedTable = {
  name: "receipt.disclosures",
  list: (db, tenantId, { header, after, limit }) =>
    db.query(sql`/* receipts.list_sealed_disclosures */
      select id, 'receipt/' || id as purpose, disclosures as sealed from receipt
      where tenant_id = ${tenantId} and disclosures is not null
        and substring(disclosures from 1 for 1) = decode('01', 'hex') and substring(disclosures from 1 for 5) <> ${header}
        and (${after}::uuid is null or id > ${after}::uuid)
      order by id limit ${limit}`),
  replace: (tx, tenantId, row, sealed) =>
    tx.query(sql`/* receipts.replace_sealed_disclosures */
      update receipt set disclosures = ${sealed}
      where tenant_id = ${tenantId} and id = ${row.id} and disclosures = ${row.sealed}`),
};
