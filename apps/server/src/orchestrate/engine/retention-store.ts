/** SQL that removes runs whose time is over, of every tenant. */
import { type Database, sql } from "#platform/db";

/** Runs of a range of ids. */
export interface Span {
  readonly firstId: string;
  readonly endId: string;
}

/** Tenants that have runs, by one look into the key for each. */
export async function listRunTenants(db: Database): Promise<string[]> {
  const rows = await db.system.query<{ id: string }>(sql`/* engine.listRunTenants */
    with recursive t as (
      (select r.tenant_id as id from run r order by r.tenant_id limit 1)
      union all
      select (select r.tenant_id from run r where r.tenant_id > t.id order by r.tenant_id limit 1) from t where t.id is not null
    ) select t.id from t where t.id is not null`);
  return rows.map((r) => r.id);
}

export interface Census {
  /** Runs that have not ended. */
  readonly live: number;
  /** Runs that ended less than the kept days ago. */
  readonly fresh: number;
  readonly seen: number;
  /** The last run that was looked at. */
  readonly lastId: string | null;
}

/** Looks at up to `limit` runs of a tenant within the span, in the order of their ids. */
export async function countHeld(
  db: Database,
  tenantId: string,
  span: Span,
  keepDays: number,
  limit: number,
): Promise<Census> {
  const [census] = await db.system.query<Census>(sql`/* engine.countHeld */
    select (count(*) filter (where r.status in ('queued', 'running', 'waiting')))::int4 as live,
      (count(*) filter (where r.ended_at > now() - make_interval(days => ${keepDays})))::int4 as fresh,
      count(*)::int4 as seen, max(r.id::text) as "lastId"
    from (select r.id, r.status, r.ended_at from run r
      where r.tenant_id = ${tenantId} and r.id >= ${span.firstId} and r.id < ${span.endId} order by r.id limit ${limit}) r`);
  return census ?? { live: 0, fresh: 0, seen: 0, lastId: null };
}

/** Deletes up to `limit` ended runs of the span with what hangs on them but their journal. Returns how many. */
export async function deleteRuns(db: Database, tenantId: string, span: Span, limit: number): Promise<number> {
  const rows = await db.system.query<{ n: number }>(sql`/* engine.deleteRuns */
    with doomed as (
      select r.tenant_id, r.id from run r
      where r.tenant_id = ${tenantId} and r.id >= ${span.firstId} and r.id < ${span.endId}
        and r.status in ('completed', 'failed', 'aborted')
      order by r.id limit ${limit} for update skip locked
    ), waits as (
      delete from wait w using doomed d where w.tenant_id = d.tenant_id and w.run_id = d.id
    ), signals as (
      delete from signal s using doomed d where s.tenant_id = d.tenant_id and s.run_id = d.id
    ), gates as (
      delete from gate g using doomed d where g.tenant_id = d.tenant_id and g.run_id = d.id
    ), gone as (
      delete from run r using doomed d where r.tenant_id = d.tenant_id and r.id = d.id returning 1
    ) select count(*)::int4 as n from gone`);
  return rows[0]?.n ?? 0;
}

/** The oldest run that has not ended; null where there is none. */
export async function findOldestLive(db: Database): Promise<string | null> {
  const rows = await db.system.query<{ id: string | null }>(sql`/* engine.findOldestLive */
    select least((select min(r.id::text) from run r where r.status = 'queued' and not r.blocked and r.flow_max is null),
      (select min(r.id::text) from run r where r.status = 'queued' and not r.blocked and r.flow_max is not null),
      (select min(r.id::text) from run r where r.status in ('queued', 'waiting') and r.blocked),
      (select min(r.id::text) from run r where r.status = 'running'),
      (select min(r.id::text) from run r where r.status = 'waiting' and not r.blocked)) as id`);
  return rows[0]?.id ?? null;
}
