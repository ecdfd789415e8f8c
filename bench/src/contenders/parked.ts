/** What is asked of everyone who keeps runs that wait for a signal. */
import type { Cell, Measured } from "../closed-loop.ts";
import type { Memory } from "./memory.ts";

export type ParkedCalls = {
  /** Ready to work and idle. On the PostgreSQL database of that URL, or with a store of its own. */
  open(url: string | null): Promise<Readonly<Record<string, string>>>;
  /** Statements so far on an embedded database; null where the server counts them. */
  statements(): Promise<number | null>;
  memory(): Promise<Memory>;
  /** Starts so many runs, or as many as it can within the time, and answers with how many wait. */
  park(count: number, limitSeconds: number): Promise<number>;
  /** Sends waiting runs their signal, each unit of work from the sending to the run's end. */
  resume(cell: Cell): Promise<Measured>;
  /** How many runs were told to have ended, and how many the store holds as completed. */
  totals(): Promise<{ readonly ended: number; readonly completed: number }>;
};

/** Calls `start` from many callers until all are started or the time is over. */
export async function startMany(
  count: number,
  limitSeconds: number,
  start: () => Promise<unknown>,
): Promise<void> {
  const until = performance.now() + limitSeconds * 1000;
  let left = count;
  const caller = async (): Promise<void> => {
    while (left > 0 && performance.now() < until) {
      left--;
      await start();
    }
  };
  await Promise.all(Array.from({ length: 64 }, caller));
}
