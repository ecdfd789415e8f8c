import type { RunStatus, StepError } from "#orchestrate/engine";
import { type Db, nothing, type Sql, sql } from "#platform/db";
import { dayBefore } from "#platform/kernel";

export interface StoredRun {
  readonly id: string;
  readonly flow: string;
  readonly version: string;
  readonly flowHash: string;
  readonly status: RunStatus;
  readonly epoch: number;
  readonly wakeSeq: number;
  readonly lastSeq: number;
  readonly pausedAt: Date | null;
  readonly blocked: boolean;
  readonly labels: Record<string, string>;
  readonly priority: number;
  readonly params: unknown;
  readonly output: unknown;
  readonly error: StepError | null;
  readonly startedBy: string;
  readonly trigger: unknown;
  readonly parentRunId: string | null;
  readonly parentStep: string | null;
  readonly parentIteration: number | null;
  readonly originRunId: string | null;
  readonly createdAt: Date;
  readonly startedAt: Date | null;
  readonly endedAt: Date | null;
  readonly deadlineAt: Date | null;
}

const columns = sql`r.id, r.flow_name as flow, r.flow_version as version, r.flow_hash as "flowHash", r.status,
  r.lease_epoch as epoch, r.wake_seq as "wakeSeq", r.last_seq as "lastSeq", r.paused_at as "pausedAt", r.blocked,
  coalesce(r.labels, '{}'::jsonb) as labels, r.priority, r.error, r.principal_id as "startedBy", r.parent_run_id as "parentRunId",
  r.parent_step as "parentStep", r.parent_iteration as "parentIteration", r.origin_run_id as "originRunId",
  r.created_at as "createdAt", r.started_at as "startedAt", r.ended_at as "endedAt", r.deadline_at as "deadlineAt"`;
const payloads = sql`r.params, r.output, r.trigger`;

export async function findRun(db: Db, tenantId: string, id: string): Promise<StoredRun | undefined> {
  const rows = await db.query<StoredRun>(sql`/* runs.find */
    select ${columns}, ${payloads} from run r where r.tenant_id = ${tenantId} and r.id = ${id}`);
  return rows[0];
}

export async function findStarted(
  db: Db,
  tenantId: string,
  startKey: Uint8Array,
): Promise<(StoredRun & { readonly startDigest: Uint8Array }) | undefined> {
  const rows = await db.query<StoredRun & { startDigest: Uint8Array }>(sql`/* runs.findStarted */
    select ${columns}, ${payloads}, r.start_digest as "startDigest" from run r
    where r.tenant_id = ${tenantId} and r.start_key = ${startKey}`);
  return rows[0];
}

/** What runs have in common; all that is given holds. Ids are UUIDs. */
export interface RunMatch {
  readonly status?: RunStatus | undefined;
  readonly flow?: string | undefined;
  /** Names and values that must all be there. */
  readonly labels?: readonly (readonly [string, string])[] | undefined;
  readonly parent?: string | undefined;
  readonly origin?: string | undefined;
  readonly startedAfter?: Date | undefined;
  readonly startedBefore?: Date | undefined;
  /** Literal text, regardless of case. */
  readonly search?: string | undefined;
  /** The run whose id the text of `search` is. */
  readonly searchId?: string | undefined;
}

export interface RunFilter extends RunMatch {
  readonly before?: string | undefined;
  readonly limit: number;
}

const matching = (tenantId: string, f: RunMatch): Sql => sql`r.tenant_id = ${tenantId}
  ${f.status ? sql`and r.status = ${f.status}` : nothing} ${f.flow ? sql`and r.flow_name = ${f.flow}` : nothing}
  ${(f.labels ?? []).reduce((all, [name, value]) => sql`${all} and r.labels ->> ${name}::text = ${value}`, nothing)}
  ${f.parent ? sql`and r.parent_run_id = ${f.parent}` : nothing}
  ${f.origin ? sql`and r.origin_run_id = ${f.origin}` : nothing}
  ${f.startedAfter ? sql`and r.started_at >= ${f.startedAfter}` : nothing}
  ${f.startedBefore ? sql`and r.started_at < ${f.startedBefore}` : nothing}
  ${f.search === undefined ? nothing : sql`and ${holding(f.search, f.searchId ?? null)}`}`;

/** `strpos` looks for the text as it is: no character of it has a meaning. */
const holding = (text: string, id: string | null): Sql => sql`(r.id = ${id}::uuid
  or strpos(lower(r.flow_name), lower(${text})) > 0
  or strpos(lower(r.error ->> 'code'), lower(${text})) > 0 or strpos(lower(r.error ->> 'message'), lower(${text})) > 0
  or exists (select from jsonb_each_text(r.labels) l where strpos(lower(l.value), lower(${text})) > 0))`;

/** Newest first, without the payloads. */
export const listRuns = (db: Db, tenantId: string, f: RunFilter): Promise<StoredRun[]> =>
  db.query<StoredRun>(sql`/* runs.list */
    select ${columns} from run r where ${matching(tenantId, f)} ${f.before ? sql`and r.id < ${f.before}` : nothing}
    order by r.id desc limit ${f.limit}`);

/** Ids of the runs that match, oldest first. */
export const listMatching = (
  db: Db,
  tenantId: string,
  match: RunMatch,
  page: { readonly after: string | undefined; readonly limit: number },
): Promise<{ id: string }[]> =>
  db.query(sql`/* runs.listMatching */
    select r.id from run r where ${matching(tenantId, match)} ${page.after ? sql`and r.id > ${page.after}` : nothing}
    order by r.id limit ${page.limit}`);

export interface ChildRow {
  readonly id: string;
  readonly flow: string;
  readonly version: string;
  readonly status: RunStatus;
  readonly step: string;
}

/** The newest sub-runs. */
export const listChildren = (
  db: Db,
  tenantId: string,
  parentId: string,
  limit: number,
): Promise<ChildRow[]> =>
  db.query<ChildRow>(sql`/* runs.listChildren */
    select r.id, r.flow_name as flow, r.flow_version as version, r.status, r.parent_step as step from run r
    where r.tenant_id = ${tenantId} and r.parent_run_id = ${parentId} order by r.id desc limit ${limit}`);

/** Actions of the run that nobody knows the end of yet, or that are held, by step. */
export const listOpenActions = (
  db: Db,
  tenantId: string,
  runId: string,
): Promise<{ id: string; step: string; state: string }[]> =>
  db.query(sql`/* runs.listOpenActions */
    select a.id, a.step, a.state from action a
    where a.tenant_id = ${tenantId} and a.run_id = ${runId} and a.id >= ${dayBefore(runId)}
      and a.state in ('executing', 'in_doubt') order by a.id`);
