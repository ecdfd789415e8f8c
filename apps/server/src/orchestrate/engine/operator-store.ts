/**
 * SQL of what people order of runs. An order is one transaction that holds the run's row from `takeRun` on, so orders
 * of one run come one after the other. Rows are locked in the order worker, run, journal, wait, gate, action.
 *
 * O1 an order that takes a run from its owner shuts the owner out first: no batch of that worker is in flight while
 *    the epoch moves on, and every later one is refused.
 * O2 what an order changes, the entry that says who ordered it, and the receipt are one commit.
 * O3 of two orders that exclude each other one is carried out; the other is told how the run stands.
 */
import { type Db, nothing, sql, type Tx } from "#platform/db";
import { workerLock } from "#platform/jobs";
import { cancelGates } from "./control-store.ts";
import type { JournalEvent, Operator, RunStatus, StepError } from "./domain.ts";
import { cancelWaits, readLastSeq } from "./store.ts";

/** A run whose row the transaction holds. */
export interface TakenRun {
  readonly tenantId: string;
  readonly id: string;
  readonly status: RunStatus;
  readonly flowName: string;
  readonly flowVersion: string;
  readonly flowHash: string;
  readonly principalId: string;
  readonly epoch: number;
  readonly wakeSeq: number;
  readonly lastSeq: number;
  readonly pausedAt: Date | null;
  readonly parentRunId: string | null;
  readonly concurrencyKey: string | null;
  /** Its end has a receipt. */
  readonly signed: boolean;
  readonly error: StepError | null;
  readonly endedAt: Date | null;
}

const columns = sql`r.tenant_id as "tenantId", r.id, r.status, r.flow_name as "flowName", r.flow_version as "flowVersion",
  r.flow_hash as "flowHash", r.principal_id as "principalId", r.lease_epoch as epoch, r.wake_seq as "wakeSeq", r.last_seq as "lastSeq",
  r.paused_at as "pausedAt", r.parent_run_id as "parentRunId", r.concurrency_key as "concurrencyKey", r.signed, r.error, r.ended_at as "endedAt"`;

/** The same without a lock, to tell what an order would come to. */
export async function lookAtRun(db: Db, tenantId: string, runId: string): Promise<TakenRun | undefined> {
  const rows = await db.query<TakenRun>(sql`/* engine.lookAtRun */
    select ${columns} from run r where r.tenant_id = ${tenantId} and r.id = ${runId}`);
  return rows[0];
}

/** [O1] Locks the run's row, after the worker that owns it: from now on the order alone writes to the run. */
export async function takeRun(tx: Tx, tenantId: string, runId: string): Promise<TakenRun | undefined> {
  for (;;) {
    const [owner] = await tx.query<{ worker: string | null }>(sql`/* engine.findOwner */
      select lease_worker as worker from run where tenant_id = ${tenantId} and id = ${runId}`);
    if (!owner) return undefined;
    if (owner.worker)
      await tx.query(
        sql`/* engine.lockOwner */ select pg_advisory_xact_lock(${workerLock(owner.worker)}::bigint)`,
      );
    const [run] = await tx.query<TakenRun>(sql`/* engine.takeRun */
      select ${columns} from run r where r.tenant_id = ${tenantId} and r.id = ${runId}
        and r.lease_worker is not distinct from ${owner.worker} for update`);
    if (run) return run; // else it was claimed or parked since: look again
  }
}

/** Locks the run's row alone: for orders that leave a run with its owner. */
export async function lockRun(tx: Tx, tenantId: string, runId: string): Promise<TakenRun | undefined> {
  const rows = await tx.query<TakenRun>(sql`/* engine.lockRun */
    select ${columns} from run r where r.tenant_id = ${tenantId} and r.id = ${runId} for update`);
  return rows[0];
}

/** Whether the run has ended, and stays so until the transaction does: an operator may reopen one that failed. */
export async function lockEnded(tx: Tx, tenantId: string, runId: string): Promise<boolean> {
  const rows = await tx.query(sql`/* engine.lockEnded */
    select r.id from run r where r.tenant_id = ${tenantId} and r.id = ${runId} and r.status in ('completed', 'failed', 'aborted')
    for share`);
  return rows.length > 0;
}

/** An entry in place of the engine's; of the run itself where `step` is empty. */
export interface OrderEntry {
  readonly step: string;
  readonly iteration?: number;
  /** The number of the entry for the run itself, where there are no attempts. */
  readonly attempt?: number;
  readonly event: JournalEvent | "paused" | "resumed" | "reopened" | "aborted";
  /** JSON text. */
  readonly output?: string | null;
  readonly error?: StepError | null;
  readonly operator: Operator | null;
  /** When it happened, if not now. */
  readonly at?: Date | null;
}

/** [O2] Writes the entries behind all that are there and answers the number of the last. */
export async function writeEntries(tx: Tx, run: TakenRun, entries: readonly OrderEntry[]): Promise<number> {
  let seq = Math.max(run.lastSeq, await readLastSeq(tx, run.tenantId, run.id));
  for (const e of entries) {
    seq++;
    await tx.query(sql`/* engine.writeEntry */
      insert into journal (tenant_id, run_id, step, iteration, attempt, event, seq, output, error, operator, at, ms)
      values (${run.tenantId}, ${run.id}, ${e.step}, ${e.iteration ?? 0}, ${e.attempt ?? seq}, ${e.event}, ${seq},
        ${e.output ?? null}::jsonb, ${e.error ? JSON.stringify(e.error) : null}::jsonb,
        ${e.operator ? JSON.stringify(e.operator) : null}::jsonb, coalesce(${e.at ?? null}::timestamptz, now()), 0)`);
  }
  return seq;
}

