/**
 * Part: one tenant has many runs in the queue of a worker, another starts a few. The flood is queued before the
 * worker starts. Its runs are ten no-op steps each (`busy`: they take the processor), or one call that takes its
 * time (`slow`: they take the slots).
 */
import { createServer } from "node:http";
import type { CompiledFlow } from "../../../apps/server/src/orchestrate/flows/index.ts";
import type { Caller } from "../../../apps/server/src/platform/access/index.ts";
import { sql } from "../../../apps/server/src/platform/db/index.ts";
import { listen } from "../http.ts";
import { answerCalls } from "../part.ts";
import { temporaryDirectory } from "../temporary.ts";
import { allowAll, type OarsApp, openOars } from "./oars-app.ts";
import { startMany } from "./parked.ts";

export type Flood = "busy" | "slow";

export interface FloodRound {
  /** Milliseconds from the start of each of the small tenant's runs to its durable end, nobody else there. */
  readonly alone: readonly number[];
  readonly beside: readonly number[];
  /** For each of the small tenant's runs beside the flood: runs of the flood that were begun while it waited. */
  readonly ahead: readonly number[];
  /** How many runs of the flood had ended when the last of the small tenant's had, and the time that it took. */
  readonly flooded: number;
  readonly seconds: number;
}

export type FloodCalls = {
  open(url: string | null): Promise<void>;
  round(flood: Flood, queued: number, seconds: number): Promise<FloodRound>;
};

/** What the small tenant starts at once. */
const batch = 10;
const slowMs = 100;
/** Runs that the worker has in hand at most, where the flood takes the slots. */
const slots = 64;
const defaultSlots = 1000;
const settleMs = 300;

const smallText = `
flow: small
version: 1.0.0
steps:
  one: { use: noop, durable: true }
`;
const busyText = `
flow: busy
version: 1.0.0
steps:
${Array.from({ length: 10 }, (_, i) => `  s${i}: { use: noop, durable: true${i > 0 ? `, needs: [s${i - 1}]` : ""} }`).join("\n")}
`;
const slowText = `
flow: slow
version: 1.0.0
steps:
  call: { use: http.request, with: { connection: slow, path: /, method: GET } }
`;

interface Opened {
  /** Queues starts, and begins none. */
  readonly door: OarsApp;
  readonly url: string | null;
  readonly small: { readonly caller: Caller; readonly flow: CompiledFlow };
  readonly floods: Readonly<Record<Flood, CompiledFlow>>;
}

const env = { OARS_EGRESS_ALLOW: "127.0.0.1/32" };

function createPart(): { calls: FloodCalls; close: () => Promise<void> } {
  const dataDir = temporaryDirectory("flood");
  const slow = createServer((_, response) => void setTimeout(() => response.end("{}"), slowMs));
  let opened: Opened | undefined;
  const calls: FloodCalls = {
    open: async (url) => {
      const door = await openOars({ url, dataDir: await dataDir, env, idle: true });
      const { app, admin } = door;
      await app.connectors.put(admin, {
        name: "slow",
        connector: "http",
        config: { baseUrl: await listen(slow) },
        environment: "bench",
        risk: 0,
      });
      await allowAll(door);
      const second = await app.access.createTenant(admin, "Small");
      const caller = await app.access.callerFor(second.tenantId, second.principalId);
      opened = {
        ...{ door, url },
        small: { caller, flow: await door.publish(smallText, caller) },
        floods: { busy: await door.publish(busyText), slow: await door.publish(slowText) },
      };
    },
    round: async (flood, queued, seconds) => {
      if (!opened) throw new Error("open comes first");
      return round(opened, await dataDir, flood, queued, seconds);
    },
  };
  const close = async (): Promise<void> => {
    slow.close();
    await opened?.door.app.stop();
  };
  return { calls, close };
}

async function round(
  { door, url, small, floods }: Opened,
  dataDir: string,
  flood: Flood,
  queued: number,
  seconds: number,
): Promise<FloodRound> {
  const { db } = door.app;
  const most = { OARS_MAX_CONCURRENCY: String(flood === "slow" ? slots : defaultSlots) };
  const startWorker = () => openOars({ url, dataDir, db, env: { ...env, ...most } });
  const sample = async (worker: OarsApp, until: () => boolean): Promise<number[]> => {
    const times: number[] = [];
    while (!until()) {
      const one = async (): Promise<void> => {
        const started = performance.now();
        const status = await worker.finish(small.flow, {}, small.caller);
        if (status !== "completed") throw new Error(`a run of the small tenant ${status}`);
        times.push(performance.now() - started);
      };
      await Promise.all(Array.from({ length: batch }, one));
    }
    return times;
  };
  const quiet = await startWorker();
  await sample(quiet, after(0.3));
  const alone = await sample(quiet, after(seconds));
  await quiet.app.stop();

  const before = await floodEnded(door);
  await startMany(queued, Number.POSITIVE_INFINITY, () => door.start(floods[flood]));
  const worker = await startWorker();
  const since = await databaseTime(door);
  await new Promise((done) => setTimeout(done, settleMs)); // the flood is in full spate then
  const started = performance.now();
  const timeIsUp = after(seconds);
  let gone = false;
  const watch = setInterval(async () => {
    gone = (await floodQueued(door)) === 0;
  }, 200);
  const beside = await sample(worker, () => gone || timeIsUp());
  clearInterval(watch);
  const spent = (performance.now() - started) / 1000;
  const flooded = (await floodEnded(door)) - before;
  await dropQueued(door); // nothing more is claimed
  await worker.app.stop();
  await dropQueued(door); // what it handed back
  return { alone, beside, ahead: await begunAhead(door, small.caller, since), flooded, seconds: spent };
}

const after = (seconds: number): (() => boolean) => {
  const at = performance.now() + seconds * 1000;
  return () => performance.now() >= at;
};

async function databaseTime({ app }: OarsApp): Promise<Date> {
  const [row] = await app.db.system.query<{ now: Date }>(sql`select now() as now`);
  if (!row) throw new Error("the time has a row");
  return row.now;
}

async function begunAhead({ app, admin }: OarsApp, small: Caller, since: Date): Promise<number[]> {
  const rows = await app.db.system.query<{ n: number }>(sql`
    select (select count(*) from run f where f.tenant_id = ${admin.tenantId}
      and f.started_at > s.created_at and f.started_at < s.started_at) as n
    from run s where s.tenant_id = ${small.tenantId} and s.created_at >= ${since} limit 300`);
  return rows.map(({ n }) => n);
}

async function floodEnded({ app, admin }: OarsApp): Promise<number> {
  const [row] = await app.db.system.query<{ n: number }>(
    sql`select count(*) as n from run where tenant_id = ${admin.tenantId} and status = 'completed'`,
  );
  return row?.n ?? 0;
}

async function floodQueued({ app, admin }: OarsApp): Promise<number> {
  const [row] = await app.db.system.query<{ n: number }>(
    sql`select count(*) as n from run where tenant_id = ${admin.tenantId} and status = 'queued'`,
  );
  return row?.n ?? 0;
}

/** What is left of the flood when the time is up, so that the next round begins with its own. */
async function dropQueued({ app, admin }: OarsApp): Promise<void> {
  await app.db.system.query(
    sql`update run set status = 'aborted', ended_at = now() where tenant_id = ${admin.tenantId} and status = 'queued'`,
  );
}

const part = createPart();
answerCalls(part.calls, part.close);
