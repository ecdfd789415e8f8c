/** Ends of runs, told to those of this process who wait for one. */
import type { RunEnd } from "./control-store.ts";

export interface Expected {
  /** Resolves with the run's end if the run ends in this process. */
  readonly end: Promise<RunEnd>;
  /** Stops waiting. Must be called in the end, whatever came of it. */
  release(): void;
}

export class RunEnds {
  readonly #waiting = new Map<string, Set<(end: RunEnd) => void>>();

  get size(): number {
    return this.#waiting.size;
  }

  /** Call it before the run is accepted: a short run may end with its first commit. */
  expect(runId: string): Expected {
    const { promise, resolve } = Promise.withResolvers<RunEnd>();
    const waiting = this.#waiting.get(runId) ?? new Set();
    this.#waiting.set(runId, waiting.add(resolve));
    return {
      end: promise,
      release: () => {
        waiting.delete(resolve);
        if (waiting.size === 0 && this.#waiting.get(runId) === waiting) this.#waiting.delete(runId);
      },
    };
  }

  tell(runId: string, end: () => RunEnd): void {
    const waiting = this.#waiting.get(runId);
    if (!waiting) return;
    const told = end();
    for (const resolve of waiting) resolve(told);
  }
}
