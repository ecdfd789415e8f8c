import { type Database, sql } from "#platform/db";

/** Deletes up to `limit` approvals, with their votes and comments, of actions in a range of ids. Across tenants. Returns how many. */
export async function deleteApprovals(
  db: Database,
  actions: { readonly tenantId: string; readonly firstId: string; readonly endId: string },
  limit: number,
): Promise<number> {
  const { tenantId, firstId, endId } = actions;
  const rows = await db.system.query<{ n: number }>(sql`/* approvals.deleteOf */
    with doomed as (
      select a.tenant_id, a.id from approval a
      where a.tenant_id = ${tenantId} and a.action_id >= ${firstId} and a.action_id < ${endId} order by a.action_id limit ${limit}
    ), votes as (
      delete from approval_vote v using doomed d where v.tenant_id = d.tenant_id and v.approval_id = d.id
    ), talk as (
      delete from approval_comment c using doomed d where c.tenant_id = d.tenant_id and c.approval_id = d.id
    ), gone as (
      delete from approval a using doomed d where a.tenant_id = d.tenant_id and a.id = d.id returning 1
    ) select count(*)::int4 as n from gone`);
  return rows[0]?.n ?? 0;
}
