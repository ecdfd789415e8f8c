/** What processes do of the whole: API alone, work alone, both; how they stop, and what they say at the start. */
import { spawnSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { Caller } from "#platform/access";
import { sql } from "#platform/db";
import { openTestDatabase, type TestDatabase } from "#testing";
import type { App } from "./compose.ts";
import { joinTestApp } from "./testing/app.ts";
import { brokenInvariants } from "./testing/invariants.ts";
import { serverKeys } from "./testing/orders.ts";
import { createGate, type Receiver, startReceiver } from "./testing/receiver.ts";
import { type ServerProcess, startServer } from "./testing/server-process.ts";
import { until } from "./testing/until.ts";

const main = fileURLToPath(new URL("./main.ts", import.meta.url));

const flow = `
flow: shared
version: 1.0.0
params: { n: { type: integer } }
steps:
  before: { use: noop, durable: true }
  ship:
    use: http.request
    needs: [before]
    with: { connection: wms, method: POST, path: /orders, body: { n: "{{ params.n }}" } }
  after: { use: noop, needs: [ship], durable: true }
`;

/** Twenty steps one after the other, of which each second one is an effect. */
const long = `
flow: long
version: 1.0.0
params: { n: { type: integer } }
steps:
${Array.from({ length: 20 }, (_, i) => {
  const needs = i === 0 ? "" : `, needs: [s${i - 1}]`;
  const body = `{ n: "{{ params.n }}", step: ${i} }`;
  return i % 2 === 0
    ? `  s${i}: { use: noop, durable: true${needs} }`
    : `  s${i}: { use: http.request${needs}, with: { connection: wms, method: POST, path: /orders, body: ${body} } }`;
}).join("\n")}
`;

describe("processes on one PostgreSQL", { timeout: 120_000 }, () => {
  let opened: TestDatabase;
  let receiver: Receiver;
  let root: string;
  let key: string;
  let env: Record<string, string>;
  const processes: ServerProcess[] = [];

  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), "oars-roles-"));
    opened = await openTestDatabase("postgres");
    receiver = await startReceiver();
    const app = await joinTestApp(opened.database);
    const tenant = await app.access.bootstrap("Roles");
    key = tenant.created ? tenant.apiKey : "";
    await prepare(app, await app.access.authenticate(`Bearer ${key}`));
    env = {
      ...serverKeys,
      OARS_STORE: "postgres",
      OARS_POSTGRES_URL: opened.url ?? "",
      OARS_POSTGRES_POOL: "4",
      OARS_WORKER_DEAD_AFTER_MS: "2500",
      OARS_DATA_DIR: root,
    };
  });
  afterEach(async () => {
    await Promise.all(processes.splice(0).map((p) => p.interrupt()));
    expect(await brokenInvariants(opened.database)).toEqual({});
    receiver.received.length = 0;
  });
  afterAll(async () => {
    await receiver.close();
    await opened.close();
    await rm(root, { recursive: true, force: true });
  });

  const prepare = async (app: App, admin: Caller): Promise<void> => {
    const config = { baseUrl: receiver.url, idempotencyHeader: "Idempotency-Key" };
    await app.connectors.put(admin, { name: "wms", connector: "http", config, environment: "test" });
    const policy = await app.policy.createVersion(admin, {
      cedar: '@id("all") permit (principal, action, resource);',
    });
    await app.policy.publish(admin, policy.id);
    for (const source of [flow, long]) await app.flows.publish(admin, source);
  };
  const begin = async (
    command: readonly string[],
    more: Record<string, string> = {},
  ): Promise<ServerProcess> => {
    const started = await startServer({ ...env, ...more }, command);
    processes.push(started);
    return started;
  };
  const start = async (api: ServerProcess, n: number, name = "shared"): Promise<string> => {
    const { status, json } = await api.ask(key, "POST", "/v1/runs", { flow: name, params: { n } });
    expect(status).toBe(202);
    return json.id;
  };
  const left = async (): Promise<number> => {
    const [row] = await opened.database.system.query<{ n: number }>(
      sql`select count(*)::int4 as n from run where status <> 'completed'`,
    );
    return row?.n ?? -1;
  };
  const sentTwice = (): unknown[] => {
    const byRun = Map.groupBy(receiver.received, (r) => (r.body as { n: number }).n);
    return [...byRun.values()].filter((sent) => new Set(sent.map((r) => r.key)).size > 1);
  };

  it("one answers the API, the others work: what it queues begins elsewhere at once", async () => {
    const api = await begin(["serve", "--no-worker"]);
    const first = await start(api, 0);
    const worker = await begin(["work"]);
    await until("the first", async () => (await left()) === 0);
    const ids: string[] = [];
    for (let n = 1; n <= 15; n++) {
      ids.push(await start(api, n));
      await until("it", async () => (await left()) === 0);
    }
    const waits = await opened.database.system.query<{ ms: number }>(sql`
      select (extract(epoch from started_at - created_at) * 1000)::float8 as ms from run
      where id <> (select id from run order by created_at limit 1) order by ms`);
    expect(waits[7]?.ms).toBeLessThan(400); // the look of an idle process alone would take up to two seconds
    expect((await api.ask(key, "GET", `/v1/runs/${first}`)).json.status).toBe("completed");
    expect((await fetch(`${worker.url}/health/ready`)).status).toBe(200);
    expect(await (await fetch(`${worker.url}/metrics`)).text()).toContain(
      "oars_claim_duration_seconds_count",
    );
    expect((await fetch(`${worker.url}/v1/runs`)).status).toBe(404);
  });

  it("[check 8] [R2] a worker that is killed in the middle loses nothing: another goes on within its time", async () => {
    const api = await begin(["serve", "--no-worker"]);
    const [one, two] = await Promise.all([begin(["work"]), begin(["work"])]);
    const gate = createGate();
    receiver.answer(async () => {
      await gate.opened;
      return { status: 201 };
    });
    await Promise.all(Array.from({ length: 40 }, (_, n) => start(api, n)));
    await until("requests under way", () => receiver.busy() === 40);
    await one.kill();
    const killed = performance.now();
    gate.open();
    await until("all", async () => (await left()) === 0, 30_000);
    expect(performance.now() - killed).toBeLessThan(20_000); // dead after 2.5 s here, 30 s by default
    expect(sentTwice()).toEqual([]);
    expect((await fetch(`${two.url}/health/live`)).status).toBe(200);
  });

  it("[check 7] two workers execute each step of fifty runs once", async () => {
    const api = await begin(["serve", "--no-worker"]);
    await Promise.all([begin(["work"]), begin(["work"], { OARS_MAX_CONCURRENCY: "8" })]);
    receiver.answer(() => ({ status: 201 }));
    await Promise.all(Array.from({ length: 50 }, (_, n) => start(api, n)));
    await until("all", async () => (await left()) === 0, 30_000);
    expect(receiver.received).toHaveLength(50);
    expect(new Set(receiver.received.map((r) => r.key)).size).toBe(50);
    const doubled = await opened.database.system.query(sql`
      select run_id, step from journal where event = 'completed' group by run_id, step having count(*) > 1`);
    expect(doubled).toEqual([]);
  });

  it("[check 51] sixty runs of twenty steps, workers killed one after the other: no step is lost or done twice", async () => {
    const runs = 60;
    const effects = 10 * runs;
    const api = await begin(["serve", "--no-worker"]);
    const working = [await begin(["work"]), await begin(["work"])];
    receiver.answer(() => ({ status: 201 }));
    const started = Promise.all(Array.from({ length: runs }, (_, n) => start(api, n, "long")));
    for (const share of [0.2, 0.4, 0.6]) {
      await until("its share of the work", () => receiver.received.length >= share * effects, 60_000);
      await working.shift()?.kill();
      working.push(await begin(["work"]));
    }
    await started;
    await until("all", async () => (await left()) === 0, 60_000);
    const steps = await opened.database.system.query<{ n: number; most: number }>(sql`
      select count(*)::int4 as n, max(x.times)::int4 as most from (
        select count(*) as times from journal where event = 'completed' and run_id in (select id from run where flow_name = 'long')
        group by run_id, step) x`);
    expect(steps).toEqual([{ n: 20 * runs, most: 1 }]);
    const sent = Map.groupBy(receiver.received, (r) => JSON.stringify(r.body));
    expect(sent.size).toBe(effects);
    for (const same of sent.values()) expect(new Set(same.map((r) => r.key)).size).toBe(1);
  });

  it("one that is told to stop takes no more, ends what ends in time and hands back the rest for others", async () => {
    const api = await begin(["serve", "--no-worker"]);
    const going = await begin(["work"], { OARS_SHUTDOWN_TIMEOUT_MS: "8000" });
    const slow = createGate();
    const quick = createGate();
    receiver.answer(async ({ body }) => {
      await ((body as { n: number }).n === 0 ? slow : quick).opened;
      return { status: 201 };
    });
    await Promise.all(Array.from({ length: 10 }, (_, n) => start(api, n)));
    await until("requests under way", () => receiver.busy() === 10);
    going.signal("SIGTERM");
    const late = await start(api, 10);
    await until("that it knows", async () => {
      const [row] = await opened.database.system.query<{ n: number }>(
        sql`select count(*)::int4 as n from run where status = 'queued'`,
      );
      return row?.n === 1;
    });
    quick.open();
    // nine have a further step, which it does not begin: they are queued long before the tenth has ended
    await until("nine that were handed back", async () => {
      const [row] = await opened.database.system.query<{ n: number }>(
        sql`select count(*)::int4 as n from run where status = 'queued'`,
      );
      return row?.n === 10;
    });
    expect((await api.ask(key, "GET", `/v1/runs/${late}`)).json.status).toBe("queued");
    slow.open();
    expect(await going.ended).toMatchObject({ code: 0 });
    processes.splice(processes.indexOf(going), 1);
    const [row] = await opened.database.system.query<{ n: number }>(
      sql`select count(*)::int4 as n from run where status = 'running'`,
    );
    expect(row?.n).toBe(0);
    await begin(["work"]);
    await until("all", async () => (await left()) === 0);
    expect(receiver.received).toHaveLength(11);
  });

  it("one that is told twice ends at once, and another goes on with what it had", async () => {
    const going = await begin(["serve"], { OARS_SHUTDOWN_TIMEOUT_MS: "60000" });
    const gate = createGate();
    receiver.answer(async () => {
      await gate.opened;
      return { status: 201 };
    });
    await start(going, 0);
    await until("the request", () => receiver.busy() === 1);
    going.signal("SIGTERM");
    await until(
      "that it stops",
      async () => (await fetch(`${going.url}/health/live`).catch(() => null)) === null,
    );
    going.signal("SIGTERM");
    expect(await going.ended).toMatchObject({ code: 130 });
    processes.splice(processes.indexOf(going), 1);
    gate.open();
    await begin(["work"]);
    await until("the run", async () => (await left()) === 0, 30_000);
  });

  it("print the port that they have when they were told to take a free one", async () => {
    const { banner } = await begin(["serve"], { OARS_PORT: "0", OARS_PUBLIC_URL: "" });
    const url = /OARS is ready at (http:\/\/127\.0\.0\.1:[1-9]\d*)/.exec(banner)?.[1] ?? "";
    expect((await fetch(`${url}/health/ready`)).status).toBe(200);
    const other = await begin(["serve"], { OARS_PORT: "0", OARS_PUBLIC_URL: "https://oars.example.com" });
    expect(other.banner).toContain("OARS is ready at https://oars.example.com");
    const address = /listens on (127\.0\.0\.1:[1-9]\d*)/.exec(other.banner)?.[1] ?? "";
    expect((await fetch(`http://${address}/health/ready`)).status).toBe(200);
  });

  it("[check 5] say at the start which limits are in force", async () => {
    const log = await begin(["serve"], {
      OARS_LOG_LEVEL: "info",
      ORCHESTRATION_MAX_CONCURRENCY: "2",
      ORCHESTRATION_DEFAULT_MAX_PARALLEL: "4",
    });
    const line = log.banner.split("\n").find((text) => text.includes('"role":"serve"'));
    expect(JSON.parse(line ?? "{}")).toMatchObject({
      stepsOfARun: 2,
      runsInThisProcess: 1000,
      runsInAllProcesses: 2,
    });
  });
});

