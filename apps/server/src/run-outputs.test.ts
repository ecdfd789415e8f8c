/** What operators put in place of what steps give: a substitute for one that is skipped, another output. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { RunEvent } from "#orchestrate/runs";
import type { Caller } from "#platform/access";
import type { BlobReference } from "#platform/blobs";
import { drivers } from "#testing";
import { brokenInvariants } from "./testing/invariants.ts";
import type { Received } from "./testing/receiver.ts";
import { openStage, type Stage } from "./testing/stage.ts";
import { until } from "./testing/until.ts";

/** An end that the run went on from. */
const history = ({ end: _end, ...event }: RunEvent): RunEvent => event;

let flows = 0;
const flow = (steps: Record<string, unknown>, more: Record<string, unknown> = {}) =>
  JSON.stringify({ flow: `given-${++flows}`, version: "1.0.0", steps, ...more });
const send = (path: string, more: Record<string, unknown> = {}, body: unknown = {}) => ({
  use: "http.request",
  with: { connection: "wms", method: "POST", path, body },
  ...more,
});
const reason = "the other side is well again";

describe.each(drivers)("given outputs on %s", (driver) => {
  let stage: Stage;
  let operator: Caller;
  /** Paths that the receiver refuses for good. */
  const refused = new Set<string>();
  beforeAll(async () => {
    stage = await openStage(driver);
    operator = await stage.caller("olga", ["operator"]);
    stage.receiver.answer(({ path }) =>
      refused.has(path) ? { status: 422 } : { status: 200, body: { path } },
    );
  });
  beforeEach(() => refused.clear());
  afterAll(async () => {
    await until("an empty outbox", async () => (await stage.app.outbox.pending()) === 0);
    const left = await brokenInvariants(stage.opened.database);
    await stage.close();
    expect(left).toEqual({});
  });

  const failing = async (source: string, ...paths: string[]): Promise<string> => {
    for (const path of paths) refused.add(path);
    const id = await stage.run(source);
    await stage.reach(id, "failed");
    refused.clear();
    return id;
  };
  const requests = (path: string): Received[] => stage.receiver.received.filter((r) => r.path === path);
  const events = (id: string): Promise<RunEvent[]> => stage.app.runs.eventList(stage.admin, id, -1);
  const payload = async (owner: { tenantId: string; runId: string }, { $blob }: { $blob: BlobReference }) =>
    JSON.parse(await stage.app.blobs.load(owner, $blob));
  const refusal = (work: Promise<unknown>) =>
    work.then(
      () => "carried out",
      (error: { code?: string; current?: Record<string, unknown> }) => error,
    );

  describe("a skip", () => {
    const source = (more: Record<string, unknown> = { skippable: true }) =>
      flow({
        a: send("/skip", more),
        b: { use: "noop", needs: ["a"], with: { output: "{{ steps.a.output.n }}" } },
      });

    it("puts a substitute in place of the step; what depends on it reads that, and the run completes", async () => {
      const id = await failing(source(), "/skip");
      await stage.app.runs.skip(operator, id, { step: "a", output: { n: 42 }, reason });
      const done = await stage.reach(id, "completed");
      expect(done.output).toBe(42);
      expect(done.steps[0]).toMatchObject({
        status: "skipped",
        output: { n: 42 },
        operator: { command: "skip" },
      });
      expect(done.progress).toEqual({ total: 2, completed: 2, percent: 100 });
    });

    it("is refused where the flow does not allow it, and nothing changes", async () => {
      const id = await failing(source({}), "/skip");
      const before = await stage.app.runs.find(operator, id);
      expect(await refusal(stage.app.runs.skip(operator, id, { step: "a", reason }))).toMatchObject({
        code: "STEP_NOT_SKIPPABLE",
        status: 409,
      });
      expect(await stage.app.runs.find(operator, id)).toEqual(before);
    });

    it("of a step that waits ends the wait, cancels what it held, and is refused once it has completed", async () => {
      const id = await stage.run(
        flow({
          a: { use: "wait", skippable: true, with: { for: "1h" } },
          held: send("/never", { skippable: true }, { hold: true }),
          end: { use: "noop", needs: ["a", "held"], with: { output: "{{ steps.a.output }}" } },
        }),
      );
      await stage.reach(id, "waiting");
      await stage.app.runs.skip(operator, id, { step: "a", output: "early", reason });
      await stage.reach(id, "waiting");
      await stage.app.runs.skip(operator, id, { step: "held", reason });
      const done = await stage.reach(id, "completed");
      expect(done.output).toBe("early");
      const [action] = await stage.app.actions.list(stage.admin, { runId: id, limit: 1 });
      expect(action).toMatchObject({ state: "cancelled", error: { code: "STEP_SKIPPED" } });
      expect(requests("/never")).toEqual([]);
      expect(await refusal(stage.app.runs.skip(operator, id, { step: "a", reason }))).toMatchObject({
        code: "RUN_ENDED",
      });
    });

    it("of a step that waits for a sub-run ends the sub-run", async () => {
      const child = JSON.parse(flow({ a: { use: "wait", with: { for: "1h" } } })) as { flow: string };
      await stage.app.flows.publish(stage.admin, JSON.stringify(child));
      const id = await stage.run(flow({ sub: { use: "flow", skippable: true, with: { flow: child.flow } } }));
      const waiting = await until("the sub-run", async () => {
        const run = await stage.app.runs.find(operator, id);
        return run.status === "waiting" && run.children[0]?.status === "waiting" && run;
      });
      await stage.app.runs.skip(operator, id, { step: "sub", output: 1, reason });
      expect((await stage.reach(id, "completed")).output).toBe(1);
      const [sub] = waiting.children;
      await until(
        "its end",
        async () => (await stage.app.runs.find(operator, sub?.id ?? "")).status === "aborted",
      );
    });

    it("of a step that has not begun lets the run pass it by when it goes on", async () => {
      const id = await failing(
        flow({ a: send("/ahead"), b: send("/passed", { needs: ["a"], skippable: true }) }),
        "/ahead",
      );
      await stage.app.runs.skip(operator, id, { step: "b", reason });
      await until(
        "the second end",
        async () => (await stage.app.runs.find(operator, id)).status === "failed",
      );
      await stage.app.runs.retry(operator, id, { reason });
      const done = await stage.reach(id, "completed");
      expect(done.steps.map((s) => s.status)).toEqual(["completed", "skipped"]);
      expect(requests("/passed")).toEqual([]);
    });

    it("is refused while an effect of the step is in doubt: somebody must say first what became of it", async () => {
      stage.receiver.answer(({ path }) => (path === "/doubt" ? "hang up" : { status: 200 }));
      const id = await stage.run(
        flow({
          a: {
            use: "http.request",
            skippable: true,
            with: { connection: "mail", method: "POST", path: "/doubt", body: {} },
          },
        }),
      );
      await stage.reach(id, "waiting");
      stage.receiver.answer(({ path }) =>
        refused.has(path) ? { status: 422 } : { status: 200, body: { path } },
      );
      expect(await refusal(stage.app.runs.skip(operator, id, { step: "a", reason }))).toMatchObject({
        code: "STEP_ACTION_OPEN",
        current: { action: { state: "in_doubt" } },
      });
      const [action] = await stage.app.actions.list(stage.admin, { runId: id, limit: 1 });
      await stage.app.actions.resolve(operator, action?.id ?? "", { outcome: "failed", reason });
      await stage.reach(id, "failed");
      await stage.app.runs.skip(operator, id, { reason });
      await stage.reach(id, "completed");
    });
  });

  describe("another output", () => {
    const source = () =>
      flow({
        a: { use: "noop", durable: true, with: { output: { n: 1 } } },
        pause: { use: "wait", with: { signal: "go" } },
        b: { use: "noop", needs: ["a", "pause"], with: { output: "{{ steps.a.output.n }}" } },
      });

    it("is what later steps read, and the history shows both", async () => {
      const id = await stage.run(source());
      await stage.reach(id, "waiting");
      const edited = await stage.app.runs.editOutput(operator, id, { step: "a", output: { n: 5 }, reason });
      expect(edited.status).toBe("waiting");
      await stage.app.runs.signal(stage.admin, id, { name: "go" });
      const done = await stage.reach(id, "completed");
      expect(done.output).toBe(5);
      const outputs = (await events(id)).filter((e) => e.data.step === "a").map((e) => e.data.output);
      expect(outputs).toEqual([{ n: 1 }, { n: 5 }]);
    });

    it("is refused once something has begun with it, and for a step that has none", async () => {
      const id = await stage.run(
        flow({
          a: { use: "noop", durable: true, with: { output: 1 } },
          b: { use: "wait", needs: ["a"], with: { for: "1h" } },
          c: { use: "noop", needs: ["b"] },
        }),
      );
      await stage.reach(id, "waiting");
      const edit = (step: string) =>
        refusal(stage.app.runs.editOutput(operator, id, { step, output: 2, reason }));
      expect(await edit("a")).toMatchObject({ code: "STEP_IN_USE", status: 409 });
      expect(await edit("b")).toMatchObject({
        code: "STEP_STATE_CONFLICT",
        current: { step: { status: "waiting" } },
      });
      expect(await edit("c")).toMatchObject({ current: { step: { status: "pending" } } });
      expect(await edit("nope")).toMatchObject({ code: "STEP_NOT_FOUND" });
      await stage.app.runs.abort(operator, id, reason);
    });

    it("leaves a failed run failed, with its history in order", async () => {
      const id = await failing(
        flow({
          a: { use: "noop", durable: true, with: { output: 1 } },
          b: send("/edit-failed", { needs: ["c"] }),
          c: { use: "noop" },
        }),
        "/edit-failed",
      );
      const before = await events(id);
      await stage.app.runs.editOutput(operator, id, { step: "a", output: 2, reason });
      const after = await events(id);
      expect(after.slice(0, before.length)).toEqual(before.map(history));
      expect(after.slice(before.length).map((e) => e.type)).toEqual(["step.completed", "run.failed"]);
      expect(after.filter((e) => e.end).map((e) => e.seq)).toEqual([after.length - 1]);
      expect((await stage.app.runs.find(operator, id)).status).toBe("failed");
    });

    it.each<[string, unknown]>([
      ["a large one", { text: "x".repeat(100_000), n: 6 }],
      [
        "one that looks like a reference to something kept elsewhere",
        { $blob: { sha256: "0".repeat(64), bytes: 5 } },
      ],
    ])("that is %s is read as it was given, by later steps and by people", async (_what, output) => {
      const id = await stage.run(
        flow({
          a: { use: "noop", durable: true, with: { output: { n: 1 } } },
          c: { use: "wait", skippable: true, with: { signal: "never" } },
          pause: { use: "wait", with: { signal: "go" } },
          b: {
            use: "noop",
            needs: ["a", "c", "pause"],
            with: { output: "{{ [steps.a.output, steps.c.output] }}" },
          },
        }),
      );
      await stage.reach(id, "waiting");
      await stage.app.runs.editOutput(operator, id, { step: "a", output, reason });
      await stage.app.runs.skip(operator, id, { step: "c", output, reason });
      await stage.reach(id, "waiting");
      await stage.app.runs.signal(stage.admin, id, { name: "go", payload: output });
      await stage.reach(id, "completed");
      const { id: again } = await stage.app.runs.rerun(operator, id, { from: "b", reason });
      await stage.reach(again, "completed");
      for (const run of [id, again]) {
        const { output: found } = await stage.app.runs.find(operator, run);
        const owner = { tenantId: stage.admin.tenantId, runId: run };
        const whole = Array.isArray(found) ? found : await payload(owner, found as { $blob: BlobReference });
        expect(whole).toEqual([output, output]);
      }
    });

    it.each([
      ["U+0000", "a\u0000b"],
      ["half a surrogate pair", "a\ud800"],
    ])("with %s is refused before anything is touched", async (_what, output) => {
      const id = await stage.run(source());
      await stage.reach(id, "waiting");
      expect(
        await refusal(stage.app.runs.editOutput(operator, id, { step: "a", output, reason })),
      ).toMatchObject({
        code: "REQUEST_INVALID",
        errors: [{ path: "output" }],
      });
      await stage.app.runs.abort(operator, id, reason);
    });
  });
});
