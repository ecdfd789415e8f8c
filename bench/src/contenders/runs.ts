/** What the benchmarks ask of everyone who runs steps durably, each step before the next begins. */
import type { Cell, Measured } from "../closed-loop.ts";

/** Steps of one run: one after the other, but `fan` all at once, with a join. */
export const shapes = { one: 1, five: 5, ten: 10, fan: 100 } as const;
export type Shape = keyof typeof shapes;

export interface RunTotals {
  /** Runs of which the contender told its clients that they ended, and the step records that they must have. */
  readonly ended: number;
  readonly steps: number;
  /** Runs that the store holds. */
  readonly runs: number;
  readonly completed: number;
  /** Records of completed steps that the store holds. */
  readonly records: number;
}

export type RunCounts = Pick<RunTotals, "runs" | "completed" | "records">;

export type RunsCalls = {
  /** On the PostgreSQL database of that URL, or with a store of its own when there is none. */
  open(url: string | null): Promise<Readonly<Record<string, string>>>;
  cell(shape: Shape, cell: Cell): Promise<Measured>;
  totals(): Promise<RunTotals>;
};

/** Every run that was told of is in the store, whole, and nothing else is. Empty when that holds. */
export function problemsOf(name: string, totals: RunTotals): string[] {
  const { ended, steps, runs, completed, records } = totals;
  const holds = runs === ended && completed === ended && records === steps;
  if (holds && ended > 0) return [];
  return [
    `${name}: ${ended} runs with ${steps} steps ended, but the store holds ${runs} runs, ${completed} completed, with ${records} step records`,
  ];
}

/** Counts what has ended, for `totals`. */
export function createTally(): { add(steps: number, runs?: number): void; ended: number; steps: number } {
  const tally = {
    ended: 0,
    steps: 0,
    add: (steps: number, runs = 1): void => {
      tally.ended += runs;
      tally.steps += steps * runs;
    },
  };
  return tally;
}
