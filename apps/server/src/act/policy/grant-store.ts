import { type Db, nothing, sql, type Tx } from "#platform/db";
import { formatId } from "#platform/kernel";
import type { EntityRef } from "./domain.ts";
import type { Grant } from "./grant.ts";

export interface GrantRow {
  readonly id: string;
  readonly template: string;
  readonly principal: EntityRef | null;
  readonly resource: EntityRef | null;
  readonly note: string | null;
  readonly createdBy: string;
  readonly createdAt: Date;
  readonly expiresAt: Date | null;
  readonly revokedBy: string | null;
  readonly revokedAt: Date | null;
}

const columns = sql`g.id, g.template, g.note,
  case when g.principal_type is null then null else jsonb_build_object('type', g.principal_type, 'id', g.principal_id) end as principal,
  case when g.resource_type is null then null else jsonb_build_object('type', g.resource_type, 'id', g.resource_id) end as resource,
  g.created_by as "createdBy", g.created_at as "createdAt", g.expires_at as "expiresAt", g.revoked_by as "revokedBy",
  g.revoked_at as "revokedAt"`;

export async function insertGrant(
  tx: Tx,
  tenantId: string,
  grant: Omit<GrantRow, "createdAt" | "revokedBy" | "revokedAt">,
): Promise<GrantRow> {
  const { principal, resource } = grant;
  const [row] = await tx.query<GrantRow>(sql`/* policy.insertGrant */
    insert into policy_grant as g (tenant_id, id, template, principal_type, principal_id, resource_type, resource_id, note,
      created_by, expires_at)
    values (${tenantId}::uuid, ${grant.id}::uuid, ${grant.template}, ${principal?.type ?? null}, ${principal?.id ?? null},
      ${resource?.type ?? null}, ${resource?.id ?? null}, ${grant.note}, ${grant.createdBy}::uuid,
      ${grant.expiresAt?.toISOString() ?? null}::timestamptz)
    returning ${columns}`);
  if (row === undefined) throw new Error("the insert of a grant returned no row");
  return row;
}

export async function countLiveGrants(tx: Tx, tenantId: string): Promise<number> {
  const [row] = await tx.query<{ n: number }>(sql`/* policy.countLiveGrants */
    select count(*)::int as n from policy_grant g where g.tenant_id = ${tenantId}::uuid and g.revoked_at is null
      and (g.expires_at is null or g.expires_at > now())`);
  return row?.n ?? 0;
}

/** Undefined when there is no such grant, or it is revoked already. */
export async function revokeGrant(
  tx: Tx,
  tenantId: string,
  id: string,
  by: string,
): Promise<GrantRow | undefined> {
  const [row] = await tx.query<GrantRow>(sql`/* policy.revokeGrant */
    update policy_grant g set revoked_by = ${by}::uuid, revoked_at = now()
    where g.tenant_id = ${tenantId}::uuid and g.id = ${id}::uuid and g.revoked_at is null returning ${columns}`);
  return row;
}

export async function findGrant(db: Db, tenantId: string, id: string): Promise<GrantRow | undefined> {
  const [row] = await db.query<GrantRow>(sql`/* policy.findGrant */
    select ${columns} from policy_grant g where g.tenant_id = ${tenantId}::uuid and g.id = ${id}::uuid`);
  return row;
}

/** Newest first, those before the given one. */
export const listGrants = (
  db: Db,
  tenantId: string,
  page: { readonly before: string | null; readonly limit: number },
): Promise<GrantRow[]> =>
  db.query<GrantRow>(sql`/* policy.listGrants */
    select ${columns} from policy_grant g where g.tenant_id = ${tenantId}::uuid
      ${page.before === null ? nothing : sql`and g.id < ${page.before}::uuid`}
    order by g.id desc limit ${page.limit}::int`);

/** Those that count now, and when the first of them expires. */
export async function listLiveGrants(
  db: Db,
  tenantId: string,
): Promise<{ readonly grants: Grant[]; readonly until: number | null }> {
  const rows = await db.query<GrantRow>(sql`/* policy.listLiveGrants */
    select ${columns} from policy_grant g
    where g.tenant_id = ${tenantId}::uuid and g.revoked_at is null and (g.expires_at is null or g.expires_at > now())
    order by g.id`);
  const ends = rows.flatMap(({ expiresAt }) => (expiresAt === null ? [] : [expiresAt.getTime()]));
  return {
    grants: rows.map(toGrant),
    until: ends.length === 0 ? null : Math.min(...ends),
  };
}

const toGrant = ({ id, template, principal, resource }: GrantRow): Grant => ({
  id: formatId("grant", id),
  template,
  principal,
  resource,
});

/** Those that counted at that time. */
export async function listGrantsAt(db: Db, tenantId: string, at: Date): Promise<Grant[]> {
  const time = at.toISOString();
  const rows = await db.query<GrantRow>(sql`/* policy.listGrantsAt */
    select ${columns} from policy_grant g
    where g.tenant_id = ${tenantId}::uuid and g.created_at <= ${time}::timestamptz
      and (g.revoked_at is null or g.revoked_at > ${time}::timestamptz)
      and (g.expires_at is null or g.expires_at > ${time}::timestamptz)
    order by g.id`);
  return rows.map(toGrant);
}
