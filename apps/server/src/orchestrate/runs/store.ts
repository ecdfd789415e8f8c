import type { RunStatus, StepError } from "#orchestrate/engine";
import { type Db, nothing, sql } from "#platform/db";

export interface StoredRun {
  readonly id: string;
  readonly flow: string;
  readonly version: string;
  readonly flowHash: string;
  readonly status: RunStatus;
  readonly labels: Record<string, string>;
  readonly priority: number;
  readonly params: unknown;
  readonly output: unknown;
  readonly error: StepError | null;
  readonly startedBy: string;
  readonly trigger: unknown;
  readonly lastSeq: number;
  readonly createdAt: Date;
  readonly startedAt: Date | null;
  readonly endedAt: Date | null;
}

const columns = sql`r.id, r.flow_name as flow, r.flow_version as version, r.flow_hash as "flowHash", r.status,
  coalesce(r.labels, '{}'::jsonb) as labels, r.priority, r.params, r.output, r.error, r.principal_id as "startedBy",
  r.trigger, r.last_seq as "lastSeq", r.created_at as "createdAt", r.started_at as "startedAt", r.ended_at as "endedAt"`;

export async function findRun(db: Db, tenantId: string, id: string): Promise<StoredRun | undefined> {
  const rows = await db.query<StoredRun>(sql`/* runs.find */
    select ${columns} from run r where r.tenant_id = ${tenantId} and r.id = ${id}`);
  return rows[0];
}

export async function findStarted(
  db: Db,
  tenantId: string,
  startKey: Uint8Array,
): Promise<(StoredRun & { readonly startDigest: Uint8Array }) | undefined> {
  const rows = await db.query<StoredRun & { startDigest: Uint8Array }>(sql`/* runs.findStarted */
    select ${columns}, r.start_digest as "startDigest" from run r where r.tenant_id = ${tenantId} and r.start_key = ${startKey}`);
  return rows[0];
}

export interface RunFilter {
  readonly status?: RunStatus | undefined;
  readonly flow?: string | undefined;
  readonly before?: string | undefined;
  readonly limit: number;
}

/** Newest first, without the payloads. */
export const listRuns = (db: Db, tenantId: string, f: RunFilter): Promise<StoredRun[]> =>
  db.query<StoredRun>(sql`/* runs.list */
    select r.id, r.flow_name as flow, r.flow_version as version, r.flow_hash as "flowHash", r.status,
      coalesce(r.labels, '{}'::jsonb) as labels, r.priority, r.error, r.principal_id as "startedBy",
      r.last_seq as "lastSeq", r.created_at as "createdAt", r.started_at as "startedAt", r.ended_at as "endedAt"
    from run r where r.tenant_id = ${tenantId}
      ${f.status ? sql`and r.status = ${f.status}` : nothing} ${f.flow ? sql`and r.flow_name = ${f.flow}` : nothing}
      ${f.before ? sql`and r.id < ${f.before}` : nothing}
    order by r.id desc limit ${f.limit}`);
