export interface LoopDelay {
  /** The event loop has come late by more than the limit, several times in a row. */
  isLate(): boolean;
  stop(): void;
}

const tickMs = 250;
const inRow = 3;

/**
 * How late the event loop comes: a process that cannot even look at its timers takes on nothing new. One long turn, as
 * a start or a large query has, is no sign of it.
 */
export function watchLoopDelay(limitMs: number): LoopDelay {
  let late = 0;
  let due = performance.now() + tickMs;
  const tick = (): void => {
    const now = performance.now();
    late = now - due > limitMs ? late + 1 : 0;
    due = now + tickMs;
    timer = setTimeout(tick, tickMs).unref();
  };
  let timer = setTimeout(tick, tickMs).unref();
  return {
    isLate: () => late >= inRow,
    stop: () => clearTimeout(timer),
  };
}
