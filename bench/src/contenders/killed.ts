/** What is asked of each of two workers, of which one is killed. */

export type KilledCalls = {
  /** One of several workers on this database. Keys and the like are in `dir`; `first` sets everything up. */
  open(options: KilledOptions): Promise<void>;
  /** So many runs of three calls each, begun by this worker. Answers when all are durable. */
  start(count: number): Promise<void>;
  progress(): Promise<Progress>;
};

export interface KilledOptions {
  readonly url: string;
  readonly dir: string;
  readonly name: string;
  readonly first: boolean;
  readonly receiverUrl: string;
  readonly deadAfterMs: number;
}

export interface Progress {
  /** Runs that the store holds, and those of them that have completed. */
  readonly runs: number;
  readonly completed: number;
  /** Steps whose end is recorded, and records of the end of one that are more than one. */
  readonly steps: number;
  readonly doubleRecords: number;
}

/** Calls of each run, one after the other, each a step. */
export const callsPerRun = 3;
