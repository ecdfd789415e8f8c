/**
 * Actions whose time is over go with the month in which they were proposed, with their approvals and reservations.
 * X6 a reservation outlives every run that might propose its action again: no month goes while a run that is as old
 *    is under way.
 */
import { deleteApprovals } from "#act/approvals";
import { type Database, dropMonth, listMonths, type Month, sql } from "#platform/db";

export interface ActionRetirement {
  readonly retired: readonly { readonly month: Month; readonly rows: number }[];
  readonly kept: readonly { readonly month: Month; readonly why: string }[];
}

const batchSize = 2_000;

/** `oldestLiveRun` is the id of the oldest run that is under way, if there is one. */
export async function retireActions(
  db: Database,
  keepDays: number | null,
  oldestLiveRun: string | null,
  isHeld: (month: Month) => Promise<boolean> = async () => false,
): Promise<ActionRetirement> {
  const retired: { month: Month; rows: number }[] = [];
  const kept: { month: Month; why: string }[] = [];
  if (keepDays === null) return { retired, kept };
  for (const month of await listMonths(db, "action")) {
    if (month.endedDaysAgo <= keepDays) continue;
    const why =
      oldestLiveRun !== null && oldestLiveRun < month.endId
        ? "a run as old is under way"
        : (await isHeld(month))
          ? "a legal hold keeps it"
          : await whyKept(db, month, keepDays);
    if (why !== null) kept.push({ month, why });
    else retired.push({ month, rows: await retire(db, month) });
  }
  return { retired, kept };
}

async function whyKept(db: Database, month: Month, keepDays: number): Promise<string | null> {
  const [found] = await db.system.query<{ state: string }>(sql`/* actions.findKept */
    select a.state from action a where a.id >= ${month.firstId} and a.id < ${month.endId}
      and (a.state in ('proposed', 'pending_approval', 'approved', 'executing', 'in_doubt')
        or a.ended_at > now() - make_interval(days => ${keepDays})) limit 1`);
  if (!found) return null;
  return found.state === "in_doubt"
    ? "an action of it is in doubt"
    : `an action of it (${found.state}) ended less than ${keepDays} days ago or has not ended`;
}

/** Reservations and approvals first: should it stop half way, the next time goes on. */
async function retire(db: Database, month: Month): Promise<number> {
  let rows = 0;
  for (const tenantId of await listTenants(db, month)) {
    const span = { tenantId, firstId: month.firstId, endId: month.endId };
    for (let n = batchSize; n === batchSize; rows += n) n = await deleteReservations(db, span);
    for (let n = batchSize; n === batchSize; rows += n) n = await deleteApprovals(db, span, batchSize);
  }
  await dropMonth(db, month.name);
  return rows;
}

async function listTenants(db: Database, { firstId, endId }: Month): Promise<string[]> {
  const rows = await db.system.query<{ id: string }>(sql`/* actions.listTenants */
    select distinct a.tenant_id as id from action a where a.id >= ${firstId} and a.id < ${endId}`);
  return rows.map((r) => r.id);
}

async function deleteReservations(
  db: Database,
  { tenantId, firstId, endId }: { tenantId: string; firstId: string; endId: string },
): Promise<number> {
  const rows = await db.system.query<{ n: number }>(sql`/* actions.deleteReservations */
    with doomed as (
      select r.tenant_id, r.reservation from action a
      join action_reservation r on r.tenant_id = a.tenant_id and r.reservation = a.reservation and r.action_id = a.id
      where a.tenant_id = ${tenantId} and a.id >= ${firstId} and a.id < ${endId} limit ${batchSize}
    ), gone as (
      delete from action_reservation r using doomed d where r.tenant_id = d.tenant_id and r.reservation = d.reservation returning 1
    ) select count(*)::int4 as n from gone`);
  return rows[0]?.n ?? 0;
}
