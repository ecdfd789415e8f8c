/**
 * Runs whose time is over go with the month in which they were made: their rows one batch after the other, their
 * journal as a whole.
 * G1 a month is kept for as long as a run of it is under way, or ended less than the kept days ago.
 * G2 a run that has gone left nothing behind: neither waits nor gates nor signals nor entries.
 */
import { type Database, dropMonth, listMonths, type Month } from "#platform/db";
import { countHeld, deleteRuns, listRunTenants } from "./retention-store.ts";

export interface RetiredMonth {
  readonly month: Month;
  /** Rows that were deleted. */
  readonly rows: number;
}

export interface KeptMonth {
  readonly month: Month;
  readonly why: string;
}

export interface Retirement {
  readonly retired: readonly RetiredMonth[];
  readonly kept: readonly KeptMonth[];
}

/** A batch is short, so that nobody waits for it. */
const batchSize = 2_000;
const censusSize = 20_000;

export async function retireRuns(
  db: Database,
  keepDays: number | null,
  isHeld: (month: Month) => Promise<boolean> = async () => false,
): Promise<Retirement> {
  const retired: RetiredMonth[] = [];
  const kept: KeptMonth[] = [];
  if (keepDays === null) return { retired, kept };
  for (const month of await listMonths(db, "journal")) {
    if (month.endedDaysAgo <= keepDays) continue;
    const tenants = await listRunTenants(db);
    const why = (await isHeld(month)) ? "a legal hold keeps it" : await whyKept(db, tenants, month, keepDays);
    if (why !== null) {
      kept.push({ month, why });
      continue;
    }
    let rows = 0;
    for (const tenantId of tenants) {
      for (let n = batchSize; n === batchSize; rows += n)
        n = await deleteRuns(db, tenantId, month, batchSize);
    }
    const late = await whyKept(db, tenants, month, keepDays); // one that was reopened meanwhile
    if (late !== null) kept.push({ month, why: late });
    else {
      await dropMonth(db, month.name);
      retired.push({ month, rows });
    }
  }
  return { retired, kept };
}

/** [G1] Null when every run of the month has ended, and long enough ago. */
async function whyKept(
  db: Database,
  tenants: readonly string[],
  month: Month,
  keepDays: number,
): Promise<string | null> {
  let live = 0;
  let fresh = 0;
  for (const tenantId of tenants) {
    for (let { firstId } = month; ; ) {
      const span = { firstId, endId: month.endId };
      const census = await countHeld(db, tenantId, span, keepDays, censusSize);
      live += census.live;
      fresh += census.fresh;
      if (census.seen < censusSize || census.lastId === null) break;
      firstId = census.lastId; // it is counted twice where the next part begins, which changes nothing
    }
  }
  if (live > 0) return `${live} of its runs are under way`;
  if (fresh > 0) return `${fresh} of its runs ended less than ${keepDays} days ago`;
  return null;
}
