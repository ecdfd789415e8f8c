/**
 * What the end of a run closed is opened again when a person lets a failed run go on: the gates that were put, and the
 * waits of steps that had not ended. What cannot come any more, because the end cancelled it too, is told to the caller.
 */
import { sql, type Tx } from "#platform/db";
import type { TakenRun } from "./operator-store.ts";

/** A step, or an item, whose action or sub-run was cancelled with the run: it needs another attempt. */
export interface Bereft {
  readonly step: string;
  readonly iteration: number;
  readonly attempt: number;
}

interface Closed extends Bereft {
  readonly id: string;
  readonly becomes: "open" | "resolved" | "gone";
}

export async function reopenWaits(tx: Tx, run: TakenRun): Promise<Bereft[]> {
  const closed = await findClosed(tx, run);
  for (const status of ["open", "resolved"] as const) {
    const ids = closed.filter((w) => w.becomes === status).map((w) => w.id);
    if (ids.length > 0)
      await tx.query(sql`/* engine.reopenWaits */
        update wait set status = ${status}, resolved_at = case when ${status} = 'open' then null else now() end
        where tenant_id = ${run.tenantId} and id = any(${ids}::uuid[])`);
  }
  await tx.query(sql`/* engine.reopenGates */
    update gate g set status = 'open', answered_at = null
    where g.tenant_id = ${run.tenantId} and g.run_id = ${run.id} and g.status = 'cancelled' and exists (
      select from wait w where w.tenant_id = g.tenant_id and w.run_id = g.run_id and w.kind = 'gate' and w.key = g.id::text
        and w.status in ('open', 'resolved'))`); // resolved: its time was up, and nobody had acted on that
  return closed.filter((w) => w.becomes === "gone");
}

/** The cancelled waits of steps and items whose newest entry says that they wait, at that attempt. */
const findClosed = (tx: Tx, run: TakenRun): Promise<Closed[]> =>
  tx.query<Closed>(sql`/* engine.findClosed */
    with head as (
      select distinct on (j.step, j.iteration) j.step, j.iteration, j.attempt, j.event from journal j
      where j.tenant_id = ${run.tenantId} and j.run_id = ${run.id} order by j.step, j.iteration, j.seq desc
    )
    select w.id, w.step, w.iteration, w.attempt,
      case w.kind
        when 'action' then case when a.state in ('proposed', 'pending_approval', 'approved', 'executing', 'in_doubt') then 'open'
          when a.state is null or a.state = 'cancelled' then 'gone' else 'resolved' end
        when 'child' then case when c.status in ('queued', 'running', 'waiting') then 'open'
          when c.status is null or c.status = 'aborted' then 'gone' else 'resolved' end
        else 'open' end as becomes
    from wait w
    join head h on h.step = w.step and h.iteration = w.iteration and h.attempt = w.attempt
      and h.event in ('waiting', 'gated', 'retrying')
    left join action a on a.tenant_id = w.tenant_id and a.id = case w.kind when 'action' then w.key::uuid end
    left join run c on c.tenant_id = w.tenant_id and c.id = case w.kind when 'child' then w.key::uuid end
    where w.tenant_id = ${run.tenantId} and w.run_id = ${run.id} and w.status = 'cancelled'
    order by w.step, w.iteration, w.created_at`);
