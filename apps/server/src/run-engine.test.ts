/** The engine's promises, through the whole server: order, errors, waiting, time limits, what a commit costs. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { RunWithSteps } from "#orchestrate/runs";
import { type Database, sql } from "#platform/db";
import { newId } from "#platform/kernel";
import { drivers } from "#testing";
import { joinTestApp, startWorker } from "./testing/app.ts";
import { brokenInvariants } from "./testing/invariants.ts";
import { createGate } from "./testing/receiver.ts";
import { openStage, type Stage } from "./testing/stage.ts";
import { until } from "./testing/until.ts";

let flows = 0;
const flow = (steps: Record<string, unknown>, more: Record<string, unknown> = {}) =>
  JSON.stringify({ flow: `flow-${++flows}`, version: "1.0.0", steps, ...more });
const send = (body: Record<string, unknown> = {}, more: Record<string, unknown> = {}) => ({
  use: "http.request",
  with: { connection: "wms", method: "POST", path: "/orders", body },
  ...more,
});
const broken = { use: "json.parse", with: { text: "{" } };
const statuses = (run: RunWithSteps) => Object.fromEntries(run.steps.map((s) => [s.name, s.status]));

describe.each(drivers)("a run on %s", (driver) => {
  let stage: Stage;
  let commits: string[][];

  beforeAll(async () => {
    commits = [];
    const count = (db: Database): Database => ({
      ...db,
      committer: {
        commit: (set) => {
          commits.push([...set.rows.keys()].map((write) => write.name));
          return db.committer.commit(set);
        },
      },
    });
    stage = await openStage(driver, { wrap: count });
  });
  afterAll(async () => {
    await until(
      "rest",
      async () => Object.keys(await brokenInvariants(stage.opened.database)).length === 0,
      3_000,
    ).catch(() => {});
    const left = await brokenInvariants(stage.opened.database);
    await stage.close();
    expect(left).toEqual({});
  });
  const end = async (source: string, params: Record<string, unknown> = {}) => {
    const id = await stage.run(source, params);
    return stage.reach(id, "completed", "failed");
  };

  describe("order", () => {
    it("skips a step whose condition does not hold, and what needs only it", async () => {
      const run = await end(
        flow(
          {
            a: { use: "noop", when: "{{ params.go }}" },
            b: { use: "noop", needs: ["a"] },
            c: { use: "noop", needs: ["b"] },
            d: { use: "noop", with: { output: 4 } },
            e: { use: "noop", needs: ["c", "d"], with: { output: "{{ steps.d.output }}" } },
          },
          { params: { go: { type: "boolean" } } },
        ),
        { go: false },
      );
      expect(run.status).toBe("completed");
      expect(statuses(run)).toEqual({
        a: "skipped",
        b: "skipped",
        c: "skipped",
        d: "completed",
        e: "completed",
      });
      expect(run.output).toBe(4);
    });

    it("never runs more of a run's steps at once than the flow allows, and does run so many", async () => {
      const gate = createGate();
      let most = 0;
      stage.receiver.answer(async () => {
        most = Math.max(most, stage.receiver.busy());
        if (stage.receiver.busy() >= 3) gate.open();
        await gate.opened;
        return { status: 201 };
      });
      const steps = Object.fromEntries(Array.from({ length: 8 }, (_, n) => [`s${n}`, send({ n })]));
      const run = await end(flow(steps, { limits: { parallel: 3 } }));
      expect(run.status).toBe("completed");
      expect(most).toBe(3);
    });

    it("lets a branch that waited go on while another branch is still under way", async () => {
      const gate = createGate();
      stage.receiver.answer(async () => {
        await gate.opened;
        return { status: 201 };
      });
      const id = await stage.run(
        flow({
          slow: send(),
          pause: { use: "wait", with: { for: "20ms" } },
          after: { use: "noop", durable: true, needs: ["pause"] },
          last: { use: "noop", needs: ["after"] },
        }),
      );
      await until("the other branch", async () => {
        const run = await stage.app.runs.find(stage.admin, id);
        return statuses(run).after === "completed" && statuses(run).slow === "pending";
      });
      gate.open();
      await stage.reach(id, "completed");
    });
  });

  describe("commits", () => {
    const ofRun = (names: string[]) => names.some((n) => n.startsWith("engine."));
    const costOf = async (source: string): Promise<string[][]> => {
      const id = await stage.run(flow({ warm: { use: "noop" } })); // whatever a tenant makes at its first run
      await stage.reach(id, "completed");
      commits.length = 0;
      expect((await end(source)).status).toBe("completed");
      return commits.filter(ofRun);
    };
    const chain = (more: Record<string, unknown>) =>
      flow(
        Object.fromEntries(
          ["a", "b", "c", "d", "e"].map((name, i, all) => [
            name,
            { use: "noop", ...more, ...(i > 0 ? { needs: [all[i - 1]] } : {}) },
          ]),
        ),
      );

    it("[R5] a run of five pure steps is one commit, its own row included", async () => {
      expect(await costOf(chain({}))).toEqual([["engine.insertEnded", "engine.insertJournal"]]);
    });

    it("[R5] a durable step is on disk before its dependents begin; the last one shares the end's commit", async () => {
      expect(await costOf(chain({ durable: true }))).toEqual([
        ["engine.insertRun", "engine.insertJournal"],
        ...Array.from({ length: 3 }, () => ["engine.insertJournal"]),
        ["engine.insertJournal", "engine.finishRun"],
      ]);
    });

    it("[R5] what led to an effect is durable with the effect's decision, before it leaves", async () => {
      let atReceipt: string[] = [];
      stage.receiver.answer(async () => {
        const rows = await stage.opened.database.system.query<{ step: string }>(
          sql`select step from journal where run_id = (select id from run order by id desc limit 1) order by seq`,
        );
        atReceipt = rows.map((r) => r.step);
        return { status: 201 };
      });
      await end(
        flow({
          a: { use: "noop" },
          b: { use: "noop", needs: ["a"] },
          ship: send({}, { needs: ["b"] }),
        }),
      );
      expect(atReceipt).toEqual(["a", "b"]);
    });
  });

  describe("errors", () => {
    it("fails with the step's error when nothing handles it, and starts nothing after it", async () => {
      const run = await end(flow({ a: broken, b: { use: "noop", needs: ["a"] } }));
      expect(run.status).toBe("failed");
      expect(run.error).toMatchObject({ step: "a", line: 1 });
      expect(statuses(run)).toEqual({ a: "failed", b: "pending" });
    });

    it("goes on with `continue`, and those that need the step can read its error", async () => {
      const run = await end(
        flow({
          a: { ...broken, onError: "continue" },
          b: { use: "noop", needs: ["a"], with: { output: "{{ steps.a.error.code }}" } },
        }),
      );
      expect(run.status).toBe("completed");
      expect(run.output).toBe(run.steps.find((s) => s.name === "a")?.error?.code);
      expect(typeof run.output).toBe("string");
    });

    it("goes to the handler with `goto`, which runs at no other time", async () => {
      const source = (text: string) =>
        flow({
          a: { use: "json.parse", with: { text }, onError: { goto: "rescue" } },
          next: { use: "noop", needs: ["a"] },
          rescue: { use: "noop", with: { output: "{{ steps.a.status }}" } },
        });
      expect(statuses(await end(source("{")))).toEqual({ a: "failed", next: "skipped", rescue: "completed" });
      expect(statuses(await end(source("{}")))).toEqual({
        a: "completed",
        next: "completed",
        rescue: "skipped",
      });
    });

    it("[R3] takes the fallback's value with `fallback`: one entry, which keeps the error", async () => {
      const run = await end(
        flow({
          a: { ...broken, onError: { fallback: { told: "{{ error.code }}" } } },
          b: { use: "noop", needs: ["a"], with: { output: "{{ steps.a.output.told }}" } },
        }),
      );
      expect(run.status).toBe("completed");
      const [a] = run.steps;
      expect(run.output).toBe(a?.error?.code);
      const events = await stage.app.runs.eventList(stage.admin, run.id, -1);
      expect(events.filter((e) => e.data.step === "a").map((e) => e.type)).toEqual(["step.completed"]);
    });

    it("fails with the fallback's own error when the fallback fails, and the server lives on", async () => {
      const run = await end(flow({ a: { ...broken, onError: { fallback: "{{ $number('no number') }}" } } }));
      expect(run).toMatchObject({ status: "failed", error: { code: "EXPRESSION_FAILED", step: "a" } });
    });

    it("fails when its output cannot be made, and the last effect is recorded all the same", async () => {
      stage.receiver.answer(() => ({ status: 201, body: { id: "none" } }));
      const run = await end(flow({ ship: send() }, { output: "{{ $number(steps.ship.output.body.id) }}" }));
      expect(run).toMatchObject({ status: "failed", error: { code: "EXPRESSION_FAILED" } });
      const [action] = await stage.app.actions.list(stage.admin, { runId: run.id, limit: 1 });
      expect(action?.state).toBe("completed");
      expect((await stage.app.runs.eventList(stage.admin, run.id, -1)).map((e) => e.type)).toEqual([
        "run.created",
        "step.completed",
        "run.failed",
      ]);
    });

    it("fails a step whose output no database can hold, instead of the run's owner", async () => {
      const run = await end(
        flow(
          { a: { use: "noop", with: { output: "{{ params.text }}" } } },
          { params: { text: { type: "string" } } },
        ),
        { text: "half a pair \ud800".toWellFormed() },
      );
      expect(run.status).toBe("completed");
      for (const bad of ["$join(['a', 'b'], '\\u0000')", "'\\ud800'"]) {
        const failed = await end(flow({ a: { use: "noop", with: { output: `{{ ${bad} }}` } } }));
        expect(failed).toMatchObject({ status: "failed", error: { code: "OUTPUT_INVALID", step: "a" } });
      }
    });

    it("tries again after growing pauses, with one key, and then goes on", async () => {
      const at: number[] = [];
      const before = stage.receiver.received.length;
      stage.receiver.answer(() => {
        at.push(performance.now());
        return { status: at.length < 3 ? 503 : 201 };
      });
      const retry = { attempts: 3, backoff: "exponential", initial: "60ms", max: "1s" };
      const run = await end(flow({ ship: send({}, { retry }) }));
      expect(run.status).toBe("completed");
      expect(run.steps[0]?.attempt).toBe(3);
      const sent = stage.receiver.received.slice(before);
      expect(new Set(sent.map((s) => s.key)).size).toBe(1);
      expect(sent).toHaveLength(3);
      const [one = 0, two = 0, three = 0] = at;
      expect(two - one).toBeGreaterThanOrEqual(59);
      expect(three - two).toBeGreaterThanOrEqual(119);
      const events = await stage.app.runs.eventList(stage.admin, run.id, -1);
      expect(events.map((e) => e.type)).toEqual([
        "run.created",
        "step.retrying",
        "step.retrying",
        "step.completed",
        "run.completed",
      ]);
    });

    it("fails once its attempts are used up, and does not try again what cannot get better", async () => {
      const retry = { attempts: 2, backoff: "fixed", initial: "10ms" };
      const tries = async (status: number): Promise<number> => {
        const before = stage.receiver.received.length;
        stage.receiver.answer(() => ({ status }));
        const run = await end(flow({ ship: send({}, { retry }) }));
        expect(run).toMatchObject({ status: "failed", error: { code: `HTTP_${status}` } });
        return stage.receiver.received.length - before;
      };
      expect(await tries(500)).toBe(2);
      expect(await tries(422)).toBe(1);
    });
  });

  describe("time", () => {
    it("waits without a lease, and goes on when the time has come", async () => {
      const id = await stage.run(
        flow({ pause: { use: "wait", with: { for: "150ms" } }, b: { use: "noop", needs: ["pause"] } }),
      );
      await stage.reach(id, "waiting");
      const [row] = await stage.opened.database.system.query<{ lease: string | null }>(
        sql`select lease_worker as lease from run where id = ${id}`,
      );
      expect(row?.lease).toBeNull();
      const run = await stage.reach(id, "completed");
      const [pause] = run.steps;
      const started = run.startedAt?.getTime() ?? 0;
      expect((pause?.endedAt?.getTime() ?? 0) - started).toBeGreaterThanOrEqual(140);
    });

    it("fails past its time limit while it runs; what is under way is broken off", async () => {
      const gate = createGate();
      stage.receiver.answer(async () => {
        await gate.opened;
        return { status: 201 };
      });
      const run = await end(flow({ ship: send() }, { limits: { timeout: "1s" } }));
      gate.open();
      expect(run).toMatchObject({ status: "failed", error: { code: "RUN_TIMEOUT" } });
    });

    it("fails past its time limit while it waits, and what it held is not sent any more", async () => {
      const before = stage.receiver.received.length;
      const id = await stage.run(flow({ ship: send({ hold: true }) }, { limits: { timeout: "1s" } }));
      await stage.reach(id, "waiting");
      const [action] = await stage.app.actions.list(stage.admin, { runId: id, limit: 1 });
      const run = await stage.reach(id, "failed");
      expect(run.error?.code).toBe("RUN_TIMEOUT");
      await until("the action's end", async () => {
        const [now] = await stage.app.actions.list(stage.admin, { runId: id, limit: 1 });
        return now?.state === "cancelled";
      });
      const vote = { decision: "approve", reason: "late" } as const;
      await expect(
        stage.app.approvals.decide(stage.approver, action?.approvalId ?? "", vote),
      ).rejects.toMatchObject({
        code: "APPROVAL_CLOSED",
      });
      expect(stage.receiver.received.length).toBe(before);
    });
  });

  describe("starts", () => {
    it("[V4] says everything that is wrong with its parameters, and starts nothing", async () => {
      const source = flow(
        { a: { use: "noop" } },
        { params: { n: { type: "integer", required: true }, mode: { type: "string", enum: ["x", "y"] } } },
      );
      const { name } = await stage.app.flows.publish(stage.admin, source);
      const wrong = stage.app.runs.start(stage.admin, { flow: name, params: { mode: "z", more: 1 } });
      await expect(wrong).rejects.toMatchObject({ code: "RUN_PARAMS_INVALID" });
      const problems = await wrong.catch((e: { errors: { path: string; code: string }[] }) => e.errors);
      expect((problems as { code: string }[]).map((p) => p.code).sort()).toEqual(
        ["PARAM_ENUM", "PARAM_REQUIRED", "PARAM_UNKNOWN"].sort(),
      );
      expect(await stage.app.runs.list(stage.admin, { flow: name, limit: 5 })).toEqual([]);
    });

    it("are one run for one key, however many come at once; another body is a conflict", async () => {
      const source = flow({ a: { use: "noop" } }, { params: { n: { type: "integer" } } });
      const { name } = await stage.app.flows.publish(stage.admin, source);
      const idempotencyKey = newId();
      const start = (n: number) =>
        stage.app.runs.start(stage.admin, { flow: name, params: { n }, idempotencyKey });
      const answers = await Promise.all(Array.from({ length: 20 }, () => start(1)));
      expect(new Set(answers.map((a) => a.id)).size).toBe(1);
      expect(await stage.app.runs.list(stage.admin, { flow: name, limit: 50 })).toHaveLength(1);
      await expect(start(2)).rejects.toMatchObject({ code: "IDEMPOTENCY_CONFLICT" });
      const other = await stage.app.runs.start(stage.admin, {
        flow: name,
        params: { n: 2 },
        idempotencyKey: newId(),
      });
      expect(other.id).not.toBe(answers[0]?.id);
    });
  });

  it("goes on in the server that starts next: waits, timers and half-done runs", async () => {
    const other = await openStage(driver);
    const gate = createGate();
    other.receiver.answer(async () => {
      await gate.opened;
      return { status: 201 };
    });
    const waiting = await other.run(flow({ pause: { use: "wait", with: { for: "400ms" } } }));
    const running = await other.run(flow({ a: { use: "noop" }, ship: send({}, { needs: ["a"] }) }));
    await other.reach(waiting, "waiting");
    await until("the request", () => other.receiver.busy() > 0);
    await other.app.stop();
    const next =
      other.opened.url === null
        ? { app: await joinTestApp(other.opened.database), stop: async () => {} }
        : await startWorker(other.opened);
    await next.app.start();
    gate.open();
    const done = await Promise.all(
      [waiting, running].map((id) =>
        until("its end", async () => {
          const run = await next.app.runs.find(other.admin, id);
          return run.status === "completed" && run;
        }),
      ),
    );
    expect(done.map((run) => run.error)).toEqual([null, null]);
    expect(new Set(other.receiver.received.map((r) => r.key)).size).toBe(1);
    const left = await brokenInvariants(other.opened.database);
    await next.app.stop();
    await next.stop();
    await other.receiver.close();
    await other.opened.close();
    expect(left).toEqual({});
  });
});
