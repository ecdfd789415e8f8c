import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { applyWrites, sql, WriteSet } from "#platform/db";
import { newId } from "#platform/kernel";
import { drivers, useDatabase } from "#testing";
import { createOutbox, type Outbox, type OutboxEvent } from "./outbox.ts";

const tenantId = newId();
const told = (topic: string, n = 0): OutboxEvent => ({ tenantId, topic, payload: { n } });

describe.each(drivers)("the outbox on %s", (driver) => {
  const db = useDatabase(driver);
  let outbox: Outbox;
  let errors: string[];

  const open = (workerId = newId()): Outbox =>
    createOutbox({
      fault: () => {},
      db: db(),
      workerId,
      onError: (error, event) =>
        errors.push(`${event.topic}: ${error instanceof Error ? error.message : ""}`),
    });
  beforeEach(() => {
    errors = [];
    outbox = open();
  });
  afterEach(() => outbox.stop());

  /** A handler that keeps what it hears, and a promise of the n-th event. */
  const listen = (on: Outbox, topic: string, fail: (times: number) => boolean = () => false) => {
    const heard: number[] = [];
    const waiting: { count: number; done: () => void }[] = [];
    on.on(topic, async (event) => {
      heard.push(Number(event.payload.n));
      for (const w of waiting) if (heard.length >= w.count) w.done();
      if (fail(heard.length)) throw new Error("not now");
    });
    const times = (count: number): Promise<void> =>
      new Promise((done) => {
        if (heard.length >= count) done();
        else waiting.push({ count, done });
      });
    return { heard, times };
  };
  const left = async (topic: string): Promise<{ attempts: number; last_error: string | null }[]> =>
    db().system.query(sql`select attempts, last_error from outbox where topic = ${topic}`);
  const emit = async (event: OutboxEvent): Promise<void> => {
    const set = new WriteSet();
    outbox.emit(set, event);
    await db().committer.commit(set);
  };

  it("[J1] tells of a change once it is durable, and not of one that was rolled back", async () => {
    const { heard, times } = listen(outbox, "kept");
    await outbox.start();
    const lost = new WriteSet();
    outbox.emit(lost, told("kept", 1));
    await expect(
      db().tx(tenantId, async (tx) => {
        await applyWrites(tx, lost);
        throw new Error("changed its mind");
      }),
    ).rejects.toThrow("changed its mind");
    await emit(told("kept", 2));
    await times(1);
    await outbox.stop();
    expect(heard).toEqual([2]);
    expect(await left("kept")).toEqual([]);
  });

  it("[J1] hears events that were written while nobody listened", async () => {
    await emit(told("early", 7));
    const { heard, times } = listen(outbox, "early");
    await outbox.start();
    await times(1);
    expect(heard).toEqual([7]);
  });

  it("[J1] tells each of many events to one of two processes", async () => {
    const other = open();
    const here = listen(outbox, "many");
    const there = listen(other, "many");
    const set = new WriteSet();
    for (let n = 0; n < 300; n++) outbox.emit(set, told("many", n));
    await outbox.start();
    await other.start();
    await db().committer.commit(set);
    const all = (): number[] => [...here.heard, ...there.heard].sort((a, b) => a - b);
    const deadline = Date.now() + 10_000;
    while (all().length < 300 && Date.now() < deadline) await new Promise(setImmediate);
    await other.stop();
    await outbox.stop();
    expect(all()).toEqual(Array.from({ length: 300 }, (_, n) => n));
  });

  it("[J2] keeps an event whose handler fails, says why, and tells it again later", async () => {
    const { heard, times } = listen(outbox, "failing", (count) => count === 1);
    await outbox.start();
    await emit(told("failing", 3));
    await times(1);
    await outbox.stop();
    expect(errors).toEqual(["failing: not now"]);
    expect(await left("failing")).toEqual([{ attempts: 1, last_error: "not now" }]);

    await db().system.query(sql`update outbox set available_at = now() where topic = 'failing'`);
    await outbox.start();
    await times(2);
    await outbox.stop();
    expect(heard).toEqual([3, 3]);
    expect(await left("failing")).toEqual([]);
  });

  it("[J2] waits longer after each failure, at most five minutes", async () => {
    const { times } = listen(outbox, "hopeless", () => true);
    await emit(told("hopeless"));
    const pauses: number[] = [];
    for (let count = 1; count <= 10; count++) {
      await outbox.start();
      await times(count);
      await outbox.stop();
      const [row] = await db().system.query<{ s: number }>(
        sql`select extract(epoch from available_at - now())::float8 as s from outbox where topic = 'hopeless'`,
      );
      pauses.push(Math.round(row?.s ?? 0));
      await db().system.query(sql`update outbox set available_at = now() where topic = 'hopeless'`);
    }
    expect(pauses.slice(0, 8)).toEqual([2, 4, 8, 16, 32, 64, 128, 256]);
    expect(pauses.slice(8)).toEqual([300, 300]);
    await db().system.query(sql`delete from outbox where topic = 'hopeless'`);
  });

  it("[J2] tells an event again when its process died with it: at once, when the death is known", async () => {
    const never = new Promise<void>(() => {});
    const id = newId();
    const dying = open(id);
    let begun = (): void => {};
    const started = new Promise<void>((done) => {
      begun = done;
    });
    dying.on("orphan", () => {
      begun();
      return never;
    });
    await emit(told("orphan", 5));
    await dying.start();
    await started; // and then nothing more is heard of it
    const { heard, times } = listen(outbox, "orphan");
    await outbox.start();
    await db().system.tx((tx) => outbox.onDeath(tx, newId())); // somebody else's death
    await db().system.tx((tx) => outbox.onDeath(tx, id));
    await times(1);
    expect(heard).toEqual([5]);
  });

  it("[J1] tells an event again after a minute when its process hangs with it", async () => {
    await emit(told("slow", 6));
    await db().system.query(sql`update outbox set claimed_by = ${newId()}, available_at = now() + interval '60 seconds'
      where topic = 'slow'`);
    await db().system.query(sql`update outbox set available_at = now() where topic = 'slow'`); // its minute is over
    const { heard, times } = listen(outbox, "slow");
    await outbox.start();
    await times(1);
    expect(heard).toEqual([6]);
  });
});
