/** Which runs have receipts of their start and end, what those say, and that no way of ending is without one. */
import type { ReceiptBody } from "@oars/receipts";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Database, sql } from "#platform/db";
import { digestOf, formatId } from "#platform/kernel";
import { drivers } from "#testing";
import { brokenInvariants } from "./testing/invariants.ts";
import { openStage, type Stage } from "./testing/stage.ts";
import { until } from "./testing/until.ts";

let flows = 0;
const signed = { receipts: { runs: true } };
const send = (body: Record<string, unknown> = {}) => ({
  use: "http.request",
  with: { connection: "wms", method: "POST", path: "/orders", body },
});
const broken = { use: "json.parse", with: { text: "{" } };
const bodyOf = (jws: string): ReceiptBody =>
  JSON.parse(Buffer.from(jws.split(".")[1] ?? "", "base64url").toString()) as ReceiptBody; // our own
const nap = { use: "wait", with: { for: "1h" } };

describe.each(drivers)("receipts of runs on %s", (driver) => {
  let stage: Stage;
  const commits: string[][] = [];
  const count = (db: Database): Database => ({
    ...db,
    committer: {
      commit: (set) => {
        commits.push([...set.rows.keys()].map((write) => write.name));
        return db.committer.commit(set);
      },
    },
  });
  beforeAll(async () => {
    stage = await openStage(driver, { wrap: count });
  });
  afterAll(async () => {
    const left = await brokenInvariants(stage.opened.database);
    await stage.close();
    expect(left).toEqual({});
  });

  const publish = async (steps: Record<string, unknown>, more: Record<string, unknown> = {}) => {
    const name = `flow-${++flows}`;
    await stage.app.flows.publish(
      stage.admin,
      JSON.stringify({ flow: name, version: "1.0.0", steps, ...more }),
    );
    return name;
  };
  const start = async (
    flow: string,
    more: { params?: Record<string, unknown>; idempotencyKey?: string } = {},
  ) => (await stage.app.runs.start(stage.admin, { flow, params: {}, ...more })).id;
  const run = async (steps: Record<string, unknown>, more?: Record<string, unknown>) =>
    start(await publish(steps, more));
  const receiptsOf = async (runId: string): Promise<{ id: string; body: ReceiptBody; jws: string }[]> => {
    const page = { limit: 50, order: "oldest" } as const;
    const { items } = await stage.app.receipts.list(stage.admin.tenantId, { runId }, page);
    return items
      .filter(({ type }) => type === "run.started" || type === "run.finished")
      .map(({ id, jws }) => ({ id, jws, body: bodyOf(jws) }));
  };
  /** Type, status and code, in the order of time. */
  const told = async (runId: string): Promise<string[]> =>
    (await receiptsOf(runId)).map(({ body: { typ, outcome } }) =>
      [typ, outcome?.status, outcome?.code].filter((part) => part !== undefined).join(" "),
    );
  const ended = (id: string, ...statuses: string[]) => stage.reach(id, ...statuses);

  it("are none for a run of pure steps, which stays one commit", async () => {
    const flow = await publish({ a: { use: "noop" }, b: { use: "noop", needs: ["a"] } });
    await ended(await start(flow), "completed");
    commits.length = 0;
    const id = await start(flow);
    await ended(id, "completed");
    expect(await told(id)).toEqual([]);
    expect(commits.filter((names) => names.some((n) => n.startsWith("engine.")))).toEqual([
      ["engine.insertEnded", "engine.insertJournal"],
    ]);
  });

  it("[R12] tell of a run that may send an action: who, which flow, how it ended, and its output sealed", async () => {
    const id = await run({ ship: send() }, { output: { b: "done", a: 1 } });
    const { flowHash } = await ended(id, "completed");
    const [started, finished] = await receiptsOf(id);
    const about = {
      run: { id: formatId("run", id), flow: `flow-${flows}`, version: "1.0.0", hash: flowHash },
      principal: { user: formatId("principal", stage.admin.principalId) },
    };
    expect(started?.body).toMatchObject({ ...about, typ: "run.started" });
    expect(finished?.body).toMatchObject({ ...about, typ: "run.finished", outcome: { status: "completed" } });
    const digest = digestOf({ a: 1, b: "done" });
    const { tenantId } = stage.admin;
    expect(await stage.app.receipts.disclosed(tenantId, finished?.id ?? "")).toEqual({
      output_digest: digest,
    });
    expect(JSON.stringify(finished?.body)).not.toContain(digest.slice("sha256:".length));
    expect(finished?.body._sd).toHaveLength(1);
    for (const { jws } of [started, finished].filter((r) => r !== undefined))
      expect((await stage.app.receipts.verify(tenantId, jws)).checks).toMatchObject({
        signature: { status: "ok" },
        schema: { status: "ok" },
      });
  });

  it("are as the flow says, whatever its steps are", async () => {
    const pure = await run({ a: { use: "noop" } }, signed);
    await ended(pure, "completed");
    expect(await told(pure)).toEqual(["run.started", "run.finished completed"]);
    const sending = await run({ ship: send() }, { receipts: { runs: false } });
    await ended(sending, "completed");
    expect(await told(sending)).toEqual([]);
    const types = (await stage.app.receipts.list(stage.admin.tenantId, { runId: sending }, { limit: 9 }))
      .items;
    expect(types.map((r) => r.type).sort()).toEqual(["action.decision", "execution.finished"]);
  });

  it("ride with the one commit of a run that is signed and ends at once", async () => {
    const flow = await publish({ a: { use: "noop" } }, signed);
    await ended(await start(flow), "completed"); // keys of the tenant and of the person
    commits.length = 0;
    await ended(await start(flow), "completed");
    const own = commits.filter((names) => names.some((n) => n.startsWith("engine.")));
    expect(own).toHaveLength(1);
    expect(own[0]).toEqual(expect.arrayContaining(["engine.insertEnded", "receipts.insert"]));
  });

  it("[R12] are one for many starts under one key", async () => {
    const flow = await publish({ nap }, signed);
    const ids = await Promise.all(Array.from({ length: 6 }, () => start(flow, { idempotencyKey: flow })));
    expect(new Set(ids).size).toBe(1);
    await ended(ids[0] ?? "", "waiting");
    const started = await stage.opened.database.system.query<{ n: number }>(sql`
      select count(*)::int4 as n from receipt where type = 'run.started'
        and not exists (select from run r where r.id = run_id)`);
    expect([await told(ids[0] ?? ""), started[0]?.n]).toEqual([["run.started"], 0]);
  });

  describe("[R12] of an end", () => {
    it("by a failure, by the time limit and by a gate", async () => {
      const failed = await run({ a: broken }, signed);
      const error = (await ended(failed, "failed")).error;
      expect(await told(failed)).toEqual(["run.started", `run.finished failed ${error?.code}`]);
      const late = await run({ nap }, { ...signed, limits: { timeout: "1s" } });
      await ended(late, "failed");
      expect(await told(late)).toEqual(["run.started", "run.finished failed RUN_TIMEOUT"]);
      const asked = await run({ a: { use: "noop", gate: { question: "Go on?" } } }, signed);
      const gate = await until("the gate", async () => {
        const [open] = await stage.app.runs.listGates(stage.approver, { runId: asked, limit: 1 });
        return open;
      });
      await stage.app.runs.answerGate(stage.approver, gate.id, { decision: "abort", note: "not now" });
      const code = (await ended(asked, "aborted")).error?.code;
      expect(await told(asked)).toEqual(["run.started", `run.finished cancelled ${code}`]);
    });

    it("by a person, and of its sub-runs by that", async () => {
      const child = await publish({ nap }, signed);
      const id = await run({ sub: { use: "flow", with: { flow: child } } }, signed);
      await ended(id, "waiting");
      const [below] = await stage.app.runs.list(stage.admin, { parent: id, limit: 5 });
      await stage.app.runs.abort(stage.admin, id, "not wanted any more");
      expect(await told(id)).toEqual(["run.started", "run.finished cancelled RUN_ABORTED"]);
      await ended(below?.id ?? "", "aborted");
      expect(await told(below?.id ?? "")).toEqual(["run.started", "run.finished cancelled RUN_ABANDONED"]);
    });

    it("by a newer run under its key, whoever started the two", async () => {
      const flow = await publish({ nap }, { ...signed, concurrency: { key: "one", mode: "cancel-oldest" } });
      const other = await stage.caller("other", ["operator"]);
      const old = (await stage.app.runs.start(other, { flow, params: {} })).id;
      await ended(old, "waiting");
      const next = await start(flow);
      await ended(old, "aborted");
      expect(await told(old)).toEqual(["run.started", "run.finished cancelled RUN_SUPERSEDED"]);
      const [, end] = await receiptsOf(old);
      expect(end?.body.principal?.user).toBe(formatId("principal", other.principalId));
      await ended(next, "waiting");
      expect(await told(next)).toEqual(["run.started"]);
    });

    it("that another end follows, for it went on from it", async () => {
      const reason = "the other side works again";
      const id = await run({ a: broken }, signed);
      await ended(id, "failed");
      await stage.app.runs.retry(stage.admin, id, { reason });
      await until("its second end", async () => (await told(id)).length === 3);
      await ended(id, "failed");
      await stage.app.runs.abort(stage.admin, id, reason);
      const failed = expect.stringMatching(/^run.finished failed /);
      expect(await told(id)).toEqual(["run.started", failed, failed, "run.finished cancelled RUN_ABORTED"]);
    });

    it("of a run that is repeated, which is another run", async () => {
      const id = await run({ a: { use: "noop" } }, signed);
      await ended(id, "completed");
      const by = { reason: "once more, to compare" };
      const replayed = await stage.app.runs.replay(stage.admin, id, by);
      const rerun = await stage.app.runs.rerun(stage.admin, id, { ...by, from: "a" });
      for (const again of [replayed.id, rerun.id, id]) {
        await ended(again, "completed");
        expect(await told(again)).toEqual(["run.started", "run.finished completed"]);
      }
    });

    it("of a run that nobody can interpret any more", async () => {
      const id = await run({ a: { use: "wait", with: { for: "300ms" } } }, signed);
      await ended(id, "waiting");
      await stage.opened.database.system.query(
        sql`update run set flow_hash = ${digestOf("gone")} where id = ${id}`,
      );
      const status = sql`select status from run where id = ${id} and status = 'failed'`;
      await until("its end", async () => (await stage.opened.database.system.query(status)).length === 1);
      expect(await told(id)).toEqual(["run.started", "run.finished failed FLOW_NOT_FOUND"]);
      await stage.opened.database.system.query(sql`delete from run where id = ${id}`);
    });
  });

  it("tell of a flow version, durable with it, and of no other publication", async () => {
    const name = await publish({ a: { use: "noop" } });
    const source = { flow: name, version: "1.0.0", steps: { a: { use: "noop" } } };
    expect((await stage.app.flows.publish(stage.admin, JSON.stringify(source))).created).toBe(false);
    const other = JSON.stringify({ ...source, steps: { b: { use: "noop" } } });
    await expect(stage.app.flows.publish(stage.admin, other)).rejects.toMatchObject({
      code: "FLOW_VERSION_TAKEN",
    });
    const filter = { type: "flow.published" };
    const { items } = await stage.app.receipts.list(stage.admin.tenantId, filter, { limit: 100 });
    const bodies = items.map(({ jws }) => bodyOf(jws));
    const { hash } = await stage.app.flows.find(stage.admin, name);
    expect(bodies.filter((body) => body.flow?.name === name)).toMatchObject([
      {
        flow: { name, version: "1.0.0", hash },
        principal: { user: formatId("principal", stage.admin.principalId) },
      },
    ]);
  });
});

describe("a server that is set to sign", () => {
  it.each([
    ["all", 2],
    ["none", 0],
  ])("%s runs does so where the flow does not say", async (setting, expected) => {
    const stage = await openStage("pglite", { env: { OARS_RUN_RECEIPTS: setting } });
    try {
      const source = { flow: "f", version: "1.0.0", steps: { a: { use: "noop" }, ship: send() } };
      const id = await stage.run(JSON.stringify(source));
      await stage.reach(id, "completed");
      const { items } = await stage.app.receipts.list(stage.admin.tenantId, { runId: id }, { limit: 20 });
      expect(items.filter(({ type }) => type.startsWith("run."))).toHaveLength(expected);
    } finally {
      await stage.close();
    }
  });
});
