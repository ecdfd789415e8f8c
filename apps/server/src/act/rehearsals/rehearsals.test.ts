import { describe, expect, it } from "vitest";
import { type Database, sql } from "#platform/db";
import { newId } from "#platform/kernel";
import { drivers, useDatabase } from "#testing";
import { createTally } from "./domain.ts";
import { workOnReplay } from "./replay.ts";
import * as store from "./store.ts";

describe("a tally", () => {
  const change = (n: number) => ({
    actionId: `act_${n}`,
    principalId: n % 3 === 0 ? "prn_often" : `prn_${n}`,
    tool: "a/b",
    before: { effect: "allow" as const, reasons: ["p"] },
    after: { effect: "deny" as const, reasons: ["limit"] },
  });

  it("counts every way from one effect to another, and names who stands behind most changes", () => {
    const tally = createTally();
    for (let n = 0; n < 60; n++) tally.add(change(n));
    tally.add({ ...change(61), after: { effect: "allow", reasons: ["p"] } });
    tally.unread();
    const report = tally.report();
    expect(report).toMatchObject({
      population: 61,
      unreadable: 1,
      changed: 60,
      matrix: { allow: { deny: 60, allow: 1 } },
    });
    expect(report.movers.principals[0]).toEqual({ name: "prn_often", changed: 20 });
    expect(report.movers.principals).toHaveLength(10);
    expect(report.movers.policies).toEqual([
      { name: "limit", changed: 60 },
      { name: "p", changed: 60 },
    ]);
    expect(report.examples).toHaveLength(20);
  });
});

describe.each(drivers)("a replay on %s", (driver) => {
  const db = useDatabase(driver);
  const tenantId = newId();
  const made = () =>
    db().tx(tenantId, (tx) =>
      store.insertReplay(tx, {
        tenantId,
        id: newId(),
        policyId: newId(),
        againstId: null,
        days: null,
        most: 10,
        createdBy: newId(),
      }),
    );
  const claim = (leftAfterMs = 60_000) => db().system.tx((tx) => store.claimReplay(tx, leftAfterMs));
  const end = (database: Database, replay: store.ClaimedReplay) =>
    database.tx(tenantId, (tx) => store.endReplay(tx, replay, { report: createTally().report() }));

  it("[Y2] is worked on by one process, and what an overtaken one finds out is not kept", async () => {
    const { id } = await made();
    const [first, second] = await Promise.all([claim(), claim()]);
    const mine = first ?? second;
    expect([first, second].filter((one) => one !== undefined)).toHaveLength(1);
    if (mine === undefined) throw new Error("nobody has it");
    await db().system.query(
      sql`update policy_replay set touched_at = now() - interval '2 minutes' where id = ${id}::uuid`,
    );
    const heir = await claim();
    expect(heir).toMatchObject({ id, claim: 2 });
    expect(await db().tx(tenantId, (tx) => store.touchReplay(tx, mine, 5))).toBe(false);
    expect(await end(db(), mine)).toBe(false);
    expect(heir && (await end(db(), heir))).toBe(true);
    expect(heir && (await end(db(), heir)), "[Y1] an end is an end").toBe(false);
    expect(await db().read(tenantId, (reader) => store.findReplay(reader, tenantId, id))).toMatchObject({
      state: "completed",
    });
    expect(await claim()).toBeUndefined();
  });

  it("that fails says so, and stays failed", async () => {
    const { id } = await made();
    const told: unknown[] = [];
    const deps = {
      db: db(),
      vault: { open: () => Promise.reject(new Error("no")) },
      policy: {
        judge: () => Promise.reject(new Error("broken")),
        versionFor: () => Promise.reject(new Error("the version is gone")),
      },
      receipts: { add: async () => undefined },
      whoIs: () => Promise.reject(new Error("nobody")),
      onError: (error: unknown) => told.push(error),
    };
    expect(await workOnReplay(deps, new AbortController().signal)).toBe(true);
    expect(told).toHaveLength(1);
    const found = await db().read(tenantId, (reader) => store.findReplay(reader, tenantId, id));
    expect(found).toMatchObject({
      state: "failed",
      report: null,
      error: expect.stringContaining("log of the server"),
    });
    expect(await workOnReplay(deps, new AbortController().signal)).toBe(false);
  });
});
