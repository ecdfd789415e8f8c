import type { TileId } from "@oars/receipts";
import { type Db, defineWrite, sql } from "#platform/db";

export interface LeafRow {
  readonly tenant_id: string;
  readonly leaf_index: number;
  readonly receipt_id: string;
  readonly leaf_hash: Uint8Array;
}

export const insertLeaf = defineWrite<LeafRow>({
  name: "log.insert_leaf",
  order: 70,
  columns: { tenant_id: "uuid", leaf_index: "int8", receipt_id: "uuid", leaf_hash: "bytea" },
  text: `/* log.insert_leaf */
    insert into log_leaf (tenant_id, leaf_index, receipt_id, leaf_hash)
    select b.tenant_id, b.leaf_index, b.receipt_id, b.leaf_hash from batch b`,
});

export const putTile = defineWrite<{
  tenant_id: string;
  level: number;
  tile_index: number;
  hashes: Uint8Array;
}>({
  name: "log.put_tile",
  order: 71,
  columns: { tenant_id: "uuid", level: "int4", tile_index: "int8", hashes: "bytea" },
  text: `/* log.put_tile */
    insert into log_tile (tenant_id, level, tile_index, hashes)
    select b.tenant_id, b.level, b.tile_index, b.hashes from batch b
    on conflict (tenant_id, level, tile_index) do update set hashes = excluded.hashes`,
});

export const insertCheckpoint = defineWrite<{
  tenant_id: string;
  size: number;
  root: Uint8Array;
  note: string;
}>({
  name: "log.insert_checkpoint",
  order: 72,
  columns: { tenant_id: "uuid", size: "int8", root: "bytea", note: "text" },
  text: `/* log.insert_checkpoint */
    insert into log_checkpoint (tenant_id, size, root, note)
    select b.tenant_id, b.size, b.root, b.note from batch b`,
});

export interface Head {
  readonly size: number;
  readonly root: Uint8Array;
  /** The signed checkpoint. */
  readonly note: string;
  readonly at: Date;
}

/** The newest head, if the log has one. */
export async function findHead(db: Db, tenantId: string): Promise<Head | undefined> {
  const rows = await db.query<Head>(sql`/* log.find_head */
    select size, root, note, created_at as "at" from log_checkpoint
    where tenant_id = ${tenantId} order by size desc limit 1`);
  return rows[0];
}

interface TileRow extends TileId {
  readonly hashes: Uint8Array;
}

/** The tiles that exist of those asked for. */
export const listTiles = (db: Db, tenantId: string, tiles: readonly TileId[]): Promise<TileRow[]> =>
  db.query(sql`/* log.list_tiles */
    select t.level, t.tile_index as "index", t.hashes
    from jsonb_to_recordset(${JSON.stringify(tiles)}::jsonb) as w(level int, index bigint)
    join log_tile t on t.tenant_id = ${tenantId} and t.level = w.level and t.tile_index = w.index`);

/** Leaf hashes in order, [from, to). */
export const listLeafHashes = (
  db: Db,
  tenantId: string,
  from: number,
  to: number,
): Promise<{ leafHash: Uint8Array }[]> =>
  db.query(sql`/* log.list_leaf_hashes */
    select leaf_hash as "leafHash" from log_leaf
    where tenant_id = ${tenantId} and leaf_index >= ${from} and leaf_index < ${to} order by leaf_index`);

/** Which receipts the leaves [from, to) are, in order. */
export const listReceiptIds = (
  db: Db,
  tenantId: string,
  from: number,
  to: number,
): Promise<{ receiptId: string }[]> =>
  db.query(sql`/* log.list_receipt_ids */
    select receipt_id as "receiptId" from log_leaf
    where tenant_id = ${tenantId} and leaf_index >= ${from} and leaf_index < ${to} order by leaf_index`);

/** Places of receipts in the log; those that wait have none. */
export const listIndexes = (
  db: Db,
  tenantId: string,
  receiptIds: readonly string[],
): Promise<{ receiptId: string; index: number }[]> =>
  db.query(sql`/* log.list_indexes */
    select l.receipt_id as "receiptId", l.leaf_index as "index"
    from jsonb_array_elements_text(${JSON.stringify(receiptIds)}::jsonb) as w(id)
    join log_leaf l on l.tenant_id = ${tenantId} and l.receipt_id = w.id::uuid`);

/** Where a receipt is in the log. */
export async function findLeaf(
  db: Db,
  tenantId: string,
  receiptId: string,
): Promise<{ index: number; leafHash: Uint8Array } | undefined> {
  const [row] = await db.query<{ index: number; leafHash: Uint8Array }>(sql`/* log.find_leaf */
    select leaf_index as "index", leaf_hash as "leafHash" from log_leaf
    where tenant_id = ${tenantId} and receipt_id = ${receiptId}`);
  return row;
}
