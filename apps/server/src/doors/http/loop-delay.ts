import { monitorEventLoopDelay } from "node:perf_hooks";

export interface LoopDelay {
  /** The event loop has come late by more than the limit on average, over the last half second or more. */
  isLate(): boolean;
  stop(): void;
}

const lookEveryMs = 500;

/** How late the event loop comes: a process that cannot even look at its timers takes on nothing new. */
export function watchLoopDelay(limitMs: number): LoopDelay {
  const histogram = monitorEventLoopDelay({ resolution: 50 });
  histogram.enable();
  let lookedAt = performance.now();
  let late = false;
  return {
    isLate: () => {
      const now = performance.now();
      if (now - lookedAt < lookEveryMs) return late;
      lookedAt = now;
      late = histogram.count > 0 && histogram.mean / 1e6 > limitMs;
      histogram.reset();
      return late;
    },
    stop: () => {
      histogram.disable();
    },
  };
}
