/** Runs that repeat other runs: from a step on with what came before, or from the beginning with other parameters. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Caller } from "#platform/access";
import { newId } from "#platform/kernel";
import { drivers } from "#testing";
import { brokenInvariants } from "./testing/invariants.ts";
import { openStage, type Stage } from "./testing/stage.ts";
import { until } from "./testing/until.ts";

const reason = "the price list was wrong";
const send = (path: string, more: Record<string, unknown> = {}) => ({
  use: "http.request",
  with: { connection: "wms", method: "POST", path, body: {} },
  ...more,
});
type Refused = { code?: string; status?: number; errors?: { path: string }[] };
const refusal = (work: Promise<unknown>): Promise<Refused> =>
  work.then(
    () => ({ code: "carried out" }),
    (error: Refused) => error,
  );

describe.each(drivers)("repeats on %s", (driver) => {
  let stage: Stage;
  let operator: Caller;
  beforeAll(async () => {
    stage = await openStage(driver);
    operator = await stage.caller("olga", ["operator"]);
    stage.receiver.answer(({ path }) => ({ status: path === "/bad" ? 422 : 200, body: { path } }));
  });
  afterAll(async () => {
    await until("an empty outbox", async () => (await stage.app.outbox.pending()) === 0);
    const left = await brokenInvariants(stage.opened.database);
    await stage.close();
    expect(left).toEqual({});
  });
  const sent = (path: string) => stage.receiver.received.filter((r) => r.path === path).length;
  const statuses = async (id: string) =>
    Object.fromEntries(
      (await stage.app.runs.find(operator, id)).steps.map((s) => [s.name, s.operator?.command ?? s.status]),
    );

  describe("a rerun", () => {
    const name = `orders-${driver}`;
    const version = (v: string, steps: Record<string, unknown>, more: Record<string, unknown> = {}) =>
      JSON.stringify({
        flow: name,
        version: v,
        params: { n: { type: "integer", default: 1 } },
        steps,
        ...more,
      });
    const steps = {
      start: send("/start"),
      left: send("/left", { needs: ["start"] }),
      right: send("/right", { needs: ["start"] }),
      never: { use: "noop", needs: ["start"], when: "{{ params.n > 5 }}", with: { output: "big" } },
      join: {
        use: "noop",
        needs: ["left", "right", "never"],
        with: { output: "{{ steps.left.output.body.path & params.n }}" },
      },
    };
    let source: string;
    beforeAll(async () => {
      await stage.app.flows.publish(stage.admin, version("1.0.0", steps));
      const { id } = await stage.app.runs.start(stage.admin, {
        flow: name,
        params: { n: 3 },
        labels: { shop: "eu" },
      });
      await stage.reach(id, "completed");
      source = id;
    });

    it("[O6] runs the step and what follows from it; everything else is used again", async () => {
      const before = ["/start", "/left", "/right"].map(sent);
      const begun = await stage.app.runs.rerun(operator, source, { from: "right", reason });
      expect(begun).toMatchObject({
        originRunId: source,
        startedBy: operator.principalId,
        params: { n: 3 },
        labels: { shop: "eu" },
      });
      const done = await stage.reach(begun.id, "completed");
      expect(done.output).toBe("/left3");
      expect(["/start", "/left", "/right"].map(sent)).toEqual([before[0], before[1], (before[2] ?? 0) + 1]);
      expect(await statuses(begun.id)).toEqual({
        start: "rerun",
        left: "rerun",
        right: "completed",
        never: "skipped",
        join: "completed",
      });
      expect(done.steps[0]?.operator).toMatchObject({ command: "rerun", fromRunId: source, reason });
      const events = await stage.app.runs.eventList(operator, begun.id, -1);
      expect(events.map((e) => e.seq)).toEqual(events.map((_e, i) => i));
      const { items } = await stage.app.receipts.list(
        stage.admin.tenantId,
        { runId: begun.id, type: "run.operated" },
        { limit: 5 },
      );
      const body = JSON.parse(Buffer.from(items[0]?.jws.split(".")[1] ?? "", "base64url").toString());
      expect(body.operation).toMatchObject({ command: "rerun", origin: expect.stringMatching(/^run_/) });
    });

    it("[O6] on a newer version uses again only what is written the same, and nothing behind what is not", async () => {
      const changed = {
        ...steps,
        left: send("/left-2", { needs: ["start"] }),
        extra: send("/extra", { needs: ["start"] }),
      };
      await stage.app.flows.publish(stage.admin, version("1.1.0", changed));
      const begun = await stage.app.runs.rerun(operator, source, { from: "join", version: "latest", reason });
      expect(begun.version).toBe("1.1.0");
      const done = await stage.reach(begun.id, "completed");
      expect(await statuses(begun.id)).toEqual({
        start: "rerun",
        left: "completed",
        right: "rerun",
        never: "skipped",
        join: "completed",
        extra: "completed",
      });
      expect(done.steps.find((s) => s.name === "join")?.output).toBe("/left-23");
      const same = await stage.app.runs.rerun(operator, source, { from: "join", reason });
      expect(same.version).toBe("1.0.0");
      await stage.reach(same.id, "completed");
    });

    it("of a failed run goes on from its failure as a run of its own; the failed one stays as it is", async () => {
      const text = version("2.0.0", { a: send("/first"), b: send("/bad", { needs: ["a"] }) });
      await stage.app.flows.publish(stage.admin, text);
      const failed = await stage.app.runs.start(stage.admin, { flow: name, version: "2.0.0", params: {} });
      await stage.reach(failed.id, "failed");
      await stage.app.flows.publish(
        stage.admin,
        version("2.0.1", { a: send("/first"), b: send("/good", { needs: ["a"] }) }),
      );
      const begun = await stage.app.runs.rerun(operator, failed.id, { from: "b", version: "2.0.1", reason });
      await stage.reach(begun.id, "completed");
      expect(sent("/first")).toBe(1);
      expect((await stage.app.runs.find(operator, failed.id)).status).toBe("failed");
      const list = await stage.app.runs.list(operator, { origin: failed.id, limit: 5 });
      expect(list.map((r) => r.id)).toEqual([begun.id]);
    });

    it("uses items, skips and caught failures again as they were", async () => {
      const text = version("3.0.0", {
        each: {
          use: "http.request",
          forEach: { items: ["/i1", "/bad", "/i3"], onItemError: "continue" },
          with: { connection: "wms", method: "POST", path: "{{ item }}", body: {} },
        },
        gap: { use: "wait", skippable: true, needs: ["each"], with: { for: "1h" } },
        end: {
          use: "noop",
          needs: ["each", "gap"],
          with: {
            output: "{{ [$count(steps.each.errors), steps.each.output[0].body.path, steps.gap.output] }}",
          },
        },
      });
      await stage.app.flows.publish(stage.admin, text);
      const { id } = await stage.app.runs.start(stage.admin, { flow: name, version: "3.0.0", params: {} });
      await stage.reach(id, "waiting");
      await stage.app.runs.skip(operator, id, { step: "gap", output: "given", reason });
      const done = await stage.reach(id, "completed");
      expect(done.output).toEqual([1, "/i1", "given"]);
      const before = sent("/i1");
      const again = await stage.app.runs.rerun(operator, id, { from: "end", reason });
      const repeated = await stage.reach(again.id, "completed");
      expect(repeated.output).toEqual(done.output);
      expect(sent("/i1")).toBe(before);
      expect(repeated.steps[0]?.items).toMatchObject({ total: 3, completed: 2, failed: 1 });
    });

    it("is refused while the run lives, for a step that is not there, and where the parameters do not fit the version", async () => {
      const live = await stage.run(
        JSON.stringify({
          flow: `${name}-live`,
          version: "1.0.0",
          steps: { a: { use: "wait", with: { for: "1h" } } },
        }),
      );
      await stage.reach(live, "waiting");
      expect(await refusal(stage.app.runs.rerun(operator, live, { from: "a", reason }))).toMatchObject({
        code: "RUN_STATE_CONFLICT",
        status: 409,
      });
      await stage.app.runs.abort(operator, live, reason);
      expect(await refusal(stage.app.runs.rerun(operator, source, { from: "nope", reason }))).toMatchObject({
        code: "STEP_NOT_FOUND",
      });
      const strict = JSON.stringify({
        flow: name,
        version: "4.0.0",
        params: { n: { type: "integer", enum: [1, 2] } },
        steps,
      });
      await stage.app.flows.publish(stage.admin, strict);
      expect(
        await refusal(stage.app.runs.rerun(operator, source, { from: "start", version: "4.0.0", reason })),
      ).toMatchObject({ code: "RUN_PARAMS_INVALID", status: 422, errors: [{ path: "params.n" }] });
    });

    it("under one Idempotency-Key begins one run, and refuses another one under it", async () => {
      const idempotencyKey = newId();
      const order = { from: "join", reason, idempotencyKey };
      const [one, two] = await Promise.all([1, 2].map(() => stage.app.runs.rerun(operator, source, order)));
      expect(one?.id).toBe(two?.id);
      expect(await refusal(stage.app.runs.rerun(operator, source, { ...order, from: "left" }))).toMatchObject(
        {
          code: "IDEMPOTENCY_CONFLICT",
        },
      );
      await stage.reach(one?.id ?? "", "completed");
    });

    it("needs runs:operate and runs:start, and a run of one's own tenant", async () => {
      const member = await stage.caller(`mo-${newId().slice(-8)}`, ["member"]);
      expect(await refusal(stage.app.runs.rerun(member, source, { from: "join", reason }))).toMatchObject({
        code: "AUTH_FORBIDDEN",
      });
      const made = await stage.app.access.createTenant(stage.admin, "Other");
      const stranger = await stage.app.access.authenticate(`Bearer ${made.apiKey}`);
      for (const order of [
        () => stage.app.runs.rerun(stranger, source, { from: "join", reason }),
        () => stage.app.runs.replay(stranger, source, { reason }),
      ])
        expect(await refusal(order())).toMatchObject({ code: "RUN_NOT_FOUND" });
    });
  });

  describe("a replay", () => {
    const text = (v: string) =>
      JSON.stringify({
        flow: `greet-${driver}`,
        version: v,
        params: { who: { type: "string", required: true }, loud: { type: "boolean", default: false } },
        steps: { say: send("/say"), end: { use: "noop", needs: ["say"], with: { output: "{{ params }}" } } },
      });

    it("runs everything again with the same parameters, but for those that are given", async () => {
      const id = await stage.run(text("1.0.0"), { who: "Ana" });
      await stage.reach(id, "completed");
      const before = sent("/say");
      const begun = await stage.app.runs.replay(operator, id, {
        params: { loud: true },
        reason,
        labels: { try: "2" },
      });
      const done = await stage.reach(begun.id, "completed");
      expect(done).toMatchObject({
        output: { who: "Ana", loud: true },
        originRunId: id,
        labels: { try: "2" },
        startedBy: operator.principalId,
      });
      expect(sent("/say")).toBe(before + 1);
      const bad = await refusal(stage.app.runs.replay(operator, id, { params: { who: 1, nope: 1 }, reason }));
      expect(bad).toMatchObject({
        code: "RUN_PARAMS_INVALID",
        errors: [{ path: "params.who" }, { path: "params.nope" }],
      });
      await stage.app.flows.publish(stage.admin, text("1.1.0"));
      const newer = await stage.app.runs.replay(operator, begun.id, { version: "1.1.0", reason });
      expect(newer.version).toBe("1.1.0");
      expect((await stage.reach(newer.id, "completed")).output).toEqual({ who: "Ana", loud: true });
    });

    it("of a run that a webhook started reads the same trigger", async () => {
      const flow = await stage.app.flows.publish(
        stage.admin,
        JSON.stringify({
          flow: `hooked-${driver}`,
          version: "1.0.0",
          steps: { a: { use: "noop", with: { output: "{{ trigger.json.n }}" } } },
        }),
      );
      const { runId } = await stage.app.runs.startTriggered({
        tenantId: stage.admin.tenantId,
        principalId: stage.admin.principalId,
        flow: await stage.app.flows.compiled(stage.admin.tenantId, flow.hash),
        params: {},
        trigger: { json: { n: 7 } },
        startKey: null,
      });
      await stage.reach(runId, "completed");
      const begun = await stage.app.runs.replay(operator, runId, { reason });
      expect((await stage.reach(begun.id, "completed")).output).toBe(7);
    });
  });
});
