import { type Database, type Db, defineWrite, sql, type Tx } from "#platform/db";

/** The tenant has a head that the log of logs does not hold. */
export const markHead = defineWrite<{ tenant_id: string; size: number }>({
  name: "log.mark_head",
  order: 73,
  columns: { tenant_id: "uuid", size: "int8" },
  text: `/* log.mark_head */
    insert into log_head (tenant_id, size, dirty)
    select b.tenant_id, b.size, true from batch b
    on conflict (tenant_id) do update set size = excluded.size, dirty = true`,
});

export const insertHeadEntry = defineWrite<{
  tenant_id: string;
  leaf_index: number;
  size: number;
  entry: string;
}>({
  name: "log.insert_head_entry",
  order: 75,
  columns: { tenant_id: "uuid", leaf_index: "int8", size: "int8", entry: "text" },
  text: `/* log.insert_head_entry */
    insert into log_head_entry (tenant_id, leaf_index, size, entry)
    select b.tenant_id, b.leaf_index, b.size, b.entry from batch b`,
});

/** Heads to enter: new ones, and those that were stated last so long ago. Locked until the transaction ends. */
export const takeHeads = (
  tx: Tx,
  heartbeatMs: number,
  limit: number,
): Promise<{ tenantId: string; seconds: number }[]> =>
  tx.query(sql`/* log.take_heads */
    update log_head h set dirty = false, entered_at = now()
    from (select tenant_id from log_head
      where dirty or entered_at < now() - ${heartbeatMs} * interval '1 millisecond'
      order by tenant_id limit ${limit} for update) t
    where h.tenant_id = t.tenant_id
    returning h.tenant_id as "tenantId", floor(extract(epoch from now()))::int8 as "seconds"`);

/** Newest heads of tenants. */
export const listNewestHeads = (
  tx: Tx,
  tenantIds: readonly string[],
): Promise<{ tenantId: string; note: string }[]> =>
  tx.query(sql`/* log.list_newest_heads */
    select w.id::uuid as "tenantId", c.note
    from jsonb_array_elements_text(${JSON.stringify(tenantIds)}::jsonb) as w(id)
    cross join lateral (select note from log_checkpoint
      where tenant_id = w.id::uuid order by size desc limit 1) c
    order by 1`);

export interface StoredEntry {
  readonly index: number;
  readonly size: number;
  readonly entry: string;
}

/** The newest entry of a tenant that covers a leaf, within the first `below` entries of the log of logs. */
export async function findHeadEntry(
  db: Db,
  tenantId: string,
  leafIndex: number,
  below: number,
): Promise<StoredEntry | undefined> {
  const [row] = await db.query<StoredEntry>(sql`/* log.find_head_entry */
    select leaf_index as "index", size, entry from log_head_entry
    where tenant_id = ${tenantId} and size > ${leafIndex} and leaf_index < ${below}
    order by size, leaf_index limit 1`);
  return row;
}

/** Keeps the newest line of each witness for a head. */
export const putCosignature = (
  tx: Tx,
  row: { tenantId: string; size: number; witness: string; line: string },
): Promise<unknown[]> =>
  tx.query(sql`/* log.put_cosignature */
    insert into log_cosignature (tenant_id, size, witness, line)
    values (${row.tenantId}, ${row.size}, ${row.witness}, ${row.line})
    on conflict (tenant_id, size, witness) do update set line = excluded.line, created_at = now()`);

export const listCosignatures = (
  db: Db,
  tenantId: string,
  size: number,
): Promise<{ witness: string; line: string; at: Date }[]> =>
  db.query(sql`/* log.list_cosignatures */
    select witness, line, created_at as "at" from log_cosignature
    where tenant_id = ${tenantId} and size = ${size} order by witness`);

/** The newest head that so many witnesses cosigned. */
export async function findCosignedHead(
  db: Db,
  tenantId: string,
  quorum: number,
): Promise<{ size: number; note: string } | undefined> {
  const [row] = await db.query<{ size: number; note: string }>(sql`/* log.find_cosigned_head */
    select c.size, c.note from log_checkpoint c
    where c.tenant_id = ${tenantId} and c.size in (
      select size from log_cosignature where tenant_id = ${tenantId}
      group by size having count(*) >= ${quorum} order by size desc limit 1)`);
  return row;
}

/** The largest size that a witness has cosigned; 0 for none. */
export async function findWitnessedSize(db: Database, tenantId: string, witness: string): Promise<number> {
  const [row] = await db.system.query<{ size: number }>(sql`/* log.find_witnessed_size */
    select coalesce(max(size), 0)::int8 as size from log_cosignature
    where tenant_id = ${tenantId} and witness = ${witness}`);
  return row?.size ?? 0;
}
