/**
 * Receipts whose time is over go with their month. Their leaf hashes, the tiles and the checkpoints stay, so that the
 * log goes on over them and a copy that somebody kept can be proven.
 */
import { type Database, dropMonth, listMonths, type Month, sql } from "#platform/db";

export interface ReceiptRetirement {
  readonly retired: readonly Month[];
  readonly kept: readonly { readonly month: Month; readonly why: string }[];
}

export async function retireReceipts(db: Database, keepDays: number | null): Promise<ReceiptRetirement> {
  const retired: Month[] = [];
  const kept: { month: Month; why: string }[] = [];
  if (keepDays === null) return { retired, kept };
  for (const month of await listMonths(db, "receipt")) {
    if (month.endedDaysAgo <= keepDays) continue;
    const waiting = await db.system.query(sql`/* receipts.findUnlogged */
      select 1 as one from receipt_pending where receipt_id >= ${month.firstId} and receipt_id < ${month.endId} limit 1`);
    if (waiting.length > 0) kept.push({ month, why: "a receipt of it is not in the log yet" });
    else {
      await dropMonth(db, month.name);
      retired.push(month);
    }
  }
  return { retired, kept };
}
