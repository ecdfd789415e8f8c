/** Waits for conditions of tests: with a deadline, and without guessing how long something takes. */
const pauseMs = 5;
const longestPauseMs = 100;

/**
 * The first answer of `look` that is neither undefined, null nor false; fails after `ms` naming what was awaited.
 * `pause` is the time between the first looks. It grows with the wait, since looking takes from what is awaited:
 * an answer is seen a tenth of the wait late at most.
 */
export async function until<T>(
  what: string,
  look: () => T | undefined | null | false | Promise<T | undefined | null | false>,
  ms = 15_000,
  pause = pauseMs,
): Promise<T> {
  const started = performance.now();
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== null && found !== false) return found;
    const waited = performance.now() - started;
    if (waited > ms) throw new Error(`waited ${ms} ms in vain for ${what}`);
    await new Promise((done) => setTimeout(done, Math.max(pause, Math.min(waited / 10, longestPauseMs))));
  }
}

/** Lets others run for a random moment, for races: nothing is awaited by it. */
export const jitter = (mostMs: number): Promise<void> =>
  new Promise((done) => {
    const ms = Math.random() * mostMs;
    if (ms < 1) setImmediate(done);
    else setTimeout(done, ms);
  });
