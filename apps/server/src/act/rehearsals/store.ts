import { type Db, nothing, sql, type Tx } from "#platform/db";
import type { Replay, ReplayReport } from "./domain.ts";

const columns = sql`r.id, r.policy_id as "policyId", r.against_id as "againstId", r.state, r.days, r.most, r.done, r.report,
  r.error, r.created_by as "createdBy", r.created_at as "createdAt", r.ended_at as "endedAt"`;

export async function insertReplay(
  tx: Tx,
  replay: Pick<Replay, "id" | "policyId" | "againstId" | "days" | "most" | "createdBy"> & {
    readonly tenantId: string;
  },
): Promise<Replay> {
  const [row] = await tx.query<Replay>(sql`/* rehearsals.insert */
    insert into policy_replay as r (tenant_id, id, policy_id, against_id, days, most, created_by)
    values (${replay.tenantId}::uuid, ${replay.id}::uuid, ${replay.policyId}::uuid, ${replay.againstId}::uuid,
      ${replay.days}::int, ${replay.most}::int, ${replay.createdBy}::uuid)
    returning ${columns}`);
  if (row === undefined) throw new Error("the insert of a replay returned no row");
  return row;
}

/** How many of a tenant have not ended. */
export async function countOpen(tx: Tx, tenantId: string): Promise<number> {
  const [row] = await tx.query<{ n: number }>(sql`/* rehearsals.countOpen */
    select count(*)::int as n from policy_replay r where r.tenant_id = ${tenantId}::uuid and r.state in ('queued', 'running')`);
  return row?.n ?? 0;
}

export async function findReplay(db: Db, tenantId: string, id: string): Promise<Replay | undefined> {
  const [row] = await db.query<Replay>(sql`/* rehearsals.find */
    select ${columns} from policy_replay r where r.tenant_id = ${tenantId}::uuid and r.id = ${id}::uuid`);
  return row;
}

/** Newest first, those before the given one. */
export const listReplays = (
  db: Db,
  tenantId: string,
  page: { readonly policyId: string | null; readonly before: string | null; readonly limit: number },
): Promise<Replay[]> =>
  db.query<Replay>(sql`/* rehearsals.list */
    select ${columns} from policy_replay r where r.tenant_id = ${tenantId}::uuid
      ${page.policyId === null ? nothing : sql`and r.policy_id = ${page.policyId}::uuid`}
      ${page.before === null ? nothing : sql`and r.id < ${page.before}::uuid`}
    order by r.id desc limit ${page.limit}::int`);

/** Whether a replay of this version against that one has completed. */
export async function hasCompleted(
  db: Db,
  tenantId: string,
  policyId: string,
  againstId: string | null,
): Promise<boolean> {
  const rows = await db.query<{ id: string }>(sql`/* rehearsals.hasCompleted */
    select r.id from policy_replay r where r.tenant_id = ${tenantId}::uuid and r.policy_id = ${policyId}::uuid
      and r.against_id is not distinct from ${againstId}::uuid and r.state = 'completed' limit 1`);
  return rows.length > 0;
}

export type ClaimedReplay = Pick<
  Replay,
  "id" | "policyId" | "againstId" | "days" | "most" | "createdBy" | "createdAt"
> & {
  readonly tenantId: string;
  readonly claim: number;
};

/** [Y2] Takes the oldest that waits, or that a process left behind. */
export async function claimReplay(tx: Tx, leftAfterMs: number): Promise<ClaimedReplay | undefined> {
  const [row] = await tx.query<ClaimedReplay>(sql`/* rehearsals.claim */
    update policy_replay r set state = 'running', claim = r.claim + 1, done = 0, touched_at = now()
    where (r.tenant_id, r.id) = (
      select o.tenant_id, o.id from policy_replay o
      where o.state = 'queued' or (o.state = 'running' and o.touched_at < now() - make_interval(secs => ${leftAfterMs}::float8 / 1000))
      order by o.touched_at limit 1 for update skip locked)
    returning r.tenant_id as "tenantId", r.id, r.policy_id as "policyId", r.against_id as "againstId", r.days, r.most, r.claim,
      r.created_by as "createdBy", r.created_at as "createdAt"`);
  return row;
}

/** False when another process has taken it over. */
export async function touchReplay(tx: Tx, replay: ClaimedReplay, done: number): Promise<boolean> {
  const rows = await tx.query<{ id: string }>(sql`/* rehearsals.touch */
    update policy_replay r set done = ${done}::int, touched_at = now()
    where r.tenant_id = ${replay.tenantId}::uuid and r.id = ${replay.id}::uuid and r.state = 'running' and r.claim = ${replay.claim}::int
    returning r.id`);
  return rows.length > 0;
}

/** False when another process has taken it over: then nothing of it is kept. */
export async function endReplay(
  tx: Tx,
  replay: ClaimedReplay,
  end: { readonly report: ReplayReport } | { readonly error: string },
): Promise<boolean> {
  const report = "report" in end ? end.report : null;
  const rows = await tx.query<{ id: string }>(sql`/* rehearsals.end */
    update policy_replay r set state = ${report === null ? "failed" : "completed"}, ended_at = now(), touched_at = now(),
      report = ${report === null ? null : JSON.stringify(report)}::jsonb, error = ${"error" in end ? end.error : null},
      done = coalesce(${report?.population ?? null}::int, r.done)
    where r.tenant_id = ${replay.tenantId}::uuid and r.id = ${replay.id}::uuid and r.state = 'running' and r.claim = ${replay.claim}::int
    returning r.id`);
  return rows.length > 0;
}
