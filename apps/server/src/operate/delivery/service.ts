/**
 * Delivery to other systems. Events are fanned out in the transaction that marks them told, so an event that is
 * committed is queued for every target that wants it, whatever dies in between; the queue is a table without a limit.
 */
import { type Caller, requirePermission } from "#platform/access";
import type { Database, Db, Tx } from "#platform/db";
import { gravity, type SecurityEvent, type SecurityEvents, shownEvent } from "#platform/events";
import { newId, OarsError } from "#platform/kernel";
import type { Dialer } from "#platform/net";
import type { Vault } from "#platform/vault";
import type { AlertNotice, Item, Purpose, RetryRule, Sent } from "./domain.ts";
import type { EnvTarget } from "./env-targets.ts";
import { createLanes, itemOf, type Outcome } from "./lanes.ts";
import { send } from "./send.ts";
import * as store from "./store.ts";
import { shownConfig, type TargetConfig } from "./target-config.ts";
import { listChannels, listenersOf, putTarget, retireTargets, type Target } from "./target-store.ts";
import { createTargets, type Targets } from "./targets.ts";

export interface DeliveryDeps {
  readonly db: Database;
  readonly vault: Pick<Vault, "seal" | "open">;
  readonly dialer: Pick<Dialer, "request" | "connect">;
  readonly events: Pick<SecurityEvents, "record" | "listen">;
  readonly workerId: string;
  /** Public address and version of this server. */
  readonly origin: string;
  readonly version: string;
  readonly retry: RetryRule;
  readonly fromEnv: readonly EnvTarget[];
  /** The tenant whose the targets of the environment are; null: there is none yet. */
  readonly operator: () => Promise<string | null>;
  readonly onSent?: (kind: string, outcome: Outcome, n: number) => void;
  readonly onError: (error: unknown, what: string) => void;
  /** Of one attempt; 10 s when absent. */
  readonly timeoutMs?: number;
}

export type SettledListener = (
  tx: Tx,
  target: Target,
  rows: readonly store.Claimed[],
  outcome: Outcome,
  error: string | null,
) => Promise<void>;

export interface Delivery extends Omit<Targets, "open"> {
  /** Channels that a tenant's alerts may go to, by name: its own, then the operator's. Across tenants. */
  channels(db: Db, tenantId: string): Promise<Target[]>;
  /** Queues a notice for channels, in a transaction of the system. */
  notify(tx: Tx, channels: readonly Target[], alertId: string, alert: AlertNotice): Promise<void>;
  /** Hears in the settling transaction what became of what was sent. Before `start`. */
  onSettled(listener: SettledListener): void;
  /** Everything queued of the tenant's targets is due now. Needs `siem:write`. */
  flush(caller: Caller): Promise<number>;
  deadLetters(
    caller: Caller,
    q: { readonly state: store.DeadState | null; readonly limit: number; readonly before: string | null },
  ): Promise<store.DeadLetter[]>;
  /** Queues it again under its id. Errors: DEAD_LETTER_NOT_FOUND, DEAD_LETTER_CLOSED, TARGET_NOT_FOUND. */
  replay(caller: Caller, id: string): Promise<store.DeadLetter>;
  /** Closes it unsent. Errors: DEAD_LETTER_NOT_FOUND, DEAD_LETTER_CLOSED. */
  resolve(caller: Caller, id: string, reason: string): Promise<store.DeadLetter>;
  readonly retry: RetryRule;
  figures(): ReturnType<typeof store.figures>;
  forget(keepDays: number, limit: number): Promise<number>;
  onDeath(tx: Tx, workerId: string): Promise<void>;
  start(): Promise<void>;
  stop(): Promise<void>;
  wake(): void;
}

