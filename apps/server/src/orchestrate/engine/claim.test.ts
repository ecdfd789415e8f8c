/** Claims over rows alone: whose runs they take, and what caps leave. */
import { beforeEach, describe, expect, it } from "vitest";
import { type Database, openPostgres, overDriver, sql } from "#platform/db";
import { newId } from "#platform/kernel";
import { drivers, openTestDatabase, useDatabase } from "#testing";
import { Claimer } from "./claim.ts";
import { plantRuns, tenantNo } from "./sample-runs.ts";
import type { ClaimedRun } from "./store.ts";

const claimerOn = (db: Database, maxRunning: number | null = null): Claimer =>
  new Claimer({ db, workerId: newId(), maxRunning, random: () => 0.5 });

const countsOf = (runs: readonly ClaimedRun[]): Record<string, number> =>
  Object.fromEntries([...Map.groupBy(runs, (r) => r.tenantId)].map(([id, list]) => [id, list.length]));

const share = (
  db: Database,
  tenant: number,
  weight: number,
  maxRunning: number | null = null,
): Promise<unknown> =>
  db.system.query(sql`insert into run_share (tenant_id, weight, max_running)
    values (${tenantNo(tenant)}, ${weight}, ${maxRunning})`);

const finish = (db: Database, ids: readonly string[]): Promise<unknown> =>
  db.system.query(
    sql`update run set status = 'completed', lease_worker = null, ended_at = now() where id = any(${ids}::uuid[])`,
  );

