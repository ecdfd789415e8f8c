/** SQL of what is queued and of what was given up. */
import { type Database, type Db, type Sql, sql, type Tx } from "#platform/db";
import type { Payload } from "./domain.ts";

export interface Queued {
  /** Of the target. */
  readonly tenantId: string;
  readonly id: string;
  readonly targetId: string;
  readonly subjectKind: "event" | "alert";
  readonly subjectId: string;
  readonly payload: Payload;
}

export interface Claimed extends Queued {
  /** This one included. */
  readonly attempts: number;
}

export const enqueue = (tx: Tx, rows: readonly Queued[]): Promise<unknown> =>
  tx.query(sql`/* delivery.enqueue */
    insert into delivery (tenant_id, id, target_id, subject_kind, subject_id, payload)
    select r."tenantId", r.id, r."targetId", r."subjectKind", r."subjectId", r.payload
    from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb)
      as r ("tenantId" uuid, id uuid, "targetId" uuid, "subjectKind" text, "subjectId" uuid, payload jsonb)`);

/** Takes the next items of a target; should this process hang with them, they come back after a minute. */
export const claim = (
  db: Database,
  workerId: string,
  at: { readonly tenantId: string; readonly targetId: string },
  limit: number,
): Promise<Claimed[]> =>
  db.system.query<Claimed>(sql`/* delivery.claim */
    with taken as (
      update delivery d set available_at = now() + interval '60 seconds', attempts = d.attempts + 1, claimed_by = ${workerId}
      from (select tenant_id, id from delivery where tenant_id = ${at.tenantId} and target_id = ${at.targetId} and available_at <= now()
            order by available_at, id limit ${limit} for update skip locked) c
      where d.tenant_id = c.tenant_id and d.id = c.id
      returning d.tenant_id, d.id, d.target_id, d.subject_kind, d.subject_id, d.payload, d.attempts
    ) select t.tenant_id as "tenantId", t.id, t.target_id as "targetId", t.subject_kind as "subjectKind",
        t.subject_id as "subjectId", t.payload, t.attempts from taken t order by t.id`);

const ids = (rows: readonly Claimed[]): string[] => rows.map((r) => r.id);

/** Only what this process still holds: `claimed_by` is its turn. Returns the ids that it held. */
export const remove = (tx: Tx, workerId: string, rows: readonly Claimed[]): Promise<{ id: string }[]> =>
  tx.query(sql`/* delivery.remove */
    delete from delivery d where d.tenant_id = ${rows[0]?.tenantId} and d.id = any(${ids(rows)}::uuid[]) and d.claimed_by = ${workerId}
    returning d.id`);

/** Back into the queue after its delay; `again`: this attempt does not count. */
export const postpone = (
  tx: Tx,
  workerId: string,
  rows: readonly { readonly row: Claimed; readonly ms: number }[],
  error: string | null,
  again = false,
): Promise<unknown> =>
  tx.query(sql`/* delivery.postpone */
    update delivery d set claimed_by = null, available_at = now() + make_interval(secs => p.ms / 1000),
      last_error = coalesce(${error}, d.last_error), attempts = d.attempts - ${again ? 1 : 0}
    from unnest(${rows.map((r) => r.row.id)}::uuid[], ${rows.map((r) => r.ms)}::float8[]) as p (id, ms)
    where d.tenant_id = ${rows[0]?.row.tenantId} and d.id = p.id and d.claimed_by = ${workerId}`);

/** The process died: what it held is due at once. */
export const freeClaims = (tx: Tx, workerId: string): Promise<{ id: string }[]> =>
  tx.query(sql`/* delivery.free */
    update delivery set available_at = now(), claimed_by = null where claimed_by = ${workerId} returning id`);

/** Everything queued of a tenant's active targets is due now. Returns how much. */
export async function dueNow(tx: Tx, tenantId: string): Promise<number> {
  const rows = await tx.query<{ n: number }>(sql`/* delivery.dueNow */
    with woken as (update delivery_target set open_until = null, failures = 0 where tenant_id = ${tenantId} and state = 'active' returning id),
    due as (update delivery d set available_at = now() where d.tenant_id = ${tenantId} and d.claimed_by is null
      and d.target_id in (select w.id from woken w) returning 1)
    select count(*)::int4 as n from due`);
  return rows[0]?.n ?? 0;
}

