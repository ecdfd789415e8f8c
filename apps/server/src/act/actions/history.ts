/** Actions as policies look back on them: what counters are made from, and what a replay asks again. */
import type { ActionHistory, CountedAction, CountedGroup } from "#act/policy";
import { type Database, type Db, nothing, type Sql, sql } from "#platform/db";
import { idAt } from "#platform/kernel";

const counted = sql`a.decision ->> 'effect' in ('allow', 'require_approval')`;

/** Ids are made when an action is proposed, so a range of ids is a range of time. */
const from = (at: number): Sql => sql`a.id >= ${idAt(at)}::uuid`;

export function createActionHistory(db: Database): ActionHistory {
  return {
    groups: (tenantId, range, partMs, sums) =>
      db.read(tenantId, async (reader) => {
        const rows = await reader.query<Omit<CountedGroup, "sums"> & { sums: Record<string, number> | null }>(
          sql`/* actions.countGroups */
          with part as (
            select a.principal_id, a.tool, a.verb, a.facts,
              floor(extract(epoch from a.created_at) * 1000 / ${partMs}::float8) * ${partMs}::float8 as at
            from action a where a.tenant_id = ${tenantId}::uuid and ${from(range.from)} and a.id < ${idAt(range.before)}::uuid
              and ${counted}
          ), calls as (
            select p.principal_id, p.tool, p.verb, p.at, count(*)::int as calls from part p group by 1, 2, 3, 4
          ), sums as (
            select p.principal_id, p.tool, p.verb, p.at, f.key, sum((f.value #>> '{}')::numeric) as sum
            from part p, jsonb_each(p.facts) f
            where f.key in (select jsonb_array_elements_text(${JSON.stringify(sums)}::jsonb)) and jsonb_typeof(f.value) = 'number'
            group by 1, 2, 3, 4, 5
          )
          select c.principal_id as "principalId", c.tool, c.verb, c.at, c.calls,
            (select jsonb_object_agg(s.key, s.sum) from sums s
              where (s.principal_id, s.tool, s.verb, s.at) = (c.principal_id, c.tool, c.verb, c.at)) as sums
          from calls c`,
        );
        return rows.map((row) => ({ ...row, sums: row.sums ?? {} }));
      }),
    since: (tenantId, at) =>
      db.read(tenantId, (reader) =>
        reader.query<CountedAction>(sql`/* actions.countRecent */
          select a.id, a.principal_id as "principalId", a.tool, a.verb, a.facts,
            (extract(epoch from a.created_at) * 1000)::float8 as at
          from action a where a.tenant_id = ${tenantId}::uuid and ${from(at)} and ${counted}`),
      ),
  };
}

export interface AskedRow {
  readonly id: string;
  readonly asked: Uint8Array | null;
}

/** Newest first, those before the given one and not older than `sinceMs` (milliseconds since 1970). */
export const listAsked = (
  db: Db,
  tenantId: string,
  page: { readonly before: string | null; readonly sinceMs: number | null; readonly limit: number },
): Promise<AskedRow[]> =>
  db.query<AskedRow>(sql`/* actions.listAsked */
    select a.id, a.asked from action a where a.tenant_id = ${tenantId}::uuid
      ${page.before === null ? nothing : sql`and a.id < ${page.before}::uuid`}
      ${page.sinceMs === null ? nothing : sql`and ${from(page.sinceMs)}`}
    order by a.id desc limit ${page.limit}::int`);

export interface Difference {
  readonly id: string;
  readonly tool: string;
  readonly verb: string;
  readonly target: string;
  readonly principalId: string;
  readonly createdAt: Date;
  readonly effect: string;
  readonly reasons: readonly string[];
  readonly shadow: {
    readonly policyId: string;
    readonly version: number;
    readonly effect: string;
    readonly reasons: readonly string[];
    readonly errors?: readonly string[];
  };
}

/** Decisions that the candidate beside the policy would have made otherwise, newest first. */
export const listDifferences = (
  db: Db,
  tenantId: string,
  page: { readonly policyId: string | null; readonly before: string | null; readonly limit: number },
): Promise<Difference[]> =>
  db.query<Difference>(sql`/* actions.listDifferences */
    select a.id, a.tool, a.verb, a.target, a.principal_id as "principalId", a.created_at as "createdAt",
      a.decision ->> 'effect' as effect, a.decision -> 'reasons' as reasons, a.decision -> 'shadow' as shadow
    from action a where a.tenant_id = ${tenantId}::uuid and a.decision -> 'shadow' ->> 'differs' = 'true'
      ${page.policyId === null ? nothing : sql`and a.decision -> 'shadow' ->> 'policyId' = ${page.policyId}`}
      ${page.before === null ? nothing : sql`and a.id < ${page.before}::uuid`}
    order by a.id desc limit ${page.limit}::int`);
