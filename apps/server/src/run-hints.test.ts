/** What one process cannot take another hears of; and without a hint it is found all the same. */
import { afterEach, describe, expect, it } from "vitest";
import type { Caller } from "#platform/access";
import type { Database } from "#platform/db";
import { sql } from "#platform/db";
import { openTestDatabase, type TestDatabase } from "#testing";
import { startWorker, type TestWorker } from "./testing/app.ts";
import { createGate, type Receiver, startReceiver } from "./testing/receiver.ts";
import { until } from "./testing/until.ts";

const flow = `
flow: held
version: 1.0.0
params: { n: { type: integer } }
steps:
  ship: { use: http.request, with: { connection: wms, method: POST, path: /orders, body: { n: "{{ params.n }}" } } }
`;

describe("two workers of which one is full", () => {
  let opened: TestDatabase;
  let receiver: Receiver;
  let admin: Caller;
  const workers: TestWorker[] = [];

  const open = async (wrap: (db: Database) => Database): Promise<[TestWorker, TestWorker]> => {
    opened = await openTestDatabase("postgres");
    receiver = await startReceiver();
    const full = await startWorker(opened, { env: { OARS_MAX_CONCURRENCY: "1" }, wrap });
    const free = await startWorker(opened);
    workers.push(full, free);
    const tenant = await full.app.access.bootstrap("Hints");
    admin = await full.app.access.authenticate(`Bearer ${tenant.created ? tenant.apiKey : ""}`);
    const config = { baseUrl: receiver.url, idempotencyHeader: "Idempotency-Key" };
    await full.app.connectors.put(admin, { name: "wms", connector: "http", config, environment: "test" });
    const policy = await full.app.policy.createVersion(admin, {
      cedar: '@id("all") permit (principal, action, resource);',
    });
    await full.app.policy.publish(admin, policy.id);
    await full.app.flows.publish(admin, flow);
    await full.app.start();
    await free.app.start();
    return [full, free];
  };
  afterEach(async () => {
    for (const worker of workers.splice(0)) await worker.stop();
    await receiver.close();
    await opened.close();
  });

  /** Fills the only slot, and then starts some on the same worker; says how long each waited for its begin. */
  const waits = async (full: TestWorker, count: number): Promise<number[]> => {
    const gate = createGate();
    receiver.answer(async ({ body }) => {
      if ((body as { n: number }).n === 0) await gate.opened;
      return { status: 201 };
    });
    await full.app.runs.start(admin, { flow: "held", params: { n: 0 } });
    await until("a full worker", () => receiver.busy() === 1);
    for (let n = 1; n <= count; n++) {
      await full.app.runs.start(admin, { flow: "held", params: { n } });
      await until("it", () => receiver.received.some((r) => (r.body as { n: number }).n === n));
    }
    gate.open();
    await until(
      "all",
      async () =>
        (await opened.database.system.query(sql`select 1 from run where status <> 'completed' limit 1`))
          .length === 0,
    );
    const rows = await opened.database.system.query<{ ms: number }>(sql`
      select (extract(epoch from started_at - created_at) * 1000)::float8 as ms from run order by created_at offset 1`);
    return rows.map((r) => r.ms).sort((a, b) => a - b);
  };

  it("the other begins what the full one was given, long before it would look by itself", async () => {
    const [full] = await open((db) => db);
    const ms = await waits(full, 15);
    expect(ms[7]).toBeLessThan(300); // an idle one looks each two seconds
  });

  it("whoever follows a run of the other hears of it at once", async () => {
    const [here, there] = await open((db) => db);
    const ms: number[] = [];
    for (let n = 0; n < 7; n++) {
      const gate = createGate();
      receiver.answer(async () => {
        await gate.opened;
        return { status: 201 };
      });
      const { id } = await here.app.runs.start(admin, { flow: "held", params: { n } });
      const events = there.app.runs.events(admin, id, -1)[Symbol.asyncIterator]();
      expect((await events.next()).value).toMatchObject({ type: "run.created" });
      const next = events.next(); // it looks now, and finds nothing yet
      await until("the request", () => receiver.busy() === 1);
      const opened = performance.now();
      gate.open();
      expect((await next).value).toMatchObject({ type: "step.completed" });
      ms.push(performance.now() - opened);
      expect((await events.next()).value).toMatchObject({ type: "run.completed" });
      expect((await events.next()).done).toBe(true);
    }
    expect(ms.sort((a, b) => a - b)[3]).toBeLessThan(500); // it looks once a second
  });

  it("the other finds it by itself where no hint arrives", async () => {
    const [full] = await open((db) => ({ ...db, notify: () => {} }));
    const ms = await waits(full, 2);
    expect(ms.at(-1)).toBeLessThan(5_000);
  });
});
