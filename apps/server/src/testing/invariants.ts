/** What must be true of every database at rest, whatever was killed, raced or refused before. */
import { type Database, type Sql, sql } from "#platform/db";

const rules: Readonly<Record<string, Sql>> = {
  "[R3] a step's attempt has one end": sql`
    select j.run_id, j.step, j.attempt, count(*)::int4 as n from journal j
    where j.event in ('completed', 'failed', 'skipped', 'retrying') and j.operator is null
    group by j.tenant_id, j.run_id, j.step, j.iteration, j.attempt having count(*) > 1`,
  "a run's entries have numbers of their own, and none is beyond its end": sql`
    select j.run_id, j.seq from journal j join run r on r.tenant_id = j.tenant_id and r.id = j.run_id
    group by j.tenant_id, j.run_id, j.seq, r.status, r.last_seq
    having count(*) > 1 or (r.status in ('completed', 'failed', 'aborted')
      and j.seq > r.last_seq + case when max(j.event) = 'aborted' then 1 else 0 end)`,
  "[R4] what waits has something open that will wake it": sql`
    select r.id from run r where r.status = 'waiting' and r.paused_at is null and not r.blocked and not exists
      (select from wait w where w.tenant_id = r.tenant_id and w.run_id = r.id and w.status = 'open')`,
  "[R4] what waits, has ended or is queued holds no lease": sql`
    select r.id from run r where (r.status = 'running') <> (r.lease_worker is not null)`,
  "what has ended waits for nothing": sql`
    select w.run_id, w.step from wait w join run r on r.tenant_id = w.tenant_id and r.id = w.run_id
    where w.status = 'open' and r.status in ('completed', 'failed', 'aborted')`,
  "what has ended asks nobody": sql`
    select g.run_id, g.step from gate g join run r on r.tenant_id = g.tenant_id and r.id = g.run_id
    where g.status = 'open' and r.status in ('completed', 'failed', 'aborted')`,
  "[R8] a signal is delivered to one step, and a step takes one signal": sql`
    select s.run_id, s.step, s.iteration, count(*)::int4 as n from signal s where s.delivered_at is not null
    group by s.tenant_id, s.run_id, s.step, s.iteration having count(*) > 1`,
  "[R11] a sub-run does not outlive its parent": sql`
    select c.id from run c join run p on p.tenant_id = c.tenant_id and p.id = c.parent_run_id
    where c.status in ('queued', 'running', 'waiting') and p.status in ('completed', 'failed', 'aborted')`,
  "what has ended holds no action": sql`
    select a.id, a.state from action a join run r on r.tenant_id = a.tenant_id and r.id = a.run_id
    where a.state in ('pending_approval', 'approved') and r.status in ('completed', 'failed', 'aborted')`,
  "[X5] every action has its decision's receipt": sql`
    select a.id, a.state from action a where not exists (select from receipt p
      where p.tenant_id = a.tenant_id and p.action_id = a.id and p.type = 'action.decision')`,
  "[X5] every action that ended otherwise than by its first decision has a receipt of its end": sql`
    select a.id, a.state from action a
    where a.state in ('completed', 'failed', 'in_doubt', 'rejected', 'expired', 'cancelled')
      and not exists (select from receipt p
        where p.tenant_id = a.tenant_id and p.action_id = a.id and p.type = 'execution.finished')`,
  "[R12] a signed run has one receipt of its start, and one of each of its ends": sql`
    select r.id, r.status, p.started, p.ended from run r cross join lateral (
      select count(*) filter (where p.type = 'run.started')::int4 as started,
        count(*) filter (where p.type = 'run.finished')::int4 as ended
      from receipt p where p.tenant_id = r.tenant_id and p.run_id = r.id) p
    cross join lateral (
      select count(*) filter (where j.event = 'reopened')::int4 as reopened,
        coalesce(max(j.seq) filter (where j.event = 'failed'), 0)
          > coalesce(max(j.seq) filter (where j.event = 'reopened'), 0) as failed
      from journal j where j.tenant_id = r.tenant_id and j.run_id = r.id and j.step = '') j
    where p.started <> case when r.signed then 1 else 0 end
      or p.ended <> case when r.signed then j.reopened
        + case when r.status in ('completed', 'failed', 'aborted') then 1 else 0 end
        + case when r.status = 'aborted' and j.failed then 1 else 0 end else 0 end`,
  "[A3] what is consumed was granted, and its action was started": sql`
    select p.id, a.state from approval p join action a on a.tenant_id = p.tenant_id and a.id = p.action_id
    where p.state = 'consumed' and a.state not in ('executing', 'completed', 'failed', 'in_doubt')`,
  "[A2] an action that ended has no open approval": sql`
    select p.id, p.state, a.state as action from approval p
    join action a on a.tenant_id = p.tenant_id and a.id = p.action_id
    where p.state = 'pending' and a.state <> 'pending_approval'`,
};

/** Rows that break a rule, by rule: empty when all hold. */
export async function brokenInvariants(db: Pick<Database, "system">): Promise<Record<string, unknown[]>> {
  const broken: Record<string, unknown[]> = {};
  for (const [rule, query] of Object.entries(rules)) {
    const rows = await db.system.query(query);
    if (rows.length > 0) broken[rule] = rows;
  }
  return broken;
}
