/**
 * Lists of actions, newest first. Each is driven by one index, whose rows come in the order of the list; what else is
 * asked for is looked at row by row, over so many rows at most, and the list goes on from there with its next page.
 */
import { type Db, nothing, type Sql, sql } from "#platform/db";
import { dayBefore } from "#platform/kernel";
import type { ActionState } from "./domain.ts";
import type { ActionSummary } from "./views.ts";

export interface ActionFilter {
  readonly state?: ActionState | undefined;
  readonly runId?: string | undefined;
  readonly tool?: string | undefined;
  /** Of any connection. */
  readonly operation?: string | undefined;
  /** The principal that acted. */
  readonly agentId?: string | undefined;
  /** The person who acted, or for whom it was acted: what their agents do is theirs. */
  readonly actorId?: string | undefined;
  readonly target?: string | undefined;
  readonly policyVersion?: string | undefined;
  /** A policy that determined the decision. */
  readonly rule?: string | undefined;
  /** In target, tool, step, error and the decision's message: literally, regardless of case. */
  readonly text?: string | undefined;
  /** Proposed from then on. */
  readonly from?: Date | undefined;
  /** Proposed before then. */
  readonly to?: Date | undefined;
  readonly before?: string | undefined;
  readonly limit: number;
}

export interface ActionList {
  readonly items: readonly ActionSummary[];
  /** The id after which the list goes on; null: it has come to its end. */
  readonly next: string | null;
}

/** Rows that one page looks at. */
const scanned = 5_000;

const raw = sql`a.tenant_id, a.id, a.state, a.connection, a.operation, a.tool, a.verb, a.target, a.environment, a.digest,
  a.facts, a.error, a.http, a.principal_id, a.run_id, a.step, a.effect_key, a.idempotent, a.timeout_ms, a.attempt,
  a.approval_id, a.decision, a.user_id, a.submitter_id, a.declared, a.receipt_id, a.created_at, a.started_at, a.ended_at`;

const columns = sql`a.tenant_id as "tenantId", a.id, a.state, a.connection, a.operation, a.tool, a.verb, a.target, a.environment,
  a.digest, a.facts, a.error, a.http, a.principal_id as "principalId", a.run_id as "runId", a.step,
  a.effect_key as "effectKey", a.idempotent, a.timeout_ms as "timeoutMs", a.attempt, a.approval_id as "approvalId",
  a.decision, a.user_id as "userId", a.submitter_id as "submitterId", a.declared, a.receipt_id as "receiptId",
  a.created_at as "createdAt", a.started_at as "startedAt", a.ended_at as "endedAt"`;

/** States that are rare have an index of their own; the planner uses it where its condition stands in the query. */
const rare = sql`a.state not in ('completed', 'executing')`;

interface Driver {
  readonly rows: (tenantId: string, range: Sql, limit: number) => Sql;
  readonly covers: ReadonlySet<keyof ActionFilter>;
}

const newest = (tenantId: string, range: Sql, where: Sql, limit: number): Sql =>
  sql`select ${raw} from action a where a.tenant_id = ${tenantId} ${range} ${where} order by a.id desc limit ${limit}`;

const single = (where: Sql, ...covers: (keyof ActionFilter)[]): Driver => ({
  rows: (tenantId, range, limit) => newest(tenantId, range, where, limit),
  covers: new Set(covers),
});

/** One index scan for each value that `values` gives: their newest rows together are the newest of all. */
const each = (
  values: (tenantId: string) => Sql,
  where: Sql,
  covers: keyof ActionFilter,
  more?: Sql,
): Driver => ({
  rows: (tenantId, range, limit) => sql`select b.* from (
      select n.* from (${values(tenantId)}) as v(v) cross join lateral (${newest(tenantId, range, where, limit)}) n
      ${more === undefined ? nothing : sql`union all (${newest(tenantId, range, more, limit)})`}
    ) b order by b.id desc limit ${limit}`,
  covers: new Set([covers]),
});