export function createDelivery(deps: DeliveryDeps): Delivery {
  const { db } = deps;
  const settled: SettledListener[] = [];
  const out = (
    target: Pick<Target, "tenantId" | "format">,
    ready: { readonly purpose: Purpose; readonly config: TargetConfig },
    items: readonly Item[],
    signal?: AbortSignal,
  ): Promise<Sent> =>
    send(
      { dialer: deps.dialer, tenantId: target.tenantId, timeoutMs: deps.timeoutMs ?? 10_000, signal },
      ready,
      items,
      {
        format: target.format,
        version: deps.version,
        origin: deps.origin,
      },
    );
  const targets = createTargets({ ...deps, send: out, onChanged: () => lanes.wake() });
  const lanes = createLanes({
    ...deps,
    onError: (error) => deps.onError(error, "delivery"),
    prepare: once(() => registerEnv(deps)),
    send: async (target, items, signal) => {
      const config = await targets.open(target, target.sealed);
      return config && out(target, { purpose: target.purpose, config }, items, signal);
    },
    onSettled: async (tx, target, rows, outcome, error) => {
      tx.onCommit(() => deps.onSent?.(target.kind, outcome, rows.length));
      if (outcome === "given_up") await tellGivenUp(deps.events, tx, target, rows, error);
      for (const listener of settled) await listener(tx, target, rows, outcome, error);
    },
  });
  deps.events.listen(async (tx, events) => {
    if (await fanOut(tx, events)) tx.onCommit(lanes.wake);
  });
  const closed = async (caller: Caller, id: string): Promise<OarsError> => {
    const [letter] = await db.read(caller.tenantId, (reader) => store.findDead(reader, caller.tenantId, id));
    return letter
      ? new OarsError("DEAD_LETTER_CLOSED", { state: letter.state })
      : new OarsError("DEAD_LETTER_NOT_FOUND");
  };

  return {
    put: targets.put,
    list: targets.list,
    find: targets.find,
    remove: targets.remove,
    test: targets.test,
    setPaused: targets.setPaused,
    retry: deps.retry,
    channels: listChannels,
    notify: async (tx, channels, subjectId, alert) => {
      if (channels.length === 0) return;
      const payload = { kind: "alert", alert } as const;
      const subjectKind = "alert" as const;
      await store.enqueue(
        tx,
        channels.map(({ tenantId, id: targetId }) => ({
          tenantId,
          id: newId(),
          targetId,
          subjectKind,
          subjectId,
          payload,
        })),
      );
      tx.onCommit(lanes.wake);
    },
    onSettled: (listener) => {
      settled.push(listener);
    },
    flush: async (caller) => {
      requirePermission(caller, "siem:write");
      const due = await db.tx(caller.tenantId, (tx) => store.dueNow(tx, caller.tenantId));
      lanes.wake();
      return due;
    },
    deadLetters: async (caller, q) => {
      requirePermission(caller, "siem:read");
      return db.read(caller.tenantId, (reader) => store.listDead(reader, caller.tenantId, q));
    },
    replay: async (caller, id) => {
      requirePermission(caller, "siem:write");
      const { tenantId } = caller;
      const letter = await db.tx(tenantId, async (tx) => {
        const [moved] = await store.moveDead(tx, tenantId, id, "replayed", null);
        if (!moved) return undefined;
        if (moved.targetName === null)
          throw new OarsError("TARGET_NOT_FOUND", { name: "of this dead letter" });
        await store.enqueue(tx, [moved]);
        await tellHandled(deps.events, tx, caller, "delivery.replayed", moved);
        return moved;
      });
      if (!letter) throw await closed(caller, id);
      lanes.wake();
      return letter;
    },
    resolve: async (caller, id, reason) => {
      requirePermission(caller, "siem:write");
      const { tenantId } = caller;
      const letter = await db.tx(tenantId, async (tx) => {
        const [moved] = await store.moveDead(tx, tenantId, id, "resolved", reason);
        if (moved) await tellHandled(deps.events, tx, caller, "delivery.resolved", moved);
        return moved;
      });
      if (!letter) throw await closed(caller, id);
      return letter;
    },
    figures: () => store.figures(db),
    forget: (keepDays, limit) => store.forgetDead(db, keepDays, limit),
    onDeath: async (tx, workerId) => {
      if ((await store.freeClaims(tx, workerId)).length > 0) tx.onCommit(lanes.wake);
    },
    start: lanes.start,
    stop: lanes.stop,
    wake: lanes.wake,
  };
}

