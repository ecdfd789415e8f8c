/** What goes when its time is over, what stays because something of it is under way, and what is left behind. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createBlobs, referenceIn } from "#platform/blobs";
import { type Database, openMonths, sql, WriteSet } from "#platform/db";
import { newId } from "#platform/kernel";
import { drivers, openTestDatabase, type TestDatabase } from "#testing";
import { retire } from "./retention.ts";
import { openStage } from "./testing/stage.ts";

/** An id of that time: `newId` never goes back. */
function at(iso: string): string {
  const ms = Date.parse(iso).toString(16).padStart(12, "0");
  return `${ms.slice(0, 8)}-${ms.slice(8)}${newId().slice(13)}`;
}
const forever = { runs: null, actions: null, receipts: null, events: null };
const tables = ["run", "journal", "wait", "signal", "gate", "blob"] as const;

describe.each(drivers)("retention on %s", (driver) => {
  let opened: TestDatabase;
  const tenants = [newId(), newId()];
  const said: { month: string; why?: string }[] = [];
  const db = (): Database => opened.database;
  const log = { info: (o: unknown) => said.push(o as never), warn: (o: unknown) => said.push(o as never) };
  const run = (keep: Partial<typeof forever> | Record<string, number>) =>
    retire({ db: db(), keep: { ...forever, ...keep }, log: log as never });
  const countOf = async (table: string, column: string, id: string): Promise<number> => {
    const [row] = await db().system.query<{ n: number }>({
      text: `select count(*)::int4 as n from ${table} where ${column} = $1`,
      values: [id],
    });
    return row?.n ?? 0;
  };
  const left = async (id: string): Promise<string[]> => {
    const found: string[] = [];
    for (const table of tables)
      if ((await countOf(table, table === "run" ? "id" : "run_id", id)) > 0) found.push(table);
    return found;
  };

  /** A run with all that hangs on it. */
  const plant = async (
    id: string,
    how: { status?: string; ended?: string | null; tenant?: string | undefined } = {},
  ): Promise<string> => {
    const { status = "completed", ended = "2025-01-20T00:00:00Z", tenant = tenants[0] ?? "" } = how;
    const { system } = db();
    await system.query(sql`insert into run (tenant_id, id, flow_name, flow_version, flow_hash, status, principal_id, params, ended_at)
      values (${tenant}, ${id}, 'f', '1.0.0', 'sha256:0', ${status}, ${tenant}, '{}', ${ended}::timestamptz)`);
    await system.query(sql`insert into journal (tenant_id, run_id, step, iteration, attempt, event, seq, at, ms)
      values (${tenant}, ${id}, 'a', 0, 1, 'completed', 1, now(), 1)`);
    await system.query(sql`insert into wait (tenant_id, id, run_id, step, iteration, attempt, kind, status)
      values (${tenant}, ${newId()}, ${id}, 'a', 0, 1, 'timer', 'resolved')`);
    await system.query(
      sql`insert into signal (tenant_id, id, run_id, name, sent_by) values (${tenant}, ${newId()}, ${id}, 's', ${tenant})`,
    );
    await system.query(sql`insert into gate (tenant_id, id, run_id, step, iteration, attempt, question, options, approvers,
      exclude_requester, requester_id) values (${tenant}, ${newId()}, ${id}, 'a', 0, 1, 'q', '{}', '{}', false, ${tenant})`);
    const set = new WriteSet();
    const kept = await createBlobs({ db: db() }).hold(
      set,
      { tenantId: tenant, runId: id },
      `"${"x".repeat(40_000)}"`,
    );
    expect(referenceIn(JSON.parse(kept))).toBeDefined();
    await db().committer.commit(set);
    return id;
  };
  const plantAction = async (
    id: string,
    how: { state?: string; ended?: string | null; tenant?: string | undefined } = {},
  ): Promise<string> => {
    const { state = "completed", ended = "2025-01-20T00:00:00Z", tenant = tenants[0] ?? "" } = how;
    const { system } = db();
    const reservation = Buffer.from(id.replaceAll("-", ""), "hex");
    await system.query(sql`insert into action (tenant_id, id, state, connection, operation, tool, verb, target, environment, digest,
        facts, input, principal_id, reservation, effect_key, idempotent, timeout_ms, decision, ended_at)
      values (${tenant}, ${id}, ${state}, 'c', 'o', 't', 'v', 't', 'e', 'd', '{}', '', ${tenant}, ${reservation}, 'k', true, 1, '{}',
        ${ended}::timestamptz)`);
    await system.query(
      sql`insert into action_reservation (tenant_id, reservation, action_id) values (${tenant}, ${reservation}, ${id})`,
    );
    const approval = newId();
    await system.query(sql`insert into approval (tenant_id, id, action_id, action_digest, state, requirements, requester_id, excluded,
      subject, reason, expires_at) values (${tenant}, ${approval}, ${id}, 'd', 'consumed', '[]', ${tenant}, '{}', '{}', 'r', now())`);
    await system.query(sql`insert into approval_vote (tenant_id, approval_id, principal_id, id, vote, roles, reason, receipt_digest)
      values (${tenant}, ${approval}, ${tenant}, ${newId()}, 'approve', '{}', 'r', 'd')`);
    return id;
  };
  const monthsOf = (list: readonly { month: string }[]): string[] => list.map((s) => s.month).sort();

  beforeAll(async () => {
    opened = await openTestDatabase(driver);
  });
  afterAll(() => opened.close());
  const begin = async (): Promise<void> => {
    await openMonths(db());
    said.length = 0;
  };

  it("for ever keeps everything", async () => {
    const id = await plant(at("2024-01-05T00:00:00Z"));
    await begin();
    await run(forever);
    expect(said).toEqual([]);
    expect(await left(id)).toEqual([...tables]);
    await run({ runs: 30 });
    expect(await left(id)).toEqual([]);
  });

  it("[G1] [G2] drops months whose runs have all ended, of every tenant, with all that hangs on them", async () => {
    const [old, theirs] = [at("2025-01-05T00:00:00Z"), at("2025-01-31T23:59:59Z")];
    const next = await plant(at("2025-02-01T00:00:00Z"), { ended: new Date().toISOString() });
    const now = await plant(newId(), { ended: new Date().toISOString() });
    await plant(old);
    await plant(theirs, { tenant: tenants[1] });
    await begin();
    await run({ runs: 30 });
    expect([await left(old), await left(theirs)]).toEqual([[], []]);
    expect([await left(next), await left(now)]).toEqual([[...tables], [...tables]]);
    expect(monthsOf(said.filter((s) => !s.why))).toEqual(["blob_2025_01", "journal_2025_01"]);
    expect(said.filter((s) => s.why)).toEqual([
      { month: "journal_2025_02", why: "1 of its runs ended less than 30 days ago" },
    ]);
    await begin();
    await run({ runs: 30 });
    expect(monthsOf(said)).toEqual(["journal_2025_02"]); // kept, and said so again
  });

  it.each([
    ["queued", null],
    ["waiting", null],
  ])("[G1] keeps a month for as long as a run of it is %s", async (status, ended) => {
    const live = await plant(at("2025-03-05T00:00:00Z"), { status, ended });
    const over = await plant(at("2025-03-06T00:00:00Z"), { tenant: tenants[1] });
    await begin();
    await run({ runs: 30 });
    expect(said).toContainEqual({ month: "journal_2025_03", why: "1 of its runs are under way" });
    expect([await left(live), await left(over)]).toEqual([[...tables], [...tables]]);
    await db().system.query(
      sql`update run set status = 'failed', ended_at = '2025-03-07' where id = ${live}`,
    );
    await run({ runs: 30 });
    expect([await left(live), await left(over)]).toEqual([[], []]);
  });

  it("goes on where it stopped half way", async () => {
    const id = at("2025-04-05T00:00:00Z");
    await plant(id);
    await begin();
    await db().system.query(sql`delete from run where id = ${id}`); // its journal is still there
    await run({ runs: 30 });
    expect(await countOf("journal", "run_id", id)).toBe(0);
    expect(await countOf("blob", "run_id", id)).toBe(0);
  });

  it("drops actions with their approvals, votes and reservations", async () => {
    const id = await plantAction(at("2025-05-05T00:00:00Z"));
    const theirs = await plantAction(at("2025-05-06T00:00:00Z"), { tenant: tenants[1] });
    const young = await plantAction(newId(), { ended: new Date().toISOString() });
    await begin();
    await run({ actions: 30 });
    for (const gone of [id, theirs]) {
      expect(await countOf("action", "id", gone)).toBe(0);
      expect(await countOf("approval", "action_id", gone)).toBe(0);
      expect(await countOf("action_reservation", "action_id", gone)).toBe(0);
    }
    const [votes] = await db().system.query<{ n: number }>(
      sql`select count(*)::int4 as n from approval_vote`,
    );
    expect(votes?.n).toBe(1);
    expect(await countOf("action_reservation", "action_id", young)).toBe(1);
  });

  it.each(["in_doubt", "pending_approval", "executing"])("keeps actions that are %s", async (state) => {
    const id = await plantAction(at("2025-06-05T00:00:00Z"), { state, ended: null });
    await begin();
    await run({ actions: 30 });
    expect(said.map((s) => s.month)).toEqual(["action_2025_06"]);
    expect(await countOf("action", "id", id)).toBe(1);
    await db().system.query(
      sql`update action set state = 'failed', ended_at = '2025-06-06' where id = ${id}`,
    );
    await run({ actions: 30 });
    expect(await countOf("action", "id", id)).toBe(0);
  });

  it("[X6] keeps the reservations of actions that an old run may propose again", async () => {
    const live = await plant(at("2025-07-05T00:00:00Z"), { status: "waiting", ended: null });
    const id = await plantAction(at("2025-08-05T00:00:00Z"));
    await begin();
    await run({ actions: 30 });
    expect(said).toEqual([{ month: "action_2025_08", why: "a run as old is under way" }]);
    expect(await countOf("action_reservation", "action_id", id)).toBe(1);
    await db().system.query(sql`update run set status = 'aborted', ended_at = now() where id = ${live}`);
    await run({ actions: 30 });
    expect(await countOf("action_reservation", "action_id", id)).toBe(0);
  });

  it("drops receipts, not their places in the log, and none that has no place yet", async () => {
    const [id, tenant] = [at("2025-09-05T00:00:00Z"), tenants[0] ?? ""];
    const { system } = db();
    await system.query(
      sql`insert into receipt (tenant_id, id, type, jws, created_at) values (${tenant}, ${id}, 't', 'j', now())`,
    );
    const hash = Buffer.alloc(32, 1);
    await system.query(
      sql`insert into receipt_pending (tenant_id, receipt_id, leaf_hash) values (${tenant}, ${id}, ${hash})`,
    );
    await begin();
    await run({ receipts: 30 });
    expect(said).toEqual([{ month: "receipt_2025_09", why: "a receipt of it is not in the log yet" }]);
    await system.query(sql`delete from receipt_pending where receipt_id = ${id}`);
    await system.query(
      sql`insert into log_leaf (tenant_id, leaf_index, receipt_id, leaf_hash) values (${tenant}, 0, ${id}, ${hash})`,
    );
    await run({ receipts: 30 });
    expect(await countOf("receipt", "id", id)).toBe(0);
    expect(await countOf("log_leaf", "receipt_id", id)).toBe(1);
  });
});

