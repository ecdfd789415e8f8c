/**
 * Fires timers and deadlines of runs at their time, by the database clock, whichever process set them. Those that
 * this process sets are known to it; those of others are found by a look at the next one, a second after the last.
 */
import type { Database } from "#platform/db";
import type { Fault } from "#platform/kernel";
import type { RunsInHand } from "./in-hand.ts";
import { fireTimers, nextTimer } from "./store.ts";

export interface TimersDeps {
  readonly db: Database;
  readonly inHand: Pick<RunsInHand, "all" | "get">;
  /** Runs were queued. */
  readonly onWoken: () => void;
  /** Somebody should look who fires timers: this process does not. */
  readonly onUnheard: () => void;
  readonly fault: Fault;
  readonly onError: (error: unknown) => void;
}

const lookMs = 1000;
/** Somebody else looks at the next timer in the meantime, so that an idle process asks once and not twice. */
const notedMs = 2500;
const minMs = 5;
const batchSize = 500;

export class Timers {
  readonly #deps: TimersDeps;
  #running = false;
  #timer: NodeJS.Timeout | undefined;
  /** When the next timer is due, as far as it knows. */
  #dueAt = Number.POSITIVE_INFINITY;
  /** When it must look in any case. */
  #lookAt = Number.POSITIVE_INFINITY;
  #pass: NodeJS.Timeout | undefined;
  #firing: Promise<void> | undefined;

  constructor(deps: TimersDeps) {
    this.#deps = deps;
  }

  start(): void {
    this.#running = true;
    this.#pass = setInterval(() => this.#passHand(), lookMs);
    this.#lookAt = performance.now();
    this.#schedule();
  }

  async stop(): Promise<void> {
    this.#running = false;
    clearTimeout(this.#timer);
    clearInterval(this.#pass);
    await this.#firing;
  }

  /** Something is due in so many milliseconds. */
  arm(ms: number): void {
    if (!this.#running) {
      this.#deps.onUnheard();
      return;
    }
    const at = performance.now() + Math.max(0, ms);
    if (at >= this.#dueAt) return;
    this.#dueAt = at;
    this.#schedule();
  }

  /** The database was asked just now, and the next timer is due in so many milliseconds. */
  noted(nextMs: number | null): void {
    this.#lookAt = performance.now() + notedMs;
    if (nextMs !== null) this.arm(nextMs);
    this.#schedule();
  }

  #schedule(): void {
    clearTimeout(this.#timer);
    if (!this.#running || this.#firing !== undefined) return; // the end of that looks again
    const ms = Math.min(this.#dueAt, this.#lookAt) - performance.now();
    this.#timer = setTimeout(() => this.#fire(), Math.max(0, Math.min(ms, notedMs)));
  }

  #fire(): void {
    this.#dueAt = Number.POSITIVE_INFINITY; // what is armed from now on counts
    this.#firing = this.#fireDue()
      .catch((error) => {
        this.#deps.onError(error);
        return null;
      })
      .then((nextMs) => {
        this.#firing = undefined;
        const now = performance.now();
        this.#lookAt = now + lookMs;
        if (nextMs !== null) this.#dueAt = Math.min(this.#dueAt, now + Math.max(minMs, nextMs));
        this.#schedule();
      });
  }

  /** Milliseconds until the next one is due. */
  async #fireDue(): Promise<number | null> {
    const { db, inHand, onWoken, fault } = this.#deps;
    const next = await nextTimer(db);
    if (next === null || next > 0) return next;
    const fired = await db.system.tx((tx) => fireTimers(tx, batchSize));
    if (fired.length > 0) fault("engine.after-timers");
    if (fired.length > 0) onWoken();
    for (const { runId } of fired) inHand.get(runId)?.nudge();
    return nextTimer(db);
  }

  #passHand(): void {
    for (const execution of this.#deps.inHand.all()) {
      const { deadlineAt } = execution.run;
      if (deadlineAt && Date.now() > deadlineAt.getTime()) execution.expire();
      execution.nudge(); // another process may have fired its timer
    }
  }
}
