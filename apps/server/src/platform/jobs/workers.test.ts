import { afterEach, describe, expect, it } from "vitest";
import { type Database, defineWrite, openPostgres, overDriver, sql, WriteSet } from "#platform/db";
import { newId } from "#platform/kernel";
import { drivers, openTestDatabase, useDatabase } from "#testing";
import { createWorkers, type Workers, workerLock } from "./workers.ts";

describe.each(drivers)("workers on %s", (driver) => {
  const db = useDatabase(driver);
  const open: Workers[] = [];
  const errors: unknown[] = [];

  const make = (
    how: { beatMs?: number; deadAfterMs?: number; exclusive?: boolean; onFenced?: () => void } = {},
    buried: string[] = [],
  ): Workers => {
    const made = createWorkers({
      id: newId(),
      db: db(),
      exclusive: false,
      onError: (error) => errors.push(error),
      onFenced: () => {},
      beatMs: 60_000,
      ...how,
    });
    made.onDeath(async (_tx, id) => {
      buried.push(id);
    });
    open.push(made);
    return made;
  };
  afterEach(async () => {
    for (const w of open.splice(0)) await w.stop();
    expect(errors.splice(0)).toEqual([]);
    await db().system.query(sql`delete from worker`);
  });
  const isDead = async (id: string): Promise<boolean> => {
    const [row] = await db().system.query<{ dead: boolean }>(
      sql`select dead_at is not null as dead from worker where id = ${id}`,
    );
    return row?.dead ?? false;
  };
  const age = (id: string, seconds: number): Promise<unknown> =>
    db().system.query(
      sql`update worker set beat_at = now() - make_interval(secs => ${seconds}) where id = ${id}`,
    );

  it("[J3] declares dead who was silent too long, and lets live who was not", async () => {
    const [silent, alive] = [make(), make()];
    await silent.start();
    await alive.start();
    await age(silent.id, 31);
    await age(alive.id, 29);
    const buried: string[] = [];
    await make({}, buried).start();
    expect(buried).toContain(silent.id);
    expect(buried).not.toContain(alive.id);
    expect([await isDead(silent.id), await isDead(alive.id)]).toEqual([true, false]);
  });

  it("[J3] buries a worker once, however many others look at the same time", async () => {
    const silent = make();
    await silent.start();
    const buried: string[] = [];
    const others = Array.from({ length: 6 }, () => make({ beatMs: 10 }, buried));
    for (const other of others) await other.start();
    buried.length = 0;
    await age(silent.id, 60);
    const looked = async (): Promise<boolean> => {
      const [row] = await db().system.query<{ n: number }>(sql`select count(*)::int4 as n from worker w
        where w.id = any(${others.map((o) => o.id)}::uuid[])
          and w.beat_at > (select s.dead_at + interval '30 ms' from worker s where s.id = ${silent.id})`);
      return row?.n === others.length;
    };
    const deadline = Date.now() + 10_000;
    while (!(await looked()) && Date.now() < deadline) await new Promise(setImmediate);
    expect(buried).toEqual([silent.id]);
  });

  it("[J3] leaves the worker alive when a death hook fails, so that another look buries it", async () => {
    const silent = make();
    await silent.start();
    await age(silent.id, 60);
    const failing = make();
    let fails = true;
    failing.onDeath(async () => {
      if (fails) throw new Error("the hook failed");
    });
    await expect(failing.start()).rejects.toThrow("the hook failed");
    expect(await isDead(silent.id)).toBe(false);
    fails = false;
    const buried: string[] = [];
    await make({}, buried).start();
    expect(buried).toEqual([silent.id]);
  });

  it("hands back what it holds when it stops in good order", async () => {
    const buried: string[] = [];
    const leaving = make({}, buried);
    await leaving.start();
    await leaving.stop();
    expect(buried).toEqual([leaving.id]);
    expect(await isDead(leaving.id)).toBe(true);
  });

  it("[J3] hands on what a worker took after its death: when it stops, and when another starts", async () => {
    const paused = make({}, []);
    await paused.start();
    await db().system.query(sql`update worker set dead_at = now() where id = ${paused.id}`);
    const atStart: string[] = [];
    await make({}, atStart).start();
    expect(atStart).toContain(paused.id);
    const atStop: string[] = [];
    paused.onDeath(async (_tx, id) => {
      atStop.push(id);
    });
    await paused.stop();
    expect(atStop).toEqual([paused.id]);
  });

  it("[J3] tells a worker that was declared dead, once it is back", async () => {
    const { promise: fenced, resolve } = Promise.withResolvers<void>();
    const paused = make({ beatMs: 20, onFenced: resolve });
    await paused.start();
    await db().system.query(sql`update worker set dead_at = now() where id = ${paused.id}`);
    await fenced;
  });

  it("takes every other worker for dead at the start where the database is one process's own", async () => {
    const before = make();
    await before.start();
    const buried: string[] = [];
    await make({ exclusive: true }, buried).start();
    expect(buried).toContain(before.id);
  });
});

describe("[J4] a worker's lock on postgres", () => {
  interface Note {
    tenant_id: string;
    id: string;
    worker: string;
  }
  const insertNote = defineWrite<Note>({
    name: "test.insertNote",
    order: 10,
    guard: true,
    columns: { tenant_id: "uuid", id: "uuid", worker: "uuid" },
    text: `insert into note (tenant_id, id, worker) select b.tenant_id, b.id, b.worker from batch b
      where exists (select from worker w where w.id = b.worker and w.dead_at is null) returning 1`,
  });
  const schema = `create table note (tenant_id uuid not null, id uuid not null, worker uuid not null);
    select oars_tenant_table('note');`;

  it("lets no batch that checked before a death commit after it", async () => {
    const opened = await openTestDatabase("postgres", schema);
    const stores: Database[] = [];
    try {
      const tenant = newId();
      for (let round = 0; round < 12; round++) {
        const id = newId();
        const store = overDriver(await openPostgres({ url: opened.url ?? "", poolSize: 2 }), {
          fenceKey: workerLock(id),
        });
        stores.push(store);
        const mortal = createWorkers({
          id,
          db: store,
          exclusive: false,
          onError: () => {},
          onFenced: () => {},
          beatMs: 60_000,
        });
        await mortal.start();
        await opened.database.system.query(
          sql`update worker set beat_at = now() - interval '60 seconds' where id = ${id}`,
        );
        const reaper = createWorkers({
          id: newId(),
          db: opened.database,
          exclusive: false,
          onError: () => {},
          onFenced: () => {},
          beatMs: 60_000,
        });
        let seen = -1;
        reaper.onDeath(async (tx, dead) => {
          if (dead !== id) return;
          const rows = await tx.query<{ n: number }>(
            sql`select count(*)::int4 as n from note where worker = ${id}`,
          );
          seen = rows[0]?.n ?? 0;
        });
        const row = (): WriteSet =>
          new WriteSet().add(insertNote, { tenant_id: tenant, id: newId(), worker: id });
        let dead = false;
        const writing = (async () => {
          let written = 0;
          while (!dead) {
            const results = await Promise.all([1, 2, 3].map(() => store.committer.commit(row())));
            written += results.filter((r) => r.ok).length;
            dead ||= results.some((r) => !r.ok);
          }
          return written;
        })();
        await reaper.start();
        const written = await writing;
        expect(written).toBe(seen);
        await reaper.stop();
      }
    } finally {
      for (const store of stores) await store.close();
      await opened.close();
    }
  });
});
