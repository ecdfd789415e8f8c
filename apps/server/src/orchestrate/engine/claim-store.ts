/** SQL of the claim. All of it works across tenants. */
import { type Database, type Sql, sql, type Tx } from "#platform/db";
import type { ClaimedRun } from "./store.ts";

/** A queue with work: a tenant's runs without a cap of their flow, or those of one flow with one. */
interface Queue {
  readonly tenantId: string;
  readonly flow: string | null;
  readonly weight: number;
  readonly maxRunning: number | null;
}

/** A tenant that has queued runs. */
export interface ReadyTenant {
  readonly tenantId: string;
  readonly weight: number;
  readonly maxRunning: number | null;
  /** Its flows with a cap that have queued runs. */
  readonly cappedFlows: readonly string[];
}

const open = sql`r.status = 'queued' and not r.blocked and r.flow_max is null`;
const capped = sql`r.status = 'queued' and not r.blocked and r.flow_max is not null`;

/**
 * The tenants that have queued runs, by one look into the index for each and not at their runs. Some of those runs
 * may not be due yet.
 */
export async function findReady(db: Database): Promise<Map<string, ReadyTenant>> {
  const queues = await db.system.query<Queue>(sql`/* engine.findReady */
    with recursive tenants as (
      (select r.tenant_id from run r where ${open} order by r.tenant_id limit 1)
      union all
      select (select r.tenant_id from run r where ${open} and r.tenant_id > t.tenant_id order by r.tenant_id limit 1)
      from tenants t where t.tenant_id is not null
    ), flows as (
      (select r.tenant_id, r.flow_name from run r where ${capped} order by r.tenant_id, r.flow_name limit 1)
      union all
      select n.tenant_id, n.flow_name from flows f cross join lateral (
        select r.tenant_id, r.flow_name from run r
        where ${capped} and (r.tenant_id, r.flow_name) > (f.tenant_id, f.flow_name)
        order by r.tenant_id, r.flow_name limit 1) n
    )
    select q.tenant_id as "tenantId", q.flow_name as flow, coalesce(s.weight, 1) as weight, s.max_running as "maxRunning"
    from (select t.tenant_id, null as flow_name from tenants t where t.tenant_id is not null
          union all select f.tenant_id, f.flow_name from flows f) q
    left join run_share s on s.tenant_id = q.tenant_id`);
  const ready = new Map<string, ReadyTenant>();
  for (const { tenantId, flow, weight, maxRunning } of queues) {
    const cappedFlows = ready.get(tenantId)?.cappedFlows ?? [];
    const flows = flow === null ? cappedFlows : [...cappedFlows, flow];
    ready.set(tenantId, { tenantId, weight, maxRunning, cappedFlows: flows });
  }
  return ready;
}

export interface Outlook {
  /** Something is queued, though it may not be due or may have no room. */
  readonly queued: boolean;
  /** Milliseconds until the next timer or deadline of a parked run. */
  readonly nextTimerMs: number | null;
}

/** What an idle process asks, in one statement. */
export async function lookAround(db: Database): Promise<Outlook> {
  const rows = await db.system.query<Outlook>(sql`/* engine.lookAround */
    select exists (select from run r where ${open}) or exists (select from run r where ${capped}) as queued,
      (extract(epoch from least(
        (select min(w.due_at) from wait w where w.status = 'open' and w.due_at is not null),
        (select min(r.deadline_at) from run r where r.status = 'waiting' and r.paused_at is null)) - now()) * 1000)::float8 as "nextTimerMs"`);
  return rows[0] ?? { queued: false, nextTimerMs: null };
}

const taken = sql`r.tenant_id as "tenantId", r.id, r.flow_name as "flowName", r.flow_version as "flowVersion", r.flow_hash as "flowHash",
  r.principal_id as "principalId", r.params, r.trigger, r.priority, r.depth, r.parent_run_id as "parentRunId",
  r.concurrency_key as "concurrencyKey", r.origin_run_id as "originRunId", r.signed, r.lease_epoch as epoch, r.wake_seq as "wakeSeq", r.last_seq as "lastSeq",
  r.started_at as "startedAt", r.deadline_at as "deadlineAt",
  (extract(epoch from now() - r.available_at) * 1000)::float8 as "waitedMs"`;

const take = (workerId: string): Sql => sql`update run r set status = 'running', lease_worker = ${workerId},
  lease_epoch = r.lease_epoch + 1, started_at = coalesce(r.started_at, now())`;

/** How many runs of which tenant. */
export type Plan = ReadonlyMap<string, number>;

const namesOf = (plan: Plan): string[] => [...plan.keys()];

/**
 * Takes runs without a cap of their flow, by priority and then age. Passes over rows that another claimer holds,
 * and over tenants that have got a cap meanwhile.
 */
export const claimOpen = (db: Database, workerId: string, plan: Plan): Promise<ClaimedRun[]> =>
  db.system.query<ClaimedRun>(sql`/* engine.claimOpen */
    with picked as (
      select p.tenant_id, p.id from unnest(${[...plan.keys()]}::uuid[], ${[...plan.values()]}::int4[]) as w (tenant_id, n)
      cross join lateral (
        select r.tenant_id, r.id from run r
        where r.tenant_id = w.tenant_id and ${open} and r.available_at <= now()
          and (select s.max_running from run_share s where s.tenant_id = w.tenant_id) is null
        order by r.priority desc, r.available_at limit w.n for update skip locked
      ) p
    )
    ${take(workerId)} from picked p where r.tenant_id = p.tenant_id and r.id = p.id returning ${taken}`);

