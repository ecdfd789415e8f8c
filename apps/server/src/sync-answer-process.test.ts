/** Servers as processes that answer with the end of runs: killed before the answer left, and flooded with starts. */
import { mkdtemp, rm } from "node:fs/promises";
import { Agent, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { sign } from "#orchestrate/triggers";
import { type Database, openDatabase } from "#platform/db";
import { newId } from "#platform/kernel";
import { drivers, openTestDatabase, type TestDatabase } from "#testing";
import { joinTestApp } from "./testing/app.ts";
import { serverKeys } from "./testing/orders.ts";
import { type ServerEnv, type ServerProcess, startServer } from "./testing/server-process.ts";

const flow = `
flow: double
version: 1.0.0
params: { n: { type: number, default: 1 }, note: { type: string, default: "" } }
triggers:
  - webhook: { slug: double, auth: { hmac: { secret: "vault:hook" } }, respond: { mode: sync, timeout: 20s } }
steps:
  one: { use: noop, with: { output: "{{ params.n * 2 }}" } }
  two: { use: noop, needs: [one], with: { output: { doubled: "{{ steps.one.output }}" } } }
`;
const secret = "the shared secret of the tests";

/** A tenant with the flow and the secret; answers with the administrator's key. */
async function prepare(db: Database): Promise<string> {
  const app = await joinTestApp(db);
  const first = await app.access.bootstrap("Double");
  if (!first.created) throw new Error("the database is not empty");
  const admin = await app.access.authenticate(`Bearer ${first.apiKey}`);
  await db.tx(admin.tenantId, (tx) => app.vault.putSecret(tx, admin.tenantId, "hook", secret));
  await app.flows.publish(admin, flow);
  await app.stop();
  return first.apiKey;
}

const deliver = ({ url }: ServerProcess, id: string, n: number): Promise<Response> => {
  const at = Math.floor(Date.now() / 1000);
  const body = JSON.stringify({ n });
  return fetch(`${url}/api/webhook/double`, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      "webhook-id": id,
      "webhook-timestamp": String(at),
      "webhook-signature": `v1,${sign(secret, id, at, Buffer.from(body))}`,
    },
    body,
    signal: AbortSignal.timeout(20_000),
  });
};

describe.each(drivers)("a server on %s", (driver) => {
  let root: string;
  let opened: TestDatabase | undefined;
  let key: string;
  let env: ServerEnv;

  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), "oars-sync-"));
    env = { ...serverKeys, OARS_DATA_DIR: root };
    if (driver === "postgres") {
      opened = await openTestDatabase(driver);
      env = { ...env, OARS_STORE: "postgres", OARS_POSTGRES_URL: opened.url ?? "" };
      key = await prepare(opened.database);
      return;
    }
    const db = await openDatabase({ store: { kind: "pglite", dataDir: root } });
    key = await prepare(db);
    await db.close();
  });
  afterAll(async () => {
    await opened?.close();
    await rm(root, { recursive: true, force: true });
  });

  it("killed between the commit and the answer answers the repeated delivery with the same run", async () => {
    const id = newId();
    const killed = await startServer({ ...env, OARS_FAULT_POINT: "triggers.after-accept" });
    await expect(deliver(killed, id, 21)).rejects.toThrow();
    expect((await killed.ended).signal).toBe("SIGKILL");
    const server = await startServer(env);
    const [run, ...others] = (await server.ask(key, "GET", "/v1/runs")).json.items;
    expect(others).toEqual([]);
    const answer = await deliver(server, id, 21);
    expect([answer.status, await answer.json()]).toEqual([200, { doubled: 42 }]);
    expect(answer.headers.get("link")).toContain(run.id);
    expect(answer.headers.get("idempotency-replayed")).toBe("true");
    expect((await server.ask(key, "GET", "/v1/runs")).json.items).toHaveLength(1);
    await server.interrupt();
  });

  if (driver === "pglite")
    it("answers a flood of 10,000 starts with 200 or 503, keeps its memory in bounds and its probe alive", async () => {
      const server = await startServer({ ...env, OARS_MAX_REQUESTS: "100", OARS_LOG_LEVEL: "fatal" });
      for (let i = 0; i < 200; i++) await server.ask(key, "POST", "/v1/runs", { flow: "double" }); // warm
      const before = await residentMb(server);
      const agent = new Agent({ keepAlive: true, maxSockets: 1_000 });
      const body = JSON.stringify({ flow: "double", params: { note: "x".repeat(5_000) } });
      const answers = new Map<string, number>();
      let probes = 0;
      let over = false;
      const probing = (async () => {
        while (!over) {
          expect((await fetch(`${server.url}/health/live`)).status).toBe(200);
          probes++;
          await new Promise((done) => setTimeout(done, 100));
        }
      })();
      await Promise.all(
        Array.from({ length: 10_000 }, async () => {
          const answer = await post(server.url, key, agent, body);
          answers.set(answer, (answers.get(answer) ?? 0) + 1);
        }),
      );
      over = true;
      await probing;
      agent.destroy();
      expect([...answers.keys()].filter((a) => a !== "200" && a !== "503 retry-after")).toEqual([]);
      expect(answers.get("200")).toBeGreaterThan(50);
      expect(answers.get("503 retry-after")).toBeGreaterThan(50);
      expect(probes).toBeGreaterThan(3);
      expect((await residentMb(server)) - before).toBeLessThan(300);
      expect((await deliver(server, newId(), 1)).status).toBe(200);
      await server.interrupt();
    }, 120_000);
});

async function residentMb({ url }: ServerProcess): Promise<number> {
  const metrics = await (await fetch(`${url}/metrics`)).text();
  return Number(/^process_resident_memory_bytes (\S+)$/m.exec(metrics)?.[1]) / 1024 ** 2;
}

/** The status of a start that waits for its run, and whether it was told when to come again. */
function post(base: string, key: string, agent: Agent, body: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const call = request(
      `${base}/v1/runs`,
      {
        method: "POST",
        agent,
        headers: {
          authorization: `Bearer ${key}`,
          "content-type": "application/json",
          prefer: "wait=30",
          "content-length": Buffer.byteLength(body),
        },
      },
      (answer) => {
        answer.resume();
        const later = answer.headers["retry-after"] === undefined ? "" : " retry-after";
        answer.once("end", () => resolve(`${answer.statusCode}${later}`));
      },
    );
    call.once("error", reject);
    call.end(body);
  });
}
