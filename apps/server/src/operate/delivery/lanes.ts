/**
 * Sending. Owns: who sends what when, and what an attempt means for the item and for its target.
 * D1 what is queued is sent at least once or given up where it can be seen; it leaves the queue in the transaction that
 *    says which. Of several processes one sends an item at a time.
 * D2 each target has a lane of its own: one that hangs or is down keeps back nothing of another.
 * D3 a target that fails three times in a row is left alone, for longer each time, and then tried with one item; a
 *    target that says when to come again is left alone until then.
 * D4 what a target will never take is given up at once; of several items each is tried alone first.
 */
import type { Database, Tx } from "#platform/db";
import { formatId } from "#platform/kernel";
import { circuitAfter, type Item, type RetryRule, retryDelay, type Sent } from "./domain.ts";
import { batchOf } from "./send.ts";
import * as store from "./store.ts";
import { type DueTarget, findDue, noteFailure, noteSuccess, type Target } from "./target-store.ts";

export type Outcome = "delivered" | "failed" | "given_up";

export interface LanesDeps {
  readonly db: Database;
  readonly workerId: string;
  readonly retry: RetryRule;
  /** Sends; undefined: this process does not know how to reach the target. */
  readonly send: (
    target: DueTarget,
    items: readonly Item[],
    signal: AbortSignal,
  ) => Promise<Sent | undefined>;
  /** Before each look. */
  readonly prepare: () => Promise<void>;
  /** In the transaction that settles them. */
  readonly onSettled: (
    tx: Tx,
    target: Target,
    rows: readonly store.Claimed[],
    outcome: Outcome,
    error: string | null,
  ) => Promise<void>;
  readonly onError: (error: unknown) => void;
}

export interface Lanes {
  start(): Promise<void>;
  /** Breaks off what is being sent and hands it back. */
  stop(): Promise<void>;
  /** Something was queued here. */
  wake(): void;
}

const channel = "delivery";
const idleMs = 15_000;
const maxLanes = 64;

export const itemOf = (row: store.Queued): Item => ({
  id: row.payload.kind === "event" ? row.payload.event.id : formatId("delivery", row.id),
  payload: row.payload,
});

export function createLanes(deps: LanesDeps): Lanes {
  const { db, workerId } = deps;
  const lanes = new Map<string, Promise<void>>();
  const stopping = new AbortController();
  let running = false;
  let timer: NodeJS.Timeout | undefined;
  let timerAt = Number.POSITIVE_INFINITY;
  let looking: Promise<void> | undefined;
  let again = false;
  let leave = async (): Promise<void> => {};

  const schedule = (ms: number): void => {
    const at = performance.now() + ms;
    if (!running || at >= timerAt) return;
    timerAt = at;
    clearTimeout(timer);
    timer = setTimeout(look, Math.max(0, ms));
  };
  const look = (): void => {
    timerAt = Number.POSITIVE_INFINITY;
    if (looking !== undefined) {
      again = true;
      return;
    }
    again = false;
    looking = deps
      .prepare()
      .then(() => findDue(db))
      .then((targets) => {
        let next = idleMs;
        for (const target of targets) {
          if (lanes.has(target.id)) continue; // it looks again when it ends
          if (target.ms > 0) next = Math.min(next, target.ms);
          else if (lanes.size >= maxLanes) next = 100;
          else open(target);
        }
        return next;
      })
      .catch((error) => {
        deps.onError(error);
        return idleMs;
      })
      .then((ms) => {
        looking = undefined;
        schedule(again ? 0 : ms + 1);
      });
  };
  const open = (target: DueTarget): void => {
    const lane: Promise<void> = drain(target)
      .catch((error) => {
        deps.onError(error);
        return idleMs;
      })
      .then((ms) => {
        lanes.delete(target.id);
        schedule(ms);
      });
    lanes.set(target.id, lane);
  };

  /** Sends until nothing is due or the target fails; returns when to look again. */
  const drain = async (target: DueTarget): Promise<number> => {
    const at = { tenantId: target.tenantId, targetId: target.id };
    let { failures } = target;
    let limit = failures >= circuitAfter ? 1 : batchOf(target.kind);
    while (running) {
      const rows = await store.claim(db, workerId, at, limit);
      if (rows.length === 0) return 0;
      const sent = await deps.send(target, rows.map(itemOf), stopping.signal);
      if (sent === undefined || (sent.kind === "unavailable" && stopping.signal.aborted)) {
        await db.system.tx((tx) => handBack(tx, rows, sent === undefined ? idleMs : 0));
        return idleMs;
      }
      if (sent.kind === "refused" && rows.length > 1) {
        await db.system.tx((tx) => handBack(tx, rows, 0));
        limit = 1; // one of them is not wanted: each alone now
        continue;
      }
      await db.system.tx((tx) => settle(tx, target, rows, sent, failures + 1));
      if (sent.kind === "delivered") {
        if (failures > 0) limit = batchOf(target.kind);
        failures = 0;
      }
      if (sent.kind === "unavailable") return 0;
    }
    return idleMs;
  };
  const handBack = (tx: Tx, rows: readonly store.Claimed[], ms: number): Promise<unknown> =>
    store.postpone(
      tx,
      workerId,
      rows.map((row) => ({ row, ms })),
      null,
      true,
    );

  const settle = async (
    tx: Tx,
    target: DueTarget,
    rows: readonly store.Claimed[],
    sent: Sent,
    /** In a row, should it have failed. */ failures: number,
  ): Promise<void> => {
    if (sent.kind === "delivered") {
      const held = new Set((await store.remove(tx, workerId, rows)).map((r) => r.id));
      await noteSuccess(tx, target, held.size);
      await deps.onSettled(
        tx,
        target,
        rows.filter((r) => held.has(r.id)),
        "delivered",
        null,
      );
      return;
    }
    const error = sent.message.replaceAll("\0", "").slice(0, 500);
    const asked = sent.kind === "unavailable" ? sent.retryAfterMs : undefined;
    const over = rows.filter((r) => sent.kind === "refused" || r.attempts >= deps.retry.maxAttempts);
    const left = rows.filter((r) => !over.includes(r));
    if (over.length > 0) {
      const held = new Set((await store.remove(tx, workerId, over)).map((r) => r.id));
      const buried = over.filter((r) => held.has(r.id));
      await store.bury(tx, buried, error);
      await deps.onSettled(tx, target, buried, "given_up", error);
    }
    if (left.length > 0) {
      const delays = left.map((row) => ({ row, ms: retryDelay(deps.retry, row.attempts, asked) }));
      await store.postpone(tx, workerId, delays, error);
      await deps.onSettled(tx, target, left, "failed", error);
    }
    const alone = sent.kind === "unavailable" && (failures >= circuitAfter || asked !== undefined);
    await noteFailure(tx, target, {
      error,
      givenUp: over.length,
      counts: sent.kind === "unavailable",
      openMs: alone ? retryDelay(deps.retry, failures - circuitAfter + 1, asked) : null,
    });
  };

  return {
    start: async () => {
      running = true;
      schedule(0);
      leave = await db.listen(channel, () => schedule(0));
    },
    stop: async () => {
      running = false;
      clearTimeout(timer);
      stopping.abort();
      await leave();
      await looking;
      await Promise.all(lanes.values());
    },
    wake: () => {
      if (running) schedule(0);
      else if (db.kind === "postgres") db.notify(channel, "");
    },
  };
}
