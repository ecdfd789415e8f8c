/** Reads receipts in the order of the log, a bounded number at a time. */
import { parseJws, type ReceiptBody } from "@oars/receipts";
import { type Db, sql } from "#platform/db";

/** One leaf. `jws` is null when the receipt's time was over: then its hash is all that is left of it. */
export interface Leaf {
  readonly index: number;
  readonly hash: Uint8Array;
  readonly receiptId: string;
  readonly jws: string | null;
}

/** Leaves [from, to). */
export const readLeaves = (db: Db, tenantId: string, from: number, to: number): Promise<Leaf[]> =>
  db.query(sql`/* evidence.readLeaves */
    select l.leaf_index as "index", l.leaf_hash as "hash", l.receipt_id as "receiptId", r.jws
    from log_leaf l left join receipt r on r.tenant_id = l.tenant_id and r.id = l.receipt_id
    where l.tenant_id = ${tenantId} and l.leaf_index >= ${from} and l.leaf_index < ${to} order by l.leaf_index`);

/** The first leaf whose receipt is not younger than `from`, and the first after which all are younger than `to`. */
export async function findSpan(
  db: Db,
  tenantId: string,
  size: number,
  window: { readonly from: Date; readonly to: Date },
): Promise<{ first: number; end: number }> {
  const [row] = await db.query<{ first: number | null; last: number | null }>(sql`/* evidence.findSpan */
    select min(l.leaf_index) as first, max(l.leaf_index) as last
    from receipt r join log_leaf l on l.tenant_id = r.tenant_id and l.receipt_id = r.id
    where r.tenant_id = ${tenantId} and r.created_at >= ${window.from} and r.created_at < ${window.to}
      and l.leaf_index < ${size}`);
  const { first = null, last = null } = row ?? {};
  return first === null || last === null ? { first: size, end: size } : { first, end: last + 1 };
}

/** Receipts of a run or an action, in the order of the log, with their leaves. */
export const readChain = (
  db: Db,
  tenantId: string,
  subject: { readonly runId: string | null; readonly actionId: string | null },
  size: number,
  after: number,
  limit: number,
): Promise<Leaf[]> =>
  db.query(sql`/* evidence.readChain */
    select l.leaf_index as "index", l.leaf_hash as "hash", r.id as "receiptId", r.jws
    from receipt r join log_leaf l on l.tenant_id = r.tenant_id and l.receipt_id = r.id
    where r.tenant_id = ${tenantId} and l.leaf_index > ${after} and l.leaf_index < ${size}
      and (r.run_id = ${subject.runId} or r.action_id = ${subject.actionId})
    order by l.leaf_index limit ${limit}`);

/** From the first receipt of a run or an action to just after the newest one; undefined when there are none. */
export async function findSubjectSpan(
  db: Db,
  tenantId: string,
  subject: { readonly runId: string | null; readonly actionId: string | null },
): Promise<{ from: Date; to: Date } | undefined> {
  const [row] = await db.query<{ from: Date | null; to: Date | null }>(sql`/* evidence.findSubjectSpan */
    select min(created_at) as "from", max(created_at) + interval '1 millisecond' as "to" from receipt
    where tenant_id = ${tenantId} and (run_id = ${subject.runId} or action_id = ${subject.actionId})`);
  return row?.from && row.to ? { from: row.from, to: row.to } : undefined;
}

/** The body that this server signed. */
export const bodyOf = (jws: string): ReceiptBody =>
  JSON.parse(Buffer.from(parseJws(jws).payload, "base64url").toString()) as ReceiptBody; // checked before it was signed