describe.each(drivers)("a server on %s", (driver) => {
  it("drops what its configuration says, and works on", async () => {
    const stage = await openStage(driver, { env: { OARS_RETENTION_RUNS: "30d" } });
    try {
      const flow = (n: number) =>
        JSON.stringify({ flow: `kept-${n}`, version: "1.0.0", steps: { a: { use: "noop" } } });
      const before = await stage.run(flow(1));
      await stage.reach(before, "completed");
      const old = at("2025-01-05T00:00:00Z");
      const { system } = stage.opened.database;
      await system.query(sql`insert into run (tenant_id, id, flow_name, flow_version, flow_hash, status, principal_id, params, ended_at)
        values (${stage.admin.tenantId}, ${old}, 'f', '1.0.0', 'sha256:0', 'completed', ${newId()}, '{}', '2025-01-06')`);
      await system.query(sql`insert into journal (tenant_id, run_id, step, iteration, attempt, event, seq, at, ms)
        values (${stage.admin.tenantId}, ${old}, 'a', 0, 1, 'completed', 1, now(), 1)`);
      for (const job of ["months", "retention"])
        await (await stage.app.scheduler.runNow(stage.admin, job)).ended;
      const jobs = await stage.app.scheduler.list(stage.admin);
      expect(jobs.filter((j) => j.lastError !== null)).toEqual([]);
      await expect(stage.app.runs.find(stage.admin, old)).rejects.toMatchObject({ code: "RUN_NOT_FOUND" });
      expect((await stage.app.runs.find(stage.admin, before)).status).toBe("completed");
      await stage.reach(await stage.run(flow(2)), "completed");
    } finally {
      await stage.close();
    }
  });
});
