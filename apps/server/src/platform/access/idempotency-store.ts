import { type Db, sql, type Tx } from "#platform/db";

export interface IdempotencyKey {
  readonly tenantId: string;
  readonly principalId: string;
  readonly route: string;
  readonly key: string;
}

export interface IdempotencyRow {
  readonly fingerprint: string;
  readonly status: number | null;
  readonly answer: Uint8Array | null;
  /** Until the reservation may be taken over, by the database clock; at least 1. */
  readonly waitSeconds: number;
  /** It took effect, nobody has been heard of for 60 s, and there is no answer. */
  readonly lost: boolean;
}

const at = (k: IdempotencyKey) => sql`i.tenant_id = ${k.tenantId} and i.principal_id = ${k.principalId}
  and i.route = ${k.route} and i.key = ${k.key}`;

/**
 * True when the reservation is this caller's: nobody had the key, its answer is older than a day, or whoever
 * reserved it for the same request has not been heard of for 60 s. Of concurrent callers one gets true.
 */
export async function reserveRow(
  tx: Tx,
  k: IdempotencyKey,
  fingerprint: string,
  reservation: string,
): Promise<boolean> {
  const rows = await tx.query(sql`/* access.reserve_idempotency */
    insert into idempotency as i (tenant_id, principal_id, route, key, fingerprint, reservation)
    values (${k.tenantId}, ${k.principalId}, ${k.route}, ${k.key}, ${fingerprint}, ${reservation})
    on conflict (tenant_id, principal_id, route, key) do update set
      fingerprint = excluded.fingerprint, reservation = excluded.reservation, reserved_at = clock_timestamp(),
      status = null, answer = null, completed_at = null, effect_at = null
    where i.completed_at <= clock_timestamp() - interval '24 hours'
      or (i.status is null and i.effect_at is null and i.fingerprint = excluded.fingerprint
        and i.reserved_at <= clock_timestamp() - interval '60 seconds')
    returning 1`);
  return rows.length === 1;
}

export const findRow = (db: Db, k: IdempotencyKey): Promise<IdempotencyRow[]> =>
  db.query(sql`/* access.find_idempotency */
    select i.fingerprint, i.status, i.answer,
      greatest(1, ceil(60 - extract(epoch from clock_timestamp() - i.reserved_at)))::int as "waitSeconds",
      i.status is null and i.effect_at is not null
        and i.reserved_at <= clock_timestamp() - interval '60 seconds' as lost
    from idempotency i where ${at(k)}`);

export async function completeRow(
  tx: Tx,
  k: IdempotencyKey,
  reservation: string,
  answer: { status: number; sealed: Uint8Array },
): Promise<boolean> {
  const rows = await tx.query(sql`/* access.complete_idempotency */
    update idempotency as i
    set status = ${answer.status}, answer = ${answer.sealed}, completed_at = clock_timestamp()
    where ${at(k)} and i.reservation = ${reservation} and i.status is null returning 1`);
  return rows.length === 1;
}

export async function renewRow(tx: Tx, k: IdempotencyKey, reservation: string): Promise<boolean> {
  const rows = await tx.query(sql`/* access.renew_idempotency */
    update idempotency as i set reserved_at = clock_timestamp()
    where ${at(k)} and i.reservation = ${reservation} and i.status is null returning 1`);
  return rows.length === 1;
}

export const releaseRow = (
  tx: Tx,
  k: IdempotencyKey,
  reservation: string,
  evenAfterEffect: boolean,
): Promise<unknown> =>
  tx.query(sql`/* access.release_idempotency */
    delete from idempotency as i where ${at(k)} and i.reservation = ${reservation} and i.status is null
      and (i.effect_at is null or ${evenAfterEffect})`);

export async function purgeRows(tx: Tx, limit: number): Promise<number> {
  const rows = await tx.query(sql`/* access.purge_idempotency */
    delete from idempotency as i using (
      select o.tenant_id, o.principal_id, o.route, o.key from idempotency o
      where o.reserved_at <= clock_timestamp() - interval '25 hours'
      order by o.reserved_at limit ${limit} for update skip locked) as old
    where i.tenant_id = old.tenant_id and i.principal_id = old.principal_id and i.route = old.route and i.key = old.key
      and i.reserved_at <= clock_timestamp() - interval '25 hours'
    returning 1`);
  return rows.length;
}
