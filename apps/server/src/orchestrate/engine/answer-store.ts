/** SQL of what people and other systems send to a run that waits: answers to gates, and signals. */
import { sql, type Tx } from "#platform/db";
import type { GateDecision } from "./domain.ts";

export interface GateAnswer {
  readonly tenantId: string;
  readonly id: string;
  readonly decision: GateDecision;
  readonly edits: Readonly<Record<string, unknown>> | null;
  /** JSON text of the output that stands in for the step's own; undefined to leave that. */
  readonly output: string | undefined;
  readonly answeredBy: string;
  readonly note: string | null;
}

/** [R10] True for the one answer that counts. The run's row is locked already. */
export async function answerGate(tx: Tx, a: GateAnswer): Promise<boolean> {
  const edits = a.edits === null ? null : JSON.stringify(a.edits);
  const rows = await tx.query(sql`/* engine.answerGate */
    update gate set status = 'answered', decision = ${a.decision}, edits = ${edits}::jsonb, answered_at = now(),
      edited_output = ${a.output ?? null}::jsonb, has_edited_output = ${a.output !== undefined},
      answered_by = ${a.answeredBy}, note = ${a.note}
    where tenant_id = ${a.tenantId} and id = ${a.id} and status = 'open' returning id`);
  return rows.length === 1;
}

export interface SignalRow {
  readonly tenantId: string;
  readonly id: string;
  readonly runId: string;
  readonly name: string;
  /** JSON text. */
  readonly payload: string;
  readonly sentBy: string;
}

/** The run's row is locked already: signals of a run are numbered by their times, one after the other. */
export const insertSignal = (tx: Tx, s: SignalRow): Promise<unknown[]> =>
  tx.query(sql`/* engine.insertSignal */
    insert into signal (tenant_id, id, run_id, name, payload, sent_by, sent_at)
    values (${s.tenantId}, ${s.id}, ${s.runId}, ${s.name}, ${s.payload}::jsonb, ${s.sentBy}, clock_timestamp())`);

/** Signals of the name that the run has not taken. */
export async function countSignals(tx: Tx, tenantId: string, runId: string, name: string): Promise<number> {
  const rows = await tx.query<{ n: number }>(sql`/* engine.countSignals */
    select count(*)::int4 as n from signal
    where tenant_id = ${tenantId} and run_id = ${runId} and name = ${name} and delivered_at is null`);
  return rows[0]?.n ?? 0;
}

/** Something came for the run: its owner looks before it parks, and one that waits is queued unless it is paused. */
export const wakeRun = (tx: Tx, tenantId: string, runId: string): Promise<unknown[]> =>
  tx.query(sql`/* engine.wakeRun */
    update run set wake_seq = wake_seq + 1, available_at = now(),
      status = case when status = 'waiting' and paused_at is null then 'queued' else status end
    where tenant_id = ${tenantId} and id = ${runId}`);
