/** What a connection that breaks, stalls or turns read-only does to those who use it. On a real server. */
import pg from "pg";
import { beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { openTestDatabase, type TestDatabase } from "#testing";
import { type Database, defineWrite, isOutage, openPostgres, overDriver, sql, WriteSet } from "./index.ts";
import { openLanes } from "./postgres-lanes.ts";
import { startRelay } from "./testing-relay.ts";

const schema = "create table item (id int primary key, note text); grant all on item to oars_system;";

const put = defineWrite<{ id: number; note: string | null }>({
  name: "test.put",
  order: 20,
  columns: { id: "int4", note: "text" },
  text: "/* test.put */ insert into item (id, note) select b.id, b.note from batch b",
});
/** The same under another name, for a test that ends connections by their last statement. */
const probe = defineWrite<{ id: number }>({
  name: "test.probe",
  order: 20,
  columns: { id: "int4" },
  text: "/* test.probe */ insert into item (id) select b.id from batch b",
});
const touch = defineWrite<{ id: number }>({
  name: "test.touch",
  order: 10,
  guard: true,
  columns: { id: "int4" },
  text: "/* test.touch */ update item i set note = 'touched' from batch b where i.id = b.id returning 1",
});
/** Before everything else in its transaction. */
const setting = defineWrite<{ name: string; value: string }>({
  name: "test.setting",
  order: 1,
  columns: { name: "text", value: "text" },
  text: "/* test.setting */ select set_config(b.name, b.value, true) from batch b",
});
const nap = defineWrite<{ seconds: number }>({
  name: "test.nap",
  order: 30,
  columns: { seconds: "float8" },
  text: "/* test.nap */ select pg_sleep(b.seconds) from batch b",
});
const item = (id: number): WriteSet => new WriteSet().add(put, { id, note: null });

interface Stand {
  readonly opened: TestDatabase;
  readonly db: Database;
  readonly owner: pg.Client;
  /** Ends the connections whose last statement is like this, as a server that fails does; answers how many. */
  end(last: string): Promise<number>;
  /** Waits until a statement like this is waiting for a lock. */
  blocked(statement: string): Promise<void>;
  ids(): Promise<number[]>;
}

let opened: TestDatabase;
beforeAll(async () => {
  opened = await openTestDatabase("postgres", schema);
  return () => opened.close();
});

async function stand(): Promise<Stand> {
  const owner = new pg.Client({ connectionString: opened.url ?? "" });
  await owner.connect();
  onTestFinished(() => owner.end());
  await owner.query("truncate item");
  const others = "datname = current_database() and pid <> pg_backend_pid() and query like $1";
  return {
    opened,
    db: opened.database,
    owner,
    end: async (last) => {
      const text = `select pg_terminate_backend(pid) from pg_stat_activity where ${others}`;
      return (await owner.query(text, [last])).rows.length;
    },
    blocked: async (statement) => {
      const text = `select 1 from pg_stat_activity where wait_event_type = 'Lock' and ${others}`;
      const look = async (): Promise<number> => {
        await owner.query("select pg_stat_clear_snapshot()"); // a transaction sees the first look again and again
        return (await owner.query(text, [statement])).rows.length;
      };
      await expect.poll(look).toBeGreaterThan(0);
    },
    ids: async () => {
      const rows = await opened.database.system.query<{ id: number }>(
        sql`/* test.ids */ select id from item order by id`,
      );
      return rows.map((row) => row.id);
    },
  };
}

const failure = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => undefined,
    (error: unknown) => error,
  );

