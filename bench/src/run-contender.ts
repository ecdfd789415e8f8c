/** What the engine benchmark asks of everyone who runs five durable steps. */
export interface RunCounts {
  /** Runs that the database holds. */
  readonly runs: number;
  readonly completed: number;
  /** Records of completed steps. */
  readonly records: number;
}

export interface RunTotals extends RunCounts {
  /** Runs of which the contender told its clients that they ended. */
  readonly ended: number;
}

export const stepsPerRun = 5;

/** Every run that was told of is in the database, whole, and nothing else is. Empty when that holds. */
export function problemsOf(name: string, totals: RunTotals): string[] {
  const { ended, runs, completed, records } = totals;
  const holds = runs === ended && completed === ended && records === ended * stepsPerRun;
  if (holds && ended > 0) return [];
  return [
    `${name}: ${ended} runs ended, but the database holds ${runs} runs, ${completed} completed, with ${records} step records`,
  ];
}
