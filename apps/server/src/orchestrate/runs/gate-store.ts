import type { GateDecision } from "#orchestrate/engine";
import { type Db, nothing, type Sql, sql } from "#platform/db";

export type GateStatus = "open" | "answered" | "expired" | "cancelled";

export interface GateView {
  readonly id: string;
  readonly runId: string;
  readonly flow: string;
  readonly version: string;
  readonly step: string;
  readonly iteration: number;
  readonly attempt: number;
  readonly status: GateStatus;
  readonly question: string;
  readonly options: readonly GateDecision[];
  readonly approvers: readonly string[];
  readonly excludeRequester: boolean;
  readonly requestedBy: string;
  readonly default: GateDecision | null;
  /** What the step gave; absent in lists. */
  readonly output?: unknown;
  /** Null while it is open, and for one whose time ran out without a default. */
  readonly decision: GateDecision | null;
  readonly edits: Record<string, unknown> | null;
  readonly editedOutput?: unknown;
  readonly hasEditedOutput: boolean;
  readonly answeredBy: string | null;
  readonly note: string | null;
  readonly createdAt: Date;
  readonly dueAt: Date | null;
  readonly answeredAt: Date | null;
}

const columns = sql`g.id, g.run_id as "runId", r.flow_name as flow, r.flow_version as version, g.step, g.iteration, g.attempt, g.status,
  g.question, g.options, g.approvers, g.exclude_requester as "excludeRequester", g.requester_id as "requestedBy",
  g.default_decision as "default", nullif(g.decision, 'timeout') as decision, g.edits, g.has_edited_output as "hasEditedOutput",
  g.answered_by as "answeredBy", g.note, g.created_at as "createdAt", g.due_at as "dueAt", g.answered_at as "answeredAt"`;
const from = sql`gate g join run r on r.tenant_id = g.tenant_id and r.id = g.run_id`;

export async function findGate(db: Db, tenantId: string, id: string): Promise<GateView | undefined> {
  const rows = await db.query<GateView>(sql`/* runs.findGate */
    select ${columns}, g.output, g.edited_output as "editedOutput" from ${from}
    where g.tenant_id = ${tenantId} and g.id = ${id}`);
  return rows[0];
}

export interface GateFilter {
  readonly status?: GateStatus | undefined;
  readonly runId?: string | undefined;
  readonly before?: string | undefined;
  readonly limit: number;
}

const matching = (tenantId: string, f: GateFilter): Sql => sql`g.tenant_id = ${tenantId}
  ${f.status ? sql`and g.status = ${f.status}` : nothing} ${f.runId ? sql`and g.run_id = ${f.runId}` : nothing}
  ${f.before ? sql`and g.id < ${f.before}` : nothing}`;

/** Newest first, without the payloads. */
export const listGates = (db: Db, tenantId: string, f: GateFilter): Promise<GateView[]> =>
  db.query<GateView>(sql`/* runs.listGates */
    select ${columns} from ${from} where ${matching(tenantId, f)} order by g.id desc limit ${f.limit}`);