describe("a batch whose connection breaks", () => {
  it("[L2][C3] fails as an outage when its server process ends in the middle, and the next one works", async () => {
    const { db, owner, end, blocked, ids } = await stand();
    await db.committer.commit(item(1));
    await owner.query("begin");
    await owner.query("update item set note = 'held' where id = 1");
    const failed = failure(db.committer.commit(new WriteSet().add(touch, { id: 1 }).merge(item(2))));
    await blocked("%test.touch%");
    expect(await end("%test.touch%")).toBe(1);
    expect(await failed).toSatisfy(isOutage);
    await owner.query("rollback");
    expect(await db.committer.commit(item(3))).toEqual({ ok: true });
    expect(await ids()).toEqual([1, 3]);
  });

  it("[L2] is none of the next one's business when that happened while nothing was asked of it", async () => {
    const { opened, end, ids } = await stand();
    let heard = 0;
    const onError = (): void => {
      heard++;
    };
    const db = overDriver(await openPostgres({ url: opened.url ?? "", poolSize: 2, onError }));
    onTestFinished(() => db.close());
    for (let i = 0; i < 4; i++) {
      await Promise.all(
        [1, 2, 3].map((n) => db.committer.commit(new WriteSet().add(probe, { id: i * 10 + n }))),
      );
      heard = 0;
      const ended = await end("%test.probe%");
      await expect.poll(() => heard).toBeGreaterThanOrEqual(ended);
      expect(await db.committer.commit(new WriteSet().add(probe, { id: i * 10 + 4 }))).toEqual({ ok: true });
    }
    expect(await ids()).toHaveLength(16);
  });

  it("[C1] answers each of many callers while connections break again and again: what was said to be written is", async () => {
    const { db, end, ids } = await stand();
    const written: number[] = [];
    const errors: unknown[] = [];
    let next = 0;
    let broken = 0;
    const caller = async (): Promise<void> => {
      while (broken < 6) {
        const id = next++;
        const error = await failure(db.committer.commit(item(id)));
        if (error === undefined) written.push(id);
        else errors.push(error);
      }
    };
    const breaking = async (): Promise<void> => {
      while (broken < 6) {
        const seen = next;
        await expect.poll(() => next, { interval: 1 }).toBeGreaterThan(seen + 50);
        broken += await end("%test.put%");
      }
    };
    await Promise.all([breaking(), ...[...Array(16).keys()].map(caller)]);
    expect(errors.filter((error) => !isOutage(error))).toEqual([]);
    const there = new Set(await ids());
    expect(written.filter((id) => !there.has(id))).toEqual([]);
  }, 60_000);

  it("[L2] comes back by itself when the database is out of reach for a while", async () => {
    const { opened } = await stand();
    const relay = await startRelay(opened.url ?? "");
    onTestFinished(() => relay.close());
    const errors: Error[] = [];
    const db = overDriver(
      await openPostgres({ url: relay.url, poolSize: 2, onError: (error) => errors.push(error) }),
    );
    onTestFinished(() => db.close());
    await db.committer.commit(item(1));
    await relay.cut();
    expect(await failure(db.committer.commit(item(2)))).toSatisfy(isOutage);
    expect(await failure(db.system.query(sql`/* test.one */ select 1`))).toSatisfy(isOutage);
    await relay.restore();
    expect(await db.committer.commit(item(3))).toEqual({ ok: true });
    expect(await db.system.query(sql`/* test.all */ select id from item order by id`)).toEqual([
      { id: 1 },
      { id: 3 },
    ]);
    expect(errors.length).toBeGreaterThan(0);
  });

  it("[L3] fails as an outage when nothing comes back for too long", async () => {
    const { opened } = await stand();
    const relay = await startRelay(opened.url ?? "");
    onTestFinished(() => relay.close());
    const config = { connectionString: relay.url, options: "-c role=oars_system" };
    const lanes = await openLanes({ config, count: 1, onError: () => {}, silentMs: 100 });
    onTestFinished(() => lanes.close());
    const one = { name: "test.one", text: "/* test.one */ select 1", values: [] };
    await lanes.batch(0, [one]);
    relay.freeze();
    expect(await failure(lanes.batch(0, [one]))).toSatisfy(isOutage);
    await lanes.batch(0, [one]);
  });

  it("[L2] fails as an outage on a session that cannot write any more, and the next one has another session", async () => {
    const { opened, ids } = await stand();
    const demote = {
      name: "test.demote",
      text: "/* test.demote */ select set_config('default_transaction_read_only', 'on', false)",
      values: [],
    };
    await opened.driver.batch(0, [demote]);
    const insert = { name: "test.insert", text: "insert into item (id) values ($1)", values: [1] };
    expect(await failure(opened.driver.batch(0, [insert]))).toSatisfy(isOutage);
    await opened.driver.batch(0, [insert]);
    expect(await ids()).toEqual([1]);
  });

  it("[L1] refuses to copy, and goes on", async () => {
    const { opened, ids } = await stand();
    const copy = { name: "test.copy", text: "copy item from stdin", values: [] };
    expect(await failure(opened.driver.batch(0, [copy]))).toBeInstanceOf(Error);
    const insert = { name: "test.insert", text: "insert into item (id) values ($1)", values: [1] };
    await opened.driver.batch(0, [insert, { name: "test.out", text: "copy item to stdout", values: [] }]);
    expect(await ids()).toEqual([1]);
  });
});

