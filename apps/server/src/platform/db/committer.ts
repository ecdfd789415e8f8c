/**
 * The committer (group commit). Owns: when and with whom a write set is written. Does not own: what is
 * written, nor any table.
 *
 * C1 a caller hears `ok` only after its rows are durable.
 * C2 a set is written whole or not at all.
 * C3 a set that is refused or fails never fails its neighbours: the batch is halved until the set stands alone.
 *    While the database is out of reach all of a batch fail at once; whether it was written is then not known.
 * C4 the sets of one caller that awaits each are written in the order in which it sent them.
 *
 * A batch goes out as soon as a lane is free; while all lanes are busy sets gather, so batches grow with load
 * and a lone caller waits for nobody. Sending the statements without awaiting each makes a batch one round trip.
 */
import type { BatchStatement, Committer, Driver } from "./port.ts";
import { isOutage, isTransient, sqlState } from "./port.ts";
import { type CommitResult, fenceState, toStatements, type WriteSet } from "./write-set.ts";

interface Waiting {
  readonly set: WriteSet;
  readonly resolve: (result: CommitResult) => void;
  readonly reject: (error: unknown) => void;
}

export interface CommitObserver {
  batch(sets: number, ms: number): void;
  refused(fence: string): void;
}

export interface CommitterOptions {
  readonly observer?: CommitObserver;
  /** Advisory lock that every batch holds shared: whoever takes it exclusively sees no batch of this process in flight. */
  readonly fenceKey?: string;
}

const maxSets = 1024;
const splitFrom = 64;

export function createCommitter(
  driver: Driver,
  options: CommitterOptions = {},
): Committer & { drain(): Promise<void> } {
  const { observer } = options;
  const fence = fenceStatements(driver, options.fenceKey);
  const queue: Waiting[] = [];
  const freeLanes = Array.from({ length: driver.lanes }, (_, i) => i);
  let scheduled = false;
  let idle: (() => void)[] = [];

  const pump = (): void => {
    scheduled = false;
    while (queue.length > 0 && freeLanes.length > 0) {
      const lane = freeLanes.pop() as number; // length checked
      const batch = queue.splice(0, shareOf(queue.length, freeLanes.length + 1));
      void run(lane, batch).finally(() => {
        freeLanes.push(lane);
        if (queue.length > 0) schedule();
        else if (freeLanes.length === driver.lanes) {
          for (const fn of idle) fn();
          idle = [];
        }
      });
    }
  };
  const schedule = (): void => {
    if (scheduled) return;
    scheduled = true;
    setImmediate(pump);
  };

  const run = async (lane: number, batch: readonly Waiting[]): Promise<void> => {
    const started = performance.now();
    try {
      await driver.batch(lane, [...fence, ...toStatements(batch.map((w) => w.set))]);
    } catch (error) {
      if (batch.length === 1) return alone(lane, batch[0] as Waiting, error); // length checked
      if (!isOutage(error) || isTransient(error)) return halve(lane, batch);
      for (const w of batch) w.reject(error);
      return;
    }
    observer?.batch(batch.length, performance.now() - started);
    for (const w of batch) settle(w);
  };

  const halve = async (lane: number, batch: readonly Waiting[]): Promise<void> => {
    const middle = batch.length >> 1;
    await run(lane, batch.slice(0, middle));
    await run(lane, batch.slice(middle));
  };

  const alone = async (lane: number, w: Waiting, error: unknown): Promise<void> => {
    if (sqlState(error) === fenceState) {
      const fence = fenceOf(w.set, error);
      observer?.refused(fence);
      w.resolve({ ok: false, fence });
    } else if (isTransient(error)) {
      await new Promise((done) => setTimeout(done, 1 + Math.random() * 10));
      await run(lane, [w]);
    } else w.reject(error);
  };

  return {
    commit: (set) =>
      new Promise((resolve, reject) => {
        if (set.empty) return resolve({ ok: true });
        queue.push({ set, resolve, reject });
        if (freeLanes.length > 0) schedule();
      }),
    drain: () =>
      new Promise((done) => {
        if (queue.length === 0 && freeLanes.length === driver.lanes) done();
        else idle.push(done);
      }),
  };
}

/**
 * How many of the waiting sets one lane takes. Many sets are spread over the free lanes: callers that go in
 * step (each commit of one batch starts the next) would else leave one lane idle, and the database idle while
 * this process works and the other way round.
 */
const shareOf = (waiting: number, lanes: number): number =>
  waiting < splitFrom ? waiting : Math.min(maxSets, Math.ceil(waiting / lanes));

/** One session (PGlite) has nobody to hold the lock against. */
function fenceStatements(driver: Driver, key: string | undefined): BatchStatement[] {
  if (!key || driver.kind === "pglite") return [];
  const text = "/* db.holdFence */ select pg_advisory_xact_lock_shared($1::bigint)";
  return [{ name: "db.holdFence", text, values: [key] }];
}

/** A callback that throws is a bug of the caller who gave it, and told to that one. */
function settle(w: Waiting): void {
  try {
    for (const fn of w.set.callbacks) fn();
    w.resolve({ ok: true });
  } catch (error) {
    w.reject(error);
  }
}

/** The guard that refused: drivers attach the name of the statement that failed. */
function fenceOf(set: WriteSet, error: unknown): string {
  const named = (error as { statement?: unknown }).statement; // attached by the driver
  if (typeof named === "string") return named;
  for (const write of set.rows.keys()) if (write.guard) return write.name;
  return "unknown";
}
