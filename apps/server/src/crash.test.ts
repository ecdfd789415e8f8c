/**
 * Servers that die: killed by SIGKILL at every named point while orders are on their way, and in the middle of
 * fifty of them, then started again. What was acknowledged must come to its end, and nothing may happen twice.
 */
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createVerifier } from "@oars/receipts";
import { createNodeCrypto } from "@oars/receipts/node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openDatabase } from "#platform/db";
import type { FaultPoint } from "#platform/kernel";
import { openTestDatabase } from "#testing";
import { brokenInvariants } from "./testing/invariants.ts";
import {
  insist,
  makeOrders,
  type Prepared,
  post,
  prepareOrders,
  serverKeys,
  warehouseConnection,
} from "./testing/orders.ts";
import { createGate, type Receiver, startReceiver } from "./testing/receiver.ts";
import { type ServerProcess, startServer } from "./testing/server-process.ts";
import { until } from "./testing/until.ts";

let root: string;
let receiver: Receiver;
/** A data directory with everything but orders; each test has a copy. */
let image: string;
let prepared: Prepared;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "oars-crash-"));
  receiver = await startReceiver();
  image = join(root, "image");
  const db = await openDatabase({ store: { kind: "pglite", dataDir: image } });
  prepared = await prepareOrders(db, receiver.url);
  await db.close();
});
afterAll(async () => {
  await receiver?.close();
  await rm(root, { recursive: true, force: true });
});

const copyOfImage = async (name: string): Promise<string> => {
  const dir = join(root, name);
  await cp(image, dir, { recursive: true });
  return dir;
};
const sentOf = (prefix: string) =>
  receiver.received.filter((r) => String((r.body as { documentId?: string }).documentId).startsWith(prefix));

/** Approves whatever waits, for as long as the server is there; tells how to stop. */
function approveAll(server: () => ServerProcess, key: string): () => Promise<void> {
  let over = false;
  const work = (async () => {
    while (!over) {
      await new Promise((done) => setTimeout(done, 50));
      const { json } = await server()
        .ask(key, "GET", "/v1/approvals?state=pending")
        .catch(() => ({ json: { items: [] } })); // it is down just now
      for (const { id } of json.items ?? []) {
        const vote = { decision: "approve", reason: "known customer" };
        await server()
          .ask(key, "POST", `/v1/approvals/${id}/decision`, vote)
          .catch(() => {});
      }
    }
  })();
  return () => {
    over = true;
    return work;
  };
}

const isEnded = (status: string): boolean => ["completed", "failed", "aborted"].includes(status);
const endOf = (server: ServerProcess, key: string, runId: string) =>
  until(
    `the end of ${runId}`,
    async () => {
      const { json } = await server.ask(key, "GET", `/v1/runs/${runId}`);
      return isEnded(json.status) && json;
    },
    60_000,
    100,
  );

/** Every receipt of the runs against the keys that the server publishes to strangers. */
async function verifyReceipts(
  server: ServerProcess,
  prepared: Prepared,
  runIds: readonly string[],
): Promise<number> {
  const { json: trust } = await server.ask("", "GET", `/v1/trust/tenants/${prepared.tenantId}/keys`);
  const verifier = createVerifier([trust], createNodeCrypto());
  let checked = 0;
  for (const runId of runIds) {
    const { json: bundle } = await until("the receipts in the log", async () => {
      const answer = await server.ask(prepared.adminKey, "GET", `/v1/runs/${runId}/receipts`);
      return answer.status === 200 && answer;
    });
    for (const { receiptId, proof } of bundle.items) {
      const report = await verifier.verify(proof, { receiptId });
      expect(report.verdict, JSON.stringify(report.checks)).toBe("verified");
      checked++;
    }
  }
  return checked;
}

async function expectSound(dataDir: string): Promise<void> {
  const db = await openDatabase({ store: { kind: "pglite", dataDir } });
  const broken = await brokenInvariants(db);
  await db.close();
  expect(broken).toEqual({});
}

