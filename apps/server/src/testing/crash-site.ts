/**
 * A database on which servers are started and killed in turn, with people who go on around them: embedded one server
 * after the other, on PostgreSQL two of them, of which one lives.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import { type Database, openDatabase } from "#platform/db";
import type { FaultPoint } from "#platform/kernel";
import { joinTestApp } from "./app.ts";
import { type CrashRun, dueOf, publishCrashFlows } from "./crash-flows.ts";
import {
  answerCrashFlows,
  type CrashPeople,
  crashPeople,
  insistOnRun,
  type Keys,
  keyOf,
} from "./crash-people.ts";
import { type DriverName, openTestDatabase, type TestDatabase } from "./index.ts";
import { brokenInvariants } from "./invariants.ts";
import { serverKeys } from "./orders.ts";
import { type Receiver, startReceiver } from "./receiver.ts";
import { type ServerProcess, startServer } from "./server-process.ts";
import { stagePolicy } from "./stage.ts";
import { until } from "./until.ts";

export interface CrashSite {
  /** Starts a server that dies at the point, and runs for it to die over. False when it was killed without having reached it. */
  killAt(point: FaultPoint, hit: number): Promise<boolean>;
  /** Waits with a server that lives for the end of everything, and answers what is wrong. */
  finish(): Promise<string[]>;
  close(): Promise<void>;
}

interface Started {
  readonly flow: CrashRun;
  readonly v: string;
  readonly id: Promise<string>;
}

/** Runs whose death at one point leads the next server to another one. */
const leadingTo: Partial<
  Record<FaultPoint, { readonly at: FaultPoint; readonly runs: readonly CrashRun[] }>
> = {
  "actions.after-doubt": { at: "actions.after-propose", runs: ["letter"] },
  "actions.before-adopt": { at: "actions.after-propose", runs: ["keyed"] },
  "actions.after-adopt": { at: "actions.after-propose", runs: ["keyed"] },
  "engine.in-takeover": { at: "actions.after-propose", runs: ["everything"] },
  "engine.after-takeover": { at: "actions.after-propose", runs: ["everything"] },
};

/** What a point needs besides steps of every kind. */
const neededBy: Partial<Record<FaultPoint, readonly CrashRun[]>> = {
  "triggers.after-accept": ["called"],
  "engine.in-admission": ["keyed"],
  "engine.after-admission": ["keyed", "keyed", "keyed"],
  "engine.after-cancel": ["doomed"],
  "engine.after-abandon": ["doomed"],
  "runs.in-order": ["mended"],
  "runs.after-order": ["mended"],
};

const patienceMs = 10_000;

export async function openCrashSite(driver: DriverName): Promise<CrashSite> {
  const root = await mkdtemp(join(tmpdir(), "oars-points-"));
  const receiver = await startReceiver();
  answerCrashFlows(receiver);
  const opened = await openTestDatabase("postgres");
  const dataDir = join(root, "data");
  const embedded = driver === "pglite";
  const open = (): Promise<Database> => openDatabase({ store: { kind: "pglite", dataDir } });
  const keys = await prepare(embedded ? await open() : opened.database, receiver.url, embedded);
  let homes = 0;
  const start = (more: Record<string, string> = {}): Promise<ServerProcess> =>
    startServer({
      ...serverKeys,
      ...(embedded ? {} : sharing(opened)),
      OARS_DATA_DIR: embedded ? dataDir : join(root, `${++homes}`),
      OARS_RATE_LIMIT_ENABLED: "false",
      ...more,
    });
  const servers: ServerProcess[] = [];
  let turn = 0;
  const pick = (): ServerProcess => {
    const server = servers[turn++ % servers.length];
    if (!server) throw new Error("no server is there just now");
    return server;
  };
  const leave = (server: ServerProcess): void => {
    const at = servers.indexOf(server);
    if (at >= 0) servers.splice(at, 1);
  };
  let over = false;
  let people: CrashPeople | undefined;
  const started: Started[] = [];
  const startRuns = (flows: readonly CrashRun[]): void => {
    people ??= crashPeople(pick, keys, receiver);
    for (const flow of flows) {
      const v = `v${started.length}`;
      const id = insistOnRun(pick, keys.admin, { flow, v, key: v }, () => over);
      id.catch(() => {}); // told at the end
      started.push({ flow, v, id });
    }
  };
  const kill = async (point: FaultPoint, hit: number, flows: readonly CrashRun[]): Promise<boolean> => {
    let victim: ServerProcess;
    try {
      victim = await start({ OARS_FAULT_POINT: `${point}:${hit}` });
    } catch (error) {
      if ((error as { signal?: string }).signal === "SIGKILL") return true; // what it found led it there at once
      throw error;
    }
    servers.push(victim);
    startRuns(flows);
    let reached = true;
    const late = setTimeout(() => {
      reached = false;
      void victim.kill();
    }, patienceMs);
    const ended = await victim.ended;
    clearTimeout(late);
    leave(victim);
    if (ended.signal !== "SIGKILL") throw new Error(`at ${point}: ${inspect(ended)}`);
    return reached;
  };
  if (!embedded) servers.push(await start());
  return {
    killAt: async (point, hit) => {
      const before = leadingTo[point];
      if (before && embedded) await kill(before.at, 1, before.runs);
      return kill(point, hit, [...(neededBy[point] ?? []), "everything"]);
    },
    finish: async () => {
      if (embedded) servers.push(await start());
      const wrong = await settle(pick(), keys, started);
      over = true;
      await people?.stop();
      await Promise.all(servers.splice(0).map((server) => server.interrupt()));
      const db = embedded ? await open() : opened.database;
      wrong.push(...auditRequests(receiver), ...(await auditRows(db)));
      if (embedded) await db.close();
      return wrong;
    },
    close: async () => {
      over = true;
      await Promise.all(servers.splice(0).map((server) => server.kill()));
      await people?.stop();
      await receiver.close();
      await opened.close();
      await rm(root, { recursive: true, force: true });
    },
  };
}

