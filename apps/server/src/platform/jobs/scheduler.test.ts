import { afterEach, describe, expect, it } from "vitest";
import type { Caller } from "#platform/access";
import { type Database, type Sql, sql } from "#platform/db";
import { newId } from "#platform/kernel";
import { drivers, useDatabase } from "#testing";
import { createScheduler, type Job, type Scheduler, type SchedulerDeps } from "./scheduler.ts";

const aYearMs = 31_536_000_000;
const id = newId();
const operator = {
  tenantId: id,
  principalId: id,
  permissions: new Set(["system:read", "platform:operate"]),
} as unknown as Caller; // what a scheduler reads of a caller

async function until(what: string, look: () => Promise<boolean> | boolean): Promise<void> {
  const deadline = performance.now() + 15_000;
  while (!(await look())) {
    if (performance.now() > deadline) throw new Error(`waited in vain for ${what}`);
    await new Promise((done) => setTimeout(done, 5));
  }
}

describe.each(drivers)("jobs on %s", (driver) => {
  const db = useDatabase(driver);
  const open: Scheduler[] = [];
  const errors: string[] = [];
  const make = (jobs: readonly Job[], more: Partial<SchedulerDeps> = {}): Scheduler & { id: string } => {
    const workerId = newId();
    const made = createScheduler({
      db: db(),
      workerId,
      jobs,
      onError: (error, job) => errors.push(`${job}: ${(error as Error).message}`),
      ...more,
    });
    open.push(made);
    return { ...made, id: more.workerId ?? workerId };
  };
  const job = (name: string, work: () => unknown, everyMs = aYearMs): Job => ({
    name,
    everyMs,
    work: async () => {
      await work();
      return null;
    },
  });
  const shown = async (name: string) => {
    const found = (await make([]).list(operator)).find((j) => j.name === name);
    if (!found) throw new Error(`no job ${name}`);
    return found;
  };
  const die = (who: Scheduler, worker: string) => db().system.tx((tx) => who.onDeath(tx, worker));
  afterEach(async () => {
    await Promise.all(open.splice(0).map((s) => s.stop()));
    errors.length = 0;
    await db().system.query(sql`delete from job`);
  });

  it("[J5] run in one process at a time, once each time they are due, however many processes there are", async () => {
    let inside = 0;
    let overlaps = 0;
    let runs = 0;
    const work = async (): Promise<void> => {
      if (++inside > 1) overlaps++;
      runs++;
      await new Promise(setImmediate);
      inside--;
    };
    const processes = Array.from({ length: 6 }, () => make([job("tick", work, 50)]));
    await Promise.all(processes.map((p) => p.start()));
    await until("ten ticks", () => runs >= 10);
    await Promise.all(processes.map((p) => p.stop()));
    const [row] = await db().system.query(sql`select turn, holder from job where name = 'tick'`);
    expect(row).toMatchObject({ turn: runs, holder: null });
    expect(overlaps).toBe(0);
    expect(errors).toEqual([]);
  });

  it("[J5] that are not due wait for their time, also over a restart", async () => {
    let runs = 0;
    const first = make([job("daily", () => runs++)]);
    await first.start();
    await until("the first run", async () => runs === 1 && (await shown("daily")).endedAt !== null);
    await first.stop();
    let other = 0;
    const second = make([job("daily", () => runs++), job("new", () => other++)]);
    await second.start();
    await until("the new job", () => other === 1);
    expect(runs).toBe(1);
  });

  it("[J6] of a process that died are taken over at once, and its late end changes nothing", async () => {
    const hang = Promise.withResolvers<void>();
    let entered = 0;
    const dead = make([
      job("slow", () => {
        entered++;
        return hang.promise;
      }),
    ]);
    await dead.start();
    await until("the first holder", () => entered === 1);
    const heir = make([job("slow", () => entered++)]);
    await heir.start();
    expect((await shown("slow")).holder).toBe(dead.id);
    await die(heir, dead.id);
    await until("the heir's run", () => entered === 2);
    await until("its end", async () => (await shown("slow")).holder === null);
    const before = await shown("slow");
    hang.resolve();
    await dead.stop();
    expect(await shown("slow")).toEqual(before);
  });

  it("[J7] that fail say so, run again after their interval, and are well again after a good run", async () => {
    let fails = true;
    const s = make([
      job("shaky", () => {
        if (fails) throw new Error("the disk is full\nat line 3");
      }),
    ]);
    await s.start();
    await until("the failure", async () => (await shown("shaky")).failures === 1);
    const failed = await shown("shaky");
    expect(failed).toMatchObject({ lastError: "the disk is full", holder: null, due: false });
    expect(failed.nextAt.getTime()).toBeGreaterThan(failed.endedAt?.getTime() ?? Number.POSITIVE_INFINITY);
    expect(errors).toEqual(["shaky: the disk is full\nat line 3"]);
    fails = false;
    await (await s.runNow(operator, "shaky")).ended;
    expect(await shown("shaky")).toMatchObject({ failures: 0, lastError: null });
  });

  it("that want to run again soon do so before their interval is over", async () => {
    const wanted = [0, 20, null];
    let runs = 0;
    const s = make([{ name: "hungry", everyMs: aYearMs, work: async () => wanted[runs++] ?? null }]);
    await s.start();
    await until("three runs", () => runs === 3);
  });

  it("run now on demand, unless they run already or nobody may ask", async () => {
    const gate = Promise.withResolvers<void>();
    let runs = 0;
    const s = make([
      job("asked", () => {
        runs++;
        return gate.promise;
      }),
    ]);
    await s.start();
    await until("the first run", () => runs === 1);
    await expect(s.runNow(operator, "asked")).rejects.toMatchObject({ code: "JOB_RUNNING" });
    await expect(make([job("asked", () => {})]).runNow(operator, "asked")).rejects.toMatchObject({
      code: "JOB_RUNNING",
    });
    gate.resolve();
    await until("its end", async () => (await shown("asked")).holder === null);
    await (await s.runNow(operator, "asked")).ended;
    expect(runs).toBe(2);
    await expect(s.runNow(operator, "unknown")).rejects.toMatchObject({ code: "JOB_NOT_FOUND" });
    const nobody = { ...operator, permissions: new Set() } as unknown as Caller; // see above
    await expect(s.runNow(nobody, "asked")).rejects.toMatchObject({ code: "AUTH_FORBIDDEN" });
    await expect(s.list(nobody)).rejects.toMatchObject({ code: "AUTH_FORBIDDEN" });
  });

  it("[J6] are taken up again by their own process when the report of their end was lost", async () => {
    let lose = true;
    const losing: Database = {
      ...db(),
      system: {
        tx: db().system.tx,
        query: <Row>(statement: Sql): Promise<Row[]> => {
          const isEnd = statement.text.includes("/* jobs.end */") && statement.values.includes("lossy");
          if (!lose || !isEnd) return db().system.query<Row>(statement);
          lose = false;
          return Promise.reject(new Error("connection lost"));
        },
      },
    };
    let runs = 0;
    const s = make([job("lossy", () => runs++), job("fast", () => {}, 100)], { db: losing });
    await s.start();
    await until("the second run", () => runs === 2);
    await until("its end", async () => (await shown("lossy")).holder === null);
    expect(errors).toEqual(["end of lossy: connection lost"]);
  });

  it("cost a process at rest one statement for each time that something is due", async () => {
    let sent = 0;
    const counted: Database = {
      ...db(),
      system: {
        tx: db().system.tx,
        query: <Row>(statement: Sql): Promise<Row[]> => {
          if (!statement.text.includes("/* jobs.list */")) sent++;
          return db().system.query<Row>(statement);
        },
      },
    };
    let runs = 0;
    const worker = make([job("a", () => runs++, 200), job("b", () => {}), job("c", () => {})]);
    const idle = make([job("b", () => {}), job("c", () => {})], { db: counted });
    await worker.start();
    await until("the first runs", async () => runs === 1 && (await shown("c")).endedAt !== null);
    await idle.start();
    await until("more ticks", () => runs >= 6);
    expect(sent).toBe(2); // it registered, and looked once
  });
});
