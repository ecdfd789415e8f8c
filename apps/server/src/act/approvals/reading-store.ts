import { type Db, nothing, sql } from "#platform/db";
import type { ApprovalState } from "./domain.ts";
import { columns, type LockedApproval, type Row, withVotes } from "./store.ts";

export interface ApprovalFilter {
  readonly state?: ApprovalState | undefined;
  /** Only what the caller may vote on now. */
  readonly mine?: boolean | undefined;
  readonly tool?: string | undefined;
  readonly requesterId?: string | undefined;
  /** Only what expires or is to be escalated before then. */
  readonly dueBefore?: Date | undefined;
  readonly batchId?: string | undefined;
  /** `open`: the glass was broken and nobody has looked at it since. */
  readonly review?: "open" | undefined;
  readonly before?: string | undefined;
  readonly limit: number;
}

/** Who looks: with the tokens that they, and who lent them their rights, may vote by. */
export interface Looking {
  readonly principalId: string;
  readonly tokens: readonly string[];
}

/** Newest first. */
export async function listApprovals(
  db: Db,
  tenantId: string,
  f: ApprovalFilter,
  who: Looking,
): Promise<LockedApproval[]> {
  const mine = sql`and a.state = 'pending' and a.expires_at > now() and a.open_to && ${[...who.tokens]}::text[]
    and not (${who.principalId}::uuid = any (a.excluded))
    and not exists (select from approval_vote v where v.tenant_id = a.tenant_id and v.approval_id = a.id
      and (v.principal_id = ${who.principalId} or v.counts_as = ${who.principalId}))`;
  const rows = await db.query<Row>(sql`/* approvals.list */
    select ${columns} from approval a where a.tenant_id = ${tenantId}
      ${f.state ? sql`and a.state = ${f.state}` : nothing} ${f.mine ? mine : nothing}
      ${f.tool ? sql`and a.tool = ${f.tool}` : nothing}
      ${f.requesterId ? sql`and a.requester_id = ${f.requesterId}` : nothing}
      ${f.dueBefore ? sql`and a.state = 'pending' and least(a.expires_at, a.escalate_at) < ${f.dueBefore}` : nothing}
      ${f.batchId ? sql`and (a.batch_id = ${f.batchId} or a.id = ${f.batchId})` : nothing}
      ${f.review ? sql`and a.override is not null and a.review is null` : nothing}
      ${f.before ? sql`and a.id < ${f.before}` : nothing}
    order by a.id desc limit ${f.limit}`);
  return withVotes(db, tenantId, rows);
}

export interface Earlier {
  readonly id: string;
  readonly state: ApprovalState;
  readonly requesterId: string;
  readonly actionId: string;
  readonly actionDigest: string;
  readonly votes: number;
  readonly resolvedAt: Date | null;
}

/** The latest decisions about the same tool and target, before this one. */
export const listEarlier = (
  db: Db,
  tenantId: string,
  a: { readonly id: string; readonly tool: string; readonly target: string; readonly limit: number },
): Promise<Earlier[]> =>
  db.query(sql`/* approvals.listEarlier */
    select a.id, a.state, a.requester_id as "requesterId", a.action_id as "actionId", a.action_digest as "actionDigest",
      (select count(*)::int4 from approval_vote v where v.tenant_id = a.tenant_id and v.approval_id = a.id) as votes,
      a.resolved_at as "resolvedAt"
    from approval a where a.tenant_id = ${tenantId} and a.tool = ${a.tool} and a.id < ${a.id}
      and a.target_hash = sha256(convert_to(${a.target}, 'UTF8')) and a.state <> 'pending'
    order by a.id desc limit ${a.limit}`);

/** How many holds of this requester and tool the window has, and the batch that a further one would join. */
export async function findBurst(
  db: Db,
  tenantId: string,
  b: {
    readonly requesterId: string;
    readonly tool: string;
    readonly limit: number;
    readonly windowSeconds: number;
  },
): Promise<{ count: number; batchId: string | null }> {
  const rows = await db.query<{ n: number; batchId: string | null }>(sql`/* approvals.findBurst */
    select count(*)::int4 as n,
      (array_agg(coalesce(r.batch_id, r.id) order by r.id desc) filter (where r.state = 'pending'))[1] as "batchId"
    from (select a.id, a.batch_id, a.state from approval a
      where a.tenant_id = ${tenantId} and a.requester_id = ${b.requesterId} and a.tool = ${b.tool}
        and a.created_at > now() - make_interval(secs => ${b.windowSeconds}::float8)
      order by a.id desc limit ${b.limit}) r`);
  return { count: rows[0]?.n ?? 0, batchId: rows[0]?.batchId ?? null };
}

export interface Comment {
  readonly id: string;
  readonly principalId: string;
  readonly principalName: string;
  readonly principalKind: "user" | "agent" | "service";
  readonly body: string;
  readonly at: Date;
}

/** Oldest first. */
export const listComments = (
  db: Db,
  tenantId: string,
  approvalId: string,
  page: { readonly after: string | null; readonly limit: number },
): Promise<Comment[]> =>
  db.query(sql`/* approvals.listComments */
    select c.id, c.principal_id as "principalId", p.name as "principalName", p.kind as "principalKind", c.body, c.created_at as at
    from approval_comment c join principal p on p.tenant_id = c.tenant_id and p.id = c.principal_id
    where c.tenant_id = ${tenantId} and c.approval_id = ${approvalId} ${page.after ? sql`and c.id > ${page.after}` : nothing}
    order by c.id limit ${page.limit}`);

/** Names of principals, for what is shown of them. */
export const findNames = (
  db: Db,
  tenantId: string,
  ids: readonly string[],
): Promise<{ id: string; name: string; kind: "user" | "agent" | "service" }[]> =>
  db.query(sql`/* approvals.findNames */
    select p.id, p.name, p.kind from principal p where p.tenant_id = ${tenantId} and p.id = any(${[...ids]}::uuid[])`);
