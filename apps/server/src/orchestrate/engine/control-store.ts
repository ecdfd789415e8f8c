/** SQL that reads what steps wait for besides time: signals, gates, sub-runs, cached outputs. */
import { type Db, sql, type Tx } from "#platform/db";
import type { RunStatus, StepError } from "./domain.ts";

export interface SignalEntry {
  readonly id: string;
  readonly name: string;
  readonly payload: unknown;
  readonly sentAt: Date;
}

/** Signals of the run that no step has been given yet, oldest first. */
export const readSignals = (db: Db, tenantId: string, runId: string): Promise<SignalEntry[]> =>
  db.query<SignalEntry>(sql`/* engine.readSignals */
    select id, name, payload, sent_at as "sentAt" from signal
    where tenant_id = ${tenantId} and run_id = ${runId} and delivered_at is null order by sent_at, id limit 1000`);

export interface GateRow {
  readonly status: "open" | "answered" | "expired" | "cancelled";
  readonly decision: string | null;
  readonly defaultDecision: string | null;
  readonly edits: Readonly<Record<string, unknown>> | null;
  readonly editedOutput: unknown;
  readonly hasEditedOutput: boolean;
  readonly output: unknown;
  readonly answeredBy: string | null;
  readonly note: string | null;
}

export async function findGate(db: Db, tenantId: string, id: string): Promise<GateRow | undefined> {
  const rows = await db.query<GateRow>(sql`/* engine.findGate */
    select status, decision, default_decision as "defaultDecision", edits, edited_output as "editedOutput",
      has_edited_output as "hasEditedOutput", output, answered_by as "answeredBy", note
    from gate where tenant_id = ${tenantId} and id = ${id}`);
  return rows[0];
}

/** The run is over: nobody is asked any more. */
export const cancelGates = (tx: Tx, tenantId: string, runId: string): Promise<unknown[]> =>
  tx.query(sql`/* engine.cancelGates */
    update gate set status = 'cancelled', answered_at = now()
    where tenant_id = ${tenantId} and run_id = ${runId} and status = 'open'`);

export interface RunEnd {
  readonly status: RunStatus;
  readonly output: unknown;
  readonly error: StepError | null;
}

export async function findEnd(db: Db, tenantId: string, runId: string): Promise<RunEnd | undefined> {
  const rows = await db.query<RunEnd>(sql`/* engine.findEnd */
    select status, output, error from run where tenant_id = ${tenantId} and id = ${runId}`);
  return rows[0];
}

/** Sub-runs of this run that have not ended. */
export const findLiveChildren = (db: Db, tenantId: string, runId: string): Promise<{ id: string }[]> =>
  db.query<{ id: string }>(sql`/* engine.findLiveChildren */
    select id from run where tenant_id = ${tenantId} and parent_run_id = ${runId} and status in ('queued', 'running', 'waiting')
    order by id`);

export async function readCached(
  db: Db,
  tenantId: string,
  key: Uint8Array,
): Promise<{ output: unknown; runId: string } | undefined> {
  const rows = await db.query<{ output: unknown; runId: string }>(sql`/* engine.readCached */
    select output, run_id as "runId" from step_cache where tenant_id = ${tenantId} and key = ${key} and expires_at > now()`);
  return rows[0];
}

/** Drops what no step may use any more. Across tenants: a scheduled job's work. */
export const dropExpired = (tx: Tx, limit: number): Promise<unknown[]> =>
  tx.query(sql`/* engine.dropExpired */
    delete from step_cache c using (select s.tenant_id, s.key from step_cache s where s.expires_at <= now()
      order by s.expires_at limit ${limit} for update skip locked) e
    where c.tenant_id = e.tenant_id and c.key = e.key returning 1`);
