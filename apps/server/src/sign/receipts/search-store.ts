/**
 * Searching receipts over all of their history. The list is in the order of ids, which is the order of time.
 * What has an index is looked up in it; for the rest a page looks at `mostLookedAt` receipts at most and says
 * where to go on, so no search is cut off and none takes long.
 */
import { type Db, nothing, type Sql, sql } from "#platform/db";
import { dayBefore, idAt } from "#platform/kernel";
import type { ListFilter, ListPage, ReceiptPage, StoredReceipt } from "./domain.ts";
import { columns } from "./store.ts";

/** About 20 ms on the reference machine. */
export const mostLookedAt = 10_000;
const dayMs = 86_400_000;

const equals = (column: Sql, value: unknown): Sql =>
  value === undefined || value === null ? nothing : sql`and ${column} = ${value}`;

/** Receipts are younger than what they tell of; the day before says which months need not be looked at. */
const since = (id: string | null | undefined): Sql => (id ? sql`and id >= ${dayBefore(id)}` : nothing);

/** What bounds the walk: indexed columns, and the months of the time asked for. */
function bounds(filter: ListFilter, page: Required<ListPage>): Sql {
  const past = page.order === "newest" ? sql`and id < ${page.cursor}` : sql`and id > ${page.cursor}`;
  return sql`${equals(sql`run_id`, filter.runId)} ${since(filter.runId)}
    ${equals(sql`action_id`, filter.actionId)} ${since(filter.actionId)}
    ${equals(sql`principal_id`, filter.principalId)} ${equals(sql`tool`, filter.tool)}
    ${equals(sql`type`, filter.type)} ${equals(sql`effect`, filter.effect)}
    ${filter.from ? sql`and id >= ${idAt(filter.from.getTime() - dayMs)}` : nothing}
    ${filter.to ? sql`and id < ${idAt(filter.to.getTime() + dayMs)}` : nothing}
    ${filter.also ? sql`and ${filter.also}` : nothing} ${page.cursor === null ? nothing : past}`;
}

function matches(filter: ListFilter): Sql {
  const listed = (column: Sql, value: string | null | undefined): Sql =>
    value ? sql`and ${column} @> ${JSON.stringify([value])}::jsonb` : nothing;
  return sql`true ${equals(sql`operation`, filter.operation)} ${equals(sql`target`, filter.target)}
    ${equals(sql`policy`, filter.policy)} ${equals(sql`policy_version`, filter.policyVersion)}
    ${filter.actorId ? sql`and (principal_id = ${filter.actorId} or user_id = ${filter.actorId})` : nothing}
    ${listed(sql`rules`, filter.rule)}
    ${filter.from ? sql`and created_at >= ${filter.from}` : nothing}
    ${filter.to ? sql`and created_at < ${filter.to}` : nothing}`;
}

/** One page; see ReceiptPage. */
export async function searchReceipts(
  db: Db,
  tenantId: string,
  filter: ListFilter,
  page: Required<ListPage>,
  lookAt: number = mostLookedAt,
): Promise<ReceiptPage> {
  const within = bounds(filter, page);
  const order = page.order === "newest" ? sql`id desc` : sql`id`;
  const rows = await db.query<StoredReceipt>(sql`/* receipts.search */
    select ${columns} from (
      select id, type, run_id, action_id, principal_id, user_id, tool, operation, target, effect, policy, policy_version,
        rules, jws, disclosures, created_at from receipt where tenant_id = ${tenantId} ${within} order by ${order} limit ${lookAt}
    ) walked where ${matches(filter)} order by ${order} limit ${page.limit + 1}`);
  const items = rows.slice(0, page.limit);
  if (rows.length > page.limit) return { items, next: items.at(-1)?.id ?? null };
  const [last] = await db.query<{ id: string }>(sql`/* receipts.search_end */
    select id from receipt where tenant_id = ${tenantId} ${within} order by ${order} offset ${lookAt - 1} limit 1`);
  return { items, next: last?.id ?? null };
}
