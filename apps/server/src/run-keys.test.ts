/** Runs that exclude each other by a concurrency key, whoever starts, ends, aborts or forgets them. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { createInvariantSweep } from "#orchestrate/engine";
import type { Caller } from "#platform/access";
import { sql } from "#platform/db";
import { isOarsError, newId } from "#platform/kernel";
import { drivers, openTestDatabase, type TestDatabase } from "#testing";
import { startWorker, type TestWorker } from "./testing/app.ts";
import { brokenInvariants } from "./testing/invariants.ts";
import { createGate, startReceiver } from "./testing/receiver.ts";
import { openStage, type Stage } from "./testing/stage.ts";
import { until } from "./testing/until.ts";

/** A flow under the key `params.k` that sends `params.n` to the receiver. */
const keyed = (name: string, mode: string, limit = 1): string => `
flow: ${name}
version: 1.0.0
params: { k: { type: string, default: one }, n: { type: integer, default: 0 } }
concurrency: { key: "{{ params.k }}", limit: ${limit}, mode: ${mode} }
steps:
  ship: { use: http.request, with: { connection: wms, method: POST, path: /orders, body: { n: "{{ params.n }}" } } }
`;

describe.each(drivers)("runs under a key on %s", (driver) => {
  let stage: Stage;
  beforeAll(async () => {
    stage = await openStage(driver);
  });
  afterEach(async () => {
    await until(
      "an empty outbox",
      async () => (await stage.opened.database.system.query(sql`select 1 from outbox limit 1`)).length === 0,
    );
    expect(await brokenInvariants(stage.opened.database)).toEqual({});
    stage.receiver.received.length = 0;
  });
  afterAll(() => stage.close());

  const start = async (
    flow: string,
    params: Record<string, unknown> = {},
    more: { key?: string; priority?: number; caller?: Caller } = {},
  ) =>
    (
      await stage.app.runs.start(more.caller ?? stage.admin, {
        flow,
        params,
        ...(more.key ? { idempotencyKey: more.key } : {}),
        ...(more.priority ? { priority: more.priority } : {}),
      })
    ).id;
  const statusOf = async (id: string) => (await stage.app.runs.find(stage.admin, id)).status;
  const publish = (source: string) => stage.app.flows.publish(stage.admin, source);
  /** Each request is answered in a later turn; says how many were under way at most. */
  const countBusy = (): { most: () => number } => {
    let most = 0;
    stage.receiver.answer(async () => {
      most = Math.max(most, stage.receiver.busy());
      await new Promise(setImmediate);
      return { status: 201 };
    });
    return { most: () => most };
  };
  /** Requests are answered once the gate is open. */
  const hold = () => {
    const gate = createGate();
    stage.receiver.answer(async () => {
      await gate.opened;
      return { status: 201 };
    });
    return gate;
  };

  it("[K1] [K2] fifty starts at once go one after the other, each of them to its end", async () => {
    await publish(keyed("serial", "queue"));
    const busy = countBusy();
    const ids = await Promise.all(Array.from({ length: 50 }, (_, n) => start("serial", { n })));
    for (const id of ids) await stage.reach(id, "completed");
    expect(busy.most()).toBe(1);
    expect(stage.receiver.received).toHaveLength(50);
  });

  it("[K1] as many go at once as the limit says, and no more", async () => {
    await publish(keyed("three", "queue", 3));
    const gate = hold();
    const ids = await Promise.all(Array.from({ length: 12 }, (_, n) => start("three", { n })));
    await until("three of them", () => stage.receiver.busy() === 3);
    expect((await Promise.all(ids.map(statusOf))).filter((s) => s === "running")).toHaveLength(3);
    gate.open();
    const busy = countBusy();
    for (const id of ids) await stage.reach(id, "completed");
    expect(busy.most()).toBeLessThanOrEqual(3);
  });

  it("[K1] other keys, other flows and other tenants do not wait", async () => {
    await publish(keyed("apart", "queue"));
    await publish(keyed("beside", "queue"));
    const made = await stage.app.access.createTenant(stage.admin, `Other ${driver}`);
    const caller = await stage.app.access.authenticate(`Bearer ${made.apiKey}`);
    await stage.app.flows.publish(
      caller,
      keyed("apart", "queue").replace(
        'http.request, with: { connection: wms, method: POST, path: /orders, body: { n: "{{ params.n }}" } }',
        "noop",
      ),
    );
    const gate = hold();
    const first = await start("apart", { k: "a" });
    const others = [await start("apart", { k: "b" }), await start("beside", { k: "a" })];
    await until("all three", () => stage.receiver.busy() === 3);
    const foreign = await start("apart", { k: "a" }, { caller });
    await until(
      "the other tenant's",
      async () => (await stage.app.runs.find(caller, foreign)).status === "completed",
    );
    gate.open();
    for (const id of [first, ...others]) await stage.reach(id, "completed");
  });

  it("[K2] who waits is let in by priority and then by age", async () => {
    await publish(keyed("ordered", "queue"));
    const gate = hold();
    const ids = [await start("ordered", { n: 1 })];
    await until("the first", () => stage.receiver.busy() === 1);
    ids.push(await start("ordered", { n: 2 }), await start("ordered", { n: 3 }));
    ids.push(await start("ordered", { n: 4 }, { priority: 10 }));
    expect(await Promise.all(ids.map(statusOf))).toEqual(["running", "queued", "queued", "queued"]);
    gate.open();
    for (const id of ids) await stage.reach(id, "completed");
    expect(stage.receiver.received.map((r) => (r.body as { n: number }).n)).toEqual([1, 4, 2, 3]);
  });

  it("[K3] of twenty starts at once one is let in, and the others are told who has the key and leave nothing", async () => {
    await publish(keyed("single", "reject"));
    const gate = hold();
    const starts = await Promise.allSettled(Array.from({ length: 20 }, (_, n) => start("single", { n })));
    const begun = starts.flatMap((s) => (s.status === "fulfilled" ? [s.value] : []));
    const refused = starts.flatMap((s) => (s.status === "rejected" ? [s.reason as Error] : []));
    expect(begun).toHaveLength(1);
    for (const error of refused) {
      expect(isOarsError(error) && error.code).toBe("RUN_CONCURRENCY_REJECTED");
      expect(error.message).toMatch(/run_[0-9a-z]{26} has it/);
    }
    expect(await stage.app.runs.list(stage.admin, { flow: "single", limit: 50 })).toHaveLength(1);
    gate.open();
    await stage.reach(begun[0] ?? "", "completed");
    await stage.reach(await start("single"), "completed");
  });

  it("[K5] a repeated start is answered with the first one, whatever the mode", async () => {
    await publish(keyed("repeated", "reject"));
    await publish(keyed("replaced", "cancel-oldest"));
    const gate = hold();
    for (const flow of ["repeated", "replaced"]) {
      const ids = await Promise.all(
        Array.from({ length: 5 }, () => start(flow, { k: flow }, { key: `same-${flow}` })),
      );
      expect(new Set(ids).size).toBe(1);
      expect(await start(flow, { k: flow }, { key: `same-${flow}` })).toBe(ids[0]);
    }
    gate.open();
    await until("both", () => stage.receiver.received.length === 2);
  });

  it("[K4] of twenty starts at once the last one stays, and the others end superseded, calls broken off", async () => {
    await publish(keyed("newest", "cancel-oldest"));
    const gate = hold();
    const old = await start("newest", { n: -1 });
    await until("the first", () => stage.receiver.busy() === 1);
    const ids = await Promise.all(Array.from({ length: 20 }, (_, n) => start("newest", { n })));
    await until("its end", async () => (await statusOf(old)) === "aborted");
    const left = await until("one that is left", async () => {
      const runs = await Promise.all(ids.map((id) => stage.app.runs.find(stage.admin, id)));
      const live = runs.filter((r) => r.status !== "aborted");
      for (const run of runs)
        if (run.status === "aborted") expect(run.error).toMatchObject({ code: "RUN_SUPERSEDED" });
      return live.length === 1 && live[0];
    });
    gate.open();
    await stage.reach(left.id, "completed");
  });

  it("[K1] one that waits keeps its key; its abort lets the next in at once", async () => {
    await publish(
      keyed("waiting", "queue").replace(
        /steps:[\s\S]*/,
        "steps: { nap: { use: wait, with: { for: 1h } } }\n",
      ),
    );
    const first = await start("waiting");
    await stage.reach(first, "waiting");
    const second = await start("waiting");
    expect(await statusOf(second)).toBe("queued");
    await stage.app.runs.abort(stage.admin, first, "no more");
    await stage.reach(second, "waiting");
    await stage.app.runs.abort(stage.admin, second, "no more");
  });

  it("[K2] a key whose holder ended without anybody being told is found by the sweep", async () => {
    await publish(keyed("forgotten", "queue"));
    await publish(
      keyed("holding", "queue").replace(
        /steps:[\s\S]*/,
        "steps: { nap: { use: wait, with: { for: 1h } } }\n",
      ),
    );
    const first = await start("holding");
    await stage.reach(first, "waiting");
    const next = [await start("holding"), await start("holding")];
    const db = stage.opened.database;
    await db.system.query(sql`update wait set status = 'cancelled' where run_id = ${first}`);
    await db.system.query(
      sql`update run set status = 'completed', ended_at = now(), last_seq = 1 where id = ${first}`,
    );
    const found: string[] = [];
    const sweep = createInvariantSweep({
      db,
      outbox: stage.app.outbox,
      onViolation: (v) => found.push(v.invariant),
      onWoken: () => stage.app.outbox.wake(),
      onError: (error) => {
        throw error;
      },
      pauseMs: 0,
    });
    expect(await sweep()).toBe(1);
    expect(found).toEqual(["blocked_without_holder"]);
    await stage.reach(next[0] ?? "", "waiting");
    expect(await statusOf(next[1] ?? "")).toBe("queued");
    for (const id of [...next].reverse()) await stage.app.runs.abort(stage.admin, id, "enough");
  });

  it("[K1] sub-runs wait for the key too, in whatever mode", async () => {
    await publish(keyed("inner", "reject"));
    await publish(`
flow: outer
version: 1.0.0
steps:
  all: { use: flow, forEach: { items: "{{ [1..6] }}", concurrency: 6 }, with: { flow: inner, params: { n: "{{ item }}" } } }
`);
    const busy = countBusy();
    await stage.reach(await start("outer"), "completed");
    expect(busy.most()).toBe(1);
    expect(stage.receiver.received).toHaveLength(6);
  });

  it("takes keys of any length and kind as they are, and tells one from another", async () => {
    await publish(keyed("long", "reject"));
    const gate = hold();
    const long = "x".repeat(50_000);
    const first = await start("long", { k: `${long}1` });
    const second = await start("long", { k: `${long}2` });
    await expect(start("long", { k: `${long}1` })).rejects.toMatchObject({
      code: "RUN_CONCURRENCY_REJECTED",
    });
    await start("long", { k: "'; drop table run; -- \n é 🚚" });
    gate.open();
    for (const id of [first, second]) await stage.reach(id, "completed");
  });
});

