/** What one cell of a table holds. Times in milliseconds. */
export interface Measured {
  readonly count: number;
  readonly perSecond: number;
  readonly p50: number;
  readonly p99: number;
  /** CPU time of the measuring process for each unit of work, in microseconds. */
  readonly cpuUs: number;
}

export interface Cell {
  readonly clients: number;
  readonly seconds: number;
  /** Calls offered each second, spread evenly; as many as are answered when absent. */
  readonly rate?: number;
}

const stallMs = 60_000;

/**
 * When the next call was due. A client that comes too late, because its last call took long, starts in the
 * past: what it kept waiting counts (Tene, "coordinated omission"). A late timer is not the contender's fault.
 */
function paced(rate: number, started: number): () => Promise<number> {
  let next = 0;
  return async () => {
    const due = started + (next++ * 1000) / rate;
    const wait = due - performance.now();
    if (wait <= 0) return due;
    await new Promise((resolve) => setTimeout(resolve, wait));
    return performance.now();
  };
}

/**
 * Each client does the work again and again until the time is over; what is under way then is finished and
 * counts, as does the time that it takes. Throws when nothing ends for a minute. `weight` is how many units
 * one call does: a batch writer does many, and each of them took as long as the batch.
 */
export async function closedLoop(
  cell: Cell,
  work: (client: number) => Promise<unknown>,
  weight: (client: number) => number = () => 1,
): Promise<Measured> {
  const times: { readonly ms: number; readonly units: number }[] = [];
  const cpu = process.cpuUsage();
  const started = performance.now();
  const until = started + cell.seconds * 1000;
  const turn = cell.rate === undefined ? async () => performance.now() : paced(cell.rate, started);
  const client = async (index: number): Promise<void> => {
    const units = weight(index);
    for (let at = await turn(); at < until; at = await turn()) {
      await work(index);
      times.push({ ms: performance.now() - at, units });
    }
  };
  await orStalled(
    Promise.all(Array.from({ length: cell.clients }, (_, index) => client(index))),
    () => times.length,
  );
  const ms = performance.now() - started;
  const used = process.cpuUsage(cpu);
  const count = times.reduce((sum, time) => sum + time.units, 0);
  times.sort((a, b) => a.ms - b.ms);
  return {
    count,
    perSecond: (count * 1000) / ms,
    p50: weighted(times, count * 0.5),
    p99: weighted(times, count * 0.99),
    cpuUs: (used.user + used.system) / count,
  };
}

function weighted(times: readonly { ms: number; units: number }[], rank: number): number {
  let seen = 0;
  for (const { ms, units } of times) {
    seen += units;
    if (seen > rank) return ms;
  }
  return times.at(-1)?.ms ?? Number.NaN;
}

async function orStalled(work: Promise<unknown>, progress: () => number): Promise<void> {
  let seen = -1;
  let watch: NodeJS.Timeout | undefined;
  const stalled = new Promise<never>((_, reject) => {
    watch = setInterval(() => {
      const now = progress();
      if (now === seen) reject(new Error(`nothing ended for ${stallMs / 1000} s`));
      seen = now;
    }, stallMs);
  });
  try {
    await Promise.race([work, stalled]);
  } finally {
    clearInterval(watch);
  }
}

/** Of an odd number of rounds the middle one; of an even number the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? upper) + upper) / 2;
}

/** The cell of several rounds: the median of each figure, and how often the work was done in all. */
export const medianOf = (rounds: readonly Measured[]): Measured => ({
  count: rounds.reduce((sum, round) => sum + round.count, 0),
  perSecond: median(rounds.map((round) => round.perSecond)),
  p50: median(rounds.map((round) => round.p50)),
  p99: median(rounds.map((round) => round.p99)),
  cpuUs: median(rounds.map((round) => round.cpuUs)),
});
