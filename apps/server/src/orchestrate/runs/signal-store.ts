import { type Db, nothing, sql } from "#platform/db";

export interface SignalView {
  readonly id: string;
  readonly runId: string;
  readonly name: string;
  readonly payload: unknown;
  readonly sentBy: string;
  readonly sentAt: Date;
  /** When a step took it. */
  readonly deliveredAt: Date | null;
  readonly step: string | null;
  readonly iteration: number | null;
}

const columns = sql`s.id, s.run_id as "runId", s.name, s.payload, s.sent_by as "sentBy", s.sent_at as "sentAt",
  s.delivered_at as "deliveredAt", s.step, s.iteration`;

export async function findSignal(
  db: Db,
  tenantId: string,
  runId: string,
  id: string,
): Promise<SignalView | undefined> {
  const rows = await db.query<SignalView>(sql`/* runs.findSignal */
    select ${columns} from signal s where s.tenant_id = ${tenantId} and s.run_id = ${runId} and s.id = ${id}`);
  return rows[0];
}

/** Newest first. */
export const listSignals = (
  db: Db,
  tenantId: string,
  runId: string,
  page: { readonly before?: string | undefined; readonly limit: number },
): Promise<SignalView[]> =>
  db.query<SignalView>(sql`/* runs.listSignals */
    select ${columns} from signal s where s.tenant_id = ${tenantId} and s.run_id = ${runId}
      ${page.before ? sql`and s.id < ${page.before}` : nothing}
    order by s.id desc limit ${page.limit}`);