/** Runs a command of the server to its end. */
const command = (args: readonly string[], env: Record<string, string>) => {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ["--conditions=oars-source", main, ...args],
    {
      env,
      encoding: "utf8",
      timeout: 60_000,
    },
  );
  return { status, stdout, stderr };
};

describe("the command line of the server", { timeout: 60_000 }, () => {
  it.each([["work"], ["serve", "--no-worker"]])(
    "refuses `%s` on the embedded database and says what to do",
    (...args) => {
      const { status, stderr } = command(args, {});
      expect(status).toBe(78);
      expect(stderr).toContain(
        "belongs to one process; set OARS_STORE=postgres and OARS_POSTGRES_URL, or run `oars-server serve`",
      );
    },
  );

  it("[check 5] `doctor` shows the limits in force, and a limit that is no number is refused", () => {
    const { stdout } = command(["doctor"], { OARS_MAX_RUNNING: "3", OARS_MAX_CONCURRENCY: "20" });
    expect(stdout).toContain("steps of one run at once      3, when its flow does not say");
    expect(stdout).toContain("runs of one process at once   20");
    expect(stdout).toContain("over all processes            3 runs");
    const refused = command(["serve"], { ORCHESTRATION_DEFAULT_MAX_PARALLEL: "abc" });
    expect(refused.status).toBe(78);
    expect(refused.stderr).toContain("ORCHESTRATION_DEFAULT_MAX_PARALLEL");
  });
});
