/** SQL of run, journal and wait. `fireTimers` and `requeueOf` work across tenants. */
import { type Database, type Db, sql, type Tx } from "#platform/db";
import { workerLock } from "#platform/jobs";
import type { JournalEvent, Operator, RunStatus, StepError, WaitKind } from "./domain.ts";

export interface ClaimedRun {
  readonly tenantId: string;
  readonly id: string;
  readonly flowName: string;
  readonly flowVersion: string;
  readonly flowHash: string;
  readonly principalId: string;
  readonly params: Record<string, unknown>;
  readonly trigger: Record<string, unknown> | null;
  readonly priority: number;
  readonly depth: number;
  readonly parentRunId: string | null;
  readonly concurrencyKey: string | null;
  /** The run that it repeats: its journal may have begun before anybody claimed it. */
  readonly originRunId: string | null;
  /** Its end has a receipt. */
  readonly signed: boolean;
  readonly epoch: number;
  readonly wakeSeq: number;
  readonly lastSeq: number;
  readonly startedAt: Date;
  readonly deadlineAt: Date | null;
  readonly waitedMs: number;
}

export interface JournalEntry {
  readonly step: string;
  readonly iteration: number;
  readonly attempt: number;
  readonly event: JournalEvent;
  readonly seq: number;
  readonly output: unknown;
  readonly error: StepError | null;
  /** Who wrote it in place of the engine; null for the engine's own. */
  readonly operator: Operator | null;
  readonly at: Date;
  readonly ms: number;
}

export const readJournal = (db: Db, tenantId: string, runId: string, afterSeq = 0): Promise<JournalEntry[]> =>
  db.query<JournalEntry>(sql`/* engine.readJournal */
    select step, iteration, attempt, event, seq, output, error, operator, at, ms from journal
    where tenant_id = ${tenantId} and run_id = ${runId} and seq > ${afterSeq} order by seq`);

export interface WaitEntry {
  readonly step: string;
  readonly iteration: number;
  readonly attempt: number;
  readonly kind: WaitKind;
  readonly key: string | null;
  readonly status: "open" | "resolved" | "cancelled";
  readonly dueAt: Date | null;
  readonly resolvedAt: Date | null;
  /** Its row is still open, though what it is for has come. */
  readonly isLoose: boolean;
}

/**
 * An action may have ended before its wait was durable, and whoever wrote the wait died before it looked once more:
 * no event will come, so the wait counts as resolved.
 */
export const readWaits = (db: Db, tenantId: string, runId: string): Promise<WaitEntry[]> =>
  db.query<WaitEntry>(sql`/* engine.readWaits */
    select w.step, w.iteration, w.attempt, w.kind, w.key, w.due_at as "dueAt", w.resolved_at as "resolvedAt",
      case when a.id is null then w.status else 'resolved' end as status, a.id is not null as "isLoose"
    from wait w
    left join action a on w.status = 'open' and a.tenant_id = w.tenant_id and a.id = case when w.kind = 'action' then w.key::uuid end
      and a.state in ('completed', 'failed', 'denied', 'quarantined', 'rejected', 'expired', 'cancelled')
    where w.tenant_id = ${tenantId} and w.run_id = ${runId} order by w.created_at, w.id`);

export interface LeaseState {
  readonly status: RunStatus;
  readonly epoch: number;
  readonly wakeSeq: number;
}

export async function readLease(db: Db, tenantId: string, runId: string): Promise<LeaseState | undefined> {
  const rows = await db.query<LeaseState>(sql`/* engine.readLease */
    select status, lease_epoch as epoch, wake_seq as "wakeSeq" from run where tenant_id = ${tenantId} and id = ${runId}`);
  return rows[0];
}

/**
 * What runs wait for under this key has come: the waits are resolved and the runs woken in one statement.
 * The run row is counted up first, so an owner that is about to park sees it. Returns the runs.
 */
export const resolveWaits = (
  tx: Tx,
  tenantId: string,
  kind: WaitKind,
  key: string,
): Promise<{ runId: string }[]> =>
  tx.query<{ runId: string }>(sql`/* engine.resolveWaits */
    with due as (
      select w.id, w.run_id from wait w where w.tenant_id = ${tenantId} and w.kind = ${kind} and w.key = ${key} and w.status = 'open'
    ), woken as (
      update run r set wake_seq = r.wake_seq + 1, available_at = now(),
        status = case when r.status = 'waiting' and r.paused_at is null then 'queued' else r.status end
      where r.tenant_id = ${tenantId} and r.id in (select d.run_id from due d) returning r.id
    )
    update wait w set status = 'resolved', resolved_at = now()
    from due d where w.tenant_id = ${tenantId} and w.id = d.id and w.status = 'open' and exists (select from woken k where k.id = d.run_id)
    returning w.run_id as "runId"`);

