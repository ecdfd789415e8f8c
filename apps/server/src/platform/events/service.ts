import { AsyncLocalStorage } from "node:async_hooks";
import { applyWrites, type Database, type Tx, WriteSet } from "#platform/db";
import { formatId, newId, OarsError } from "#platform/kernel";
import { type EventDraft, type EventOrigin, filled, type SecurityEvent } from "./domain.ts";
import { isForeign, namedObject } from "./foreign-ids.ts";
import { createRouter, type EventListener } from "./router.ts";
import * as store from "./store.ts";
import { createTallies } from "./tally.ts";

export interface SecurityEvents {
  /**
   * Adds the event to what is being committed: it is durable with what it tells of. With a write set the rows are
   * added before this returns, and there is nothing to wait for.
   */
  record(into: WriteSet | Tx, draft: EventDraft & { readonly tenantId: string }): Promise<void>;
  /** Counts an occurrence of a counted type. Never throws and never waits. */
  count(draft: EventDraft): void;
  /** After a 404: notes it when an id that the request named is another tenant's. Never throws and never waits. */
  suspect(draft: Omit<EventDraft, "type"> & { readonly tenantId: string }, named: readonly string[]): void;
  /** Everything that `work` records and counts came from there. */
  within<T>(origin: EventOrigin, work: () => T): T;
  /** Newest first; one more than `limit` where there is more. Whoever asks must hold `events:read`. */
  list(tenantId: string, filter: store.EventFilter, page: store.EventPage): Promise<SecurityEvent[]>;
  /** Throws EVENT_NOT_FOUND. */
  find(tenantId: string, id: string): Promise<SecurityEvent>;
  /** Tells every event to the listener, at least once, in a transaction of its own making. Before `start`. */
  listen(listener: EventListener): void;
  /** Tells events from now on. Without it they are only written: other processes tell them. */
  start(): Promise<void>;
  stop(): Promise<void>;
  /** Writes what was counted. */
  flush(): Promise<void>;
  /** Writes what was counted and takes no more. */
  close(): Promise<void>;
  /** Events that wait to be told. */
  pending(): Promise<number>;
}

export interface SecurityEventsDeps {
  readonly db: Database;
  readonly onError: (error: unknown, what: string) => void;
  /** Of counted events; 5 min when absent. */
  readonly windowMs?: number;
}

/** Looks for the owner of a foreign id, per second and process. */
const suspicionsPerSecond = 5;

export function createSecurityEvents(deps: SecurityEventsDeps): SecurityEvents {
  const { db } = deps;
  const origins = new AsyncLocalStorage<EventOrigin>();
  const router = createRouter({ db, onError: (error) => deps.onError(error, "telling of security events") });
  let operator: string | null = null;
  const tallies = createTallies({
    db,
    operator: async () => (operator ??= await store.findOperator(db)),
    onWritten: router.wake,
    onError: (error) => deps.onError(error, "counted security events"),
    ...(deps.windowMs === undefined ? {} : { windowMs: deps.windowMs }),
  });
  const looking = new Set<Promise<void>>();
  let second = 0;
  let looked = 0;

  const look = async (
    draft: Omit<EventDraft, "type"> & { readonly tenantId: string },
    named: readonly string[],
    origin: EventOrigin | undefined,
  ): Promise<void> => {
    const object = namedObject(named);
    if (object === undefined) return;
    try {
      if (!(await isForeign(db, draft.tenantId, object.kind, object.id))) return;
      const target = { kind: object.kind, id: object.text };
      tallies.count({ ...draft, type: "tenant.foreign_id", target }, origin);
    } catch (error) {
      deps.onError(error, "owner of a foreign id");
    }
  };

  return {
    record: async (into, draft) => {
      const set = into instanceof WriteSet ? into : new WriteSet();
      set.add(store.insertSecurityEvent, {
        ...filled(draft, origins.getStore()),
        tenant_id: draft.tenantId,
        id: newId(),
      });
      set.onCommit(router.wake);
      if (!(into instanceof WriteSet)) await applyWrites(into, set);
    },
    count: (draft) => tallies.count(draft, origins.getStore()),
    suspect: (draft, named) => {
      const now = Math.floor(performance.now() / 1000);
      if (now !== second) {
        second = now;
        looked = 0;
      }
      if (++looked > suspicionsPerSecond) return;
      const work: Promise<void> = look(draft, named, origins.getStore()).finally(() => looking.delete(work));
      looking.add(work);
    },
    within: (origin, work) => origins.run(origin, work),
    list: (tenantId, filter, page) =>
      db.read(tenantId, (reader) =>
        store.listEvents(reader, tenantId, filter, { ...page, limit: page.limit + 1 }),
      ),
    find: async (tenantId, id) => {
      const found = await db.read(tenantId, (reader) => store.findEvent(reader, tenantId, id));
      if (!found) throw new OarsError("EVENT_NOT_FOUND");
      return found;
    },
    listen: router.listen,
    start: router.start,
    stop: router.stop,
    flush: async () => {
      await Promise.all(looking);
      await tallies.flush();
    },
    close: async () => {
      await Promise.all(looking);
      await tallies.close();
    },
    pending: () => store.countUnrouted(db),
  };
}

/** An event as the API, files and other systems see it. */
export const shownEvent = (e: SecurityEvent) => ({
  id: formatId("event", e.id),
  tenantId: formatId("tenant", e.tenantId),
  type: e.type,
  severity: e.severity,
  outcome: e.outcome,
  message: e.message,
  actor: e.actor === null ? null : { ...e.actor, id: formatId("principal", e.actor.id) },
  target: e.target,
  requestId: e.requestId,
  source: e.source,
  count: e.count,
  firstAt: e.firstAt.toISOString(),
  lastAt: e.lastAt.toISOString(),
  details: e.details,
});

export type ShownEvent = ReturnType<typeof shownEvent>;
