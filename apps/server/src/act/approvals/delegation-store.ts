import { permissions } from "#platform/access";
import { type Db, nothing, sql, type Tx } from "#platform/db";

export interface Delegation {
  readonly id: string;
  readonly fromId: string;
  readonly fromName: string;
  readonly toId: string;
  readonly toName: string;
  /** The one approval that it is for; null: every one. */
  readonly approvalId: string | null;
  readonly startsAt: Date;
  readonly endsAt: Date;
  readonly reason: string;
  readonly createdBy: string;
  readonly createdAt: Date;
  readonly revokedAt: Date | null;
}

/** A right to vote that somebody lends now: by their own roles, never by ones that were lent to them. */
export interface Lent {
  readonly fromId: string;
  readonly roles: readonly string[];
}

const voters: readonly string[] = permissions["approvals:decide"].roles;

/** Oldest delegation first, so that the same one is used every time. */
export const rightsLentTo = (
  db: Db,
  tenantId: string,
  toId: string,
  approvalId: string | null,
): Promise<Lent[]> =>
  db.query(sql`/* approvals.rightsLentTo */
    select d.from_id as "fromId", array(select r.role from principal_role r
      where r.tenant_id = d.tenant_id and r.principal_id = d.from_id order by r.role) as roles
    from approval_delegation d join principal p on p.tenant_id = d.tenant_id and p.id = d.from_id
    where d.tenant_id = ${tenantId} and d.to_id = ${toId} and d.revoked_at is null and d.starts_at <= now() and d.ends_at > now()
      and p.status = 'active' and p.kind = 'user' and exists (select from principal_role r where r.tenant_id = d.tenant_id
        and r.principal_id = d.from_id and r.role = any(${[...voters]}::text[]))
      and (d.approval_id is null ${approvalId ? sql`or d.approval_id = ${approvalId}` : nothing})
    order by d.id`);

/** Delegations at some moment of the time between, of or to either person. */
export const overlapping = (
  tx: Tx,
  tenantId: string,
  d: { readonly startsAt: Date; readonly endsAt: Date; readonly fromId: string; readonly toId: string },
): Promise<{ fromId: string; toId: string }[]> =>
  tx.query(sql`/* approvals.overlapping */
    select d.from_id as "fromId", d.to_id as "toId" from approval_delegation d
    where d.tenant_id = ${tenantId} and d.revoked_at is null and d.starts_at < ${d.endsAt} and d.ends_at > ${d.startsAt}
      and (d.to_id = ${d.fromId} or d.from_id = ${d.toId})`);

export const insertDelegation = (
  tx: Tx,
  tenantId: string,
  d: Omit<Delegation, "fromName" | "toName" | "createdAt" | "revokedAt">,
): Promise<unknown> =>
  tx.query(sql`/* approvals.insertDelegation */
    insert into approval_delegation (tenant_id, id, from_id, to_id, approval_id, starts_at, ends_at, reason, created_by)
    values (${tenantId}, ${d.id}, ${d.fromId}, ${d.toId}, ${d.approvalId}, ${d.startsAt}, ${d.endsAt}, ${d.reason}, ${d.createdBy})`);

/** Serialises delegations of and to the two people, so that no chain comes of two at the same moment. */
export const lockPeople = (
  tx: Tx,
  tenantId: string,
  ids: readonly string[],
): Promise<{ id: string; kind: string; status: string; roles: string[] }[]> =>
  tx.query(sql`/* approvals.lockPeople */
    select p.id, p.kind, p.status, array(select r.role from principal_role r
      where r.tenant_id = p.tenant_id and r.principal_id = p.id) as roles
    from principal p where p.tenant_id = ${tenantId} and p.id = any(${[...ids]}::uuid[]) order by p.id for no key update of p`);

const columns = sql`d.id, d.from_id as "fromId", f.name as "fromName", d.to_id as "toId", t.name as "toName",
  d.approval_id as "approvalId", d.starts_at as "startsAt", d.ends_at as "endsAt", d.reason, d.created_by as "createdBy",
  d.created_at as "createdAt", d.revoked_at as "revokedAt"`;
const joined = sql`approval_delegation d join principal f on f.tenant_id = d.tenant_id and f.id = d.from_id
  join principal t on t.tenant_id = d.tenant_id and t.id = d.to_id`;

export async function findDelegation(db: Db, tenantId: string, id: string): Promise<Delegation | undefined> {
  const rows = await db.query<Delegation>(sql`/* approvals.findDelegation */
    select ${columns} from ${joined} where d.tenant_id = ${tenantId} and d.id = ${id}`);
  return rows[0];
}

/** Newest first; `of`: only those from or to that person. */
export const listDelegations = (
  db: Db,
  tenantId: string,
  page: { readonly of: string | null; readonly before: string | null; readonly limit: number },
): Promise<Delegation[]> =>
  db.query(sql`/* approvals.listDelegations */
    select ${columns} from ${joined} where d.tenant_id = ${tenantId}
      ${page.of ? sql`and (d.from_id = ${page.of} or d.to_id = ${page.of})` : nothing}
      ${page.before ? sql`and d.id < ${page.before}` : nothing}
    order by d.id desc limit ${page.limit}`);

/** Answers nothing when it was revoked already. */
export const revokeDelegation = (tx: Tx, tenantId: string, id: string): Promise<unknown[]> =>
  tx.query(sql`/* approvals.revokeDelegation */
    update approval_delegation set revoked_at = now() where tenant_id = ${tenantId} and id = ${id} and revoked_at is null returning id`);
