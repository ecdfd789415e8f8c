/** Orders on runs that another process drives: PostgreSQL only, for the embedded database is one process's own. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Caller } from "#platform/access";
import { openTestDatabase, type TestDatabase } from "#testing";
import { startWorker, type TestWorker } from "./testing/app.ts";
import { brokenInvariants } from "./testing/invariants.ts";
import { createGate, type Receiver, startReceiver } from "./testing/receiver.ts";
import { until } from "./testing/until.ts";

const reason = "from the other machine";
const source = `
flow: afar
version: 1.0.0
params: { n: { type: integer } }
steps:
  ship: { use: http.request, with: { connection: wms, method: POST, path: "/{{ params.n }}", body: {} } }
  note: { use: noop, needs: [ship], durable: true }
  next: { use: http.request, needs: [note], with: { connection: wms, method: POST, path: "/{{ params.n }}/next", body: {} } }
`;

describe("an order on a run of another process", () => {
  let opened: TestDatabase;
  let receiver: Receiver;
  let here: TestWorker;
  let there: TestWorker;
  let admin: Caller;
  beforeAll(async () => {
    opened = await openTestDatabase("postgres");
    receiver = await startReceiver();
    here = await startWorker(opened);
    there = await startWorker(opened);
    const tenant = await here.app.access.bootstrap("Shared");
    admin = await here.app.access.authenticate(`Bearer ${tenant.created ? tenant.apiKey : ""}`);
    const config = { baseUrl: receiver.url, idempotencyHeader: "Idempotency-Key" };
    await here.app.connectors.put(admin, { name: "wms", connector: "http", config, environment: "test" });
    const { id } = await here.app.policy.createVersion(admin, {
      cedar: '@id("all")\npermit (principal, action, resource);',
    });
    await here.app.policy.publish(admin, id);
    await here.app.flows.publish(admin, source);
    await there.app.start(); // `here` starts later: until then it drives nothing
  });
  afterAll(async () => {
    await here?.stop();
    await there?.stop();
    await receiver?.close();
    await opened?.close();
  });
  const find = (id: string) => here.app.runs.find(admin, id);
  const requests = (path: string) => receiver.received.filter((r) => r.path === path);
  /** A run in the middle of its first effect, in the hands of the other process. */
  const underWay = async (n: number) => {
    const gate = createGate();
    receiver.answer(async ({ path }) => {
      if (path === `/${n}`) await gate.opened;
      return { status: 200, body: { n } };
    });
    const { id } = await there.app.runs.start(admin, { flow: "afar", params: { n } });
    await until("the request", () => requests(`/${n}`).length === 1);
    expect(there.app.engine.inHand()).toBeGreaterThan(0);
    return { id, gate };
  };

  it("[O1] a pause shuts its owner out: the effect's end is recorded, nothing else is written, and it goes on when resumed", async () => {
    const { id, gate } = await underWay(1);
    const paused = await here.app.runs.pause(admin, id, reason);
    expect(paused).toMatchObject({ status: "waiting", pausedAt: expect.any(Date) });
    const before = await here.app.runs.eventList(admin, id, -1);
    gate.open();
    await until("the effect's end", async () => {
      const [action] = await here.app.actions.list(admin, { runId: id, limit: 1 });
      return action?.state === "completed";
    });
    await until("the owner's letting go", () => there.app.engine.inHand() === 0);
    expect(there.refused.length).toBeGreaterThan(0);
    expect(await here.app.runs.eventList(admin, id, -1)).toEqual(before);
    expect(requests("/1/next")).toEqual([]);
    await here.app.runs.resume(admin, id, reason);
    await until("its end", async () => (await find(id)).status === "completed");
    expect(new Set(requests("/1").map((r) => r.key)).size).toBe(1);
    expect(requests("/1/next")).toHaveLength(1);
  });

  it("[O1] an abort shuts its owner out: no entry follows the end", async () => {
    const { id, gate } = await underWay(2);
    await here.app.runs.abort(admin, id, reason);
    const before = await here.app.runs.eventList(admin, id, -1);
    gate.open();
    await until("the owner's letting go", () => there.app.engine.inHand() === 0);
    expect(await here.app.runs.eventList(admin, id, -1)).toEqual(before);
    expect(before.at(-1)).toMatchObject({ type: "run.aborted", data: { operator: { reason } } });
    expect(requests("/2/next")).toEqual([]);
  });

  it("what was ordered here is claimed there, also a run that failed", async () => {
    receiver.answer(({ path }) => ({ status: path === "/3" && requests("/3").length === 1 ? 422 : 200 }));
    const { id } = await there.app.runs.start(admin, { flow: "afar", params: { n: 3 } });
    await until("its failure", async () => (await find(id)).status === "failed");
    await here.app.runs.retry(admin, id, { reason });
    await until("its end", async () => (await find(id)).status === "completed");
    await until("an empty outbox", async () => (await there.app.outbox.pending()) === 0);
    expect(await brokenInvariants(opened.database)).toEqual({});
  });
});
