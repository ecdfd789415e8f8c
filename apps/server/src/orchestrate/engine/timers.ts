/** Fires timers and deadlines of runs at their time, by the database clock, whichever process holds the runs. */
import type { Database } from "#platform/db";
import type { RunsInHand } from "./in-hand.ts";
import { fireTimers, nextTimer } from "./store.ts";

export interface TimersDeps {
  readonly db: Database;
  readonly inHand: Pick<RunsInHand, "all" | "get">;
  /** Runs were queued. */
  readonly onWoken: () => void;
  readonly onError: (error: unknown) => void;
}

const idleMs = 1000;
const minMs = 5;
const batchSize = 500;

export class Timers {
  readonly #deps: TimersDeps;
  #running = false;
  #timer: NodeJS.Timeout | undefined;
  #at = Number.POSITIVE_INFINITY;
  #firing: Promise<void> | undefined;

  constructor(deps: TimersDeps) {
    this.#deps = deps;
  }

  start(): void {
    this.#running = true;
    this.arm(0);
  }

  async stop(): Promise<void> {
    this.#running = false;
    clearTimeout(this.#timer);
    await this.#firing;
  }

  /** Something is due in so many milliseconds. */
  arm(ms: number): void {
    const at = performance.now() + Math.max(0, ms);
    if (!this.#running || at >= this.#at) return;
    this.#at = at;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#fire(), Math.max(0, ms));
  }

  #fire(): void {
    if (this.#firing !== undefined) return;
    this.#firing = this.#fireDue()
      .catch((error) => {
        this.#deps.onError(error);
        return idleMs;
      })
      .then((ms) => {
        this.#firing = undefined;
        this.#at = Number.POSITIVE_INFINITY;
        this.arm(ms);
      });
  }

  /** Milliseconds until it must look again. */
  async #fireDue(): Promise<number> {
    const { db, inHand, onWoken } = this.#deps;
    for (const execution of inHand.all()) {
      const { deadlineAt } = execution.run;
      if (deadlineAt && Date.now() > deadlineAt.getTime()) execution.expire();
      execution.nudge(); // another process may have fired its timer
    }
    let next = await nextTimer(db);
    if (next !== null && next <= 0) {
      const fired = await db.system.tx((tx) => fireTimers(tx, batchSize));
      if (fired.length > 0) onWoken();
      for (const { runId } of fired) inHand.get(runId)?.nudge();
      next = await nextTimer(db);
    }
    return Math.min(idleMs, Math.max(minMs, next ?? idleMs));
  }
}
