/** What a worker costs that has nothing to do, however many runs wait. */
import { describe, expect, it } from "vitest";
import type { Database, Db, Sql, Tx } from "#platform/db";
import { sql } from "#platform/db";
import { openTestDatabase } from "#testing";
import { startWorker } from "./testing/app.ts";
import { until } from "./testing/until.ts";

const parked = 300;
const windowMs = 6_000;

/** Notes each statement that a worker sends, with those that begin and end its transactions. */
function counted(db: Database, sent: { at: number; what: string }[]): Database {
  const note = (what: string): void => {
    sent.push({ at: performance.now(), what });
  };
  const noting = <T extends Db>(over: T): T => ({
    ...over,
    query: <Row>(statement: Sql): Promise<Row[]> => {
      note(/\/\* (\S+)/.exec(statement.text)?.[1] ?? statement.text);
      return over.query<Row>(statement);
    },
  });
  const within =
    <T extends Db, R>(fn: (over: T) => Promise<R>) =>
    (over: T): Promise<R> => {
      note("begin");
      note("commit");
      return fn(noting(over));
    };
  return {
    ...db,
    read: <T>(tenantId: string, fn: (over: Db) => Promise<T>) => db.read(tenantId, within<Db, T>(fn)),
    tx: <T>(tenantId: string, fn: (over: Tx) => Promise<T>) => db.tx(tenantId, within<Tx, T>(fn)),
    system: {
      query: noting(db.system).query,
      tx: <T>(fn: (over: Tx) => Promise<T>) => db.system.tx(within<Tx, T>(fn)),
    },
    committer: {
      commit: (set) => {
        note("a commit of writes");
        return db.committer.commit(set);
      },
    },
    notify: (channel, payload) => {
      note("notify");
      db.notify(channel, payload);
    },
  };
}

describe("a worker with nothing to do, on postgres", () => {
  it(`sends two statements a second at most, beside ${parked} runs that wait`, async () => {
    const opened = await openTestDatabase("postgres");
    const sent: { at: number; what: string }[] = [];
    const worker = await startWorker(opened, { wrap: (db) => counted(db, sent) });
    const { app } = worker;
    const tenant = await app.access.bootstrap("Idle");
    const admin = await app.access.authenticate(`Bearer ${tenant.created ? tenant.apiKey : ""}`);
    await app.flows.publish(
      admin,
      "flow: naps\nversion: 1.0.0\nsteps: { nap: { use: wait, with: { for: 1h } } }\n",
    );
    await app.start();
    await Promise.all(
      Array.from({ length: parked }, () => app.runs.start(admin, { flow: "naps", params: {} })),
    );
    await until("all to wait", async () => {
      const rows = await opened.database.system.query(
        sql`select 1 from run where status <> 'waiting' limit 1`,
      );
      return rows.length === 0;
    });
    await until("rest", () => {
      const looks = sent.filter((s) => s.what === "engine.lookAround").slice(-2);
      return (looks[1]?.at ?? 0) - (looks[0]?.at ?? 0) > 1_900;
    });
    const from = performance.now();
    await until("the time of a measurement", () => performance.now() - from >= windowMs);
    const within = sent.filter((s) => s.at >= from && s.at < from + windowMs);
    const by = Object.fromEntries(
      [...Map.groupBy(within, (s) => s.what)].map(([what, list]) => [what, list.length]),
    );
    await worker.stop();
    await opened.close();
    const turn = 2 * 3; // statements of a job's turn, of which two may fall into so short a time
    expect(within.length, JSON.stringify(by)).toBeLessThanOrEqual((2 * windowMs) / 1_000 + turn);
    expect(by["engine.lookAround"]).toBeGreaterThanOrEqual(2); // the count is not blind
  });
});
