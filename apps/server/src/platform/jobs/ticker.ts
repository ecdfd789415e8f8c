/** Repeats a small piece of background work, one at a time; the next begins `everyMs` after the last has ended. */
export interface Ticker {
  start(): void;
  /** Waits for the work under way. */
  stop(): Promise<void>;
}

export interface TickerDeps {
  readonly everyMs: number;
  readonly work: () => Promise<unknown>;
  readonly onError: (error: unknown) => void;
}

export function createTicker(deps: TickerDeps): Ticker {
  let timer: NodeJS.Timeout | undefined;
  let running = false;
  let current: Promise<void> = Promise.resolve();
  const next = (): void => {
    if (!running) return;
    timer = setTimeout(() => {
      current = deps
        .work()
        .then(() => {}, deps.onError)
        .finally(next);
    }, deps.everyMs);
  };
  return {
    start: () => {
      running = true;
      next();
    },
    stop: async () => {
      running = false;
      clearTimeout(timer);
      await current;
    },
  };
}