const sharing = ({ url }: TestDatabase) => ({
  OARS_STORE: "postgres",
  OARS_POSTGRES_URL: url ?? "",
  OARS_POSTGRES_POOL: "4",
  OARS_WORKER_DEAD_AFTER_MS: "1500",
});

/** Flows, two connections, a policy and an approver. */
async function prepare(db: Database, receiver: string, close: boolean): Promise<Keys> {
  const app = await joinTestApp(db);
  const first = await app.access.bootstrap("Crashes");
  if (!first.created) throw new Error("the database is not empty");
  const admin = await app.access.authenticate(`Bearer ${first.apiKey}`);
  const ana = await app.access.createPrincipal(admin, { name: "ana", kind: "user", roles: ["approver"] });
  const { key: approver } = await app.access.issueKey(admin, ana.id);
  const facts = [{ name: "hold", type: "bool", path: "body.hold" }];
  for (const [name, key] of [
    ["wms", { idempotencyHeader: "Idempotency-Key" }],
    ["mail", {}],
  ] as const)
    await app.connectors.put(admin, {
      name,
      connector: "http",
      config: { baseUrl: receiver, ...key, facts },
      environment: "test",
      risk: 10,
    });
  const cedar = stagePolicy().split('@id("denied")')[0] ?? "";
  await app.policy.publish(admin, (await app.policy.createVersion(admin, { cedar })).id);
  await publishCrashFlows(app, admin);
  await app.stop();
  if (close) await db.close();
  return { admin: first.apiKey, approver };
}

const isEnded = (status: string): boolean => ["completed", "failed", "aborted"].includes(status);

/** Waits for each run's end, and says which came to another one than it should have. */
async function settle(server: ServerProcess, keys: Keys, started: readonly Started[]): Promise<string[]> {
  const wrong: string[] = [];
  const ids = await Promise.all(started.map((s) => s.id));
  if (new Set(ids).size !== ids.length) wrong.push("two starts with keys of their own are one run");
  for (const [n, { flow, v }] of started.entries()) {
    const due = dueOf(flow, v);
    const run = await until(
      `the end of ${flow} ${v} (${ids[n]})`,
      async () => {
        const { json } = await server.ask(keys.admin, "GET", `/v1/runs/${ids[n]}`);
        return isEnded(json.status) && (json.status !== "failed" || due.status === "failed") && json;
      },
      30_000,
      30,
    ).catch(async (error: Error) => {
      throw new Error(`${error.message}: ${await describeRun(server, keys, ids[n] ?? "")}`);
    });
    const is = { status: run.status, output: run.output, ...(run.error ? { code: run.error.code } : {}) };
    if (JSON.stringify(is) !== JSON.stringify(due))
      wrong.push(`${flow} ${v} is ${JSON.stringify(is)}, should be ${JSON.stringify(due)}`);
  }
  return wrong;
}

async function describeRun(server: ServerProcess, keys: Keys, id: string): Promise<string> {
  const { json: run } = await server.ask(keys.admin, "GET", `/v1/runs/${id}`);
  const { json: actions } = await server.ask(keys.admin, "GET", `/v1/actions?run=${id}&limit=50`);
  return inspect({ run, actions }, { depth: 5, breakLength: 160 });
}

/** One body for a key, and a key for each body; what takes no key came once. */
function auditRequests(receiver: Receiver): string[] {
  const wrong: string[] = [];
  const { received } = receiver;
  for (const [k, same] of Map.groupBy(received, (r) => keyOf(r.body))) {
    if (new Set(same.map((r) => r.key)).size > 1) wrong.push(`${k} was sent under several keys`);
    if (new Set(same.map((r) => JSON.stringify(r.body))).size > 1)
      wrong.push(`${k} was sent with several bodies`);
    if (k.endsWith("/mail") && same.length > 1) wrong.push(`${k} was sent ${same.length} times`);
    if (k.endsWith("/never")) wrong.push(`${k} was sent although its run had failed`);
  }
  return wrong;
}

/** What the rows say once nothing is left to do. */
async function auditRows(db: Database): Promise<string[]> {
  const app = await joinTestApp(db);
  await app.start();
  await until("an empty outbox", async () => (await app.outbox.pending()) === 0);
  await app.stop();
  const broken = await brokenInvariants(db);
  return Object.entries(broken).map(([rule, rows]) => `${rule}: ${JSON.stringify(rows)}`);
}