describe("a batch that the server stops", () => {
  it("[C3] loses the set that waited too long for a lock, and no other", async () => {
    const { db, owner, ids } = await stand();
    await db.committer.commit(item(1));
    await owner.query("begin");
    await owner.query("update item set note = 'held' where id = 1");
    const waits = new WriteSet()
      .add(setting, { name: "lock_timeout", value: "50ms" })
      .add(touch, { id: 1 })
      .merge(item(2));
    const [lost, kept] = await Promise.all([
      failure(db.committer.commit(waits)),
      failure(db.committer.commit(item(3))),
    ]);
    await owner.query("rollback");
    expect(lost).toMatchObject({ code: "55P03", statement: "test.touch" });
    expect(kept).toBeUndefined();
    expect(await db.committer.commit(waits)).toEqual({ ok: true });
    expect(await ids()).toEqual([1, 2, 3]);
  });

  it("fails as an outage when a statement of it takes too long, keeps its session and writes nothing", async () => {
    const { db, ids } = await stand();
    const slow = new WriteSet()
      .add(setting, { name: "statement_timeout", value: "50ms" })
      .add(nap, { seconds: 30 })
      .merge(item(1));
    const error = await failure(db.committer.commit(slow));
    expect(error).toMatchObject({ code: "57014", statement: "test.nap" });
    expect(error).toSatisfy(isOutage);
    expect(await db.committer.commit(item(2))).toEqual({ ok: true });
    expect(await ids()).toEqual([2]);
  });
});

describe("a transaction whose connection breaks", () => {
  it("fails with its next statement when that happened between two, and takes nothing else with it", async () => {
    const { db, end, ids } = await stand();
    const held = Promise.withResolvers<void>();
    const broken = Promise.withResolvers<void>();
    const failed = failure(
      db.system.tx(async (tx) => {
        await tx.query(sql`/* test.hold */ insert into item (id) values (1)`);
        held.resolve();
        await broken.promise;
        await tx.query(sql`/* test.more */ insert into item (id) values (2)`);
      }),
    );
    await held.promise;
    await end("%test.hold%");
    await expect.poll(() => end("%test.hold%")).toBe(0);
    await new Promise((heard) => setTimeout(heard, 20)); // an error that nobody hears would end the process here
    broken.resolve();
    expect(await failed).toSatisfy(isOutage);
    expect(await ids()).toEqual([]);
  });

  it("fails as an outage on a session that cannot write any more, which nobody else is given", async () => {
    const { db, ids } = await stand();
    await db.system.query(
      sql`/* test.demote */ select set_config('default_transaction_read_only', 'on', false)`,
    );
    const write = () =>
      failure(db.system.tx((tx) => tx.query(sql`/* test.write */ insert into item (id) values (1)`)));
    expect(await write()).toSatisfy(isOutage);
    expect(await write()).toBeUndefined();
    expect(await ids()).toEqual([1]);
  });
});
