/**
 * What is dropped when its time is over, by class: runs with their journal and payloads, actions with their approvals,
 * receipts, security events. A month goes as a whole or stays as a whole, and what stays beyond its time is said in the log.
 */
import { retireActions } from "#act/actions";
import { isMonthHeld } from "#operate/privacy";
import { findOldestLive, retireRuns } from "#orchestrate/engine";
import type { Config } from "#platform/config";
import { type Database, dropMonth, listMonths, type Month } from "#platform/db";
import { retireEvents } from "#platform/events";
import type { Logger } from "#platform/telemetry";
import { retireReceipts } from "#sign/receipts";

export interface RetentionDeps {
  readonly db: Database;
  readonly keep: Config["retention"];
  readonly log: Pick<Logger, "info" | "warn">;
}

/** Drops what may go now. One class that fails does not keep the others; its error is thrown in the end. */
export async function retire({ db, keep, log }: RetentionDeps): Promise<void> {
  const dropped = ({ name }: Month, rows?: number): void =>
    log.info(
      { month: name, ...(rows === undefined ? {} : { rows }) },
      "a month was dropped, its time is over",
    );
  const kept = ({ month, why }: { readonly month: Month; readonly why: string }): void =>
    log.warn({ month: month.name, why }, "a month is kept beyond its time");
  const classes = [
    async () => {
      const { retired, kept: held } = await retireRuns(db, keep.runs, (month) =>
        isMonthHeld(db, "run", month),
      );
      for (const { month, rows } of retired) dropped(month, rows);
      held.forEach(kept);
      for (const month of await payloadsWithoutRuns(db, keep.runs)) {
        await dropMonth(db, month.name);
        dropped(month);
      }
    },
    async () => {
      const { retired, kept: held } = await retireActions(
        db,
        keep.actions,
        await findOldestLive(db),
        (month) => isMonthHeld(db, "action", month),
      );
      for (const { month, rows } of retired) dropped(month, rows);
      held.forEach(kept);
    },
    async () => {
      const { retired, kept: held } = await retireReceipts(db, keep.receipts, (month) =>
        isMonthHeld(db, "receipt", month),
      );
      for (const month of retired) dropped(month);
      held.forEach(kept);
    },
    async () => {
      const { retired, kept: held } = await retireEvents(db, keep.events);
      for (const month of retired) dropped(month);
      held.forEach(kept);
    },
  ];
  const results = await Promise.allSettled(classes.map((work) => work()));
  const failed = results.find((r) => r.status === "rejected");
  if (failed) throw failed.reason;
}

/** Payloads go with the journal of their runs, which went before them, now or the last time. */
async function payloadsWithoutRuns(db: Database, keepDays: number | null): Promise<Month[]> {
  if (keepDays === null) return [];
  const journal = new Set((await listMonths(db, "journal")).map((m) => m.month));
  return (await listMonths(db, "blob")).filter((m) => m.endedDaysAgo > keepDays && !journal.has(m.month));
}
