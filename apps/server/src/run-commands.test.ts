/** What operators do to steps of runs: run again, skip, put another output in place. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { etagOf, type RunEvent } from "#orchestrate/runs";
import type { Caller } from "#platform/access";
import type { BlobReference } from "#platform/blobs";
import { sql } from "#platform/db";
import { drivers } from "#testing";
import { brokenInvariants } from "./testing/invariants.ts";
import type { Received } from "./testing/receiver.ts";
import { openStage, type Stage } from "./testing/stage.ts";
import { until } from "./testing/until.ts";

/** An end that the run went on from. */
const history = ({ end: _end, ...event }: RunEvent): RunEvent => event;

let flows = 0;
const flow = (steps: Record<string, unknown>, more: Record<string, unknown> = {}) =>
  JSON.stringify({ flow: `ordered-${++flows}`, version: "1.0.0", steps, ...more });
const send = (path: string, more: Record<string, unknown> = {}, body: unknown = {}) => ({
  use: "http.request",
  with: { connection: "wms", method: "POST", path, body },
  ...more,
});
const reason = "the other side is well again";

describe.each(drivers)("orders on steps on %s", (driver) => {
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
  const types = async (id: string) => (await events(id)).map((e) => `${e.type} ${e.data.step ?? ""}`.trim());
  const payload = async (owner: { tenantId: string; runId: string }, { $blob }: { $blob: BlobReference }) =>
    JSON.parse(await stage.app.blobs.load(owner, $blob));
  const refusal = (work: Promise<unknown>) =>
    work.then(
      () => "carried out",
      (error: { code?: string; current?: Record<string, unknown> }) => error,
    );

  describe("a retry", () => {
    it("[O2] runs the failed step again under a new key, and the run goes on; who ordered it is in journal and receipt", async () => {
      const source = flow({
        a: { use: "noop", with: { output: 1 } },
        ship: send("/retry", { needs: ["a"] }),
        b: { use: "noop", needs: ["ship"], with: { output: "{{ steps.ship.output.body.path }}" } },
      });
      const id = await failing(source, "/retry");
      const failed = await events(id);
      const after = await stage.app.runs.retry(operator, id, { reason });
      expect(after).toMatchObject({ status: "queued", error: null, endedAt: null });
      const done = await stage.reach(id, "completed");
      expect(done.output).toBe("/retry");
      expect(done.steps.map((s) => [s.name, s.status, s.attempt])).toEqual([
        ["a", "completed", 1],
        ["ship", "completed", 2],
        ["b", "completed", 1],
      ]);
      const keys = requests("/retry").map((r) => r.key);
      expect(new Set(keys).size).toBe(2);
      const all = await events(id);
      expect(all.slice(0, failed.length)).toEqual(failed.map(history)); // the failure stays where readers saw it
      expect(all.slice(failed.length).map((e) => e.type)).toEqual([
        "run.reopened",
        "step.retrying",
        "step.completed",
        "step.completed",
        "run.completed",
      ]);
      expect(all.map((e) => e.seq)).toEqual(all.map((_e, i) => i));
      expect(all[failed.length + 1]?.data.operator).toMatchObject({ command: "retry", reason });
      const { items } = await stage.app.receipts.list(
        stage.admin.tenantId,
        { runId: id, type: "run.operated" },
        { limit: 9 },
      );
      expect(items).toHaveLength(1);
      const [receipt] = items;
      const body = JSON.parse(Buffer.from(receipt?.jws.split(".")[1] ?? "", "base64url").toString());
      expect(body).toMatchObject({
        typ: "run.operated",
        run: { step: "ship" },
        operation: { command: "retry", from: "failed", to: "queued" },
      });
      expect(await stage.app.receipts.disclosed(stage.admin.tenantId, receipt?.id ?? "")).toEqual({ reason });
    });

    it("merges edits into the step's input, deeply, for all later attempts", async () => {
      const source = flow({ ship: send("/edits", {}, { a: { x: 1, y: 2 }, list: [1, 2] }) });
      const id = await failing(source, "/edits");
      const edits = { body: { a: { x: 9 }, list: [3] } };
      refused.add("/edits");
      await stage.app.runs.retry(operator, id, { step: "ship", edits, reason });
      await until(
        "the second failure",
        async () => (await stage.app.runs.find(operator, id)).status === "failed",
      );
      refused.clear();
      await stage.app.runs.retry(operator, id, { reason });
      await stage.reach(id, "completed");
      const merged = { a: { x: 9, y: 2 }, list: [3] };
      expect(requests("/edits").map((r) => r.body)).toEqual([
        { a: { x: 1, y: 2 }, list: [1, 2] },
        merged,
        merged,
      ]);
    });

    it("without a step runs all steps that failed again, and only those", async () => {
      const steps = {
        a: send("/x1"),
        b: send("/x2"),
        c: send("/x3"),
        end: { use: "noop", needs: ["a", "b", "c"] },
      };
      const id = await failing(flow(steps), "/x1", "/x2");
      expect((await stage.app.runs.find(operator, id)).steps.map((s) => s.status)).toEqual([
        "failed",
        "failed",
        "completed",
        "pending",
      ]);
      await stage.app.runs.retry(operator, id, { reason });
      await stage.reach(id, "completed");
      expect(["/x1", "/x2", "/x3"].map((path) => requests(path).length)).toEqual([2, 2, 1]);
    });

    it("of one of two failed steps leaves the other's failure standing", async () => {
      const id = await failing(flow({ a: send("/y1"), b: send("/y2") }), "/y1", "/y2");
      await stage.app.runs.retry(operator, id, { step: "a", reason });
      const again = await until("the second end", async () => {
        const run = await stage.app.runs.find(operator, id);
        return run.status === "failed" && run;
      });
      expect(again.steps.map((s) => s.status)).toEqual(["completed", "failed"]);
      expect(again.error).toMatchObject({ step: "b" });
    });

    it("waits for its delay", async () => {
      const id = await failing(flow({ a: send("/delay") }), "/delay");
      const at = Date.now();
      await stage.app.runs.retry(operator, id, { reason, delaySeconds: 1 });
      await stage.reach(id, "waiting");
      const again = await refusal(stage.app.runs.retry(operator, id, { step: "a", reason }));
      expect(again).toMatchObject({ code: "STEP_STATE_CONFLICT", current: { step: { status: "waiting" } } });
      await stage.reach(id, "completed");
      expect(Date.now() - at).toBeGreaterThanOrEqual(1000);
    });

    it("is refused for a run that is running, queued, completed or aborted, with how it stands", async () => {
      const done = await stage.run(flow({ a: { use: "noop" } }));
      await stage.reach(done, "completed");
      expect(await refusal(stage.app.runs.retry(operator, done, { reason }))).toMatchObject({
        code: "RUN_ENDED",
        status: 409,
        current: { status: "completed", etag: (await stage.app.runs.find(operator, done)).etag },
      });
      const aborted = await stage.run(flow({ a: { use: "wait", with: { for: "1h" } } }));
      await stage.reach(aborted, "waiting");
      expect(await refusal(stage.app.runs.retry(operator, aborted, { reason }))).toMatchObject({
        code: "RUN_STATE_CONFLICT",
        current: { status: "waiting" },
      });
      await stage.app.runs.abort(operator, aborted, reason);
      expect(await refusal(stage.app.runs.retry(operator, aborted, { reason }))).toMatchObject({
        code: "RUN_ENDED",
      });
    });

    it("of a step that the flow does not have, or of a run of nobody's, is not found", async () => {
      const id = await failing(flow({ a: send("/foreign") }), "/foreign");
      const other = await failing(flow({ b: send("/foreign2") }), "/foreign2");
      expect(await refusal(stage.app.runs.retry(operator, id, { step: "b", reason }))).toMatchObject({
        code: "STEP_NOT_FOUND",
        status: 404,
      });
      const stranger = await stage.app.access.authenticate(
        `Bearer ${(await stage.app.access.createTenant(stage.admin, `T${flows}`)).apiKey}`,
      );
      expect(await refusal(stage.app.runs.retry(stranger, other, { reason }))).toMatchObject({
        code: "RUN_NOT_FOUND",
      });
    });

    it("needs runs:operate", async () => {
      const id = await failing(flow({ a: send("/forbidden") }), "/forbidden");
      const member = await stage.caller(`member-${flows}`, ["member"]);
      expect(await refusal(stage.app.runs.retry(member, id, { reason }))).toMatchObject({
        code: "AUTH_FORBIDDEN",
      });
    });

    it("of a run whose time was up gives it its time again", async () => {
      const source = flow(
        { a: { use: "wait", with: { for: "1500ms" } }, b: { use: "noop", needs: ["a"] } },
        { limits: { timeout: "1s" } },
      );
      const id = await stage.run(source);
      const failed = await stage.reach(id, "failed");
      expect(failed.error).toMatchObject({ code: "RUN_TIMEOUT" });
      await until("the closed wait", async () => (await stage.app.outbox.pending()) === 0);
      const again = await stage.app.runs.retry(operator, id, { reason });
      expect((again.deadlineAt?.getTime() ?? 0) - Date.now()).toBeGreaterThan(500);
      await stage.reach(id, "completed"); // its timer went on meanwhile
    });

    it("opens what the failure closed: timers, signals, gates and approvals of other branches go on", async () => {
      const source = flow({
        bad: send("/reopen", { needs: ["first"] }),
        first: { use: "wait", with: { for: "300ms" } },
        timer: { use: "wait", with: { for: "600ms" } },
        paid: { use: "wait", with: { signal: "paid" } },
        held: send("/held", {}, { hold: true }),
        asked: {
          use: "noop",
          with: { output: 5 },
          gate: { question: "Go on with {{ output }}?", excludeRequester: false, approvers: ["approver"] },
        },
        end: { use: "noop", needs: ["bad", "timer", "paid", "held", "asked"] },
      });
      const id = await failing(source, "/reopen");
      await until("what the end closes", async () => (await stage.app.outbox.pending()) === 0);
      const [gate] = await stage.app.runs.listGates(operator, { runId: id, limit: 5 });
      expect(gate?.status).toBe("cancelled");
      await stage.app.runs.retry(operator, id, { reason });
      const open = await until("the questions", async () => {
        const actions = await stage.app.actions.list(stage.admin, {
          runId: id,
          state: "pending_approval",
          limit: 5,
        });
        const gates = await stage.app.runs.listGates(operator, { runId: id, status: "open", limit: 5 });
        return actions[0] && gates[0] && { action: actions[0], gate: gates[0] };
      });
      expect(open.gate.id).toBe(gate?.id);
      await stage.app.runs.signal(stage.admin, id, { name: "paid", payload: 7 });
      await stage.app.runs.answerGate(stage.approver, open.gate.id, { decision: "continue" });
      const { approvalId } = open.action;
      await stage.app.approvals.decide(stage.approver, approvalId ?? "", {
        decision: "approve",
        reason: "fine",
      });
      const done = await stage.reach(id, "completed");
      expect(done.steps.every((s) => s.status === "completed")).toBe(true);
      expect(requests("/held")).toHaveLength(1);
    });

    it("of a sub-run that failed is for its parent to make", async () => {
      const child = JSON.parse(flow({ a: send("/child") })) as { flow: string };
      await stage.app.flows.publish(stage.admin, JSON.stringify(child));
      const id = await failing(flow({ sub: { use: "flow", with: { flow: child.flow } } }), "/child");
      const [sub] = (await stage.app.runs.find(operator, id)).children;
      expect(await refusal(stage.app.runs.retry(operator, sub?.id ?? "", { reason }))).toMatchObject({
        code: "RUN_HAS_PARENT",
      });
      await stage.app.runs.retry(operator, id, { reason });
      const done = await stage.reach(id, "completed");
      expect(done.children).toHaveLength(2);
      expect(done.children.map((c) => c.status)).toEqual(["completed", "failed"]);
    });

    it("of a step whose failure others have used is refused: rerun from there instead", async () => {
      const source = flow({
        a: send("/used", { onError: "continue" }),
        b: { use: "noop", needs: ["a"] },
        c: { use: "wait", needs: ["b"], with: { for: "1h" } },
      });
      refused.add("/used");
      const id = await stage.run(source);
      await stage.reach(id, "waiting");
      expect(await refusal(stage.app.runs.retry(operator, id, { step: "a", reason }))).toMatchObject({
        code: "STEP_IN_USE",
      });
      await stage.app.runs.abort(operator, id, reason);
    });
  });

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

  describe("two at once", () => {
    it("[O3] of two retries one is carried out and the other is refused with the state", async () => {
      for (let round = 0; round < 10; round++) {
        const path = `/twice-${round}`;
        const id = await failing(
          flow({ a: send(path), b: { use: "wait", needs: ["a"], with: { for: "1h" } } }),
          path,
        );
        const { etag } = await stage.app.runs.find(operator, id);
        const retries = [1, 2].map(() =>
          refusal(stage.app.runs.retry(operator, id, { reason, ifMatch: [etag] })),
        );
        const results = await Promise.all(retries);
        expect(results.filter((r) => r === "carried out")).toHaveLength(1);
        const [lost] = results.filter((r) => r !== "carried out");
        expect(lost).toMatchObject({ code: "PRECONDITION_FAILED", status: 412 });
        expect((lost as { current: { etag: string } }).current.etag).not.toBe(etag);
        await stage.reach(id, "waiting");
        expect(requests(path)).toHaveLength(2);
        await stage.app.runs.abort(operator, id, reason);
      }
    });

    it("[O3] without a condition the second retry finds the run on its way", async () => {
      const id = await failing(
        flow({ a: send("/thrice"), b: { use: "wait", needs: ["a"], with: { for: "1h" } } }),
        "/thrice",
      );
      const results = await Promise.all(
        [1, 2, 3].map(() => refusal(stage.app.runs.retry(operator, id, { reason }))),
      );
      expect(results.filter((r) => r === "carried out")).toHaveLength(1);
      for (const lost of results.filter((r) => r !== "carried out"))
        expect(["RUN_STATE_CONFLICT", "STEP_STATE_CONFLICT"]).toContain((lost as { code: string }).code);
      await stage.reach(id, "waiting");
      expect(requests("/thrice")).toHaveLength(2);
      await stage.app.runs.abort(operator, id, reason);
    });
  });

  it("a tag names one state of a run: every order and every end gives another", async () => {
    const id = await failing(
      flow({ a: send("/tags"), b: { use: "wait", needs: ["a"], with: { for: "1h" } } }),
      "/tags",
    );
    const seen = new Set<string>();
    const note = async () => seen.add((await stage.app.runs.find(operator, id)).etag);
    await note();
    await stage.app.runs.retry(operator, id, { reason });
    await stage.reach(id, "waiting");
    await note();
    for (const order of ["pause", "resume"] as const) {
      await stage.app.runs[order](operator, id, reason);
      await note();
    }
    await stage.reach(id, "waiting");
    await note();
    await stage.app.runs.abort(operator, id, reason);
    await note();
    expect(seen.size).toBe(6);
    const [row] = await stage.opened.database.system.query<Parameters<typeof etagOf>[0]>(
      sql`select status, lease_epoch as epoch, wake_seq as "wakeSeq", last_seq as "lastSeq" from run where id = ${id}`,
    );
    expect(row && etagOf(row)).toBe((await stage.app.runs.find(operator, id)).etag);
    expect(await types(id)).toContain("run.paused");
  });
});