/** First of the two keys of an advisory lock, so that claims get in nobody else's way. */
const lockClass = 0x0a52;

/**
 * Makes claimers take turns: whoever counts under these keys sees what those before have taken. For as long as the
 * transaction lasts. Sorted, so that two never wait for each other.
 */
export const lockCaps = (tx: Tx, keys: readonly number[]): Promise<unknown> =>
  tx.query(sql`/* engine.lockCaps */ select pg_advisory_xact_lock(${lockClass}::int4, k.key)
    from unnest(${[...new Set(keys)].sort((a, b) => a - b)}::int4[]) as k (key)`);

/** How many runs are running now; `flow` null for those of the tenant. */
export interface Count {
  readonly tenantId: string;
  readonly flow: string | null;
  readonly running: number;
  /** The cap in force: of the tenant, or of the flow's first run in the queue. */
  readonly max: number | null;
}

/** What runs of these tenants and flows. Under `lockCaps` it stays so until the transaction's own claim. */
export const countRunning = (
  tx: Tx,
  tenants: readonly string[],
  flows: readonly (readonly [tenantId: string, flow: string])[],
): Promise<Count[]> =>
  tx.query<Count>(sql`/* engine.countRunning */
    select t.tenant_id as "tenantId", null as flow,
      (select count(*) from run r where r.tenant_id = t.tenant_id and r.status = 'running')::int4 as running,
      (select s.max_running from run_share s where s.tenant_id = t.tenant_id) as max
    from unnest(${tenants}::uuid[]) as t (tenant_id)
    union all
    select f.tenant_id, f.flow_name,
      (select count(*) from run r where r.tenant_id = f.tenant_id and r.flow_name = f.flow_name and r.status = 'running')::int4,
      (select r.flow_max from run r where r.tenant_id = f.tenant_id and r.flow_name = f.flow_name and ${capped}
        and r.available_at <= now() order by r.priority desc, r.available_at limit 1)
    from unnest(${flows.map(([tenantId]) => tenantId)}::uuid[], ${flows.map(([, flow]) => flow)}::text[]) as f (tenant_id, flow_name)`);

/** All that runs, up to `most`. */
export async function countAllRunning(tx: Tx, most: number): Promise<number> {
  const rows = await tx.query<{ n: number }>(sql`/* engine.countAllRunning */
    select count(*)::int4 as n from (select from run r where r.status = 'running' limit ${most}) x`);
  return rows[0]?.n ?? 0;
}

/**
 * Takes runs of tenants and of flows with caps, by priority and then age over all queues of a tenant. `counts` are
 * what `countRunning` said. A tenant that was not counted is passed over when it has got a cap meanwhile. A flow's
 * runs keep their order: while the first may not begin none behind it does.
 */
export const claimCapped = (
  tx: Tx,
  workerId: string,
  plan: Plan,
  counts: readonly Count[],
): Promise<ClaimedRun[]> => {
  const counted = new Set(counts.map((c) => c.tenantId));
  const flows = counts.filter((c) => c.flow !== null && c.max !== null && c.running < c.max);
  return tx.query<ClaimedRun>(sql`/* engine.claimCapped */
    with w as (
      select w.tenant_id, w.n from unnest(${namesOf(plan)}::uuid[], ${[...plan.values()]}::int4[],
        ${namesOf(plan).map((id) => counted.has(id))}::bool[]) as w (tenant_id, n, counted)
      where w.counted or (select s.max_running from run_share s where s.tenant_id = w.tenant_id) is null
    ), f as (
      select f.tenant_id, f.flow_name, f.running from unnest(${flows.map((f) => f.tenantId)}::uuid[],
        ${flows.map((f) => f.flow)}::text[], ${flows.map((f) => f.running)}::int4[]) as f (tenant_id, flow_name, running)
    ), candidates as (
      select p.tenant_id, p.id, p.priority, p.available_at from w cross join lateral (
        select r.tenant_id, r.id, r.priority, r.available_at from run r
        where r.tenant_id = w.tenant_id and ${open} and r.available_at <= now()
        order by r.priority desc, r.available_at limit w.n for update skip locked) p
      union all
      select q.tenant_id, q.id, q.priority, q.available_at from (
        select p.tenant_id, p.id, p.priority, p.available_at,
          f.running + row_number() over lane <= min(p.flow_max) over lane as fits
        from f join w on w.tenant_id = f.tenant_id cross join lateral (
          select r.tenant_id, r.id, r.priority, r.available_at, r.flow_max from run r
          where r.tenant_id = f.tenant_id and r.flow_name = f.flow_name and ${capped} and r.available_at <= now()
          order by r.priority desc, r.available_at limit w.n for update skip locked) p
        window lane as (partition by f.tenant_id, f.flow_name order by p.priority desc, p.available_at, p.id
          rows unbounded preceding)
      ) q where q.fits
    ), picked as (
      select c.tenant_id, c.id from (
        select c.tenant_id, c.id, row_number() over (partition by c.tenant_id order by c.priority desc, c.available_at) as nth
        from candidates c) c
      join w on w.tenant_id = c.tenant_id where c.nth <= w.n
    )
    ${take(workerId)} from picked p where r.tenant_id = p.tenant_id and r.id = p.id returning ${taken}`);
};