/** The hit at which to kill, so that some orders are through and others are not. */
const hits: Readonly<Partial<Record<FaultPoint, number>>> = {
  "runs.after-start": 2,
  "actions.before-propose": 2,
  "actions.after-propose": 2,
  "actions.after-perform": 2,
  "actions.before-consume": 1,
  "engine.before-park": 1,
  "engine.before-finish": 2,
  "triggers.after-accept": 2,
};

describe.concurrent("a server that is killed", { timeout: 120_000 }, () => {
  it("at each named point in turn, again and again, loses no order, sends none twice, and its log verifies", async () => {
    const dataDir = await copyOfImage("points");
    const env = { ...serverKeys, OARS_DATA_DIR: dataDir };
    let server = await startServer(env);
    const stopApproving = approveAll(() => server, prepared.approverKey);
    const acknowledged: Promise<string>[] = [];
    await server.kill();
    for (const [point, hit] of Object.entries(hits)) {
      const started = startServer({ ...env, OARS_FAULT_POINT: `${point}:${hit}` });
      const orders = await makeOrders(`points-${point}`, 3, 1);
      acknowledged.push(...orders.map((order) => insist(() => server.url, order)));
      server = await started.catch((early: Error & { signal: string }) => {
        if (early.signal !== "SIGKILL") throw early;
        return server; // what it found at its start led it to the point
      });
      expect(await server.ended, point).toMatchObject({ signal: "SIGKILL" });
    }
    server = await startServer(env);
    const runIds = await Promise.all(acknowledged);
    const runs = await Promise.all(runIds.map((id) => endOf(server, prepared.adminKey, id)));
    await stopApproving();

    const count = 4 * Object.keys(hits).length;
    expect(runs.map((r) => r.error)).toEqual(Array.from({ length: count }, () => null));
    expect(new Set(runIds).size).toBe(count);
    const { json: all } = await server.ask(prepared.adminKey, "GET", "/v1/runs?limit=100");
    expect(all.items).toHaveLength(count);
    const sent = Map.groupBy(sentOf("points"), (r) => r.key);
    expect(sent.size).toBe(count);
    for (const same of sent.values()) expect(new Set(same.map((r) => JSON.stringify(r.body))).size).toBe(1);
    expect(await verifyReceipts(server, prepared, runIds)).toBeGreaterThanOrEqual(2 * count);
    expect(await server.interrupt()).toMatchObject({ code: 0 });
    await expectSound(dataDir);
  });

  it("after it sent what must not be sent twice leaves it in doubt, for a person, and sends it once", async () => {
    const dataDir = await copyOfImage("doubt");
    const env = { ...serverKeys, OARS_DATA_DIR: dataDir };
    const { adminKey } = prepared;
    const orders = await makeOrders("doubt", 3, 0);
    let server = await startServer({ ...env, OARS_FAULT_POINT: "actions.after-perform:2" });
    const { name: _name, ...connection } = await warehouseConnection(receiver.url);
    delete connection.config.idempotencyHeader;
    expect((await server.ask(adminKey, "PUT", "/v1/connections/wms", connection)).status).toBe(200);
    const acknowledged = orders.map((order) => insist(() => server.url, order));
    await server.ended;
    server = await startServer(env);
    const runIds = await Promise.all(acknowledged);
    const doubtful = await until("actions in doubt", async () => {
      const { json } = await server.ask(adminKey, "GET", "/v1/actions?state=in_doubt");
      const open = await Promise.all(runIds.map((id) => server.ask(adminKey, "GET", `/v1/runs/${id}`)));
      const stuck = open.filter((r) => !isEnded(r.json.status));
      return stuck.length > 0 && json.items.length === stuck.length && json.items;
    });
    for (const { id, error } of doubtful) {
      expect(error.code).toBe("ACTION_IN_DOUBT");
      const settled = { outcome: "completed", reason: "the warehouse has it" };
      expect((await server.ask(adminKey, "POST", `/v1/actions/${id}/resolve`, settled)).status).toBe(200);
    }
    for (const id of runIds) expect((await endOf(server, adminKey, id)).error).toBeNull();
    const arrived = sentOf("doubt").map((r) => (r.body as { documentId: string }).documentId);
    expect(new Set(arrived).size).toBe(arrived.length);
    expect(arrived.length).toBeGreaterThanOrEqual(orders.length - doubtful.length);
    await verifyReceipts(server, prepared, runIds);
    await server.interrupt();
    await expectSound(dataDir);
  });

  it("leaves a lock that is nobody's; alive, it shares its directory with no other, and stops in order", async () => {
    const dataDir = await copyOfImage("ctrl-c");
    const env = { ...serverKeys, OARS_DATA_DIR: dataDir, OARS_SHUTDOWN_TIMEOUT_MS: "1000" };
    const first = await startServer(env);
    const second = await startServer(env).catch((error: Error & { code: number }) => error);
    expect(second).toMatchObject({ code: 75 });
    expect((second as Error).message).toMatch(/STORE_LOCKED: .* is open in process \d+; stop it first/);
    expect((await first.ask("", "GET", "/health/ready")).status).toBe(200);
    await first.kill();

    const gate = createGate();
    receiver.answer(async ({ body }) => {
      if (String((body as { documentId?: string }).documentId).startsWith("ctrl-c")) await gate.opened;
      return { status: 201, body: { shipmentId: "S-1" } };
    });
    const server = await startServer(env);
    const orders = await makeOrders("ctrl-c", 3, 1);
    const runIds = await Promise.all(orders.map((order) => post(server.url, order)));
    await until("requests under way", () => sentOf("ctrl-c").length === 3);
    const stream = await fetch(`${server.url}/v1/runs/${runIds[1]}/events`, {
      headers: { authorization: `Bearer ${prepared.adminKey}`, accept: "text/event-stream" },
    });
    expect(stream.status).toBe(200);
    const told = performance.now();
    expect(await server.interrupt()).toMatchObject({ code: 0 });
    expect(performance.now() - told).toBeLessThan(6_000);
    await stream.text().catch(() => ""); // it was closed
    gate.open();

    const next = await startServer(env);
    const stopApproving = approveAll(() => next, prepared.approverKey);
    for (const id of runIds) expect((await endOf(next, prepared.adminKey, id)).error).toBeNull();
    await stopApproving();
    expect(new Set(sentOf("ctrl-c").map((r) => r.key)).size).toBe(orders.length);
    await next.interrupt();
    await expectSound(dataDir);
  });

  it("with fifty runs in flight hands them to the other server on the same PostgreSQL", async () => {
    const opened = await openTestDatabase("postgres");
    const warehouse = await startReceiver();
    const gate = createGate();
    warehouse.answer(async () => {
      await gate.opened;
      return { status: 201, body: { shipmentId: "S-1" } };
    });
    const tenant = await prepareOrders(opened.database, warehouse.url);
    const env = {
      ...serverKeys,
      OARS_STORE: "postgres",
      OARS_POSTGRES_URL: opened.url ?? "",
      OARS_POSTGRES_POOL: "4",
      OARS_WORKER_DEAD_AFTER_MS: "2500",
    };
    const [one, two] = await Promise.all([
      startServer({ ...env, OARS_DATA_DIR: join(root, "pg-one") }),
      startServer({ ...env, OARS_DATA_DIR: join(root, "pg-two") }),
    ]);
    const orders = await makeOrders("pg", 48, 4);
    const runIds = await Promise.all(orders.map((order, n) => post((n % 2 === 0 ? one : two).url, order)));
    await until("requests under way", () => warehouse.busy() === 48);
    await one.kill();
    gate.open();
    const stopApproving = approveAll(() => two, tenant.approverKey);
    for (const id of runIds) expect((await endOf(two, tenant.adminKey, id)).error).toBeNull();
    await stopApproving();
    const sent = Map.groupBy(warehouse.received, (r) => r.key);
    expect(sent.size).toBe(orders.length);
    for (const same of sent.values()) {
      expect(new Set(same.map((r) => JSON.stringify(r.body))).size).toBe(1);
      expect(same.length).toBeLessThanOrEqual(2);
    }
    expect(await verifyReceipts(two, tenant, runIds)).toBeGreaterThanOrEqual(2 * orders.length);
    expect(await two.interrupt()).toMatchObject({ code: 0 });
    expect(await brokenInvariants(opened.database)).toEqual({});
    await warehouse.close();
    await opened.close();
  });
});
