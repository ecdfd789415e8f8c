/** SQL that finds runs and waits which break an invariant, of every tenant, and that puts them right. */
import { type Database, sql, type Tx } from "#platform/db";
import { workerLock } from "#platform/jobs";
import type { WaitKind } from "./domain.ts";
import { requeueOf } from "./store.ts";

export type Invariant =
  | "running_without_worker"
  | "waiting_without_wait"
  | "blocked_without_holder"
  | "ended_with_waits"
  | "wait_without_run";

export interface Violation {
  readonly invariant: Invariant;
  readonly tenantId: string;
  readonly runId: string;
  /** The worker that is gone, the concurrency key, or on whose behalf the run was: what the repair needs. */
  readonly detail: string | null;
}

/** Up to `limit` of each. Reads live rows alone: its cost follows their number and not the history. */
export const findViolations = (db: Database, limit: number): Promise<Violation[]> =>
  db.system.query<Violation>(sql`/* engine.findViolations */
    (select 'running_without_worker' as invariant, r.tenant_id as "tenantId", r.id as "runId", r.lease_worker::text as detail
      from run r where r.status = 'running'
        and not exists (select from worker w where w.id = r.lease_worker and w.dead_at is null)
      limit ${limit})
    union all
    (select 'waiting_without_wait', r.tenant_id, r.id, null from run r
      where r.status = 'waiting' and r.paused_at is null and not r.blocked
        and not exists (select from wait w where w.tenant_id = r.tenant_id and w.run_id = r.id and w.status = 'open')
      limit ${limit})
    union all
    (select 'blocked_without_holder', k.tenant_id, k.id, k.concurrency_key
      from (select b.tenant_id, b.concurrency_key, min(b.id::text)::uuid as id, min(b.concurrency_limit) as most
            from run b where b.blocked and b.status in ('queued', 'waiting') and b.paused_at is null
            group by b.tenant_id, b.concurrency_key) k
      where (select count(*) from run h where h.tenant_id = k.tenant_id and h.concurrency_key = k.concurrency_key
          and not h.blocked and h.status in ('queued', 'running', 'waiting')) < k.most
      limit ${limit})
    union all
    (select distinct 'ended_with_waits', r.tenant_id, r.id, r.principal_id::text
      from (select w.tenant_id, w.run_id from wait w where w.status = 'open'
            union all select g.tenant_id, g.run_id from gate g where g.status = 'open') o
      join run r on r.tenant_id = o.tenant_id and r.id = o.run_id
      where r.status in ('completed', 'failed', 'aborted')
      limit ${limit})
    union all
    (select distinct 'wait_without_run', w.tenant_id, w.run_id, null from wait w
      where w.status = 'open' and not exists (select from run r where r.tenant_id = w.tenant_id and r.id = w.run_id)
      limit ${limit})`);

/** Queues what a worker holds that does not live any more. None of its writes gets through from now on. */
export async function takeFromDead(tx: Tx, worker: string): Promise<number> {
  await tx.query(sql`/* engine.lockDead */ select pg_advisory_xact_lock(${workerLock(worker)}::bigint)`);
  const alive = await tx.query(
    sql`/* engine.findAlive */ select id from worker where id = ${worker} and dead_at is null`,
  );
  return alive.length > 0 ? 0 : (await requeueOf(tx, worker)).length;
}

/** Locks the run if it still waits for nothing. */
export async function lockStranded(tx: Tx, tenantId: string, runId: string): Promise<boolean> {
  const rows = await tx.query(sql`/* engine.lockStranded */
    select r.id from run r where r.tenant_id = ${tenantId} and r.id = ${runId} and r.status = 'waiting'
      and r.paused_at is null and not r.blocked for update`);
  if (rows.length === 0) return false;
  const open = await tx.query(sql`/* engine.findOpenWait */
    select id from wait where tenant_id = ${tenantId} and run_id = ${runId} and status = 'open' limit 1`);
  return open.length === 0;
}

export interface LostWait {
  readonly step: string;
  readonly iteration: number;
  readonly attempt: number;
  readonly kind: WaitKind;
  readonly key: string | null;
  readonly status: "open" | "resolved";
}

/**
 * What the journal says the run waits for and no row does: the sub-run or the gate where there is one; else the
 * attempt is taken up again, which finds its action by its key or waits anew.
 */
export const findLostWaits = (tx: Tx, tenantId: string, runId: string): Promise<LostWait[]> =>
  tx.query<LostWait>(sql`/* engine.findLostWaits */
    with head as (
      select distinct on (j.step, j.iteration) j.step, j.iteration, j.attempt, j.event from journal j
      where j.tenant_id = ${tenantId} and j.run_id = ${runId} and j.step <> '' order by j.step, j.iteration, j.seq desc
    )
    select h.step, h.iteration, h.attempt,
      case when h.event = 'gated' then 'gate' when c.id is not null then 'child' else 'action' end as kind,
      case when h.event = 'gated' then g.id::text else c.id::text end as key,
      case when h.event = 'gated' then case when g.status = 'open' then 'open' else 'resolved' end
        when c.status in ('queued', 'running', 'waiting') then 'open' else 'resolved' end as status
    from head h
    left join lateral (select x.id, x.status from gate x where x.tenant_id = ${tenantId} and x.run_id = ${runId}
        and x.step = h.step and x.iteration = h.iteration and x.attempt = h.attempt order by x.created_at desc limit 1) g on true
    left join lateral (select x.id, x.status from run x where x.tenant_id = ${tenantId} and x.parent_run_id = ${runId}
        and x.parent_step = h.step and x.parent_iteration = h.iteration order by x.created_at desc limit 1) c on true
    where (h.event = 'waiting' or h.event = 'gated' and g.id is not null)
      and not exists (select from wait w where w.tenant_id = ${tenantId} and w.run_id = ${runId} and w.step = h.step
        and w.iteration = h.iteration and w.attempt = h.attempt and w.status in ('open', 'resolved'))`);

export const insertLostWait = (
  tx: Tx,
  at: { readonly tenantId: string; readonly runId: string; readonly id: string },
  w: LostWait,
): Promise<unknown[]> =>
  tx.query(sql`/* engine.insertLostWait */
    insert into wait (tenant_id, id, run_id, step, iteration, attempt, kind, key, status, resolved_at)
    values (${at.tenantId}, ${at.id}, ${at.runId}, ${w.step}, ${w.iteration}, ${w.attempt}, ${w.kind}, ${w.key}, ${w.status},
      case when ${w.status} = 'resolved' then now() end)`);

export const requeueStranded = (tx: Tx, tenantId: string, runId: string): Promise<unknown[]> =>
  tx.query(sql`/* engine.requeueStranded */
    update run set status = 'queued', lease_epoch = lease_epoch + 1, wake_seq = wake_seq + 1, available_at = now()
    where tenant_id = ${tenantId} and id = ${runId} and status = 'waiting'`);

export const cancelOrphans = (tx: Tx, tenantId: string, runId: string): Promise<unknown[]> =>
  tx.query(sql`/* engine.cancelOrphans */
    update wait w set status = 'cancelled', resolved_at = now()
    where w.tenant_id = ${tenantId} and w.run_id = ${runId} and w.status = 'open'
      and not exists (select from run r where r.tenant_id = w.tenant_id and r.id = w.run_id)`);
