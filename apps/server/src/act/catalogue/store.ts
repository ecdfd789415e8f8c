import type { Verb } from "#act/connectors";
import { type Db, sql, type Tx } from "#platform/db";
import type { OutputAudience, Overrides } from "./domain.ts";

export interface ToolRow {
  readonly name: string;
  /** Digest of what was reviewed. */
  readonly reviewed: string;
  readonly reviewedBy: string | null;
  readonly reviewedAt: Date;
  readonly overrides: Overrides;
  readonly reason: string | null;
  readonly revision: number;
}

interface Raw extends Omit<ToolRow, "overrides"> {
  readonly verb: Verb | null;
  readonly risk: number | null;
  readonly dataTypes: string[] | null;
  readonly destructive: boolean | null;
  readonly openWorld: boolean | null;
  readonly redact: string[];
  readonly outputs: OutputAudience;
}

const columns = sql`t.name, t.reviewed, t.reviewed_by as "reviewedBy", t.reviewed_at as "reviewedAt", t.verb, t.risk,
  t.data_types as "dataTypes", t.destructive, t.open_world as "openWorld", t.redact, t.outputs, t.reason, t.revision`;

const toRow = ({ verb, risk, dataTypes, destructive, openWorld, redact, outputs, ...row }: Raw): ToolRow => ({
  ...row,
  overrides: { verb, risk, dataTypes, destructive, openWorld, redact, outputs },
});

export async function listRows(db: Db, tenantId: string): Promise<ToolRow[]> {
  const rows = await db.query<Raw>(sql`/* catalogue.list */
    select ${columns} from tool t where t.tenant_id = ${tenantId}`);
  return rows.map(toRow);
}

/** Of one connection; the rows stay as they are until the transaction ends. */
export async function lockRows(tx: Tx, tenantId: string, names: readonly string[]): Promise<ToolRow[]> {
  const rows = await tx.query<Raw>(sql`/* catalogue.lock */
    select ${columns} from tool t where t.tenant_id = ${tenantId} and t.name = any(${[...names]}::text[])
    order by t.name for update`);
  return rows.map(toRow);
}

/** Rows for tools that have none: what is known of them is taken for reviewed by nobody. */
export const addRows = (
  tx: Tx,
  tenantId: string,
  names: readonly string[],
  reviewed: string,
): Promise<unknown> =>
  tx.query(sql`/* catalogue.add */
    insert into tool (tenant_id, name, source, reviewed)
    select ${tenantId}, n.name, 'connector', ${reviewed} from unnest(${[...names]}::text[]) as n(name) order by n.name
    on conflict on constraint tool__tenant_id__name do nothing`);

export interface Review {
  readonly reviewed: string;
  readonly by: string;
  readonly reason: string | null;
}

export const reviewRows = (
  tx: Tx,
  tenantId: string,
  names: readonly string[],
  { reviewed, by, reason }: Review,
): Promise<unknown> =>
  tx.query(sql`/* catalogue.review */
    update tool t set reviewed = ${reviewed}, reviewed_by = ${by}, reviewed_at = now(), reason = ${reason},
      revision = t.revision + 1, updated_by = ${by}, updated_at = now()
    where t.tenant_id = ${tenantId} and t.name = any(${[...names]}::text[])`);

export const classifyRow = (
  tx: Tx,
  tenantId: string,
  name: string,
  { overrides: o, by, reason }: { overrides: Overrides; by: string; reason: string | null },
): Promise<unknown> =>
  tx.query(sql`/* catalogue.classify */
    update tool t set verb = ${o.verb}, risk = ${o.risk}, data_types = ${o.dataTypes && [...o.dataTypes]}::text[],
      destructive = ${o.destructive}, open_world = ${o.openWorld}, redact = ${[...o.redact]}::text[],
      outputs = ${o.outputs}, reason = ${reason}, revision = t.revision + 1, updated_by = ${by}, updated_at = now()
    where t.tenant_id = ${tenantId} and t.name = ${name}`);

export interface AllowanceRow {
  readonly patterns: readonly string[];
  readonly revision: number;
  readonly updatedBy: string;
  readonly updatedAt: Date;
}

export async function findAllowance(db: Db, tenantId: string): Promise<AllowanceRow | undefined> {
  const [row] = await db.query<AllowanceRow>(sql`/* catalogue.findAllowance */
    select w.patterns, w.revision, w.updated_by as "updatedBy", w.updated_at as "updatedAt"
    from tool_allowance w where w.tenant_id = ${tenantId}`);
  return row;
}

/** Undefined when the row has another revision by now; 0 stands for no row. */
export async function putAllowance(
  tx: Tx,
  tenantId: string,
  { patterns, by, revision }: { patterns: readonly string[]; by: string; revision: number },
): Promise<AllowanceRow | undefined> {
  const [row] = await tx.query<AllowanceRow>(sql`/* catalogue.putAllowance */
    insert into tool_allowance as w (tenant_id, patterns, revision, updated_by)
    select ${tenantId}, ${[...patterns]}::text[], 1, ${by}
    on conflict on constraint tool_allowance__tenant_id do update
      set patterns = excluded.patterns, revision = w.revision + 1, updated_by = excluded.updated_by, updated_at = now()
      where w.revision = ${revision}
    returning w.patterns, w.revision, w.updated_by as "updatedBy", w.updated_at as "updatedAt"`);
  return row && (row.revision === revision + 1 ? row : undefined);
}
