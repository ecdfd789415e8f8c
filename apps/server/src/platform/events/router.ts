/**
 * Tells events to those who listen, from the table itself: an event that is committed is told, whatever dies.
 * E1 an event is told to every listener in one transaction with the mark that it was told; what a listener writes there
 *    and the mark are durable together or not at all. Of several processes one tells it.
 * E2 a listener that fails keeps back the events that it fails on, not the others: each is then tried alone and again
 *    after a minute.
 */
import type { Database, Tx } from "#platform/db";
import type { SecurityEvent } from "./domain.ts";
import { claimUnrouted, markRouted, nextRoute } from "./store.ts";

/** Writes what follows from the events. Repeatable; runs across tenants. */
export type EventListener = (tx: Tx, events: readonly SecurityEvent[]) => Promise<void>;

export interface RouterDeps {
  readonly db: Database;
  readonly onError: (error: unknown) => void;
}

export interface Router {
  listen(listener: EventListener): void;
  start(): Promise<void>;
  stop(): Promise<void>;
  /** Events were written here. */
  wake(): void;
}

const channel = "events";
const batchSize = 200;
/** For commits of others of which no hint came. */
const idleMs = 15_000;
/** Gathers what comes together. */
const gatherMs = 20;
const againMs = 60_000;

export function createRouter({ db, onError }: RouterDeps): Router {
  const listeners: EventListener[] = [];
  let running = false;
  let timer: NodeJS.Timeout | undefined;
  let timerAt = Number.POSITIVE_INFINITY;
  let polling: Promise<void> | undefined;
  let again = false;
  let leave = async (): Promise<void> => {};

  const schedule = (ms: number): void => {
    const at = performance.now() + ms;
    if (!running || at >= timerAt) return;
    timerAt = at;
    clearTimeout(timer);
    timer = setTimeout(poll, ms);
  };
  const poll = (): void => {
    timerAt = Number.POSITIVE_INFINITY;
    if (polling !== undefined) {
      again = true;
      return;
    }
    again = false;
    polling = drain()
      .catch((error) => {
        onError(error);
        return idleMs;
      })
      .then((ms) => {
        polling = undefined;
        schedule(again ? 0 : Math.max(gatherMs, Math.min(ms, idleMs)));
      });
  };

  /** Returns in how many milliseconds to look again. */
  const drain = async (): Promise<number> => {
    let next = await nextRoute(db); // idle it asks this and no more
    if (next === null || next > 0) return next ?? idleMs;
    while (running) {
      const told = await tell(batchSize).catch((error) => {
        onError(error);
        return oneByOne();
      });
      if (told < batchSize) break;
    }
    next = await nextRoute(db);
    return next ?? idleMs;
  };
  const tell = (limit: number): Promise<number> =>
    db.system.tx(async (tx) => {
      const events = await claimUnrouted(tx, limit);
      if (events.length === 0) return 0;
      for (const listener of listeners) await listener(tx, events);
      await markRouted(tx, events);
      return events.length;
    });
  const oneByOne = async (): Promise<number> => {
    for (let n = 0; n < batchSize; n++) {
      try {
        if ((await tell(1)) === 0) return n;
      } catch (error) {
        onError(error);
        await db.system.tx(async (tx) => markRouted(tx, await claimUnrouted(tx, 1), againMs));
      }
    }
    return batchSize;
  };

  return {
    listen: (listener) => {
      listeners.push(listener);
    },
    start: async () => {
      running = true;
      schedule(0);
      leave = await db.listen(channel, () => schedule(gatherMs));
    },
    stop: async () => {
      running = false;
      clearTimeout(timer);
      await leave();
      await polling;
    },
    wake: () => {
      if (running) schedule(gatherMs);
      else if (db.kind === "postgres") db.notify(channel, "");
    },
  };
}
