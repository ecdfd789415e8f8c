import { sql } from "#platform/db";
import type { SealedTable } from "#platform/vault";

/** Inputs of actions, as the rotation of keys sees them: what is sealed under keys of people is not the tenant's. */
export const sealedActionInputs: SealedTable = {
  name: "action.input",
  list: (db, tenantId, { header, after, limit }) =>
    db.query(sql`/* actions.list_sealed_inputs */
      select id, 'action.input:' || id as purpose, input as sealed from action
      where tenant_id = ${tenantId} and substring(input from 1 for 1) = decode('01', 'hex')
        and substring(input from 1 for 5) <> ${header}
        and (${after}::uuid is null or id > ${after}::uuid)
      order by id limit ${limit}`),
  replace: (tx, tenantId, row, sealed) =>
    tx.query(sql`/* actions.replace_sealed_input */
      update action set input = ${sealed}
      where tenant_id = ${tenantId} and id = ${row.id} and input = ${row.sealed}`),
};

export const sealedActionOutputs: SealedTable = {
  name: "action.output",
  list: (db, tenantId, { header, after, limit }) =>
    db.query(sql`/* actions.list_sealed_outputs */
      select id, 'action.output:' || id as purpose, output as sealed from action
      where tenant_id = ${tenantId} and output is not null and substring(output from 1 for 1) = decode('01', 'hex')
        and substring(output from 1 for 5) <> ${header}
        and (${after}::uuid is null or id > ${after}::uuid)
      order by id limit ${limit}`),
  replace: (tx, tenantId, row, sealed) =>
    tx.query(sql`/* actions.replace_sealed_output */
      update action set output = ${sealed}
      where tenant_id = ${tenantId} and id = ${row.id} and output = ${row.sealed}`),
};

/** What policy was asked. */
export const sealedActionAsked: SealedTable = {
  name: "action.asked",
  list: (db, tenantId, { header, after, limit }) =>
    db.query(sql`/* actions.list_sealed_asked */
      select id, 'action.asked:' || id as purpose, asked as sealed from action
      where tenant_id = ${tenantId} and asked is not null and substring(asked from 1 for 1) = decode('01', 'hex')
        and substring(asked from 1 for 5) <> ${header}
        and (${after}::uuid is null or id > ${after}::uuid)
      order by id limit ${limit}`),
  replace: (tx, tenantId, row, sealed) =>
    tx.query(sql`/* actions.replace_sealed_asked */
      update action set asked = ${sealed}
      where tenant_id = ${tenantId} and id = ${row.id} and asked = ${row.sealed}`),
};
