/** What people and other systems send to runs, when several things come at once or come late. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { sql } from "#platform/db";
import { drivers } from "#testing";
import { brokenInvariants } from "./testing/invariants.ts";
import { createGate } from "./testing/receiver.ts";
import { openStage, type Stage } from "./testing/stage.ts";
import { until } from "./testing/until.ts";

let flows = 0;
const flow = (steps: Record<string, unknown>, more: Record<string, unknown> = {}) =>
  JSON.stringify({ flow: `answers-${++flows}`, version: "1.0.0", steps, ...more });
const doubled = { use: "noop", forEach: { items: [1, 2, 3] }, with: { output: "{{ item * 2 }}" } };

describe.each(drivers)("answers on %s", (driver) => {
  let stage: Stage;
  beforeAll(async () => {
    stage = await openStage(driver);
  });
  afterAll(async () => {
    const broken = () => brokenInvariants(stage.opened.database);
    await until("rest", async () => Object.keys(await broken()).length === 0, 3_000).catch(() => {});
    const left = await broken();
    await stage.close();
    expect(left).toEqual({});
  });
  const db = () => stage.opened.database.system;
  const gateOf = (runId: string) =>
    until("the gate", async () => {
      const [gate] = await stage.app.runs.listGates(stage.admin, { runId, status: "open", limit: 1 });
      return gate?.id;
    });
  const parked = async (source: string): Promise<string> => {
    const id = await stage.run(source);
    await stage.reach(id, "waiting");
    return id;
  };

  describe("of a gate", () => {
    it("[R10] let a step over items go on with what its items gave", async () => {
      const gated = { ...doubled, gate: { question: "Go on?" } };
      const read = { use: "noop", needs: ["each"], with: { output: "{{ steps.each.output }}" } };
      const id = await parked(flow({ each: gated, read }));
      await stage.app.runs.answerGate(stage.approver, await gateOf(id), { decision: "continue" });
      expect((await stage.reach(id, "completed", "failed")).output).toEqual([2, 4, 6]);
    });

    it("[R10] that put nothing in place of an output mean nothing, also for the run's next owner", async () => {
      const gated = { ...doubled, gate: { question: "Go on?" } };
      const nap = { use: "wait", needs: ["each"], with: { for: "30ms" } };
      const read = {
        use: "noop",
        needs: ["each", "nap"],
        with: { output: "{{ {'got': steps.each.output} }}" },
      };
      const id = await parked(flow({ each: gated, nap, read }));
      const nothing = { decision: "continue", output: null } as const;
      await stage.app.runs.answerGate(stage.approver, await gateOf(id), nothing);
      expect((await stage.reach(id, "completed", "failed")).output).toEqual({ got: null });
    });

    it("[R10] do not come: what stands in for the step's failure is not asked about once more", async () => {
      const gate = { question: "Go on?", timeout: "30ms" };
      const run = { use: "noop", with: { output: 1 }, gate, onError: { fallback: "{{ error.code }}" } };
      const id = await stage.run(flow({ run }));
      const ended = await stage.reach(id, "completed", "failed");
      expect(ended).toMatchObject({ status: "completed", output: "GATE_TIMEOUT" });
    });

    it("[R10] reach a step that had waited for a signal before it was asked about", async () => {
      const step = { use: "wait", with: { signal: "paid" }, gate: { question: "{{ output }}?" } };
      const id = await parked(flow({ step }));
      await stage.app.runs.signal(stage.admin, id, { name: "paid", payload: 5 });
      await stage.app.runs.answerGate(stage.approver, await gateOf(id), { decision: "continue" });
      expect((await stage.reach(id, "completed", "failed")).output).toBe(5);
    });

    it("[R10] tell about a fallback what it stands in for", async () => {
      const broken = { use: "json.parse", with: { text: "{" }, onError: { fallback: 7 } };
      const step = { ...broken, gate: { question: "{{ output }}?" } };
      const read = { use: "noop", needs: ["step"], with: { output: "{{ steps.step.error.code }}" } };
      const id = await parked(flow({ step, read }));
      await stage.app.runs.answerGate(stage.approver, await gateOf(id), { decision: "continue" });
      const ended = await stage.reach(id, "completed", "failed");
      expect(ended.output).toBe(ended.steps.find((s) => s.name === "step")?.error?.code);
      expect(typeof ended.output).toBe("string");
    });
  });

  it("[R10] that nobody gave in time count once a run goes on that had failed in the same moment", async () => {
    const held = createGate();
    stage.receiver.answer(async () => {
      await held.opened;
      return { status: 422 };
    });
    const gate = { question: "Go on?", timeout: "30ms", default: "continue" };
    const asked = { use: "noop", with: { output: 7 }, gate };
    const ship = {
      use: "http.request",
      needs: ["first"],
      with: { connection: "wms", method: "POST", path: "/", body: {} },
    };
    const source = flow({ asked, first: { use: "noop" }, ship }, { limits: { parallel: 1 } });
    const id = await stage.run(source);
    const waits = () => db().query<{ status: string }>(sql`select status from wait where run_id = ${id}`);
    await until("the end of its time", async () => (await waits())[0]?.status === "resolved");
    held.open(); // the run had no hand free to act on it
    await stage.reach(id, "failed");
    const gates = () => db().query<{ status: string }>(sql`select status from gate where run_id = ${id}`);
    await until("its end", async () => (await gates())[0]?.status === "cancelled");
    stage.receiver.answer(() => ({ status: 201 }));
    await stage.app.runs.retry(stage.admin, id, { reason: "mended" });
    const run = await stage.reach(id, "completed", "failed");
    expect(run.error).toBeNull();
    expect(await gates()).toEqual([{ status: "expired" }]);
  });

  it("[R10] to run a step again give it all its attempts once more, under a key of their own", async () => {
    const seen = new Set<string>();
    stage.receiver.answer(({ key }) => {
      const first = !seen.has(key);
      seen.add(key);
      return { status: first ? 503 : 201 };
    });
    const ship = {
      use: "http.request",
      with: { connection: "wms", method: "POST", path: "/", body: {} },
      retry: { attempts: 2, backoff: "fixed", initial: "5ms" },
      gate: { question: "Go on?" },
    };
    const id = await parked(flow({ ship }));
    await stage.app.runs.answerGate(stage.approver, await gateOf(id), { decision: "retry" });
    await stage.app.runs.answerGate(stage.approver, await gateOf(id), { decision: "continue" });
    const run = await stage.reach(id, "completed", "failed");
    expect(run.error).toBeNull();
    expect(run.steps[0]?.attempt).toBe(4);
    expect(seen.size).toBe(2);
  });

  it("[R4] that end a run cancel what items held whose step the run's last owner had not come to", async () => {
    const body = { hold: true };
    const each = {
      use: "http.request",
      forEach: { items: [1, 2] },
      with: { connection: "wms", method: "POST", path: "/", body },
    };
    const ask = { use: "noop", gate: { question: "Go on?" } };
    const id = await parked(flow({ ask, each }, { limits: { parallel: 1 } }));
    const held = () => stage.app.actions.list(stage.admin, { runId: id, limit: 5 });
    await until("both items to be held", async () => (await held()).length === 2);
    await stage.reach(id, "waiting");
    await stage.app.runs.answerGate(stage.approver, await gateOf(id), { decision: "abort" });
    await stage.reach(id, "aborted");
    await until("the end of both", async () => (await held()).every((a) => a.state === "cancelled"));
  });

  it("[R7] of an operator who mends the input of a step over items reach the items that had not begun", async () => {
    const text = "{{ $string(item) & '{' }}";
    const each = { use: "json.parse", forEach: { items: [1, 2, 3], concurrency: 1 }, with: { text } };
    const id = await stage.run(flow({ each }));
    await stage.reach(id, "failed");
    await stage.app.runs.retry(stage.admin, id, { reason: "mended", edits: { text: "7" } });
    expect((await stage.reach(id, "completed", "failed")).output).toEqual([7, 7, 7]);
  });

  describe("to a wait for a signal", () => {
    const paid = { use: "wait", with: { signal: "paid", timeout: "1h" } };
    /** While the run is held back its time runs out; `first` says what comes before that. */
    const heldBack = async (first: "signal" | "timeout"): Promise<string> => {
      const id = await parked(flow({ paid }));
      await stage.app.runs.pause(stage.admin, id, "not now");
      const send = () => stage.app.runs.signal(stage.admin, id, { name: "paid", payload: 5 });
      if (first === "signal") await send();
      await db().query(sql`update wait set due_at = now() where run_id = ${id}`);
      await until("the timer", async () => {
        const rows = await db().query<{ status: string }>(sql`select status from wait where run_id = ${id}`);
        return rows.every((w) => w.status === "resolved");
      });
      if (first === "timeout") await send();
      await stage.app.runs.resume(stage.admin, id, "go on");
      return id;
    };

    it("[R8] count when they came in time, however late the run looks", async () => {
      const run = await stage.reach(await heldBack("signal"), "completed", "failed");
      expect(run).toMatchObject({ status: "completed", output: 5 });
    });

    it("[R8] do not count when the time was up, and are left for another step", async () => {
      const id = await heldBack("timeout");
      expect((await stage.reach(id, "failed", "completed")).error?.code).toBe("WAIT_TIMEOUT");
      const [signal] = await db().query<{ at: Date | null }>(
        sql`select delivered_at as at from signal where run_id = ${id}`,
      );
      expect(signal?.at).toBeNull();
    });
  });
});
