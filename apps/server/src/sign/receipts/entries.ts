import { receiptEntry } from "@oars/receipts";
import { type Db, nothing, sql } from "#platform/db";
import { sha256 } from "#platform/kernel";

/** The log entries of receipts, in the order of `ids`; undefined for each that retention has dropped. */
export async function listEntries(
  db: Db,
  tenantId: string,
  ids: readonly string[],
): Promise<(Uint8Array | undefined)[]> {
  const rows = await db.query<{ id: string; jws: string }>(sql`/* receipts.list_jws */
    select r.id, r.jws from jsonb_array_elements_text(${JSON.stringify(ids)}::jsonb) as w(id)
    join receipt r on r.tenant_id = ${tenantId} and r.id = w.id::uuid`);
  const entries = new Map(rows.map(({ id, jws }) => [id, receiptEntry(jws, sha256)]));
  return ids.map((id) => entries.get(id));
}

/** Receipts of a tenant that have no place in its log yet; only those with smaller ids than `below`, where given. */
export async function countPendingOf(db: Db, tenantId: string, below?: string): Promise<number> {
  const [row] = await db.query<{ n: number }>(sql`/* receipts.count_pending_of */
    select count(*)::int4 as n from receipt_pending
    where tenant_id = ${tenantId} ${below === undefined ? nothing : sql`and receipt_id < ${below}`}`);
  return row?.n ?? 0;
}