function driverOf(f: ActionFilter): Driver {
  if (f.runId !== undefined)
    // Actions of a run are younger than it; the day before says which months need not be looked at.
    return single(sql`and a.run_id = ${f.runId} and a.id >= ${dayBefore(f.runId)}`, "runId");
  if (f.target !== undefined)
    return single(
      sql`and a.target_key = hashtextextended(${f.target}::text, 0) and a.target = ${f.target}`,
      "target",
    );
  if (f.state === "executing")
    return {
      rows: (tenantId, range) =>
        sql`select ${raw} from action a where a.tenant_id = ${tenantId} ${range} and a.state = 'executing'`,
      covers: new Set(["state"]),
    };
  if (f.state !== undefined && f.state !== "completed")
    return single(sql`and a.state = ${f.state} and ${rare}`, "state");
  if (f.agentId !== undefined) return single(sql`and a.principal_id = ${f.agentId}`, "agentId");
  if (f.tool !== undefined) return single(sql`and a.tool = ${f.tool}`, "tool");
  if (f.operation !== undefined)
    return each(
      (tenantId) =>
        sql`select c.name || '/' || ${f.operation}::text from connection c where c.tenant_id = ${tenantId}`,
      sql`and a.tool = v.v`,
      "operation",
    );
  if (f.actorId !== undefined)
    return each(
      (tenantId) =>
        sql`select p.id from principal p where p.tenant_id = ${tenantId} and (p.id = ${f.actorId} or p.owner_id = ${f.actorId})`,
      sql`and a.principal_id = v.v and (a.user_id is null or a.user_id <> ${f.actorId})`,
      "actorId",
      sql`and a.user_id = ${f.actorId}`,
    );
  return single(nothing);
}

/** What the driver's rows must satisfy besides. */
function restOf(f: ActionFilter, { covers }: Driver): Sql[] {
  const asked: { readonly [F in keyof ActionFilter]?: () => Sql } = {
    state: () => sql`a.state = ${f.state}`,
    agentId: () => sql`a.principal_id = ${f.agentId}`,
    tool: () => sql`a.tool = ${f.tool}`,
    operation: () => sql`a.operation = ${f.operation}`,
    actorId:
      () => sql`(a.user_id = ${f.actorId} or a.principal_id = ${f.actorId} or exists (select from principal p
      where p.tenant_id = a.tenant_id and p.id = a.principal_id and p.owner_id = ${f.actorId}))`,
    policyVersion: () => sql`a.decision ->> 'policy' = ${f.policyVersion}`,
    rule: () => sql`a.decision -> 'reasons' @> to_jsonb(${f.rule}::text)`,
    text: () => sql`strpos(lower(concat_ws(' ', a.target, a.tool, a.step, a.error ->> 'code', a.error ->> 'message',
      a.decision ->> 'message')), lower(${f.text})) > 0`,
  };
  return Object.entries(asked).flatMap(([name, condition]) => {
    const key = name as keyof ActionFilter; // a key of `asked`
    return f[key] === undefined || covers.has(key) ? [] : [condition()];
  });
}

const rangeOf = (f: ActionFilter): Sql =>
  sql`${f.before === undefined ? nothing : sql`and a.id < ${f.before}`}
    ${f.from === undefined ? nothing : sql`and a.id >= ${firstIdAt(f.from)}`}
    ${f.to === undefined ? nothing : sql`and a.id < ${firstIdAt(f.to)}`}`;

/** The least UUIDv7 of an instant. */
function firstIdAt(at: Date): string {
  const digits = Math.max(0, at.getTime()).toString(16).padStart(12, "0");
  return `${digits.slice(0, 8)}-${digits.slice(8, 12)}-0000-0000-000000000000`;
}

type Found = Partial<ActionSummary> & { readonly seen: number; readonly last: string | null };

export async function listActions(db: Db, tenantId: string, f: ActionFilter): Promise<ActionList> {
  const driver = driverOf(f);
  const rest = restOf(f, driver);
  const range = rangeOf(f);
  if (rest.length === 0) {
    const rows = await db.query<ActionSummary>(sql`/* actions.list */
      select ${columns} from (${driver.rows(tenantId, range, f.limit + 1)}) a order by a.id desc limit ${f.limit + 1}`);
    const items = rows.slice(0, f.limit);
    return { items, next: rows.length > f.limit ? (items.at(-1)?.id ?? null) : null };
  }
  const where = rest.reduce((all, one) => sql`${all} and ${one}`);
  const rows = await db.query<Found>(sql`/* actions.search */
    with seen as materialized (${driver.rows(tenantId, range, scanned)})
    select r.*, t.seen, t.last
    from (select count(*)::int4 as seen, (select s.id from seen s order by s.id limit 1) as last from seen) t
    left join lateral (select ${columns} from seen a where ${where} order by a.id desc limit ${f.limit + 1}) r on true
    order by r.id desc`);
  const all = rows.flatMap(
    ({ seen: _, last: __, ...row }) =>
      row.id === null || row.id === undefined ? [] : [row as ActionSummary], // the join's row has all columns or none
  );
  const items = all.slice(0, f.limit);
  if (all.length > f.limit) return { items, next: items.at(-1)?.id ?? null };
  const [first] = rows;
  return { items, next: first && first.seen >= scanned ? first.last : null };
}
