/**
 * Runs that a version of the server left half way, as rows: a later version upgrades the schema under them, takes them
 * up and brings them to their ends. `scripts/record-replay.ts` records a set; sets are never changed and never removed.
 */
import { PGlite } from "@electric-sql/pglite";
import {
  type Database,
  type Migration,
  migrate,
  migrationsDir,
  overDriver,
  overPglite,
  ownerOfPglite,
  readMigrations,
  sql,
} from "#platform/db";
import { startTestApp } from "./app.ts";
import { startReceiver } from "./receiver.ts";
import { until } from "./until.ts";

export interface ReplayFixture {
  readonly version: string;
  readonly recordedAt: string;
  readonly tenantId: string;
  readonly adminId: string;
  /** Who may answer gates. */
  readonly approverId: string;
  /** Those that had run, by file name. */
  readonly migrations: readonly string[];
  /** Ids of runs by the name of their flow. */
  readonly runs: Readonly<Record<string, string>>;
  readonly tables: Readonly<Record<string, readonly Record<string, unknown>[]>>;
}

const send = (k: unknown, more: Record<string, unknown> = {}) => ({
  use: "http.request",
  with: { connection: "wms", method: "POST", path: "/orders", body: { k, ...more } },
});
const later = { retry: { attempts: 3, backoff: "fixed", initial: "1h", max: "1h" } };
const note = (needs: string, output: string) => ({ use: "noop", needs: [needs], with: { output } });

/** Each is left at what it waits for; `flight` in the middle of a request that nobody has answered. */
const flows: Readonly<Record<string, { steps: Record<string, unknown>; output: string }>> = {
  child: {
    steps: { nap: { use: "wait", with: { for: "1h" } }, end: note("nap", "slept") },
    output: "{{ steps.end.output }}",
  },
  retries: {
    steps: { ship: { ...send("retries", { busy: true }), ...later } },
    output: "{{ steps.ship.status }}",
  },
  items: {
    steps: {
      first: { use: "noop", durable: true, with: { output: [1, 2, 3] } },
      each: {
        ...send("{{ 'item' & $string(index) }}", { busy: "{{ item = 2 }}" }),
        needs: ["first"],
        forEach: { items: "{{ steps.first.output }}", concurrency: 1 },
        ...later,
      },
    },
    output: "{{ $count(steps.each.output) }}",
  },
  gate: {
    steps: {
      ask: { use: "noop", with: { output: "asked" }, gate: { question: "Go on?" } },
      end: note("ask", "{{ steps.ask.output & ' and answered' }}"),
    },
    output: "{{ steps.end.output }}",
  },
  signal: { steps: { paid: { use: "wait", with: { signal: "paid" } } }, output: "{{ steps.paid.output }}" },
  parent: { steps: { sub: { use: "flow", with: { flow: "child" } } }, output: "{{ steps.sub.output }}" },
  flight: { steps: { ship: send("flight", { slow: true }) }, output: "{{ steps.ship.status }}" },
};

/** What each comes to, whichever version ends it. */
export const replayOutputs: Readonly<Record<string, unknown>> = {
  retries: "completed",
  items: 3,
  gate: "asked and answered",
  signal: { amount: 7 },
  parent: "slept",
  flight: "completed",
};

/** Where the runs send; an administrator puts it again where they go on. */
export const replayConnection = (baseUrl: string) => ({
  name: "wms",
  connector: "http",
  config: { baseUrl, idempotencyHeader: "Idempotency-Key" },
  environment: "test",
  risk: 10,
});

const policy = '@id("all") permit (principal, action, resource);';

async function openEmpty(migrations: readonly Migration[]): Promise<{ pglite: PGlite; db: Database }> {
  const pglite = await PGlite.create();
  await migrate(ownerOfPglite(pglite), migrations);
  return { pglite, db: overDriver(overPglite(pglite)) };
}

