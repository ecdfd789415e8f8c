import { type Database, type Db, type Month, sql } from "#platform/db";

/** Across tenants: all that have a log or the keys for one. */
export async function listLogs(db: Database): Promise<string[]> {
  const rows = await db.system.query<{ tenantId: string }>(sql`/* log.list_logs */
    select tenant_id as "tenantId" from signing_key where use = 'log'
    union select tenant_id from log_leaf where leaf_index = 0
    order by 1`);
  return rows.map(({ tenantId }) => tenantId);
}

export interface LeafWithReceipt {
  readonly index: number;
  readonly receiptId: string;
  readonly leafHash: Uint8Array;
  /** Null when there is no such receipt. */
  readonly jws: string | null;
}

/** Leaves from a place on, with their receipts. */
export const listLeavesWithReceipts = (
  db: Db,
  tenantId: string,
  from: number,
  limit: number,
): Promise<LeafWithReceipt[]> =>
  db.query(sql`/* log.fsck_leaves */
    select l.leaf_index as "index", l.receipt_id as "receiptId", l.leaf_hash as "leafHash", r.jws
    from (select leaf_index, receipt_id, leaf_hash from log_leaf
      where tenant_id = ${tenantId} and leaf_index >= ${from} order by leaf_index limit ${limit}) l
    left join receipt r on r.tenant_id = ${tenantId} and r.id = l.receipt_id
    order by l.leaf_index`);

export interface StoredCheckpoint {
  readonly size: number;
  readonly root: Uint8Array;
  readonly note: string;
}

/** Heads after a size, smallest first. */
export const listCheckpoints = (
  db: Db,
  tenantId: string,
  after: number,
  limit: number,
): Promise<StoredCheckpoint[]> =>
  db.query(sql`/* log.fsck_checkpoints */
    select size, root, note from log_checkpoint
    where tenant_id = ${tenantId} and size > ${after} order by size limit ${limit}`);

/** A receipt of a month that is neither in the log nor on its way there. */
export async function findLost(db: Db, tenantId: string, month: Month): Promise<string | undefined> {
  const [row] = await db.query<{ id: string }>(sql`/* log.fsck_lost */
    select r.id from receipt r
    where r.tenant_id = ${tenantId} and r.id >= ${month.firstId} and r.id < ${month.endId}
      and not exists (select from log_leaf l where l.tenant_id = r.tenant_id and l.receipt_id = r.id)
      and not exists (select from receipt_pending p where p.tenant_id = r.tenant_id and p.receipt_id = r.id)
    limit 1`);
  return row?.id;
}
