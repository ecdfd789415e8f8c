import {
  type Database,
  type Db,
  defineWrite,
  nothing,
  type Sql,
  sql,
  type Tx,
  uniqueViolation,
} from "#platform/db";
import { OarsError } from "#platform/kernel";
import type { Approval, ApprovalState, Vote } from "./domain.ts";

export interface ApprovalRow {
  tenant_id: string;
  id: string;
  action_id: string;
  action_digest: string;
  requirements: string;
  requester_id: string;
  excluded: string;
  subject: string;
  reason: string;
  ttl_ms: number;
}

export const insertApproval = defineWrite<ApprovalRow>({
  name: "approvals.insertApproval",
  order: 50,
  columns: {
    tenant_id: "uuid",
    id: "uuid",
    action_id: "uuid",
    action_digest: "text",
    requirements: "jsonb",
    requester_id: "uuid",
    excluded: "jsonb",
    subject: "jsonb",
    reason: "text",
    ttl_ms: "float8",
  },
  text: `/* approvals.insertApproval */ insert into approval (tenant_id, id, action_id, action_digest, state, requirements, requester_id,
      excluded, subject, reason, expires_at)
    select b.tenant_id, b.id, b.action_id, b.action_digest, 'pending', b.requirements, b.requester_id,
      array(select e::uuid from jsonb_array_elements_text(b.excluded) e), b.subject, b.reason,
      now() + make_interval(secs => b.ttl_ms / 1000)
    from batch b`,
});

/** Refused unless the approval is granted, unexpired and for this very action: of two consumers one wins. */
export const consumeApproval = defineWrite<{ tenant_id: string; id: string; action_digest: string }>({
  name: "approvals.consumeApproval",
  order: 50,
  guard: true,
  columns: { tenant_id: "uuid", id: "uuid", action_digest: "text" },
  text: `/* approvals.consumeApproval */ update approval a set state = 'consumed'
    from batch b where a.tenant_id = b.tenant_id and a.id = b.id and a.action_digest = b.action_digest
      and a.state = 'approved' and a.expires_at > now() returning 1`,
});

type Row = Omit<Approval, "votes"> & { excluded: string[]; expired: boolean };
export interface LockedApproval extends Approval {
  readonly excluded: readonly string[];
  readonly expired: boolean;
}

const nameOf = (id: Sql): Sql =>
  sql`coalesce((select p.name from principal p where p.tenant_id = a.tenant_id and p.id = ${id}), '')`;

const columns = sql`a.id, a.action_id as "actionId", a.action_digest as "actionDigest", a.state, a.requirements,
  a.requester_id as "requesterId", ${nameOf(sql`a.requester_id`)} as "requesterName", a.excluded, a.subject, a.reason, a.expires_at as "expiresAt",
  a.created_at as "createdAt", a.resolved_at as "resolvedAt", a.expires_at <= now() as expired`;

async function withVotes(db: Db, tenantId: string, rows: readonly Row[]): Promise<LockedApproval[]> {
  if (rows.length === 0) return [];
  const votes = await db.query<Vote & { approvalId: string }>(sql`/* approvals.readVotes */
    select v.approval_id as "approvalId", v.principal_id as "principalId",
      coalesce((select p.name from principal p where p.tenant_id = v.tenant_id and p.id = v.principal_id), '') as "principalName", v.vote, v.roles, v.reason,
      v.receipt_digest as "receiptDigest", v.created_at as at
    from approval_vote v where v.tenant_id = ${tenantId} and v.approval_id = any(${rows.map((r) => r.id)}::uuid[])
    order by v.created_at, v.id`);
  return rows.map((r) => ({ ...r, votes: votes.filter((v) => v.approvalId === r.id) }));
}

export async function findApproval(
  db: Db,
  tenantId: string,
  id: string,
): Promise<LockedApproval | undefined> {
  const rows = await db.query<Row>(sql`/* approvals.find */
    select ${columns} from approval a where a.tenant_id = ${tenantId} and a.id = ${id}`);
  return (await withVotes(db, tenantId, rows))[0];
}

export async function lockApproval(
  tx: Tx,
  tenantId: string,
  id: string,
): Promise<LockedApproval | undefined> {
  const rows = await tx.query<Row>(sql`/* approvals.lock */
    select ${columns} from approval a where a.tenant_id = ${tenantId} and a.id = ${id} for update`);
  return (await withVotes(tx, tenantId, rows))[0];
}

export async function listApprovals(
  db: Db,
  tenantId: string,
  filter: {
    readonly state?: ApprovalState | undefined;
    readonly before?: string | undefined;
    readonly limit: number;
  },
): Promise<LockedApproval[]> {
  const rows = await db.query<Row>(sql`/* approvals.list */
    select ${columns} from approval a where a.tenant_id = ${tenantId}
      ${filter.state ? sql`and a.state = ${filter.state}` : nothing} ${filter.before ? sql`and a.id < ${filter.before}` : nothing}
    order by a.id desc limit ${filter.limit}`);
  return withVotes(db, tenantId, rows);
}

export interface VoteRow {
  readonly tenantId: string;
  readonly approvalId: string;
  readonly id: string;
  readonly principalId: string;
  readonly vote: Vote["vote"];
  readonly roles: readonly string[];
  readonly reason: string;
  readonly receiptDigest: string;
}

/** Errors: APPROVAL_VOTED. */
export async function insertVote(tx: Tx, v: VoteRow): Promise<void> {
  try {
    await tx.query(sql`/* approvals.insertVote */
      insert into approval_vote (tenant_id, approval_id, principal_id, id, vote, roles, reason, receipt_digest)
      values (${v.tenantId}, ${v.approvalId}, ${v.principalId}, ${v.id}, ${v.vote}, ${v.roles}::text[], ${v.reason}, ${v.receiptDigest})`);
  } catch (error) {
    if (uniqueViolation(error) !== undefined) throw new OarsError("APPROVAL_VOTED", {}, { cause: error });
    throw error;
  }
}

export const moveApproval = (
  tx: Tx,
  tenantId: string,
  id: string,
  from: ApprovalState,
  to: ApprovalState,
): Promise<unknown[]> =>
  tx.query(sql`/* approvals.move */
    update approval set state = ${to}, resolved_at = now()
    where tenant_id = ${tenantId} and id = ${id} and state = ${from} returning id`);

/** Pending or granted approvals of an action that has ended another way. */
export const findOpenOf = (
  tx: Tx,
  tenantId: string,
  actionIds: readonly string[],
): Promise<{ id: string; state: ApprovalState }[]> =>
  tx.query(sql`/* approvals.findOpenOf */
    select id, state from approval where tenant_id = ${tenantId} and action_id = any(${actionIds}::uuid[])
      and state in ('pending', 'approved') order by id for update`);

/** Overdue approvals of every tenant: the expiry timer works across them. */
export const findExpired = (tx: Tx, limit: number): Promise<{ tenantId: string; id: string }[]> =>
  tx.query(sql`/* approvals.findExpired */
    select tenant_id as "tenantId", id from approval where state = 'pending' and expires_at <= now()
    order by expires_at limit ${limit} for update skip locked`);

/** Milliseconds until the next open approval of any tenant expires, or null. */
export async function nextExpiry(db: Database): Promise<number | null> {
  const rows = await db.system.query<{ ms: number | null }>(sql`/* approvals.nextExpiry */
    select (extract(epoch from min(expires_at) - now()) * 1000)::float8 as ms from approval where state = 'pending'`);
  return rows[0]?.ms ?? null;
}