export async function recordReplay(version: string): Promise<ReplayFixture> {
  const migrations = await readMigrations(migrationsDir);
  const { pglite, db } = await openEmpty(migrations);
  const app = await startTestApp(db);
  const receiver = await startReceiver();
  const stuck = Promise.withResolvers<{ status: number }>();
  receiver.answer(({ body }) => {
    const { busy, slow } = body as { busy?: boolean; slow?: boolean };
    return slow ? stuck.promise : { status: busy ? 503 : 201, body: {} };
  });
  const { admin } = app;
  const approver = await app.caller("ana", ["approver"]);
  await app.connectors.put(admin, replayConnection(receiver.url));
  await app.policy.publish(admin, (await app.policy.createVersion(admin, { cedar: policy })).id);
  const runs: Record<string, string> = {};
  for (const [flow, definition] of Object.entries(flows)) {
    await app.flows.publish(admin, JSON.stringify({ flow, version: "1.0.0", ...definition }));
    if (flow in replayOutputs) runs[flow] = (await app.runs.start(admin, { flow, params: {} })).id;
  }
  await until("runs at rest, and a request under way", async () => {
    const open = await db.system.query<{ n: number }>(
      sql`select count(*)::int4 as n from run where status = 'waiting'`,
    );
    return open[0]?.n === Object.keys(flows).length - 1 && receiver.busy() === 1;
  });
  await app.log.sequenceNow(admin.tenantId);
  const tables = await dump(pglite);
  const [now] = await db.system.query<{ at: Date }>(sql`select now() as at`);
  stuck.resolve({ status: 201 });
  await app.stop();
  await receiver.close();
  await pglite.close();
  return {
    version,
    recordedAt: now?.at.toISOString() ?? "",
    tenantId: admin.tenantId,
    adminId: admin.principalId,
    approverId: approver.principalId,
    migrations: migrations.map((m) => m.name),
    runs,
    tables,
  };
}

async function dump(pglite: PGlite): Promise<Record<string, Record<string, unknown>[]>> {
  const names = await pglite.query<{ name: string }>(`select relname::text as name from pg_class
    where relkind in ('r', 'p') and not relispartition and relnamespace = 'public'::regnamespace
      and relname <> 'oars_migration' order by 1`);
  const tables: Record<string, Record<string, unknown>[]> = {};
  for (const { name } of names.rows) {
    const { rows } = await pglite.query<{ row: Record<string, unknown> }>(
      `select to_jsonb(t) as row from "${name}" t`,
    );
    if (rows.length > 0) tables[name] = rows.map(({ row }) => row);
  }
  return tables;
}

export interface Replayed {
  readonly db: Database;
  close(): Promise<void>;
}

/** The rows in the schema that they were recorded in, moved to now, under every migration that has come since. */
export async function loadReplay(fixture: ReplayFixture): Promise<Replayed> {
  const migrations = await readMigrations(migrationsDir);
  const then = new Set(fixture.migrations);
  const { pglite, db } = await openEmpty(migrations.filter((m) => then.has(m.name)));
  const ms = Date.now() - Date.parse(fixture.recordedAt);
  await pglite.exec("set session_replication_role = replica"); // rows come in no particular order
  for (const [name, rows] of Object.entries(fixture.tables)) {
    await pglite.exec(`delete from "${name}"`); // what migrations put there
    for (const row of rows) {
      const text = JSON.stringify(moved(row, ms));
      await pglite.query(
        `insert into "${name}" select (jsonb_populate_record(null::"${name}", $1::jsonb)).*`,
        [text],
      );
    }
  }
  await pglite.exec("set session_replication_role = origin");
  await migrate(ownerOfPglite(pglite), migrations);
  return { db, close: () => db.close() };
}

const instant = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(\+00:00|Z)$/;

/** Deadlines and due times lie as far ahead as they did. */
const moved = (row: Record<string, unknown>, ms: number): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(row).map(([column, value]) => [
      column,
      typeof value === "string" && instant.test(value)
        ? new Date(Date.parse(value) + ms).toISOString()
        : value,
    ]),
  );
