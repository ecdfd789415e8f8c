/** Claims runs up to the free slots: at once while there is more, then at growing intervals, and when woken. */

import type { RunsInHand } from "./in-hand.ts";
import type { ClaimedRun } from "./store.ts";

export interface ClaimLoopDeps {
  readonly inHand: Pick<RunsInHand, "free" | "reserve" | "unreserve" | "take">;
  readonly claim: (limit: number) => Promise<readonly ClaimedRun[]>;
  readonly onError: (error: unknown) => void;
}

const idleMs = 2000;
const busyMs = 20;
const batchSize = 256;

export class ClaimLoop {
  readonly #deps: ClaimLoopDeps;
  #running = false;
  #backlog = false;
  #again = false;
  #claiming: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(deps: ClaimLoopDeps) {
    this.#deps = deps;
  }

  get running(): boolean {
    return this.#running;
  }

  /** The last claim may have left runs behind: new ones must not overtake them. */
  get backlog(): boolean {
    return this.#backlog;
  }

  start(): void {
    this.#running = true;
    this.wake();
  }

  /** Once it resolves nothing more is claimed. */
  async stop(): Promise<void> {
    this.#running = false;
    clearTimeout(this.#timer);
    await this.#claiming;
  }

  /** There may be queued runs. */
  wake(): void {
    this.#again = true;
    if (!this.#running || this.#claiming !== undefined) return;
    this.#claiming = this.#claimAll()
      .catch(this.#deps.onError)
      .finally(() => {
        this.#claiming = undefined;
        this.#schedule(this.#again ? busyMs : idleMs);
      });
  }

  /** A slot is free again: one that was missing before is used now. */
  freed(): void {
    if (this.#backlog) this.wake();
  }

  #schedule(ms: number): void {
    if (!this.#running) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.wake(), ms);
  }

  async #claimAll(): Promise<void> {
    const { inHand } = this.#deps;
    do {
      this.#again = false;
      if (!this.#running) return;
      const wanted = Math.min(inHand.free, batchSize);
      if (wanted <= 0) {
        this.#backlog = true; // whoever ends next looks
        return;
      }
      inHand.reserve(wanted);
      let runs: readonly ClaimedRun[] = [];
      try {
        runs = await this.#deps.claim(wanted);
      } finally {
        inHand.unreserve(wanted - runs.length);
      }
      this.#backlog = runs.length === wanted;
      for (const run of runs) void inHand.take(run);
      if (this.#backlog) this.#again = true;
    } while (this.#again);
  }
}