/** Queued items of all tenants, the oldest of those that are due in seconds, and dead letters that are open. */
export async function figures(db: Database): Promise<{ queued: number; lagSeconds: number; dead: number }> {
  const [row] = await db.system.query<{ queued: number; lagSeconds: number; dead: number }>(
    sql`/* delivery.figures */ select count(*)::int4 as queued,
      coalesce(extract(epoch from now() - min(d.created_at)), 0)::float8 as "lagSeconds",
      (select count(*)::int4 from dead_letter l where l.state = 'open') as dead from delivery d`,
  );
  return row ?? { queued: 0, lagSeconds: 0, dead: 0 };
}

export type DeadState = "open" | "replayed" | "resolved";

export interface DeadLetter extends Queued {
  readonly targetName: string | null;
  readonly attempts: number;
  readonly lastError: string;
  readonly state: DeadState;
  readonly replayCount: number;
  readonly reason: string | null;
  readonly failedAt: Date;
  readonly updatedAt: Date;
}

const deadColumns: Sql = sql`l.tenant_id as "tenantId", l.id, l.target_id as "targetId",
  (select t.name from delivery_target t where t.tenant_id = l.tenant_id and t.id = l.target_id) as "targetName",
  l.subject_kind as "subjectKind", l.subject_id as "subjectId", l.payload, l.attempts, l.last_error as "lastError", l.state,
  l.replay_count as "replayCount", l.reason, l.failed_at as "failedAt", l.updated_at as "updatedAt"`;

/** An item that is given up a second time, after a replay, is open again under its id. */
export const bury = (tx: Tx, rows: readonly Claimed[], error: string): Promise<unknown> =>
  tx.query(sql`/* delivery.bury */
    insert into dead_letter as l (tenant_id, id, target_id, subject_kind, subject_id, payload, attempts, last_error, state)
    select r."tenantId", r.id, r."targetId", r."subjectKind", r."subjectId", r.payload, r.attempts, ${error}, 'open'
    from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb)
      as r ("tenantId" uuid, id uuid, "targetId" uuid, "subjectKind" text, "subjectId" uuid, payload jsonb, attempts int)
    on conflict (tenant_id, id) do update set state = 'open', attempts = l.attempts + excluded.attempts, last_error = excluded.last_error,
      failed_at = now(), updated_at = now()`);

export const listDead = (
  db: Db,
  tenantId: string,
  q: { readonly state: DeadState | null; readonly limit: number; readonly before: string | null },
): Promise<DeadLetter[]> =>
  db.query<DeadLetter>(sql`/* delivery.listDead */
    select ${deadColumns} from dead_letter l where l.tenant_id = ${tenantId} and (${q.state}::text is null or l.state = ${q.state}::text)
      and (${q.before}::uuid is null or l.id < ${q.before}::uuid) order by l.id desc limit ${q.limit}`);

export const findDead = (db: Db, tenantId: string, id: string): Promise<DeadLetter[]> =>
  db.query<DeadLetter>(sql`/* delivery.findDead */
    select ${deadColumns} from dead_letter l where l.tenant_id = ${tenantId} and l.id = ${id}`);

/** One of two who try moves it; the other gets nothing. */
export const moveDead = (
  tx: Tx,
  tenantId: string,
  id: string,
  to: "replayed" | "resolved",
  reason: string | null,
): Promise<DeadLetter[]> =>
  tx.query<DeadLetter>(sql`/* delivery.moveDead */
    update dead_letter l set state = ${to}, reason = ${reason}, updated_at = now(),
      replay_count = l.replay_count + ${to === "replayed" ? 1 : 0}
    where l.tenant_id = ${tenantId} and l.id = ${id} and l.state = 'open' returning ${deadColumns}`);

/** Closed dead letters whose time is over. Across tenants. Returns how many of at most `limit`. */
export async function forgetDead(db: Database, keepDays: number, limit: number): Promise<number> {
  const rows = await db.system.query(sql`/* delivery.forgetDead */
    delete from dead_letter l using (select tenant_id, id from dead_letter where state <> 'open'
      and updated_at < now() - make_interval(days => ${keepDays}) limit ${limit}) d
    where l.tenant_id = d.tenant_id and l.id = d.id returning 1`);
  return rows.length;
}