describe.each(drivers)("a claim on %s", (driver) => {
  const db = useDatabase(driver);
  beforeEach(async () => {
    await db().system.query(sql`delete from run`);
    await db().system.query(sql`delete from run_share`);
  });

  it("[F1] gives ten tenants with one run each their turn before the flood of one that was first", async () => {
    await plantRuns(db(), { tenants: [1, 1], each: 500 });
    const claimer = claimerOn(db());
    expect(await claimer.claim(50)).toHaveLength(50);
    await plantRuns(db(), { tenants: [2, 11], each: 1 });
    claimer.news();
    const next = countsOf(await claimer.claim(10));
    expect(Object.keys(next)).toHaveLength(10);
    expect(next[tenantNo(1)]).toBeUndefined();
  });

  it("[F1] gives three times as much to a weight of three, over many small claims", async () => {
    await plantRuns(db(), { tenants: [1, 2], each: 200 });
    await share(db(), 1, 3);
    const claimer = claimerOn(db());
    const all: ClaimedRun[] = [];
    for (let i = 0; i < 20; i++) all.push(...(await claimer.claim(5)));
    const counts = countsOf(all);
    expect(counts[tenantNo(1)]).toBeGreaterThanOrEqual(74);
    expect(counts[tenantNo(1)]).toBeLessThanOrEqual(76);
  });

  it("[F3] takes the higher priority of a tenant first, and never before another tenant's turn", async () => {
    await plantRuns(db(), { tenants: [1, 1], each: 10, priority: 100 });
    await plantRuns(db(), { tenants: [1, 2], each: 10, priority: 0 });
    const runs = await claimerOn(db()).claim(10);
    expect(countsOf(runs)).toEqual({ [tenantNo(1)]: 5, [tenantNo(2)]: 5 });
    expect(runs.filter((r) => r.tenantId === tenantNo(1)).map((r) => r.priority)).toEqual([
      100, 100, 100, 100, 100,
    ]);
  });

  it("takes no more than it is asked for, none that is blocked and none before its time", async () => {
    await plantRuns(db(), { tenants: [1, 1], each: 30 });
    await plantRuns(db(), { tenants: [1, 1], each: 5, key: "k", blocked: true, priority: 50 });
    await db().system.query(sql`update run set available_at = now() + interval '1 hour'
      where id in (select id from run where not blocked limit 10)`);
    const claimer = claimerOn(db());
    expect(await claimer.claim(7)).toHaveLength(7);
    const rest = [...(await claimer.claim(100)), ...(await claimer.claim(100))];
    expect(rest).toHaveLength(13);
    expect(rest.every((r) => r.concurrencyKey === null)).toBe(true);
    expect(claimer.more).toBe(false);
  });

  it("[F4] passes over a flow that may begin no further run, and takes what else its tenant has", async () => {
    await plantRuns(db(), { tenants: [1, 1], each: 300, flow: "narrow", flowMax: 3, priority: 50 });
    await plantRuns(db(), { tenants: [1, 1], each: 4, flow: "other", flowMax: 10 });
    await plantRuns(db(), { tenants: [1, 1], each: 5, flow: "free" });
    const claimer = claimerOn(db());
    const runs = await claimer.claim(100);
    expect(
      Object.fromEntries([...Map.groupBy(runs, (r) => r.flowName)].map(([f, l]) => [f, l.length])),
    ).toEqual({
      narrow: 3,
      other: 4,
      free: 5,
    });
    expect(await claimer.claim(100)).toEqual([]);
    expect(claimer.nextLookMs).toBeGreaterThan(0); // it waits for room, and is not asked for ever
    await finish(db(), [runs.find((r) => r.flowName === "narrow")?.id ?? ""]);
    expect(claimer.left(tenantNo(1))).toBe(true);
    expect((await claimer.claim(100)).map((r) => r.flowName)).toEqual(["narrow"]);
  });

  it("[F4] begins the oldest of a flow first, also where a later version allows more", async () => {
    await plantRuns(db(), { tenants: [1, 1], each: 1, flow: "f", flowMax: 1, priority: 1 });
    await plantRuns(db(), { tenants: [1, 1], each: 5, flow: "f", flowMax: 3 });
    const claimer = claimerOn(db());
    const first = await claimer.claim(10);
    expect(first).toHaveLength(1);
    await finish(db(), [first[0]?.id ?? ""]);
    claimer.left(tenantNo(1));
    expect(await claimer.claim(10)).toHaveLength(3);
  });

  it("[F4] keeps a tenant's cap, which may come while its runs are queued", async () => {
    await plantRuns(db(), { tenants: [1, 2], each: 20 });
    const claimer = claimerOn(db());
    expect(countsOf(await claimer.claim(4))).toEqual({ [tenantNo(1)]: 2, [tenantNo(2)]: 2 });
    await share(db(), 1, 1, 5); // the claimer does not know of it yet
    for (let i = 0; i < 5; i++) await claimer.claim(10);
    const [row] = await db().system.query<{ n: number }>(
      sql`select count(*)::int4 as n from run where status = 'running' and tenant_id = ${tenantNo(1)}`,
    );
    expect(row?.n).toBeLessThanOrEqual(5);
    claimer.news();
    claimer.left(tenantNo(1));
    await claimer.claim(10);
    expect(countsOf(await runningOf(db()))).toEqual({ [tenantNo(1)]: 5, [tenantNo(2)]: 20 });
  });

  it.each([null, 100])(
    "[F4] keeps the cap of a tenant that was only named to have work, with %s over all",
    async (most) => {
      const claimer = claimerOn(db(), most);
      expect(await claimer.claim(10)).toEqual([]);
      await share(db(), 1, 1, 3);
      await plantRuns(db(), { tenants: [1, 2], each: 20 });
      for (const tenant of [1, 2]) claimer.news(tenantNo(tenant));
      for (let i = 0; i < 6; i++) await claimer.claim(10);
      expect(countsOf(await runningOf(db()))).toEqual({ [tenantNo(1)]: 3, [tenantNo(2)]: 20 });
    },
  );

  it("finds runs of a tenant that is named while a claim is under way", async () => {
    await plantRuns(db(), { tenants: [1, 1], each: 2 });
    await plantRuns(db(), { tenants: [2, 2], each: 50 });
    const late: Database = {
      ...db(),
      system: {
        ...db().system,
        query: async (statement) => {
          const rows = await db().system.query(statement);
          if (statement.text.includes("engine.claimOpen")) {
            await plantRuns(db(), { tenants: [1, 1], each: 1 }); // the statement has not seen it
            claimer.news(tenantNo(1));
          }
          return rows as never;
        },
      },
    };
    const claimer = claimerOn(late);
    expect(countsOf(await claimer.claim(10))[tenantNo(1)]).toBe(2);
    expect(countsOf(await claimer.claim(10))[tenantNo(1)]).toBe(1);
  });

  it("[F4] shares the room under the cap over all tenants fairly, and waits at it", async () => {
    await plantRuns(db(), { tenants: [1, 1], each: 100 });
    await plantRuns(db(), { tenants: [2, 3], each: 2 });
    const claimer = claimerOn(db(), 6);
    expect(countsOf(await claimer.claim(50))).toEqual({
      [tenantNo(1)]: 2,
      [tenantNo(2)]: 2,
      [tenantNo(3)]: 2,
    });
    expect(await claimer.claim(50)).toEqual([]);
    expect(claimer.more).toBe(false);
    const [one] = await runningOf(db());
    await finish(db(), [one?.id ?? ""]);
    expect(claimer.left(one?.tenantId ?? "")).toBe(true);
    expect(await claimer.claim(50)).toHaveLength(1);
  });
});

