/**
 * The outbox: events told upward between rooms, written with the change that they tell of.
 * J1 an event is handled at least once after its transaction committed, never before.
 * J2 a handler that fails is tried again with growing delay; the event is not lost. One whose process died is
 *    tried again as soon as the death is known.
 * Handlers must be repeatable: after a crash or a slow handler an event may come twice.
 */
import { type Database, defineWrite, sql, type Tx, type WriteSet } from "#platform/db";
import { type Fault, newId } from "#platform/kernel";

export interface OutboxEvent {
  readonly tenantId: string;
  readonly topic: string;
  readonly payload: Record<string, unknown>;
}

interface OutboxRow {
  tenant_id: string;
  id: string;
  topic: string;
  payload: string;
}

export const insertEvent = defineWrite<OutboxRow>({
  name: "jobs.insertEvent",
  order: 80,
  columns: { tenant_id: "uuid", id: "uuid", topic: "text", payload: "jsonb" },
  text: "/* jobs.insertEvent */ insert into outbox (tenant_id, id, topic, payload) select b.tenant_id, b.id, b.topic, b.payload from batch b",
});

export type Handler = (event: OutboxEvent) => Promise<void>;

export interface Outbox {
  /** Adds the event to a write set; it is dispatched once that is durable. */
  emit(into: WriteSet, event: OutboxEvent): void;
  on(topic: string, handler: Handler): void;
  /** Handles events from now on. Without it they are only written: other processes handle them. */
  start(): Promise<void>;
  /** Waits for the handlers under way. */
  stop(): Promise<void>;
  /** Events of all tenants that wait for their handlers. */
  pending(): Promise<number>;
  /** Looks for events now: for commits that did not go through `emit`. */
  wake(): void;
  /** Death hook: events that the dead process had claimed are told again at once. */
  onDeath(tx: Tx, workerId: string): Promise<void>;
}

export interface OutboxDeps {
  readonly db: Database;
  /** Id of this process among the workers. */
  readonly workerId: string;
  readonly fault: Fault;
  readonly onError: (error: unknown, event: OutboxEvent) => void;
}

const batchSize = 64;
/** For events that are tried again, and for those of which no hint came. */
const idleMs = 5000;
/** Tells processes that handle events of those that one that does not has written. */
const channel = "outbox";

export function createOutbox(deps: OutboxDeps): Outbox {
  const handlers = new Map<string, Handler[]>();
  const inFlight = new Set<Promise<void>>();
  let timer: NodeJS.Timeout | undefined;
  let running = false;
  let polling: Promise<void> | undefined;
  let again = false;
  let leave = async (): Promise<void> => {};

  /** Events were written here. */
  const written = (): void => {
    if (running) schedule(0);
    else if (deps.db.kind === "postgres") deps.db.notify(channel, "");
  };
  const schedule = (ms: number): void => {
    if (!running) return;
    clearTimeout(timer);
    timer = setTimeout(poll, ms);
  };
  const poll = (): void => {
    if (polling !== undefined) {
      again = true;
      return;
    }
    polling = dispatch()
      .catch((error) => deps.onError(error, { tenantId: "", topic: "outbox.poll", payload: {} }))
      .finally(() => {
        polling = undefined;
        const soon = again;
        again = false;
        schedule(soon ? 0 : idleMs);
      });
  };
  const dispatch = async (): Promise<void> => {
    for (;;) {
      const events = await claimEvents(deps, batchSize);
      for (const event of events) {
        const work = handle(event).finally(() => inFlight.delete(work));
        inFlight.add(work);
      }
      if (events.length < batchSize || !running) return;
      if (inFlight.size > 4 * batchSize) await Promise.race(inFlight);
    }
  };
  const handle = async (event: ClaimedEvent): Promise<void> => {
    try {
      deps.fault("jobs.before-handle");
      for (const handler of handlers.get(event.topic) ?? []) await handler(event);
      deps.fault("jobs.after-handle");
      await deleteEvent(deps.db, event);
    } catch (error) {
      deps.onError(error, event);
      await postpone(deps.db, event, error).catch((cause) => deps.onError(cause, event));
    }
  };

  return {
    emit: (into, event) => {
      into.add(insertEvent, {
        tenant_id: event.tenantId,
        id: newId(),
        topic: event.topic,
        payload: JSON.stringify(event.payload),
      });
      into.onCommit(written);
    },
    on: (topic, handler) => {
      handlers.set(topic, [...(handlers.get(topic) ?? []), handler]);
    },
    start: async () => {
      running = true;
      schedule(0);
      leave = await deps.db.listen(channel, () => schedule(0));
    },
    stop: async () => {
      running = false;
      clearTimeout(timer);
      await leave();
      await polling;
      await Promise.all(inFlight);
    },
    pending: () => countEvents(deps.db),
    wake: written,
    onDeath: async (tx, workerId) => {
      const freed = await tx.query(sql`/* jobs.freeEvents */
        update outbox set available_at = now(), claimed_by = null where claimed_by = ${workerId} returning id`);
      if (freed.length > 0) tx.onCommit(written);
    },
  };
}

interface ClaimedEvent extends OutboxEvent {
  readonly id: string;
  readonly attempts: number;
}

/** Claimed events come back by themselves after a minute, should this process hang with them. */
const claimEvents = ({ db, workerId }: OutboxDeps, limit: number): Promise<ClaimedEvent[]> =>
  db.system.query<ClaimedEvent>(sql`/* jobs.claimEvents */
    update outbox o set available_at = now() + interval '60 seconds', attempts = o.attempts + 1, claimed_by = ${workerId}
    from (select tenant_id, id from outbox where available_at <= now()
          order by available_at limit ${limit} for update skip locked) c
    where o.tenant_id = c.tenant_id and o.id = c.id
    returning o.tenant_id as "tenantId", o.id, o.topic, o.payload, o.attempts`);

const deleteEvent = (db: Database, event: ClaimedEvent): Promise<unknown> =>
  db.system.query(
    sql`/* jobs.deleteEvent */ delete from outbox where tenant_id = ${event.tenantId} and id = ${event.id}`,
  );

const postpone = (db: Database, event: ClaimedEvent, error: unknown): Promise<unknown> => {
  const seconds = Math.min(300, 2 ** Math.min(event.attempts, 9));
  const text = error instanceof Error ? error.message.slice(0, 500) : "unknown";
  return db.system.query(sql`/* jobs.postponeEvent */
    update outbox set available_at = now() + make_interval(secs => ${seconds}), claimed_by = null, last_error = ${text}
    where tenant_id = ${event.tenantId} and id = ${event.id}`);
};

async function countEvents(db: Database): Promise<number> {
  const rows = await db.system.query<{ n: number }>(
    sql`/* jobs.countEvents */ select count(*)::int4 as n from outbox`,
  );
  return rows[0]?.n ?? 0;
}
