import { type Database, type Db, defineWrite, type Sql, sql, type Tx, uniqueViolation } from "#platform/db";
import { OarsError } from "#platform/kernel";
import type { Approval, ApprovalState, Override, Review, Vote, VoteFactor } from "./domain.ts";
import { byPrincipal, byRole } from "./seats.ts";
import { groupsOf, opened, type Requirement, type Stage, stageOfRoles } from "./stages.ts";

export interface ApprovalRow {
  tenant_id: string;
  id: string;
  action_id: string;
  action_digest: string;
  requirements: string;
  stages: string;
  workflows: string;
  step_up: string | null;
  break_glass: boolean;
  open_to: string;
  /** Until the first stage is overdue; null without a time limit. */
  sla_ms: number | null;
  batch_id: string | null;
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
    stages: "jsonb",
    workflows: "jsonb",
    step_up: "text",
    break_glass: "bool",
    open_to: "jsonb",
    sla_ms: "float8",
    batch_id: "uuid",
    requester_id: "uuid",
    excluded: "jsonb",
    subject: "jsonb",
    reason: "text",
    ttl_ms: "float8",
  },
  text: `/* approvals.insertApproval */ insert into approval (tenant_id, id, action_id, action_digest, state, requirements, stages, workflows,
      step_up, break_glass, open_to, escalate_at, tool, target_hash, batch_id, requester_id, excluded, subject, reason, expires_at)
    select b.tenant_id, b.id, b.action_id, b.action_digest, 'pending', b.requirements, b.stages, b.workflows, b.step_up, b.break_glass,
      array(select jsonb_array_elements_text(b.open_to)), now() + make_interval(secs => b.sla_ms / 1000),
      coalesce(b.subject ->> 'tool', ''), sha256(convert_to(coalesce(b.subject ->> 'target', ''), 'UTF8')), b.batch_id, b.requester_id,
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

export type Row = Omit<Approval, "votes" | "stages" | "requirements"> & {
  readonly requirements: Requirement[];
  readonly stages: Stage[] | null;
  readonly excluded: string[];
  readonly expired: boolean;
  readonly now: Date;
};
export interface LockedApproval extends Approval {
  readonly excluded: readonly string[];
  readonly expired: boolean;
  /** The database's time of the look. */
  readonly now: Date;
}

const nameOf = (id: Sql): Sql =>
  sql`coalesce((select p.name from principal p where p.tenant_id = a.tenant_id and p.id = ${id}), '')`;

export const columns = sql`a.id, a.action_id as "actionId", a.action_digest as "actionDigest", a.state, a.requirements, a.stages,
  a.workflows, a.step_up as "stepUp", a.break_glass as "breakGlass", a.override, a.review, a.batch_id as "batchId",
  a.requester_id as "requesterId", ${nameOf(sql`a.requester_id`)} as "requesterName", a.excluded, a.subject, a.reason,
  a.expires_at as "expiresAt", a.escalate_at as "escalateAt", a.created_at as "createdAt", a.resolved_at as "resolvedAt",
  a.expires_at <= now() as expired, now() as now`;

type VoteRead = Omit<Vote, "rights"> & { readonly approvalId: string; readonly rights: string[] | null };

export async function withVotes(db: Db, tenantId: string, rows: readonly Row[]): Promise<LockedApproval[]> {
  if (rows.length === 0) return [];
  const votes = await db.query<VoteRead>(sql`/* approvals.readVotes */
    select v.approval_id as "approvalId", v.principal_id as "principalId",
      coalesce((select p.name from principal p where p.tenant_id = v.tenant_id and p.id = v.principal_id), '') as "principalName", v.vote, v.roles, v.reason,
      v.receipt_digest as "receiptDigest", v.stage, v.rights, v.on_behalf_of as "onBehalfOf", v.factor, v.created_at as at
    from approval_vote v where v.tenant_id = ${tenantId} and v.approval_id = any(${rows.map((r) => r.id)}::uuid[])
    order by v.created_at, v.id`);
  return rows.map((row) => ({
    ...row,
    stages: stagesOf(row),
    votes: votes.filter((v) => v.approvalId === row.id).map(toVote),
  }));
}

/** Approvals from before there were stages have one, of the roles that the policy asked for. */
function stagesOf(row: Row): Stage[] {
  const stages = row.stages ?? [stageOfRoles("approval", row.requirements)];
  return opened(stages, groupsOf(stages)[0] ?? [], row.createdAt);
}

const toVote = ({ approvalId: _, rights, ...v }: VoteRead): Vote => ({
  ...v,
  rights: rights ?? [...v.roles.map(byRole), byPrincipal(v.principalId)],
});

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

export interface VoteRow {
  readonly tenantId: string;
  readonly approvalId: string;
  readonly id: string;
  readonly principalId: string;
  readonly vote: Vote["vote"];
  readonly roles: readonly string[];
  readonly rights: readonly string[];
  readonly stage: number;
  readonly onBehalfOf: string | null;
  readonly factor: VoteFactor | null;
  readonly reason: string;
  readonly receiptDigest: string;
}

/** Errors: APPROVAL_VOTED, also when the right to vote was used by somebody else. */
export async function insertVote(tx: Tx, v: VoteRow): Promise<void> {
  try {
    await tx.query(sql`/* approvals.insertVote */
      insert into approval_vote (tenant_id, approval_id, principal_id, id, vote, roles, rights, stage, on_behalf_of, counts_as, factor, reason, receipt_digest)
      values (${v.tenantId}, ${v.approvalId}, ${v.principalId}, ${v.id}, ${v.vote}, ${[...v.roles]}::text[], ${[...v.rights]}::text[],
        ${v.stage}, ${v.onBehalfOf}, ${v.onBehalfOf ?? v.principalId}, ${v.factor}, ${v.reason}, ${v.receiptDigest})`);
  } catch (error) {
    if (uniqueViolation(error) !== undefined) throw new OarsError("APPROVAL_VOTED", {}, { cause: error });
    throw error;
  }
}

/** Compare-and-set on the state. */
export const moveApproval = (
  tx: Tx,
  tenantId: string,
  id: string,
  from: ApprovalState,
  to: ApprovalState,
): Promise<unknown[]> =>
  tx.query(sql`/* approvals.move */
    update approval set state = ${to}, resolved_at = now(), open_to = '{}', escalate_at = null
    where tenant_id = ${tenantId} and id = ${id} and state = ${from} returning id`);

/** What is open changes, the state does not: of an approval that the caller holds locked. */
export const writeStages = (
  tx: Tx,
  a: {
    readonly tenantId: string;
    readonly id: string;
    readonly stages: readonly Stage[];
    readonly openTo: readonly string[];
    readonly escalateAt: Date | null;
  },
): Promise<unknown[]> =>
  tx.query(sql`/* approvals.writeStages */
    update approval set stages = ${JSON.stringify(a.stages)}::jsonb, open_to = ${[...a.openTo]}::text[], escalate_at = ${a.escalateAt}
    where tenant_id = ${a.tenantId} and id = ${a.id} and state = 'pending' returning id`);

export const writeOverride = (tx: Tx, tenantId: string, id: string, override: Override): Promise<unknown> =>
  tx.query(sql`/* approvals.writeOverride */
    update approval set override = ${JSON.stringify(override)}::jsonb where tenant_id = ${tenantId} and id = ${id}`);

/** Compare-and-set: of two reviews one is written. */
export const writeReview = (tx: Tx, tenantId: string, id: string, review: Review): Promise<unknown[]> =>
  tx.query(sql`/* approvals.writeReview */
    update approval set review = ${JSON.stringify(review)}::jsonb
    where tenant_id = ${tenantId} and id = ${id} and override is not null and review is null returning id`);

/** Pending or granted approvals of an action that has ended another way. */
export const findOpenOf = (
  tx: Tx,
  tenantId: string,
  actionIds: readonly string[],
): Promise<{ id: string; state: ApprovalState }[]> =>
  tx.query(sql`/* approvals.findOpenOf */
    select id, state from approval where tenant_id = ${tenantId} and action_id = any(${[...actionIds]}::uuid[])
      and state in ('pending', 'approved') order by id for update`);

/** Overdue approvals of every tenant: the expiry timer works across them. */
export const findExpired = (tx: Tx, limit: number): Promise<{ tenantId: string; id: string }[]> =>
  tx.query(sql`/* approvals.findExpired */
    select tenant_id as "tenantId", id from approval where state = 'pending' and expires_at <= now()
    order by expires_at limit ${limit} for update skip locked`);

/** Approvals with an overdue stage, of every tenant or of one. What another process has in hand is left to it. */
export const findOverdue = (
  tx: Tx,
  limit: number,
  tenantId?: string,
): Promise<{ tenantId: string; id: string }[]> =>
  tx.query(sql`/* approvals.findOverdue */
    select tenant_id as "tenantId", id from approval
    where state = 'pending' and escalate_at <= now() and expires_at > now() ${tenantId ? sql`and tenant_id = ${tenantId}` : sql``}
    order by escalate_at limit ${limit} for update skip locked`);

/** Milliseconds until the next open approval of any tenant expires or is to be escalated, or null. */
export async function nextTimer(db: Database): Promise<number | null> {
  const rows = await db.system.query<{ ms: number | null }>(sql`/* approvals.nextTimer */
    select (extract(epoch from least(
      (select min(expires_at) from approval where state = 'pending'),
      (select min(escalate_at) from approval where state = 'pending' and escalate_at is not null)) - now()) * 1000)::float8 as ms`);
  return rows[0]?.ms ?? null;
}