const runningOf = (db: Database): Promise<ClaimedRun[]> =>
  db.system.query<ClaimedRun>(sql`select tenant_id as "tenantId", id from run where status = 'running'`);

describe("several claimers on one database", () => {
  it("[F4] never exceed a cap, of all, of a tenant or of a flow, whoever ends what meanwhile", async () => {
    const opened = await openTestDatabase("postgres");
    const db = opened.database;
    const others = await Promise.all(
      [1, 2].map(async () => overDriver(await openPostgres({ url: opened.url ?? "", poolSize: 2 }))),
    );
    await share(db, 1, 1, 7);
    await plantRuns(db, { tenants: [1, 3], each: 120 });
    await plantRuns(db, { tenants: [2, 2], each: 120, flow: "narrow", flowMax: 2 });
    const claimers = [db, ...others].map((d) => claimerOn(d, 15));
    let most = { all: 0, tenant: 0, flow: 0 };
    let begun = 0;
    for (let round = 0; round < 40; round++) {
      const claims = claimers.map((c) => {
        c.left(tenantNo(1));
        c.left(tenantNo(2));
        c.news();
        return c.claim(1 + (round % 9));
      });
      const ended = runningOf(db).then((rows) =>
        finish(
          db,
          rows.filter((_, i) => i % 3 === round % 3).map((r) => r.id),
        ),
      );
      for (const runs of await Promise.all(claims)) begun += runs.length;
      await ended;
      const [now] = await db.system.query<{ all: number; tenant: number; flow: number }>(sql`
        select count(*)::int4 as all, (count(*) filter (where tenant_id = ${tenantNo(1)}))::int4 as tenant,
          (count(*) filter (where flow_name = 'narrow'))::int4 as flow from run where status = 'running'`);
      if (!now) throw new Error("no count");
      most = {
        all: Math.max(most.all, now.all),
        tenant: Math.max(most.tenant, now.tenant),
        flow: Math.max(most.flow, now.flow),
      };
    }
    await Promise.all(others.map((d) => d.close()));
    await opened.close();
    expect(most.all).toBeLessThanOrEqual(15);
    expect(most.tenant).toBeLessThanOrEqual(7);
    expect(most.flow).toBeLessThanOrEqual(2);
    expect(begun).toBeGreaterThan(60); // they were not idle
    expect(most.all).toBeGreaterThan(10);
  });

  it("[F1] take each run once, and give each tenant its share together", async () => {
    const opened = await openTestDatabase("postgres");
    const other = overDriver(await openPostgres({ url: opened.url ?? "", poolSize: 2 }));
    await plantRuns(opened.database, { tenants: [1, 4], each: 200 });
    const claimers = [claimerOn(opened.database), claimerOn(other)];
    const all: ClaimedRun[] = [];
    for (let i = 0; i < 20; i++)
      for (const runs of await Promise.all(claimers.map((c) => c.claim(8)))) all.push(...runs);
    await other.close();
    await opened.close();
    expect(new Set(all.map((r) => r.id)).size).toBe(all.length);
    for (const n of Object.values(countsOf(all)))
      expect(Math.abs(n - all.length / 4)).toBeLessThanOrEqual(12);
    expect(all.length).toBeGreaterThan(200);
  });
});