describe("runs under a key on two workers", () => {
  let opened: TestDatabase;
  const workers: TestWorker[] = [];
  afterAll(async () => {
    for (const worker of workers) await worker.stop();
    await opened.close();
  });

  it("[K1] go one after the other, wherever they were started and wherever they run", async () => {
    opened = await openTestDatabase("postgres");
    const receiver = await startReceiver();
    const first = await startWorker(opened);
    const second = await startWorker(opened);
    workers.push(first, second);
    const tenant = await first.app.access.bootstrap("Keyed");
    const admin = await first.app.access.authenticate(`Bearer ${tenant.created ? tenant.apiKey : ""}`);
    const config = { baseUrl: receiver.url, idempotencyHeader: "Idempotency-Key" };
    await first.app.connectors.put(admin, { name: "wms", connector: "http", config, environment: "test" });
    const policy = await first.app.policy.createVersion(admin, {
      cedar: '@id("all") permit (principal, action, resource);',
    });
    await first.app.policy.publish(admin, policy.id);
    await first.app.flows.publish(admin, keyed("shared", "queue"));
    await first.app.start();
    await second.app.start();
    let most = 0;
    receiver.answer(async () => {
      most = Math.max(most, receiver.busy());
      await new Promise(setImmediate);
      return { status: 201 };
    });
    await Promise.all(
      Array.from({ length: 50 }, (_, n) =>
        (n % 2 === 0 ? first : second).app.runs.start(admin, {
          flow: "shared",
          params: { n },
          idempotencyKey: newId(),
        }),
      ),
    );
    await until("all", async () => {
      const [row] = await opened.database.system.query<{ n: number }>(
        sql`select count(*)::int4 as n from run where status <> 'completed'`,
      );
      return row?.n === 0;
    });
    expect(most).toBe(1);
    expect(receiver.received).toHaveLength(50);
    await receiver.close();
  });
});
