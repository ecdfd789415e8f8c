/** What ended runs hold of the people who started them: parameters, outputs, answers. Steps and their times stay. */
import { deleteBlobsOf } from "#platform/blobs";
import { type Db, sql, type Tx } from "#platform/db";

export async function countLiveRuns(
  db: Db,
  tenantId: string,
  principals: readonly string[],
): Promise<number> {
  const [row] = await db.query<{ n: number }>(sql`/* engine.countLiveOf */
    select count(*)::int4 as n from run r where r.tenant_id = ${tenantId}
      and r.principal_id = any(${[...principals]}::uuid[]) and r.status in ('queued', 'running', 'waiting')`);
  return row?.n ?? 0;
}

/** Answers how many runs; fewer than `limit`: none is left. A run that was erased has the parameter `$erased`. */
export async function eraseRunsOf(
  tx: Tx,
  tenantId: string,
  principals: readonly string[],
  limit: number,
): Promise<number> {
  const rows = await tx.query<{ id: string }>(sql`/* engine.eraseOf */
    update run r set params = '{"$erased": true}', trigger = null, output = null, labels = null,
      error = case when r.error is null then null else jsonb_build_object('code', r.error->>'code', 'message', 'Erased.') end
    where r.tenant_id = ${tenantId} and r.id in (
      select o.id from run o where o.tenant_id = ${tenantId} and o.principal_id = any(${[...principals]}::uuid[])
        and o.status in ('completed', 'failed', 'aborted') and not o.params ? '$erased'
      limit ${limit}
    ) returning r.id`);
  const ids = rows.map((row) => row.id);
  if (ids.length === 0) return 0;
  await tx.query(sql`/* engine.eraseEntries */
    update journal j set output = null, operator = null,
      error = case when j.error is null then null else jsonb_build_object('code', j.error->>'code', 'message', 'Erased.') end
    where j.tenant_id = ${tenantId} and j.run_id = any(${ids}::uuid[])`);
  await tx.query(sql`/* engine.eraseGates */
    update gate g set output = null, edits = null, edited_output = null, note = null, question = 'Erased.'
    where g.tenant_id = ${tenantId} and g.run_id = any(${ids}::uuid[])`);
  await tx.query(sql`/* engine.eraseSignals */
    update signal s set payload = null where s.tenant_id = ${tenantId} and s.run_id = any(${ids}::uuid[])`);
  await tx.query(sql`/* engine.eraseCache */
    delete from step_cache c where c.tenant_id = ${tenantId} and c.run_id = any(${ids}::uuid[])`);
  await deleteBlobsOf(tx, tenantId, ids);
  return ids.length;
}