/** Holds the run back, whatever it did. */
export const pauseRun = (tx: Tx, run: TakenRun, lastSeq: number): Promise<unknown[]> =>
  tx.query(sql`/* engine.pauseRun */
    update run set status = 'waiting', lease_worker = null, lease_epoch = lease_epoch + 1, paused_at = now(), last_seq = ${lastSeq}
    where tenant_id = ${run.tenantId} and id = ${run.id}`);

/** The time that it was held back does not count against its limit. */
export const resumeRun = (tx: Tx, run: TakenRun, lastSeq: number): Promise<unknown[]> =>
  tx.query(sql`/* engine.resumeRun */
    update run set status = 'queued', paused_at = null, available_at = now(), deadline_at = deadline_at + (now() - paused_at),
      last_seq = ${lastSeq}
    where tenant_id = ${run.tenantId} and id = ${run.id}`);

/** A run that waits, and is not paused, is claimed again; whatever its state, the entries up to `lastSeq` count. */
export const requeueRun = (tx: Tx, run: TakenRun, lastSeq: number): Promise<unknown[]> =>
  tx.query(sql`/* engine.requeueRun */
    update run set last_seq = ${lastSeq}, wake_seq = wake_seq + 1, available_at = now(),
      status = case when status = 'waiting' and paused_at is null then 'queued' else status end
    where tenant_id = ${run.tenantId} and id = ${run.id}`);

/** Entries up to `lastSeq` count from now on, and nothing else changes. */
export const countEntries = (tx: Tx, run: TakenRun, lastSeq: number): Promise<unknown[]> =>
  tx.query(sql`/* engine.countEntries */
    update run set last_seq = ${lastSeq} where tenant_id = ${run.tenantId} and id = ${run.id}`);

/**
 * A failed run goes on. The time since it failed does not count against its limit, and one whose time was up has it
 * again. Under a concurrency key it waits for its turn, for it gave its place away when it ended.
 */
export const reopenRun = (tx: Tx, run: TakenRun, lastSeq: number, timeoutMs: number): Promise<unknown[]> =>
  tx.query(sql`/* engine.reopenRun */
    update run r set status = 'queued', error = null, output = null, ended_at = null, available_at = now(),
      wake_seq = r.wake_seq + 1, last_seq = ${lastSeq}, blocked = r.concurrency_key is not null,
      deadline_at = case when r.deadline_at <= r.ended_at then now() + make_interval(secs => ${timeoutMs / 1000})
        else r.deadline_at + (now() - r.ended_at) end
    where r.tenant_id = ${run.tenantId} and r.id = ${run.id}`);

/** Ends the run, with all that it waits for. `lastSeq` is that of its last entry before the end. */
export async function endAborted(tx: Tx, run: TakenRun, lastSeq: number, error: StepError): Promise<void> {
  await tx.query(sql`/* engine.endAborted */
    update run set status = 'aborted', lease_worker = null, lease_epoch = lease_epoch + 1, ended_at = now(), output = null,
      error = ${JSON.stringify(error)}::jsonb, last_seq = ${lastSeq}
    where tenant_id = ${run.tenantId} and id = ${run.id}`);
  await cancelWaits(tx, run.tenantId, run.id);
  await cancelGates(tx, run.tenantId, run.id);
}

export interface ClosedWait {
  readonly kind: string;
  readonly key: string | null;
}

/** The step does not wait any more; answers what it waited for. */
export const closeStepWaits = (tx: Tx, run: TakenRun, step: string): Promise<ClosedWait[]> =>
  tx.query<ClosedWait>(sql`/* engine.closeStepWaits */
    update wait set status = 'cancelled', resolved_at = now()
    where tenant_id = ${run.tenantId} and run_id = ${run.id} and step = ${step} and status = 'open' returning kind, key`);

/** A retry that is due in so many seconds. */
export const insertRetryWait = (
  tx: Tx,
  run: TakenRun,
  at: { readonly id: string; readonly step: string; readonly attempt: number; readonly seconds: number },
): Promise<unknown[]> =>
  tx.query(sql`/* engine.insertRetryWait */
    insert into wait (tenant_id, id, run_id, step, iteration, attempt, kind, due_at)
    values (${run.tenantId}, ${at.id}, ${run.id}, ${at.step}, 0, ${at.attempt}, 'retry', now() + make_interval(secs => ${at.seconds}))`);

/** Where each step stands, or one of its items: its newest entry, without outputs. */
export interface Head {
  readonly step: string;
  readonly iteration: number;
  readonly attempt: number;
  readonly event: JournalEvent;
}

export const readHeads = (db: Db, tenantId: string, runId: string, step?: string): Promise<Head[]> =>
  db.query<Head>(sql`/* engine.readHeads */
    select distinct on (j.step) j.step, j.iteration, j.attempt, j.event from journal j
    where j.tenant_id = ${tenantId} and j.run_id = ${runId} and j.iteration = 0 and j.step <> ''
      ${step === undefined ? nothing : sql`and j.step = ${step}`}
    order by j.step, j.seq desc`);