/** Resolves timers that are due and wakes runs past their deadline. Returns how many it found. */
export const fireTimers = (tx: Tx, limit: number): Promise<{ tenantId: string; runId: string }[]> =>
  tx.query<{ tenantId: string; runId: string }>(sql`/* engine.fireTimers */
    with due as (
      select w.tenant_id, w.id, w.run_id from wait w where w.status = 'open' and w.due_at <= now()
      order by w.due_at limit ${limit} for update skip locked
    ), late as (
      select r.tenant_id, r.id from run r where r.status = 'waiting' and r.paused_at is null and r.deadline_at <= now()
      order by r.deadline_at limit ${limit} for update skip locked
    ), fired as (
      update wait w set status = 'resolved', resolved_at = now()
      from due d where w.tenant_id = d.tenant_id and w.id = d.id returning w.tenant_id, w.run_id
    )
    update run r set wake_seq = r.wake_seq + 1, available_at = now(),
      status = case when r.status = 'waiting' and r.paused_at is null then 'queued' else r.status end
    from (select f.tenant_id, f.run_id as id from fired f union select l.tenant_id, l.id from late l) x
    where r.tenant_id = x.tenant_id and r.id = x.id
    returning r.tenant_id as "tenantId", r.id as "runId"`);

/** When the next timer is due, by the database clock: milliseconds from now, or null. */
export async function nextTimer(db: Database): Promise<number | null> {
  const rows = await db.system.query<{ ms: number | null }>(sql`/* engine.nextTimer */
    select (extract(epoch from least(
      (select min(w.due_at) from wait w where w.status = 'open' and w.due_at is not null),
      (select min(r.deadline_at) from run r where r.status = 'waiting' and r.paused_at is null)) - now()) * 1000)::float8 as ms`);
  return rows[0]?.ms ?? null;
}

/** Runs of a dead worker go back to the queue; its epoch will be refused from now on. */
export const requeueOf = (tx: Tx, workerId: string): Promise<{ id: string }[]> =>
  tx.query<{ id: string }>(sql`/* engine.requeueOf */
    update run set status = 'queued', lease_worker = null, lease_epoch = lease_epoch + 1, available_at = now()
    where lease_worker = ${workerId} and status = 'running' returning id`);

/** The run ended while branches of it still waited. */
export const cancelWaits = (tx: Tx, tenantId: string, runId: string): Promise<unknown[]> =>
  tx.query(sql`/* engine.cancelWaits */
    update wait set status = 'cancelled', resolved_at = now() where tenant_id = ${tenantId} and run_id = ${runId} and status = 'open'`);

/** A run that has been aborted, as the receipt of its end tells of it. */
export interface AbortedRun {
  readonly tenantId: string;
  readonly id: string;
  readonly flowName: string;
  readonly flowVersion: string;
  readonly flowHash: string;
  readonly signed: boolean;
}

/**
 * Ends a run by order of an operator. Its owner, if any, is shut out first: no batch of that worker is in
 * flight while the epoch moves on, and every later one is refused. Undefined: the run had ended already.
 */
export async function abortRun(
  tx: Tx,
  tenantId: string,
  runId: string,
  error: StepError,
): Promise<AbortedRun | undefined> {
  for (;;) {
    const [owner] = await tx.query<{ worker: string | null }>(sql`/* engine.findOwner */
      select lease_worker as worker from run
      where tenant_id = ${tenantId} and id = ${runId} and status in ('queued', 'running', 'waiting')`);
    if (!owner) return undefined;
    if (owner.worker)
      await tx.query(
        sql`/* engine.lockOwner */ select pg_advisory_xact_lock(${workerLock(owner.worker)}::bigint)`,
      );
    const [aborted] = await tx.query<AbortedRun>(sql`/* engine.abortRun */
      update run r set status = 'aborted', lease_worker = null, lease_epoch = r.lease_epoch + 1, ended_at = now(),
        error = ${JSON.stringify(error)}::jsonb,
        last_seq = greatest(r.last_seq, coalesce((select max(j.seq) from journal j where j.tenant_id = r.tenant_id and j.run_id = r.id), 0))
      where r.tenant_id = ${tenantId} and r.id = ${runId} and r.status in ('queued', 'running', 'waiting')
        and r.lease_worker is not distinct from ${owner.worker}
      returning r.tenant_id as "tenantId", r.id, r.flow_name as "flowName", r.flow_version as "flowVersion",
        r.flow_hash as "flowHash", r.signed`);
    if (!aborted) continue; // claimed or ended since: look again
    await cancelWaits(tx, tenantId, runId);
    return aborted;
  }
}

/** Who waits for the end of this run. */
export async function findRunKin(
  db: Db,
  tenantId: string,
  runId: string,
): Promise<{ parentRunId: string | null; concurrencyKey: string | null } | undefined> {
  const rows = await db.query<{
    parentRunId: string | null;
    concurrencyKey: string | null;
  }>(sql`/* engine.findRunKin */
    select parent_run_id as "parentRunId", concurrency_key as "concurrencyKey" from run
    where tenant_id = ${tenantId} and id = ${runId}`);
  return rows[0];
}

/** Number of the newest entry that is durable. */
export async function readLastSeq(db: Db, tenantId: string, runId: string): Promise<number> {
  const rows = await db.query<{ seq: number }>(sql`/* engine.readLastSeq */
    select coalesce(max(seq), 0)::int4 as seq from journal where tenant_id = ${tenantId} and run_id = ${runId}`);
  return rows[0]?.seq ?? 0;
}

/** Runs that this worker holds a lease of, as the database knows it. */
export const findLeased = (
  db: Database,
  workerId: string,
): Promise<{ tenantId: string; id: string; epoch: number }[]> =>
  db.system.query(sql`/* engine.findLeased */
    select tenant_id as "tenantId", id, lease_epoch as epoch from run where lease_worker = ${workerId} and status = 'running'`);
