/**
 * Whether this process may take on more: below its limit of memory, heap or container, whichever is nearer.
 * M1 above the share nothing more is taken on, until a tenth of it is free again: work does not flicker.
 * M2 a heap that looks full is collected before it is believed for long, since a process that takes on nothing
 *    would else have no reason to collect.
 */
import { getHeapStatistics, setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

export interface MemoryReading {
  readonly usedHeap: number;
  readonly heapLimit: number;
  /** Resident bytes of the process. */
  readonly resident: number;
  /** What the container allows; 0 where nothing does. */
  readonly allowed: number;
}

export interface Pressure {
  /** True: take on nothing more for now. Reads anew at most ten times a second. */
  high(): boolean;
  /** Share of the limit in use, 0 to 1 and more. */
  share(): number;
}

export interface PressureDeps {
  /** From here on it is high. */
  readonly limitShare: number;
  /** It became high, or is so no more. */
  readonly onChange: (high: boolean, share: number) => void;
  readonly read?: () => MemoryReading;
  readonly collect?: () => void;
  /** Milliseconds. */
  readonly now?: () => number;
}

const freshMs = 100;
const collectAfterMs = 1_000;
const collectEveryMs = 10_000;

export function createPressure(deps: PressureDeps): Pressure {
  const {
    limitShare,
    onChange,
    read = readMemory,
    collect = collectGarbage,
    now = performance.now.bind(performance),
  } = deps;
  let isHigh = false;
  let since = 0;
  let collected = Number.NEGATIVE_INFINITY;
  let readAt = Number.NEGATIVE_INFINITY;
  let current = 0;

  const refresh = (): void => {
    const at = now();
    if (at - readAt < freshMs) return;
    readAt = at;
    current = shareOf(read());
    if (isHigh && at - since >= collectAfterMs && at - collected >= collectEveryMs) {
      collected = at;
      collect();
      current = shareOf(read());
    }
    const wasHigh = isHigh;
    isHigh = current >= (wasHigh ? limitShare * 0.9 : limitShare);
    if (isHigh === wasHigh) return;
    since = at;
    onChange(isHigh, current);
  };
  return {
    high: () => {
      refresh();
      return isHigh;
    },
    share: () => {
      refresh();
      return current;
    },
  };
}

const shareOf = (m: MemoryReading): number =>
  Math.max(m.usedHeap / m.heapLimit, m.allowed > 0 ? m.resident / m.allowed : 0);

function readMemory(): MemoryReading {
  const heap = getHeapStatistics();
  return {
    usedHeap: heap.used_heap_size,
    heapLimit: heap.heap_size_limit,
    resident: process.memoryUsage.rss(),
    allowed: containerLimit(),
  };
}

/** Machines without a limit answer 0, or more than there is. */
function containerLimit(): number {
  const bytes = process.constrainedMemory();
  return bytes > 0 && bytes < 2 ** 50 ? bytes : 0;
}

/** The program need not be started with a flag for it. */
function collectGarbage(): void {
  setFlagsFromString("--expose-gc");
  const gc: unknown = runInNewContext("gc");
  setFlagsFromString("--no-expose-gc");
  if (typeof gc === "function") gc();
}
