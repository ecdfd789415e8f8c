/** Rows that were damaged by hand: the sweep finds them, counts them, and the runs go on. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { createInvariantSweep, type Violation } from "#orchestrate/engine";
import { sql } from "#platform/db";
import { newId } from "#platform/kernel";
import { createTelemetry } from "#platform/telemetry";
import { drivers } from "#testing";
import { brokenInvariants } from "./testing/invariants.ts";
import { openStage, type Stage } from "./testing/stage.ts";
import { until } from "./testing/until.ts";

let flows = 0;
const flow = (steps: Record<string, unknown>, more: Record<string, unknown> = {}) =>
  JSON.stringify({ flow: `damaged-${++flows}`, version: "1.0.0", steps, ...more });
const hourLong = { nap: { use: "wait", with: { for: "1h" } } };

describe.each(drivers)("damaged rows on %s", (driver) => {
  const telemetry = createTelemetry({ level: "fatal", name: "test", processMetrics: false });
  let stage: Stage;
  beforeAll(async () => {
    stage = await openStage(driver, { telemetry });
  });
  afterEach(() => until("an empty outbox", async () => (await stage.app.outbox.pending()) === 0));
  afterAll(async () => {
    const left = await brokenInvariants(stage.opened.database);
    await stage.close();
    expect(left).toEqual({});
  });
  const db = () => stage.opened.database.system;
  /** What a sweep finds of this run, whatever else lies about. */
  const sweep = async (runId: string, meanwhile?: () => Promise<unknown>) => {
    const found: Violation[] = [];
    const firsts: boolean[] = [];
    const errors: unknown[] = [];
    const run = createInvariantSweep({
      db: stage.opened.database,
      outbox: stage.app.outbox,
      onViolation: (violation, first) => {
        if (violation.runId !== runId) return;
        found.push(violation);
        firsts.push(first);
      },
      onWoken: stage.app.engine.wake,
      onError: (error) => errors.push(error),
      pauseMs: meanwhile ? 300 : 0,
    });
    const swept = run();
    await meanwhile?.();
    await swept;
    stage.app.outbox.wake();
    expect(errors).toEqual([]);
    return { found: found.map((v) => v.invariant), firsts, again: run };
  };
  const parked = async (source = flow(hourLong)): Promise<string> => {
    const id = await stage.run(source);
    await stage.reach(id, "waiting");
    return id;
  };
  const waitsOf = (id: string) =>
    db().query<{ kind: string; key: string | null; status: string }>(
      sql`select kind, key, status from wait where run_id = ${id} order by created_at, id`,
    );
  const damage = (id: string) => ({
    dropWaits: () => db().query(sql`delete from wait where run_id = ${id}`),
    resolveWaits: () =>
      db().query(sql`update wait set status = 'resolved', resolved_at = now() where run_id = ${id}`),
    giveTo: (worker: string) =>
      db().query(sql`update run set status = 'running', lease_worker = ${worker} where id = ${id}`),
  });

  it("are not found where nothing is damaged, whatever waits and has ended", async () => {
    const id = await parked();
    await stage.reach(await stage.run(flow({ a: { use: "noop" } })), "completed");
    expect((await sweep(id)).found).toEqual([]);
    await stage.app.runs.abort(stage.admin, id, "not needed");
  });

  it("[Z1] a run whose worker is not there is taken from it and goes on", async () => {
    const id = await parked();
    const epoch = async () => {
      const [row] = await db().query<{ n: number }>(sql`select lease_epoch as n from run where id = ${id}`);
      return row?.n ?? 0;
    };
    const before = await epoch();
    await damage(id).resolveWaits();
    await damage(id).giveTo(newId());
    expect((await sweep(id)).found).toEqual(["running_without_worker"]);
    await stage.reach(id, "completed");
    expect(await epoch()).toBeGreaterThan(before);
  });

  it("[Z1] a run whose worker lives is left alone", async () => {
    const id = await parked();
    const worker = newId();
    await db().query(sql`insert into worker (id, host, pid) values (${worker}, 'elsewhere', 1)`);
    await damage(id).giveTo(worker);
    expect((await sweep(id)).found).toEqual([]);
    await db().query(sql`update worker set dead_at = now() where id = ${worker}`);
    expect((await sweep(id)).found).toEqual(["running_without_worker"]);
    await stage.reach(id, "waiting");
    await stage.app.runs.abort(stage.admin, id, "not needed");
  });

  it("[Z2] a run whose wait was resolved and that nobody queued goes on", async () => {
    const id = await parked();
    await damage(id).resolveWaits();
    expect((await sweep(id)).found).toEqual(["waiting_without_wait"]);
    await stage.reach(id, "completed");
  });

  it("[Z2] a run whose timer is gone waits anew", async () => {
    const id = await parked();
    await damage(id).dropWaits();
    expect((await sweep(id)).found).toEqual(["waiting_without_wait"]);
    await until("another timer", async () =>
      (await waitsOf(id)).some((w) => w.kind === "timer" && w.status === "open"),
    );
    await stage.reach(id, "waiting");
    expect((await sweep(id)).found).toEqual([]);
    await stage.app.runs.abort(stage.admin, id, "not needed");
  });

  it("[Z2] a run that waits for an approval finds its action again and sends it once", async () => {
    const hold = { connection: "wms", method: "POST", path: "/orders", body: { hold: true } };
    const id = await parked(flow({ ship: { use: "http.request", with: hold } }));
    await damage(id).dropWaits();
    expect((await sweep(id)).found).toEqual(["waiting_without_wait"]);
    const open = async () => (await waitsOf(id)).some((w) => w.kind === "action" && w.status === "open");
    await until("another wait", open);
    const before = stage.receiver.received.length;
    const [action] = await stage.app.actions.list(stage.admin, { runId: id, limit: 5 });
    await stage.app.approvals.decide(stage.approver, action?.approvalId ?? "", {
      decision: "approve",
      reason: "it is fine",
    });
    await stage.reach(id, "completed");
    expect(stage.receiver.received.length).toBe(before + 1);
  });

  it("[Z2] a run that waits for a sub-run or a gate finds it again and makes no second", async () => {
    const child = flow(hourLong);
    await stage.app.flows.publish(stage.admin, child);
    const name = (JSON.parse(child) as { flow: string }).flow;
    const id = await parked(
      flow({
        sub: { use: "flow", with: { flow: name } },
        ask: { use: "noop", gate: { question: "Go on?" } },
      }),
    );
    await damage(id).dropWaits();
    expect((await sweep(id)).found).toEqual(["waiting_without_wait"]);
    await stage.reach(id, "waiting");
    const open = (await waitsOf(id)).filter((w) => w.status === "open").map((w) => w.kind);
    expect(open.sort()).toEqual(["child", "gate"]);
    const children = await db().query(sql`select id from run where parent_run_id = ${id}`);
    expect(children).toHaveLength(1);
    await stage.app.runs.abort(stage.admin, id, "not needed");
  });

  it("[Z3] the key of a run that is blocked by nobody is looked at again", async () => {
    const id = await parked();
    const told: unknown[] = [];
    stage.app.outbox.on("run.ended", async ({ payload }) => {
      if (payload.runId === id) told.push(payload);
    });
    await db().query(
      sql`update run set blocked = true, concurrency_key = 'lonely', concurrency_limit = 1 where id = ${id}`,
    );
    expect((await sweep(id)).found).toEqual(["blocked_without_holder"]);
    await until("the event", () => told.length > 0);
    expect(told[0]).toMatchObject({ concurrencyKey: "lonely", parentRunId: null });
    await stage.app.runs.abort(stage.admin, id, "not needed");
  });

  it("[Z4] an open wait of a run that has ended is closed", async () => {
    const id = await stage.run(flow({ a: { use: "noop" } }));
    await stage.reach(id, "completed");
    await db().query(sql`insert into wait (tenant_id, id, run_id, step, iteration, attempt, kind)
      values (${stage.admin.tenantId}, ${newId()}, ${id}, 'a', 0, 1, 'timer')`);
    expect((await sweep(id)).found).toEqual(["ended_with_waits"]);
    await until("its end", async () => (await waitsOf(id)).every((w) => w.status === "cancelled"));
  });

  it("[Z4] a wait without a run is closed", async () => {
    const id = newId();
    await db().query(sql`insert into wait (tenant_id, id, run_id, step, iteration, attempt, kind)
      values (${stage.admin.tenantId}, ${newId()}, ${id}, 'a', 0, 1, 'timer')`);
    const swept = await sweep(id);
    expect(swept.found).toEqual(["wait_without_run"]);
    expect(await waitsOf(id)).toMatchObject([{ status: "cancelled" }]);
  });

  it("are reported as new once, however often they are found", async () => {
    const id = await parked();
    const worker = newId();
    await damage(id).giveTo(worker);
    const swept = await sweep(id);
    await stage.reach(id, "waiting");
    await damage(id).giveTo(worker);
    await swept.again();
    expect(swept.firsts).toEqual([true, false]);
    await stage.reach(id, "waiting");
    await stage.app.runs.abort(stage.admin, id, "not needed");
  });

  it("are not found when they come right by themselves between two looks", async () => {
    const id = await parked();
    await damage(id).resolveWaits();
    const swept = await sweep(id, () =>
      db().query(sql`update wait set status = 'open', resolved_at = null where run_id = ${id}`),
    );
    expect(swept.found).toEqual([]);
    await stage.app.runs.abort(stage.admin, id, "not needed");
  });

  it("are repaired by the job and counted in the metrics", async () => {
    const id = await parked();
    await damage(id).resolveWaits();
    const { ended } = await stage.app.scheduler.runNow(stage.admin, "run-invariants");
    await ended;
    await stage.reach(id, "completed");
    expect(await telemetry.registry.metrics()).toContain(
      'oars_invariant_violations_total{invariant="waiting_without_wait"} 1',
    );
  }, 40_000);
});
