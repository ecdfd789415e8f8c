/** Several workers on one PostgreSQL database: they share the work, and take over from those that fall silent. */
import { afterEach, describe, expect, it } from "vitest";
import type { Caller } from "#platform/access";
import { type Database, sql } from "#platform/db";
import { openTestDatabase, type TestDatabase } from "#testing";
import { startWorker, type TestWorker } from "./testing/app.ts";
import { brokenInvariants } from "./testing/invariants.ts";
import { createGate, type Receiver, startReceiver } from "./testing/receiver.ts";
import { until } from "./testing/until.ts";

const flow = `
flow: shared
version: 1.0.0
params: { n: { type: integer } }
steps:
  a: { use: noop, durable: true }
  b: { use: noop, needs: [a] }
  ship:
    use: http.request
    needs: [b]
    with: { connection: wms, method: POST, path: /orders, body: { n: "{{ params.n }}" } }
  c: { use: noop, needs: [ship], durable: true }
  d: { use: noop, needs: [c] }
`;

const bare = `
flow: bare
version: 1.0.0
params: { n: { type: integer } }
steps:
  ship: { use: http.request, with: { connection: wms, method: POST, path: /orders, body: { n: "{{ params.n }}" } } }
`;

describe("two workers on one database", () => {
  let opened: TestDatabase;
  let receiver: Receiver;
  let admin: Caller;
  const workers: TestWorker[] = [];

  /** Two workers, of which each counts the runs that it brought to their end. */
  const open = async (
    env: Record<string, string>,
    wrap: (db: Database, first: () => string) => Database = (db) => db,
  ): Promise<[TestWorker, TestWorker, number[]]> => {
    opened = await openTestDatabase("postgres");
    receiver = await startReceiver();
    const finished = [0, 0];
    const counting =
      (which: number) =>
      (db: Database): Database => ({
        ...db,
        committer: {
          commit: async (set) => {
            const result = await db.committer.commit(set);
            const ends = [...set.rows.keys()].some((write) => write.name === "engine.finishRun");
            if (ends && result.ok) finished[which] = (finished[which] ?? 0) + 1;
            return result;
          },
        },
      });
    const first = await startWorker(opened, { env, wrap: counting(0) });
    const second = await startWorker(opened, { env, wrap: (db) => counting(1)(wrap(db, () => first.id)) });
    workers.push(first, second);
    const tenant = await first.app.access.bootstrap("Shared");
    admin = await first.app.access.authenticate(`Bearer ${tenant.created ? tenant.apiKey : ""}`);
    const config = { baseUrl: receiver.url, idempotencyHeader: "Idempotency-Key" };
    await first.app.connectors.put(admin, { name: "wms", connector: "http", config, environment: "test" });
    const policy = await first.app.policy.createVersion(admin, {
      cedar: '@id("all")\npermit (principal, action, resource);',
    });
    await first.app.policy.publish(admin, policy.id);
    await first.app.flows.publish(admin, flow);
    await first.app.start();
    await second.app.start();
    return [first, second, finished];
  };
  afterEach(async () => {
    for (const worker of workers.splice(0)) await worker.stop();
    await receiver.close();
    await opened.close();
  });
  const start = (worker: TestWorker, n: number) =>
    worker.app.runs.start(admin, { flow: "shared", params: { n } });
  const left = async (): Promise<number> => {
    const [row] = await opened.database.system.query<{ n: number }>(
      sql`select count(*)::int4 as n from run where status <> 'completed'`,
    );
    return row?.n ?? -1;
  };

  const settled = async (): Promise<void> => {
    const events = sql`select 1 from outbox limit 1`;
    await until("an empty outbox", async () => (await opened.database.system.query(events)).length === 0);
    expect(await brokenInvariants(opened.database)).toEqual({});
  };

  it("[R2] execute each of 200 runs once, both of them, and send each effect once", async () => {
    const [first, second, finished] = await open({ OARS_MAX_CONCURRENCY: "16" });
    await Promise.all(Array.from({ length: 200 }, (_, n) => start(n % 4 === 0 ? second : first, n)));
    await until("all runs", async () => (await left()) === 0);
    expect(receiver.received.map((r) => (r.body as { n: number }).n).sort((x, y) => x - y)).toEqual(
      Array.from({ length: 200 }, (_, n) => n),
    );
    expect(new Set(receiver.received.map((r) => r.key)).size).toBe(200);
    expect((finished[0] ?? 0) + (finished[1] ?? 0)).toBe(200);
    expect(Math.min(...finished)).toBeGreaterThan(20);
    // a start that finds others of its tenant queued is queued behind them
    expect([...first.refused, ...second.refused].filter((guard) => guard !== "engine.insertRun")).toEqual([]);
    await settled();
  });

  it("[R2] [X3] take over all that a silent one had; what that one still does changes nothing", async () => {
    const [paused, taker] = await open({ OARS_WORKER_DEAD_AFTER_MS: "600" });
    const held = createGate();
    const seen = new Map<string, number>();
    receiver.answer(async ({ key }) => {
      const times = (seen.get(key) ?? 0) + 1;
      seen.set(key, times);
      if (times === 1) await held.opened; // the one that fell silent hears nothing for long
      return { status: 201, body: { times } };
    });
    await Promise.all(Array.from({ length: 40 }, (_, n) => start(paused, n)));
    await until("all requests", () => receiver.busy() === 40);
    paused.silence();
    await until("the other's work", async () => (await left()) === 0);
    expect([...seen.values()]).toEqual(Array.from({ length: 40 }, () => 2));
    const bodies = Map.groupBy(receiver.received, (r) => r.key);
    for (const sent of bodies.values()) expect(sent[0]?.body).toEqual(sent[1]?.body);

    const all = async () => [
      await opened.database.system.query(sql`select * from run order by id`),
      await opened.database.system.query(sql`select * from journal order by run_id, seq`),
      await opened.database.system.query(sql`select * from action order by id`),
      await opened.database.system.query(sql`select id, jws from receipt order by id`),
    ];
    const before = await all();
    held.open();
    await until("the silent one's end", () => paused.app.engine.inHand() === 0);
    expect(paused.refused.length).toBeGreaterThanOrEqual(40);
    expect(await all()).toEqual(before);
    expect(new Set(taker.refused)).toEqual(new Set(["actions.reserveAction"])); // they were proposed before
    await settled();
  });

  it("[R2] an effect that is begun after the lease went to another is refused before anything leaves", async () => {
    let robbed = false;
    const [robber, victim] = await open({}, (db, thief) => ({
      ...db,
      committer: {
        commit: async (set) => {
          const proposes = [...set.rows.keys()].some((write) => write.name === "actions.insertAction");
          if (proposes && !robbed) {
            robbed = true;
            await db.system.query(sql`update run set lease_epoch = lease_epoch + 1, lease_worker = ${thief()}
              where status = 'running'`);
          }
          return db.committer.commit(set);
        },
      },
    }));
    await victim.app.flows.publish(admin, bare);
    const run = await victim.app.runs.start(admin, { flow: "bare", params: { n: 1 } });
    await until("the refusal", () => victim.refused.includes("engine.holdRun"));
    expect(receiver.received).toEqual([]);
    await robber.app.engine.sweep(); // it holds a run that it knows nothing of
    expect(await robber.app.engine.sweep()).toBe(1);
    await until("the run", async () => (await left()) === 0);
    expect(receiver.received).toHaveLength(1);
    expect((await robber.app.runs.find(admin, run.id)).status).toBe("completed");
    await settled();
  });
});