/** Until it has been done. */
function once(work: () => Promise<boolean>): () => Promise<void> {
  let done = false;
  return async () => {
    if (!done) done = await work();
  };
}

/** Makes the targets of the environment known, once there is a tenant whose they are. */
async function registerEnv(deps: DeliveryDeps): Promise<boolean> {
  const tenantId = await deps.operator();
  if (tenantId === null) return false;
  for (const { name, purpose, config, options } of deps.fromEnv) {
    const values = {
      ...options,
      tenantId,
      id: newId(),
      name,
      purpose,
      kind: config.kind,
      sealed: null,
      fromEnv: true,
    };
    const put = await deps.db.system.tx((tx) => putTarget(tx, { ...values, config: shownConfig(config) }));
    if (put.length === 0) {
      const error = new OarsError("TARGET_OF_ENVIRONMENT", { name });
      deps.onError(error, "a target of the API has the name of one of the environment");
    }
  }
  const names = deps.fromEnv.map((target) => target.name);
  await retireTargets(deps.db, tenantId, names);
  return true;
}

const fits = (target: Target, event: SecurityEvent): boolean =>
  (target.fromEnv || target.tenantId === event.tenantId) &&
  gravity(event.severity) >= gravity(target.minSeverity) &&
  !(event.type === "delivery.dead_lettered" && event.target?.id === target.name) &&
  (target.types === null ||
    target.types.some(
      (t) => t === event.type || (t.endsWith(".*") && event.type.startsWith(t.slice(0, -1))),
    ));

/** Queues the events for whoever wants them. */
async function fanOut(tx: Tx, events: readonly SecurityEvent[]): Promise<boolean> {
  const targets = await listenersOf(tx, [...new Set(events.map((e) => e.tenantId))]);
  const rows = events.flatMap((event) =>
    targets
      .filter((target) => fits(target, event))
      .map((target) => ({
        tenantId: target.tenantId,
        id: newId(),
        targetId: target.id,
        subjectKind: "event" as const,
        subjectId: event.id,
        payload: { kind: "event" as const, event: shownEvent(event) },
      })),
  );
  if (rows.length > 0) await store.enqueue(tx, rows);
  return rows.length > 0;
}

/** That news of a failure could not be delivered is no further news: two targets that are down would talk for ever. */
async function tellGivenUp(
  events: DeliveryDeps["events"],
  tx: Tx,
  target: Target,
  rows: readonly store.Claimed[],
  error: string | null,
): Promise<void> {
  const news = rows.filter(
    (r) => r.payload.kind === "alert" || !r.payload.event.type.startsWith("delivery."),
  );
  if (news.length === 0) return;
  await events.record(tx, {
    tenantId: target.tenantId,
    type: "delivery.dead_lettered",
    target: { kind: "target", id: target.name },
    message: `${target.name} did not take what was sent to it; it is kept as a dead letter.`,
    details: { items: news.length, purpose: target.purpose, kind: target.kind, error },
  });
}

const tellHandled = (
  events: DeliveryDeps["events"],
  tx: Tx,
  caller: Caller,
  type: "delivery.replayed" | "delivery.resolved",
  letter: store.DeadLetter,
): Promise<void> =>
  events.record(tx, {
    tenantId: caller.tenantId,
    type,
    actor: caller,
    target: { kind: "target", id: letter.targetName ?? "gone" },
    details: { item: itemOf(letter).id, attempts: letter.attempts, reason: letter.reason },
  });
