/** SQL of the table of jobs. A job belongs to the installation and not to a tenant. */
import { type Database, sql, type Tx } from "#platform/db";

export interface JobSpec {
  readonly name: string;
  readonly everyMs: number;
}

export interface Claim {
  readonly name: string;
  readonly turn: number;
}

export interface JobRow {
  readonly name: string;
  readonly everyMs: number;
  readonly nextAt: Date;
  /** It is free, and its time has come. */
  readonly due: boolean;
  readonly holder: string | null;
  readonly host: string | null;
  readonly startedAt: Date | null;
  readonly endedAt: Date | null;
  readonly lastMs: number | null;
  readonly lastError: string | null;
  readonly failures: number;
}

/** New jobs are due at once; of known ones only the interval is renewed. */
export const registerJobs = (db: Database, jobs: readonly JobSpec[]): Promise<unknown> =>
  db.system.query(sql`/* jobs.register */
    insert into job as j (name, every_ms, next_at)
    select n.name, n.every_ms, now() from unnest(${jobs.map((j) => j.name)}::text[], ${jobs.map((j) => j.everyMs)}::int8[]) as n (name, every_ms)
    on conflict (name) do update set every_ms = excluded.every_ms, next_at = least(j.next_at, now() + make_interval(secs => excluded.every_ms / 1000.0))
      where j.every_ms <> excluded.every_ms`);

/**
 * Takes the jobs that are due and free, and says how long until the next of the free ones is due. A job that the
 * database gives this worker and that does not run here counts as free: the answer to its claim or the report of
 * its end was lost.
 */
export async function claimDue(
  db: Database,
  worker: string,
  names: readonly string[],
  running: readonly string[],
): Promise<{ claims: Claim[]; nextMs: number | null }> {
  const rows = await db.system.query<{ name: string | null; turn: number; ms: number | null }>(
    sql`/* jobs.claimDue */
    with free as (
      select j.name, j.next_at from job j where j.name = any(${names}::text[]) and not j.name = any(${running}::text[])
        and (j.holder is null or j.holder = ${worker})
    ), due as (
      select j.name from job j where j.name in (select f.name from free f where f.next_at <= now())
        and (j.holder is null or j.holder = ${worker}) and j.next_at <= now()
      for update skip locked
    ), taken as (
      update job j set holder = ${worker}, turn = j.turn + 1, started_at = now() from due d where j.name = d.name
      returning j.name, j.turn
    )
    select t.name, t.turn, null::float8 as ms from taken t
    union all
    select null, 0, (extract(epoch from min(f.next_at) - now()) * 1000)::float8 from free f where f.next_at > now()`,
  );
  const claims = rows.flatMap(({ name, turn }) => (name === null ? [] : [{ name, turn }]));
  return { claims, nextMs: rows.find((r) => r.name === null)?.ms ?? null };
}

/** Takes one job now, unless it is running somewhere: then undefined. */
export async function claimOne(db: Database, worker: string, name: string): Promise<Claim | undefined> {
  const rows = await db.system.query<Claim>(sql`/* jobs.claimOne */
    update job set holder = ${worker}, turn = turn + 1, started_at = now() where name = ${name} and holder is null
    returning name, turn`);
  return rows[0];
}

export interface JobEnd extends Claim {
  readonly ms: number;
  readonly error: string | null;
  /** Milliseconds until it is wanted again, where that is sooner than its interval says. */
  readonly againInMs: number | null;
}

/**
 * Gives the job back and says in how many milliseconds it is due again. Intervals lie on a grid that all jobs share,
 * so that one look finds several due. Undefined: it is another's meanwhile.
 */
export async function endJob(db: Database, worker: string, end: JobEnd): Promise<number | undefined> {
  const rows = await db.system.query<{ ms: number }>(sql`/* jobs.end */
    update job set holder = null, ended_at = now(), last_ms = ${Math.round(end.ms)}, last_error = ${end.error},
      failures = case when ${end.error}::text is null then 0 else failures + 1 end,
      next_at = least(
        to_timestamp((floor(extract(epoch from now()) * 1000 / every_ms) + 1) * every_ms / 1000.0),
        now() + make_interval(secs => ${end.againInMs}::float8 / 1000))
    where name = ${end.name} and holder = ${worker} and turn = ${end.turn}
    returning (extract(epoch from next_at - now()) * 1000)::float8 as ms`);
  return rows[0]?.ms;
}

/** The process died or left: what it held is due at once. */
export const freeJobsOf = (tx: Tx, worker: string): Promise<{ name: string }[]> =>
  tx.query(sql`/* jobs.freeJobs */
    update job set holder = null, next_at = now() where holder = ${worker} returning name`);

export const listJobs = (db: Database): Promise<JobRow[]> =>
  db.system.query<JobRow>(sql`/* jobs.list */
    select j.name, j.every_ms as "everyMs", j.next_at as "nextAt", j.next_at <= now() as due, j.holder, w.host, j.started_at as "startedAt",
      j.ended_at as "endedAt", j.last_ms as "lastMs", j.last_error as "lastError", j.failures
    from job j left join worker w on w.id = j.holder order by j.name`);

/** Workers that are long gone, and jobs that no version of the server has run for long. */
export async function forgetOld(db: Database): Promise<null> {
  await db.system.query(
    sql`/* jobs.forgetWorkers */ delete from worker where dead_at < now() - interval '7 days'`,
  );
  await db.system.query(sql`/* jobs.forgetJobs */
    delete from job where holder is null and next_at < now() - interval '7 days'`);
  return null;
}
