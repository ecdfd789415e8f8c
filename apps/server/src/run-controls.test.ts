/** Runs that operators hold back, let go on, end, or order about many at once. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Caller } from "#platform/access";
import { drivers } from "#testing";
import { brokenInvariants } from "./testing/invariants.ts";
import { createGate, type Reply } from "./testing/receiver.ts";
import { openStage, type Stage } from "./testing/stage.ts";
import { jitter, until } from "./testing/until.ts";

let flows = 0;
const flow = (steps: Record<string, unknown>, more: Record<string, unknown> = {}) =>
  JSON.stringify({ flow: `held-${++flows}`, version: "1.0.0", steps, ...more });
const send = (path: string, more: Record<string, unknown> = {}, connection = "wms") => ({
  use: "http.request",
  with: { connection, method: "POST", path, body: {} },
  ...more,
});
const wait = (time: string, more: Record<string, unknown> = {}) => ({
  use: "wait",
  with: { for: time },
  ...more,
});
const reason = "the warehouse counts its stock";
type Refused = { code?: string; status?: number; current?: Record<string, unknown> };
const refusal = (work: Promise<unknown>): Promise<Refused | "carried out"> =>
  work.then(
    () => "carried out" as const,
    (error: Refused) => error,
  );

describe.each(drivers)("whole runs on %s", (driver) => {
  let stage: Stage;
  let operator: Caller;
  let reply: (path: string) => Reply | Promise<Reply>;
  beforeAll(async () => {
    stage = await openStage(driver);
    operator = await stage.caller("olga", ["operator"]);
    stage.receiver.answer(({ path }) => reply(path));
  });
  beforeEach(() => {
    reply = (path) => (path.startsWith("/bad") ? { status: 422 } : { status: 200, body: { path } });
  });
  afterAll(async () => {
    await until("an empty outbox", async () => (await stage.app.outbox.pending()) === 0);
    const left = await brokenInvariants(stage.opened.database);
    await stage.close();
    expect(left).toEqual({});
  });
  const find = (id: string) => stage.app.runs.find(operator, id);
  const pause = (id: string) => stage.app.runs.pause(operator, id, reason);
  const resume = (id: string) => stage.app.runs.resume(operator, id, reason);
  const abort = (id: string) => stage.app.runs.abort(operator, id, reason);
  const sent = (path: string) => stage.receiver.received.filter((r) => r.path === path).length;
  const kinds = async (id: string) => (await stage.app.runs.eventList(operator, id, -1)).map((e) => e.type);

  describe("a pause", () => {
    it("holds back a run that waits: its timer fires and nothing moves until it is resumed", async () => {
      const id = await stage.run(flow({ a: wait("150ms"), b: send("/after-pause", { needs: ["a"] }) }));
      await stage.reach(id, "waiting");
      const paused = await pause(id);
      expect(paused).toMatchObject({ status: "waiting", pausedAt: expect.any(Date) });
      const later = await stage.run(flow({ a: wait("200ms") })); // due after the other
      await stage.reach(later, "completed");
      expect(await find(id)).toMatchObject({ status: "waiting" });
      expect(sent("/after-pause")).toBe(0);
      const deadline = paused.deadlineAt?.getTime() ?? 0;
      const resumed = await resume(id);
      const heldMs = Date.now() - (paused.pausedAt?.getTime() ?? 0);
      expect(resumed).toMatchObject({ status: "queued", pausedAt: null });
      const moved = (resumed.deadlineAt?.getTime() ?? 0) - deadline;
      expect(moved).toBeGreaterThan(150);
      expect(moved).toBeLessThanOrEqual(heldMs + 1000);
      await stage.reach(id, "completed");
      expect(await kinds(id)).toEqual([
        "run.created",
        "step.waiting",
        "run.paused",
        "run.resumed",
        "step.completed",
        "step.completed",
        "run.completed",
      ]);
    });

    it("[O1] takes a run from its owner in the middle of an effect: it ends, is recorded, and nothing begins after it", async () => {
      const gate = createGate();
      reply = async (path) => {
        if (path === "/pause-me") await gate.opened;
        return { status: 200, body: { path } };
      };
      const busy = stage.receiver.busy();
      const id = await stage.run(flow({ a: send("/pause-me"), b: send("/pause-next", { needs: ["a"] }) }));
      await until("the request", () => stage.receiver.busy() > busy);
      await pause(id);
      gate.open();
      await until("the effect's end", async () => {
        const [action] = await stage.app.actions.list(stage.admin, { runId: id, limit: 1 });
        return action?.state === "completed";
      });
      expect(await find(id)).toMatchObject({ status: "waiting", pausedAt: expect.any(Date) });
      expect(sent("/pause-next")).toBe(0);
      await resume(id);
      await stage.reach(id, "completed");
      expect(sent("/pause-next")).toBe(1);
    });

    it("outlives what comes for the run meanwhile: signals and answers are kept, and nothing is claimed", async () => {
      const id = await stage.run(
        flow({
          a: { use: "wait", with: { signal: "go" } },
          b: { use: "noop", needs: ["a"], with: { output: "{{ steps.a.output }}" } },
        }),
      );
      await stage.reach(id, "waiting");
      await pause(id);
      await stage.app.runs.signal(stage.admin, id, { name: "go", payload: "now" });
      const later = await stage.run(flow({ a: { use: "noop" } }));
      await stage.reach(later, "completed");
      expect(await find(id)).toMatchObject({ status: "waiting" });
      await resume(id);
      expect((await stage.reach(id, "completed")).output).toBe("now");
    });

    it("does not let the run's time run out", async () => {
      const id = await stage.run(flow({ a: wait("1h") }, { limits: { timeout: "1s" } }));
      await stage.reach(id, "waiting");
      await pause(id);
      const later = await stage.run(flow({ a: wait("1200ms") }));
      await stage.reach(later, "completed");
      expect((await find(id)).status).toBe("waiting");
      await resume(id);
      const ended = await stage.reach(id, "failed");
      expect(ended.error).toMatchObject({ code: "RUN_TIMEOUT" });
    });

    it("is refused for a run that is paused or has ended, and a resume for one that is not paused", async () => {
      const id = await stage.run(flow({ a: wait("1h") }));
      await stage.reach(id, "waiting");
      expect(await refusal(resume(id))).toMatchObject({
        code: "RUN_STATE_CONFLICT",
        current: { status: "waiting" },
      });
      await pause(id);
      expect(await refusal(pause(id))).toMatchObject({ code: "RUN_STATE_CONFLICT", status: 409 });
      await abort(id);
      expect(await refusal(pause(id))).toMatchObject({ code: "RUN_ENDED" });
      expect(await refusal(resume(id))).toMatchObject({ code: "RUN_ENDED" });
    });

    it("[O3] twice at once: one is carried out", async () => {
      const id = await stage.run(flow({ a: wait("1h") }));
      await stage.reach(id, "waiting");
      for (const order of [pause, resume, pause]) {
        const results = await Promise.all([1, 2, 3].map(() => refusal(order(id))));
        expect(results.filter((r) => r === "carried out")).toHaveLength(1);
        if (order === resume) await stage.reach(id, "waiting");
      }
      await abort(id);
    });

    it("[O1] against completion, 40 times: it is completed, or held back and completes later; nothing is sent twice", async () => {
      const ids = await Promise.all(
        Array.from({ length: 40 }, (_, n) =>
          stage.run(flow({ a: send(`/race-${driver}-${n}`), b: { use: "noop", needs: ["a"] } })),
        ),
      );
      const paused = await Promise.all(
        ids.map(async (id, n) => {
          if (n % 4 === 0) await stage.reach(id, "completed");
          await jitter(n);
          const result = await refusal(pause(id));
          if (result !== "carried out") expect(result.code).toBe("RUN_ENDED");
          return result === "carried out";
        }),
      );
      expect(paused.filter((p) => !p).length).toBeGreaterThanOrEqual(10);
      for (const [n, id] of ids.entries()) {
        if (paused[n]) {
          expect(await find(id)).toMatchObject({ status: "waiting", pausedAt: expect.any(Date) });
          await resume(id);
        }
        await stage.reach(id, "completed");
        const keys = stage.receiver.received
          .filter((r) => r.path === `/race-${driver}-${n}`)
          .map((r) => r.key);
        expect(new Set(keys).size).toBe(1); // sent again at most under its own key
      }
    });
  });

  describe("an abort", () => {
    it("ends the whole tree: sub-runs at any depth, their gates, approvals and waits", async () => {
      const leaf = JSON.parse(
        flow({
          held: {
            use: "http.request",
            with: { connection: "wms", method: "POST", path: "/leaf", body: { hold: true } },
          },
          asked: { use: "noop", gate: { question: "?" } },
        }),
      ) as { flow: string };
      const middle = JSON.parse(flow({ sub: { use: "flow", with: { flow: leaf.flow } }, t: wait("1h") })) as {
        flow: string;
      };
      await stage.app.flows.publish(stage.admin, JSON.stringify(leaf));
      await stage.app.flows.publish(stage.admin, JSON.stringify(middle));
      const id = await stage.run(flow({ sub: { use: "flow", with: { flow: middle.flow } } }));
      const below = async (of: string) => (await find(of)).children[0]?.id;
      const deep = await until("the tree", async () => {
        const child = await below(id);
        const grandchild = child && (await below(child));
        if (!grandchild) return undefined;
        const gates = await stage.app.runs.listGates(operator, {
          runId: grandchild,
          status: "open",
          limit: 5,
        });
        const held = await stage.app.actions.list(stage.admin, {
          runId: grandchild,
          state: "pending_approval",
          limit: 5,
        });
        return gates.length === 1 && held.length === 1 && { child, grandchild };
      });
      const at = Date.now();
      expect(await abort(id)).toMatchObject({ status: "aborted", error: { code: "RUN_ABORTED" } });
      for (const below of [deep.child, deep.grandchild])
        await until("its end", async () => (await find(below)).status === "aborted");
      await until("no question left", async () => {
        const gates = await stage.app.runs.listGates(operator, { runId: deep.grandchild, limit: 5 });
        const [action] = await stage.app.actions.list(stage.admin, { runId: deep.grandchild, limit: 5 });
        return gates[0]?.status === "cancelled" && action?.state === "cancelled";
      });
      expect(Date.now() - at).toBeLessThan(5000);
    });

    it("of a failed run is final, and its history shows both ends", async () => {
      const id = await stage.run(flow({ a: send("/bad") }));
      await stage.reach(id, "failed");
      const before = await stage.app.runs.eventList(operator, id, -1);
      await abort(id);
      const after = await stage.app.runs.eventList(operator, id, -1);
      expect(after.slice(0, before.length)).toEqual(before.map(({ end: _end, ...event }) => event));
      expect(after.slice(before.length)).toMatchObject([
        { type: "run.aborted", data: { operator: { command: "abort", reason } } },
      ]);
      expect(after.map((e) => e.seq)).toEqual(after.map((_e, i) => i));
      expect(await refusal(stage.app.runs.retry(operator, id, { reason }))).toMatchObject({
        code: "RUN_ENDED",
      });
      expect(await refusal(abort(id))).toMatchObject({ code: "RUN_ENDED", current: { status: "aborted" } });
    });

    it("of a paused run, and of one that waits for its key, ends it", async () => {
      const id = await stage.run(flow({ a: wait("1h") }));
      await stage.reach(id, "waiting");
      await pause(id);
      expect((await abort(id)).status).toBe("aborted");
      const source = flow({ a: wait("1h") }, { concurrency: { key: "one" } });
      const first = await stage.run(source);
      const { name } = await stage.app.flows.publish(stage.admin, source);
      const second = await stage.app.runs.start(stage.admin, { flow: name, params: {} });
      expect((await find(second.id)).blocked).toBe(true);
      await abort(second.id);
      await abort(first);
      expect((await find(second.id)).status).toBe("aborted");
    });
  });

  it("a run that failed under a concurrency key waits for its turn again when it is retried", async () => {
    let bad = true;
    reply = (path) => (path === "/keyed" && bad ? { status: 422 } : { status: 200 });
    const source = flow(
      { a: send("/keyed"), b: { use: "wait", needs: ["a"], with: { signal: "go" } } },
      { concurrency: { key: "shop" } },
    );
    const failed = await stage.run(source);
    await stage.reach(failed, "failed");
    bad = false;
    const { flow: name } = JSON.parse(source) as { flow: string };
    const holder = await stage.app.runs.start(stage.admin, { flow: name, params: {} });
    await stage.reach(holder.id, "waiting");
    const again = await stage.app.runs.retry(operator, failed, { reason });
    expect(again).toMatchObject({ status: "queued", blocked: true });
    await stage.app.runs.signal(stage.admin, holder.id, { name: "go" });
    await stage.reach(holder.id, "completed");
    await stage.reach(failed, "waiting");
    await stage.app.runs.signal(stage.admin, failed, { name: "go" });
    await stage.reach(failed, "completed");
  });

  describe("many at once", () => {
    const failMany = async (n: number): Promise<{ name: string; ids: string[] }> => {
      const source = flow({ a: send("/bad-many", { skippable: true }) });
      const { name } = await stage.app.flows.publish(stage.admin, source);
      const starts = Array.from({ length: n }, () =>
        stage.app.runs.start(stage.admin, { flow: name, params: {} }),
      );
      const ids = (await Promise.all(starts)).map((r) => r.id).sort();
      for (const id of ids) await stage.reach(id, "failed");
      return { name, ids };
    };
    const bulk = (more: Partial<Parameters<Stage["app"]["runs"]["bulk"]>[1]>) =>
      stage.app.runs.bulk(operator, {
        command: "retry",
        match: {},
        reason,
        dryRun: false,
        limit: 1000,
        ...more,
      });

    it("a dry run tells what would happen and does nothing", async () => {
      const { name, ids } = await failMany(4);
      await abort(ids[1] ?? "");
      const told = await bulk({ match: { flow: name }, dryRun: true });
      expect(told).toMatchObject({ dryRun: true, matched: 4, outcomes: { ok: 3, RUN_ENDED: 1 }, next: null });
      expect(told.items.map((i) => [i.runId, i.outcome, i.status])).toEqual([
        [ids[0], "ok", "failed"],
        [ids[1], "RUN_ENDED", "aborted"],
        [ids[2], "ok", "failed"],
        [ids[3], "ok", "failed"],
      ]);
      expect((await find(ids[0] ?? "")).status).toBe("failed");
      expect(sent("/bad-many")).toBe(4);
    });

    it("carries out what can be, page by page, and says of each what became of it", async () => {
      const { name, ids } = await failMany(5);
      reply = () => ({ status: 200 });
      const first = await bulk({ match: { flow: name, status: "failed" }, limit: 2 });
      expect(first).toMatchObject({ matched: 2, outcomes: { ok: 2 }, next: ids[1] });
      expect(first.items.map((i) => i.runId)).toEqual(ids.slice(0, 2));
      const rest = await bulk({ match: { flow: name, status: "failed" }, after: first.next ?? "" });
      expect(rest).toMatchObject({ matched: 3, outcomes: { ok: 3 }, next: null });
      for (const id of ids) await stage.reach(id, "completed");
      const { items } = await stage.app.receipts.list(
        stage.admin.tenantId,
        { runId: ids[3] ?? "", type: "run.operated" },
        { limit: 5 },
      );
      expect(items).toHaveLength(1);
    });

    it("skips, pauses, resumes and aborts as well", async () => {
      const skipped = await failMany(2);
      expect((await bulk({ command: "skip", match: { flow: skipped.name }, step: "a" })).outcomes).toEqual({
        ok: 2,
      });
      for (const id of skipped.ids) await stage.reach(id, "completed");
      const source = flow({ a: wait("1h") }, { labels: { shop: `eu-${driver}` } });
      const waiting = await Promise.all([1, 2].map(() => stage.run(source)));
      for (const id of waiting) await stage.reach(id, "waiting");
      const match = { labels: [["shop", `eu-${driver}`]] as const };
      for (const [command, status] of [
        ["pause", "waiting"],
        ["resume", "queued"],
        ["abort", "aborted"],
      ] as const) {
        const done = await bulk({ command, match });
        expect(done.items.map((i) => [i.outcome, i.status])).toEqual([
          ["ok", status],
          ["ok", status],
        ]);
        if (command === "resume") for (const id of waiting) await stage.reach(id, "waiting");
      }
    });

    it("touches no run of another tenant", async () => {
      const made = await stage.app.access.createTenant(stage.admin, "Other");
      const stranger = await stage.app.access.authenticate(`Bearer ${made.apiKey}`);
      const id = await stage.run(flow({ a: wait("1h") }));
      await stage.reach(id, "waiting");
      const order = {
        command: "abort",
        match: { status: "waiting" },
        reason,
        dryRun: false,
        limit: 1000,
      } as const;
      expect(await stage.app.runs.bulk(stranger, order)).toMatchObject({ matched: 0, items: [] });
      expect((await find(id)).status).toBe("waiting");
      await abort(id);
    });

    it("of two at once over the same runs, each run has one of them", async () => {
      const { name, ids } = await failMany(6);
      reply = () => ({ status: 200 });
      const match = { flow: name };
      const [one, two] = await Promise.all([bulk({ match }), bulk({ match })]);
      for (const [i, id] of ids.entries()) {
        const oks = [one, two].filter((r) => r.items[i]?.runId === id && r.items[i]?.outcome === "ok");
        expect(oks).toHaveLength(1);
        await stage.reach(id, "completed");
      }
    });
  });
});
