/** Caps over two workers: of all runs, of a tenant and of a flow, from the start of a run to its end. */
import { afterEach, describe, expect, it } from "vitest";
import type { Caller } from "#platform/access";
import { sql } from "#platform/db";
import { openTestDatabase, type TestDatabase } from "#testing";
import { startWorker, type TestWorker } from "./testing/app.ts";
import { brokenInvariants } from "./testing/invariants.ts";
import { createGate, type Receiver, startReceiver } from "./testing/receiver.ts";
import { until } from "./testing/until.ts";

const flow = (name: string, limits = ""): string => `
flow: ${name}
version: 1.0.0
params: { n: { type: integer } }
${limits}
steps:
  ship: { use: http.request, with: { connection: wms, method: POST, path: /${name}, body: { n: "{{ params.n }}" } } }
`;

describe("two workers under a cap", () => {
  let opened: TestDatabase;
  let receiver: Receiver;
  let admin: Caller;
  const workers: TestWorker[] = [];

  const open = async (env: Record<string, string>): Promise<[TestWorker, TestWorker]> => {
    opened = await openTestDatabase("postgres");
    receiver = await startReceiver();
    const first = await startWorker(opened, { env });
    const second = await startWorker(opened, { env });
    workers.push(first, second);
    const tenant = await first.app.access.bootstrap("Capped");
    admin = await first.app.access.authenticate(`Bearer ${tenant.created ? tenant.apiKey : ""}`);
    const config = { baseUrl: receiver.url, idempotencyHeader: "Idempotency-Key" };
    await first.app.connectors.put(admin, { name: "wms", connector: "http", config, environment: "test" });
    const policy = await first.app.policy.createVersion(admin, {
      cedar: '@id("all") permit (principal, action, resource);',
    });
    await first.app.policy.publish(admin, policy.id);
    for (const source of [flow("free"), flow("narrow", "limits: { runs: 2 }")])
      await first.app.flows.publish(admin, source);
    await first.app.start();
    await second.app.start();
    return [first, second];
  };
  afterEach(async () => {
    const events = sql`select 1 from outbox limit 1`;
    await until("an empty outbox", async () => (await opened.database.system.query(events)).length === 0);
    expect(await brokenInvariants(opened.database)).toEqual({});
    for (const worker of workers.splice(0)) await worker.stop();
    await receiver.close();
    await opened.close();
  });

  const start = (worker: TestWorker, name: string, n: number) =>
    worker.app.runs.start(admin, { flow: name, params: { n } });
  const startMany = (name: string, count: number) =>
    Promise.all(Array.from({ length: count }, (_, n) => start(workers[n % 2] as TestWorker, name, n)));
  const allEnded = () =>
    until("all runs", async () => {
      const rows = await opened.database.system.query(
        sql`select 1 from run where status <> 'completed' limit 1`,
      );
      return rows.length === 0;
    });
  /** Holds each request until as many as `full` are there, and then counts how many there are at most. */
  const countFrom = (full: number, path: string): { most: () => number } => {
    const gate = createGate();
    let busy = 0;
    let most = 0;
    receiver.answer(async (request) => {
      if (request.path !== path) return { status: 201 };
      most = Math.max(most, ++busy);
      if (busy === full) gate.open();
      await gate.opened;
      await new Promise(setImmediate);
      busy--;
      return { status: 201 };
    });
    return { most: () => most };
  };

  it("[F4] execute no more runs together than the cap over all says, and as many", async () => {
    await open({ OARS_MAX_RUNNING: "5" });
    const busy = countFrom(5, "/free");
    await startMany("free", 60);
    await allEnded();
    expect(busy.most()).toBe(5);
    expect(receiver.received).toHaveLength(60);
  });

  it("[F4] execute no more runs of a flow than it says, while its neighbours go on", async () => {
    await open({});
    const busy = countFrom(2, "/narrow");
    const narrow = startMany("narrow", 30);
    await startMany("free", 10);
    await narrow;
    await allEnded();
    expect(busy.most()).toBe(2);
    expect(receiver.received).toHaveLength(40);
  });

  it("[F4] execute no more runs of a tenant than was set for it, from when it was set until it is lifted", async () => {
    const [first] = await open({});
    await first.app.scheduling.put(admin, { maxRunning: 3 });
    const busy = countFrom(3, "/free");
    await startMany("free", 30);
    await allEnded();
    expect(busy.most()).toBe(3);
    await first.app.scheduling.put(admin, { maxRunning: null });
    const freed = countFrom(8, "/free");
    await startMany("free", 8);
    await allEnded();
    expect(freed.most()).toBe(8);
  });
});
