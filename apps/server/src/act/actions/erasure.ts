/** What actions hold of the people for whom they were. Input and output went with the person's key already. */
import { type Db, sql, type Tx } from "#platform/db";

export async function countLiveActions(
  db: Db,
  tenantId: string,
  principals: readonly string[],
): Promise<number> {
  const [row] = await db.query<{ n: number }>(sql`/* actions.countLiveOf */
    select count(*)::int4 as n from action a where a.tenant_id = ${tenantId}
      and a.principal_id = any(${[...principals]}::uuid[])
      and a.state in ('proposed', 'pending_approval', 'approved', 'executing', 'in_doubt')`);
  return row?.n ?? 0;
}

/** Empties what is in clear, and what older versions sealed under the tenant's key. Answers how many actions; fewer than `limit`: none is left. */
export async function eraseActionsOf(
  tx: Tx,
  tenantId: string,
  principals: readonly string[],
  limit: number,
): Promise<number> {
  const rows = await tx.query(sql`/* actions.eraseOf */
    update action a set facts = '{}', output = null, input = '', asked = null, decision = a.decision || '{"message": "Erased."}',
      error = case when a.error is null then null else jsonb_build_object('code', a.error->>'code', 'message', 'Erased.') end
    where a.tenant_id = ${tenantId} and a.id in (
      select o.id from action o where o.tenant_id = ${tenantId} and o.principal_id = any(${[...principals]}::uuid[])
        and (o.facts <> '{}'::jsonb or o.input <> '' or o.asked is not null or o.output is not null or o.decision->>'message' <> 'Erased.'
          or (o.error is not null and o.error->>'message' <> 'Erased.'))
      limit ${limit}
    ) returning 1`);
  return rows.length;
}
