/** When to claim: up to the free slots, at once while there is more, then at growing intervals, and when woken. */
import type { Claimer } from "./claim.ts";
import type { RunsInHand } from "./in-hand.ts";
import type { ClaimedRun } from "./store.ts";

export interface ClaimLoopDeps {
  readonly claimer: Pick<Claimer, "claim" | "news" | "left" | "more" | "nextLookMs">;
  readonly inHand: Pick<RunsInHand, "free" | "reserve" | "unreserve" | "take">;
  /** This process should take on nothing more for now. */
  readonly strained: () => boolean;
  readonly onError: (error: unknown) => void;
}

const busyMs = 20;
const idleMs = 2000;
const strainedMs = 100;
const batchSize = 256;

export class ClaimLoop {
  readonly #deps: ClaimLoopDeps;
  #running = false;
  #backlog = false;
  #again = false;
  #pauseMs = busyMs;
  #claiming: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(deps: ClaimLoopDeps) {
    this.#deps = deps;
  }

  /** A run that begins now takes a slot that nobody else waits for. */
  get open(): boolean {
    return this.#running && !this.#backlog && this.#deps.inHand.free > 0 && !this.#deps.strained();
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

  /** There may be queued runs, of this tenant or of whomever. */
  wake(tenantId?: string): void {
    this.#deps.claimer.news(tenantId);
    this.#go();
  }

  /** A run of this tenant has left its slot, and does not run any more. */
  freed(tenantId: string): void {
    const waited = this.#deps.claimer.left(tenantId);
    if (waited || this.#backlog) this.#go();
  }

  #go(): void {
    this.#again = true;
    if (!this.#running || this.#claiming !== undefined) return;
    this.#pauseMs = Math.min(idleMs, 2 * this.#pauseMs);
    this.#claiming = this.#claimAll()
      .catch(this.#deps.onError)
      .finally(() => {
        this.#claiming = undefined;
        this.#schedule();
      });
  }

  #schedule(): void {
    if (!this.#running) return;
    clearTimeout(this.#timer);
    const pause = this.#again ? busyMs : this.#deps.strained() ? strainedMs : this.#pauseMs;
    this.#timer = setTimeout(() => this.#go(), Math.min(pause, this.#deps.claimer.nextLookMs ?? pause));
  }

  async #claimAll(): Promise<void> {
    const { claimer, inHand } = this.#deps;
    do {
      this.#again = false;
      if (!this.#running) return;
      const wanted = this.#deps.strained() ? 0 : Math.min(inHand.free, batchSize);
      if (wanted <= 0) {
        this.#backlog = true; // whoever ends next looks
        return;
      }
      inHand.reserve(wanted);
      let runs: readonly ClaimedRun[] = [];
      try {
        runs = await claimer.claim(wanted);
      } finally {
        inHand.unreserve(wanted - runs.length);
      }
      for (const run of runs) void inHand.take(run);
      if (runs.length > 0) this.#pauseMs = busyMs;
      this.#backlog = claimer.more;
      if (claimer.more) this.#again = true;
    } while (this.#again);
  }
}
