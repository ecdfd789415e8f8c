/** SQL of concurrency keys. Everything here is done by a transaction that has the key's lock. */
import { sql, type Tx } from "#platform/db";

/** First of the two keys of the advisory lock. */
const lockClass = 0x0a53;

/**
 * [K1] Until the transaction ends nobody else starts or admits runs under the key. Keys with the same 32 bits wait
 * for each other without need. A worker's lock may be taken after it, never before it.
 */
export const lockKey = (tx: Tx, tenantId: string, key: string): Promise<unknown> =>
  tx.query(sql`/* engine.lockKey */
    select pg_advisory_xact_lock(${lockClass}::int4, hashtext(${`${tenantId}\n${key}`}))`);

export interface Holder {
  readonly id: string;
  readonly principalId: string;
  readonly signed: boolean;
}

/** Runs that have the key, the oldest first. */
export const findHolders = (tx: Tx, tenantId: string, key: string): Promise<Holder[]> =>
  tx.query<Holder>(sql`/* engine.findHolders */
    select r.id, r.principal_id as "principalId", r.signed from run r
    where r.tenant_id = ${tenantId} and r.concurrency_key = ${key} and not r.blocked and r.status in ('queued', 'running', 'waiting')
    order by r.created_at, r.id`);

/** Runs that wait for the key, in no order. */
export const findBlocked = (tx: Tx, tenantId: string, key: string, limit: number): Promise<Holder[]> =>
  tx.query<Holder>(sql`/* engine.findBlocked */
    select r.id, r.principal_id as "principalId", r.signed from run r
    where r.tenant_id = ${tenantId} and r.concurrency_key = ${key} and r.blocked and r.status in ('queued', 'waiting')
    limit ${limit}`);

/**
 * Lets in those that are next, by priority and then age, for as long as there are fewer holders than each of them
 * allows. Returns how many.
 */
export async function admitNext(tx: Tx, tenantId: string, key: string): Promise<number> {
  const admitted = await tx.query(sql`/* engine.admitNext */
    with held as (
      select count(*)::int4 as n from run r
      where r.tenant_id = ${tenantId} and r.concurrency_key = ${key} and not r.blocked and r.status in ('queued', 'running', 'waiting')
    ), waiting as (
      select r.id, r.concurrency_limit, r.priority, r.created_at from run r
      where r.tenant_id = ${tenantId} and r.concurrency_key = ${key} and r.blocked and r.status in ('queued', 'waiting')
      order by r.priority desc, r.created_at
      limit greatest(0, (select b.concurrency_limit from run b
        where b.tenant_id = ${tenantId} and b.concurrency_key = ${key} and b.blocked and b.status in ('queued', 'waiting')
        order by b.priority desc, b.created_at limit 1) - (select h.n from held h))
    ), fitting as (
      select w.id, (select h.n from held h) + row_number() over next <= min(w.concurrency_limit) over next as fits
      from waiting w window next as (order by w.priority desc, w.created_at, w.id rows unbounded preceding)
    )
    update run r set blocked = false, available_at = greatest(r.available_at, now())
    from fitting f where f.fits and r.tenant_id = ${tenantId} and r.id = f.id and r.blocked returning r.id`);
  return admitted.length;
}

export async function isStarted(tx: Tx, tenantId: string, startKey: Uint8Array): Promise<boolean> {
  const rows = await tx.query(sql`/* engine.isStarted */
    select r.id from run r where r.tenant_id = ${tenantId} and r.start_key = ${startKey}`);
  return rows.length > 0;
}
