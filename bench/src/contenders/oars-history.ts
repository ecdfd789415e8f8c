/** Part: our engine beside many runs that have ended: how long its claims take, and lists of runs. */

import pg from "pg";
import type { CompiledFlow } from "../../../apps/server/src/orchestrate/flows/index.ts";
import { type Database, type Sql, sql } from "../../../apps/server/src/platform/db/index.ts";
import { answerCalls } from "../part.ts";
import { temporaryDirectory } from "../temporary.ts";
import { type OarsApp, openOars } from "./oars-app.ts";
import { startMany } from "./parked.ts";

export interface ListTimes {
  /** Milliseconds of each call. */
  readonly newest: readonly number[];
  readonly failed: readonly number[];
  readonly flow: readonly number[];
}

export type HistoryCalls = {
  open(url: string | null): Promise<void>;
  /** Adds so many runs that have ended, each with one record of a step. */
  fill(count: number): Promise<void>;
  /** Clears up after the filling and renews the planner's figures, as a database does by itself in time. */
  tidy(): Promise<void>;
  /** Queues so many runs and lets a worker of few slots run them. Milliseconds of each of its claims. */
  claims(count: number): Promise<readonly number[]>;
  lists(count: number): Promise<ListTimes>;
};

/** So few that runs are claimed a few at a time. */
const slots = 16;
const fillBatch = 50_000;
const waitMs = 120_000;
const tables = ["run", "journal"];

const flowText = `
flow: short
version: 1.0.0
steps:
  one: { use: noop, durable: true }
`;

function createPart(): { calls: HistoryCalls; close: () => Promise<void> } {
  let opened:
    | { readonly door: OarsApp; readonly flow: CompiledFlow; readonly url: string | null }
    | undefined;
  const dataDir = temporaryDirectory("history");
  const required = () => {
    if (!opened) throw new Error("open comes first");
    return opened;
  };
  const calls: HistoryCalls = {
    open: async (url) => {
      const door = await openOars({ url, dataDir: await dataDir, idle: true });
      opened = { door, url, flow: await door.publish(flowText) };
    },
    fill: async (count) => {
      const { door } = required();
      for (let done = 0; done < count; done += fillBatch)
        await fill(door, done, Math.min(fillBatch, count - done));
    },
    tidy: async () => {
      const { door, url } = required();
      if (url === null) return door.app.db.tidy(tables);
      const owner = new pg.Client({ connectionString: url });
      await owner.connect();
      for (const table of tables) await owner.query(`vacuum (analyze) ${table}`);
      await owner.end();
    },
    claims: async (count) => {
      const { door, flow, url } = required();
      await startMany(count, Number.POSITIVE_INFINITY, () => door.start(flow));
      const times: number[] = [];
      const db = timed(door.app.db, claimTags, (ms) => times.push(ms));
      const env = { OARS_MAX_CONCURRENCY: String(slots) };
      const worker = await openOars({ url, dataDir: await dataDir, db, env });
      await nothingLeft(door);
      await worker.app.stop();
      return times;
    },
    lists: async (count) => {
      const { app, admin } = required().door;
      const measure = async (filter: object): Promise<number[]> => {
        const times: number[] = [];
        for (let i = 0; i < count; i++) {
          const started = performance.now();
          const page = await app.runs.list(admin, { limit: 50, ...filter });
          times.push(performance.now() - started);
          if (page.length === 0) throw new Error("the page is empty");
        }
        return times;
      };
      return {
        newest: await measure({}),
        failed: await measure({ status: "failed" }),
        flow: await measure({ flow: "rare" }),
      };
    },
  };
  return { calls, close: async () => opened?.door.app.stop() };
}

/** Nine of ten have completed; one of a hundred is of another flow than the others. Ids are of the last hours. */
async function fill({ app, admin }: OarsApp, first: number, count: number): Promise<void> {
  await app.db.system.query(sql`
    with n as (
      select i, uuidv7(make_interval(secs => -0.005 * (2000000 - i))) as id
      from generate_series(${first}::int, ${first + count - 1}::int) i
    ), runs as (
      insert into run (tenant_id, id, flow_name, flow_version, flow_hash, status, principal_id, params, trigger,
        output, lease_epoch, last_seq, created_at, available_at, started_at, ended_at)
      select ${admin.tenantId}::uuid, n.id, case when n.i % 100 = 0 then 'rare' else 'orders' end, '1.0.0',
        'sha256:0', case when n.i % 10 = 0 then 'failed' else 'completed' end, ${admin.principalId}::uuid,
        '{"order": "SO-2026-1", "customer": "Ana Novak"}'::jsonb, '{"kind": "webhook"}'::jsonb, '{"ok": true}'::jsonb,
        1, 1, now(), now(), now(), now()
      from n returning id
    )
    insert into journal (tenant_id, run_id, step, iteration, attempt, event, seq, output, at, ms)
    select ${admin.tenantId}::uuid, r.id, 'one', 0, 1, 'completed', 1, '{"ok": true}'::jsonb, now(), 1 from runs r`);
}

/** Looking for tenants with queued runs, and taking runs of theirs. */
const claimTags = /\/\* engine\.(findReady|claim)/;

/** The database, with the time of every statement and transaction told that has one of these tags. */
function timed(db: Database, tags: RegExp, tell: (ms: number) => void): Database {
  const marked = (statement: Sql): boolean => tags.test(statement.text);
  return {
    ...db,
    system: {
      query: async <Row>(statement: Sql) => {
        const started = performance.now();
        const rows = await db.system.query<Row>(statement);
        if (marked(statement)) tell(performance.now() - started);
        return rows;
      },
      tx: async (fn) => {
        const started = performance.now();
        let mark = false;
        const result = await db.system.tx((tx) =>
          fn({
            ...tx,
            query: (statement) => {
              mark ||= marked(statement);
              return tx.query(statement);
            },
          }),
        );
        if (mark) tell(performance.now() - started);
        return result;
      },
    },
  };
}

async function nothingLeft({ app, admin }: OarsApp): Promise<void> {
  const deadline = performance.now() + waitMs;
  for (;;) {
    const [row] = await app.db.system.query<{ left: boolean }>(
      sql`select exists (select from run where tenant_id = ${admin.tenantId} and status = 'queued' and not blocked)
        or exists (select from run where status = 'running') as left`,
    );
    if (!row?.left) return;
    if (performance.now() > deadline) throw new Error("queued runs are not run");
    await new Promise((done) => setTimeout(done, 100));
  }
}

const part = createPart();
answerCalls(part.calls, part.close);
