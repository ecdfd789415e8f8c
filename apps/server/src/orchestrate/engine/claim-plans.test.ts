/** Claims beside a long history: what they read is what is queued or runs, by index alone. */
import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Database, type Sql, sql, type Tx } from "#platform/db";
import { newId } from "#platform/kernel";
import { openTestDatabase, type TestDatabase } from "#testing";
import { Claimer } from "./claim.ts";
import { plantRuns, tenantNo } from "./sample-runs.ts";
import { findLeased, fireTimers, nextTimer, requeueOf } from "./store.ts";

interface PlanNode {
  readonly "Node Type": string;
  readonly "Relation Name"?: string;
  readonly "Index Name"?: string;
  readonly "Index Cond"?: string;
  readonly Plans?: readonly PlanNode[];
}

const nodesOf = (node: PlanNode): PlanNode[] => [node, ...(node.Plans ?? []).flatMap(nodesOf)];

/** How a statement reads the table `run`: by which indexes, and otherwise by which kinds of scan. */
async function readsOf(db: Database, statement: Sql): Promise<string[]> {
  const [row] = await db.system.query<{ "QUERY PLAN": [{ Plan: PlanNode }] }>({
    text: `explain (format json) ${statement.text}`,
    values: statement.values,
  });
  const nodes = row ? nodesOf(row["QUERY PLAN"][0].Plan) : [];
  const reads = nodes.filter(
    (n) => n["Relation Name"] === "run" && n["Node Type"] !== "ModifyTable" && n["Node Type"] !== "LockRows",
  );
  return [...new Set(reads.map(readOf))].sort();
}

/** The index over all runs is fine where it finds one run by its key, and nowhere else. */
const readOf = (n: PlanNode): string => {
  const index = n["Index Name"];
  if (index === undefined) return n["Node Type"];
  if (index !== "run__tenant_id__id") return index;
  return /\(id = /.test(n["Index Cond"] ?? "") ? "by key" : "by tenant";
};

const nameOf = (statement: Sql): string => /\/\* (\S+) \*\//.exec(statement.text)?.[1] ?? statement.text;

describe("beside 200,000 ended runs on postgres", () => {
  let opened: TestDatabase;
  beforeAll(async () => {
    opened = await openTestDatabase("postgres");
    const db = opened.database;
    await plantRuns(db, { tenants: [1, 100], each: 2_000, status: "completed" });
    await plantRuns(db, { tenants: [1, 500], each: 6 });
    await plantRuns(db, { tenants: [1, 20], each: 20, flow: "narrow", flowMax: 2 });
    await plantRuns(db, { tenants: [1, 50], each: 10, status: "waiting" });
    const owner = new pg.Client({ connectionString: opened.url ?? "" });
    await owner.connect();
    await owner.query("analyze run");
    await owner.end();
  });
  afterAll(() => opened.close());

  /** How each statement of `work` reads runs. */
  const readsIn = async (work: (db: Database) => Promise<unknown>): Promise<Record<string, string[]>> => {
    const { database } = opened;
    const seen = new Map<string, Sql>();
    const note =
      <Row>(on: { query<R>(s: Sql): Promise<R[]> }) =>
      (statement: Sql): Promise<Row[]> => {
        seen.set(nameOf(statement), statement);
        return on.query<Row>(statement);
      };
    const noting = (tx: Tx): Tx => ({ ...tx, query: note(tx) as Tx["query"] }); // the row type passes through
    await work({
      ...database,
      system: {
        query: note(database.system) as Tx["query"], // likewise
        tx: (fn) => database.system.tx((tx) => fn(noting(tx))),
      },
    });
    const reads: Record<string, string[]> = {};
    for (const [name, statement] of seen) reads[name] = await readsOf(database, statement);
    return reads;
  };

  it("[F5] a claim without caps reads the queue, and runs by their key", async () => {
    const reads = await readsIn(async (db) => {
      await db.system.query(sql`/* hide */ update run set blocked = true where flow_max is not null`);
      await new Claimer({ db, workerId: newId(), maxRunning: null, random: () => 1 }).claim(100);
      await db.system.query(sql`/* show */ update run set blocked = false where flow_max is not null`);
    });
    expect(reads["engine.findReady"]).toEqual(["run__queued", "run__queued_capped"]);
    expect(reads["engine.claimOpen"]).toEqual(["by key", "run__queued"]);
  });

  it("[F4] a claim under caps reads the queues and what runs", async () => {
    const share = sql`insert into run_share (tenant_id, max_running) values (${tenantNo(1)}, 3)`;
    await opened.database.system.query(share);
    const reads = await readsIn((db) => new Claimer({ db, workerId: newId(), maxRunning: 500 }).claim(100));
    expect(reads["engine.countRunning"]).toEqual(["run__queued_capped", "run__running"]);
    expect(reads["engine.countAllRunning"]).toEqual(["run__running"]);
    expect(reads["engine.claimCapped"]).toEqual(["by key", "run__queued", "run__queued_capped"]);
  });

  it("[J3] takeover, timers and the search for strays read what runs and what is due", async () => {
    const reads = await readsIn(async (db) => {
      await nextTimer(db);
      await findLeased(db, newId());
      await db.system.tx((tx) => fireTimers(tx, 100));
      await db.system.tx((tx) => requeueOf(tx, newId()));
    });
    expect(reads["engine.nextTimer"]).toEqual(["run__deadline"]);
    expect(reads["engine.findLeased"]).toEqual(["run__running"]);
    expect(reads["engine.fireTimers"]).toEqual(["by key", "run__deadline"]);
    expect(reads["engine.requeueOf"]).toEqual(["run__running"]);
  });
});
