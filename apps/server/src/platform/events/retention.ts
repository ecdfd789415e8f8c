/** Events whose time is over go with their month; none that somebody is still to be told of. */
import { type Database, dropMonth, listMonths, type Month, sql } from "#platform/db";

export interface EventRetirement {
  readonly retired: readonly Month[];
  readonly kept: readonly { readonly month: Month; readonly why: string }[];
}

export async function retireEvents(db: Database, keepDays: number | null): Promise<EventRetirement> {
  const retired: Month[] = [];
  const kept: { month: Month; why: string }[] = [];
  if (keepDays === null) return { retired, kept };
  for (const month of await listMonths(db, "security_event")) {
    if (month.endedDaysAgo <= keepDays) continue;
    const waiting = await db.system.query(sql`/* events.findUnrouted */
      select 1 as one from security_event e where e.id >= ${month.firstId} and e.id < ${month.endId}
        and e.route_at is not null limit 1`);
    if (waiting.length > 0) kept.push({ month, why: "an event of it has not been told yet" });
    else {
      await dropMonth(db, month.name);
      retired.push(month);
    }
  }
  return { retired, kept };
}
