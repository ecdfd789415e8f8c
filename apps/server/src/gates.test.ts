/** Questions that runs put to people, and signals that they wait for: who may answer, once, and against the clock. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { mostSignals } from "#orchestrate/runs";
import type { Caller } from "#platform/access";
import { sql } from "#platform/db";
import { newId } from "#platform/kernel";
import { drivers } from "#testing";
import { brokenInvariants } from "./testing/invariants.ts";
import { openStage, type Stage } from "./testing/stage.ts";
import { until } from "./testing/until.ts";

let flows = 0;
const flow = (steps: Record<string, unknown>, more: Record<string, unknown> = {}) =>
  JSON.stringify({ flow: `asking-${++flows}`, version: "1.0.0", steps, ...more });
const ask = (gate: Record<string, unknown> = {}, output: unknown = { total: 10 }) =>
  flow(
    {
      sum: { use: "noop", with: { output }, gate: { question: "Book {{ output.total }}?", ...gate } },
      end: { use: "noop", needs: ["sum"], with: { output: "{{ steps.sum.output }}" } },
    },
    { params: { x: { type: "object" } } },
  );
type Refused = {
  code?: string;
  status?: number;
  current?: Record<string, unknown>;
  errors?: { path: string }[];
};
const refusal = (work: Promise<unknown>): Promise<Refused> =>
  work.then(
    () => ({ code: "carried out" }),
    (error: Refused) => error,
  );

describe.each(drivers)("people and signals on %s", (driver) => {
  let stage: Stage;
  let operator: Caller;
  beforeAll(async () => {
    stage = await openStage(driver);
    operator = await stage.caller("olga", ["operator"]);
  });
  afterAll(async () => {
    await until("an empty outbox", async () => (await stage.app.outbox.pending()) === 0);
    const left = await brokenInvariants(stage.opened.database);
    await stage.close();
    expect(left).toEqual({});
  });
  const openGate = (id: string) =>
    until("the gate", async () => {
      const [gate] = await stage.app.runs.listGates(operator, { runId: id, status: "open", limit: 5 });
      return gate;
    });
  const asked = async (source: string, params: Record<string, unknown> = {}) => {
    const id = await stage.run(source, params);
    return { id, gate: await openGate(id) };
  };
  const answer = (who: Caller, id: string, given: Parameters<Stage["app"]["runs"]["answerGate"]>[2]) =>
    stage.app.runs.answerGate(who, id, given);

  describe("a gate", () => {
    it("stops the run, shows what it is about, and lets it go on with the first answer; it is signed", async () => {
      const { id, gate } = await asked(ask());
      const shown = await stage.app.runs.findGate(operator, gate.id);
      expect(shown).toMatchObject({
        question: "Book 10?",
        options: ["continue", "retry", "abort"],
        approvers: ["approver"],
        output: { total: 10 },
        requestedBy: stage.admin.principalId,
        status: "open",
      });
      const run = await stage.app.runs.find(operator, id);
      expect(run).toMatchObject({ status: "waiting", gates: [{ id: gate.id }] });
      const answered = await answer(stage.approver, gate.id, { decision: "continue", note: "checked" });
      expect(answered).toMatchObject({
        status: "answered",
        decision: "continue",
        answeredBy: stage.approver.principalId,
        note: "checked",
      });
      expect((await stage.reach(id, "completed")).output).toEqual({ total: 10 });
      const { items } = await stage.app.receipts.list(
        stage.admin.tenantId,
        { runId: id, type: "gate.answered" },
        { limit: 5 },
      );
      const [receipt] = items;
      const body = JSON.parse(Buffer.from(receipt?.jws.split(".")[1] ?? "", "base64url").toString());
      expect(body).toMatchObject({
        operation: { command: "answer", decision: "continue" },
        run: { step: "sum" },
      });
      expect(body.operation.gate).toMatch(/^gat_/);
      expect(await stage.app.receipts.disclosed(stage.admin.tenantId, receipt?.id ?? "")).toEqual({
        note: "checked",
      });
    });

    it("goes on with an edited output, also with null", async () => {
      for (const output of [{ total: 9 }, null]) {
        const { id, gate } = await asked(ask());
        await answer(stage.approver, gate.id, { decision: "continue", output });
        expect((await stage.reach(id, "completed")).output).toEqual(output);
      }
    });

    it("runs the step again with edits, deeply merged, and asks again", async () => {
      const { id, gate } = await asked(ask({}, { total: 10, deep: { a: 1, b: 2 } }));
      await answer(stage.approver, gate.id, {
        decision: "retry",
        edits: { output: { total: 11, deep: { a: 5 } } },
        note: "wrong",
      });
      const again = await openGate(id);
      expect(again.id).not.toBe(gate.id);
      expect((await stage.app.runs.findGate(operator, again.id)).output).toEqual({
        total: 11,
        deep: { a: 5, b: 2 },
      });
      expect(again.attempt).toBe(2);
      await answer(stage.approver, again.id, { decision: "continue" });
      expect((await stage.reach(id, "completed")).output).toEqual({ total: 11, deep: { a: 5, b: 2 } });
    });

    it("ends the run with abort", async () => {
      const { id, gate } = await asked(ask());
      await answer(stage.approver, gate.id, { decision: "abort" });
      expect((await stage.reach(id, "aborted")).error).toMatchObject({ code: "GATE_ABORTED" });
    });

    it("[O4] is answered once: whoever comes later is told the first decision", async () => {
      const { id, gate } = await asked(ask());
      await answer(stage.approver, gate.id, { decision: "continue" });
      expect(await refusal(answer(stage.approver2, gate.id, { decision: "abort" }))).toMatchObject({
        code: "GATE_CLOSED",
        status: 409,
        current: { status: "answered", decision: "continue" },
      });
      await stage.reach(id, "completed");
    });

    it("[O4] answered by many at once counts one of them", async () => {
      for (let round = 0; round < 10; round++) {
        const { id, gate } = await asked(ask());
        const answers = await Promise.all(
          (["continue", "abort", "continue", "abort"] as const).map((decision, i) =>
            refusal(answer(i % 2 ? stage.approver : stage.approver2, gate.id, { decision })),
          ),
        );
        expect(answers.filter((a) => a.code === "carried out")).toHaveLength(1);
        const { decision } = await stage.app.runs.findGate(operator, gate.id);
        for (const lost of answers.filter((a) => a.code !== "carried out"))
          expect(lost).toMatchObject({ code: "GATE_CLOSED", current: { decision } });
        await stage.reach(id, decision === "abort" ? "aborted" : "completed");
      }
    });

    it("[O4] takes no answer of its requester, nor of who acts for them, nor of anybody without its role", async () => {
      const requester = await stage.caller(`req-${flows}`, ["member", "approver"]);
      const { name } = await stage.app.flows.publish(stage.admin, ask());
      const { id } = await stage.app.runs.start(requester, { flow: name, params: {} });
      const gate = await openGate(id);
      const hand = await stage.app.access.createPrincipal(stage.admin, {
        name: `hand-${flows}`,
        kind: "agent",
        roles: ["approver"],
        ownerId: requester.principalId,
      });
      const hands = await stage.app.access.callerFor(stage.admin.tenantId, hand.id);
      for (const who of [requester, hands])
        expect(await refusal(answer(who, gate.id, { decision: "continue" }))).toMatchObject({
          code: "GATE_REQUESTER",
          status: 403,
        });
      expect(await refusal(answer(operator, gate.id, { decision: "continue" }))).toMatchObject({
        code: "GATE_ROLE",
        status: 403,
      });
      const made = await stage.app.access.createTenant(stage.admin, `S${flows}`);
      const stranger = await stage.app.access.authenticate(`Bearer ${made.apiKey}`);
      expect(await refusal(answer(stranger, gate.id, { decision: "continue" }))).toMatchObject({
        code: "GATE_NOT_FOUND",
        status: 404,
      });
      expect(await stage.app.runs.listGates(stranger, { limit: 50 })).toEqual([]);
      expect((await stage.app.runs.findGate(operator, gate.id)).status).toBe("open");
      await answer(stage.approver, gate.id, { decision: "continue" });
      await stage.reach(id, "completed");
    });

    it("may be its requester's to answer where the flow says so, by the roles that it names", async () => {
      const { id, gate } = await asked(
        ask({ excludeRequester: false, approvers: ["admin", "platform_admin"] }),
      );
      await answer(stage.admin, gate.id, { decision: "continue" });
      await stage.reach(id, "completed");
    });

    it("refuses what it does not offer", async () => {
      const { id, gate } = await asked(ask({ options: ["continue", "abort"] }));
      expect(await refusal(answer(stage.approver, gate.id, { decision: "retry" }))).toMatchObject({
        code: "GATE_OPTION",
        status: 422,
        errors: [{ path: "decision" }],
      });
      await answer(stage.approver, gate.id, { decision: "abort" });
      await stage.reach(id, "aborted");
    });

    it("is closed with its run", async () => {
      const { id, gate } = await asked(ask());
      await stage.app.runs.abort(operator, id, "not needed");
      expect(await refusal(answer(stage.approver, gate.id, { decision: "continue" }))).toMatchObject({
        code: "GATE_CLOSED",
        current: { status: "cancelled", decision: null, run: "aborted" },
      });
    });

    it("takes its default when its time is over, and fails the step without one", async () => {
      const { id, gate } = await asked(ask({ timeout: "100ms", default: "continue" }));
      expect((await stage.reach(id, "completed")).output).toEqual({ total: 10 });
      expect(await refusal(answer(stage.approver, gate.id, { decision: "abort" }))).toMatchObject({
        code: "GATE_CLOSED",
        current: { status: "expired", decision: "continue" },
      });
      const without = await asked(ask({ timeout: "100ms" }));
      const failed = await stage.reach(without.id, "failed");
      expect(failed.error).toMatchObject({ code: "GATE_TIMEOUT" });
      expect(await stage.app.runs.findGate(operator, without.gate.id)).toMatchObject({
        status: "expired",
        decision: null,
      });
    });

    it("[O4] answered against its timeout, 40 times: one of the two decides, and the run goes by it", async () => {
      const publish = async (timeout: string) =>
        (await stage.app.flows.publish(stage.admin, ask({ timeout, default: "abort" }))).name;
      const [short, long] = [await publish("500ms"), await publish("1m")];
      const results = await Promise.all(
        Array.from({ length: 40 }, async (_, n) => {
          const flow = n % 4 === 1 ? long : short; // some are in time and some too late for certain
          const { id } = await stage.app.runs.start(stage.admin, { flow, params: {} });
          const gate = await until("the gate", async () => {
            const [found] = await stage.app.runs.listGates(operator, { runId: id, limit: 1 });
            return found;
          });
          const due = gate.dueAt?.getTime() ?? 0;
          if (n % 4 === 0)
            await until("its end", async () => (await stage.app.runs.find(operator, id)).endedAt);
          else if (n % 4 > 1)
            await until("its time, or nearly", () => Date.now() > due - 20 + (n % 8) * 5, 5_000, 1);
          const given = await refusal(answer(stage.approver, gate.id, { decision: "continue" }));
          const won = given.code === "carried out";
          await stage.reach(id, won ? "completed" : "aborted");
          const after = await stage.app.runs.findGate(operator, gate.id);
          expect(after).toMatchObject(
            won ? { status: "answered", decision: "continue" } : { status: "expired", decision: "abort" },
          );
          if (!won) expect(given).toMatchObject({ code: "GATE_CLOSED" });
          return won;
        }),
      );
      expect(new Set(results).size).toBe(2); // else the race was none
    });
  });

  describe("a signal", () => {
    const schema = { type: "object", required: ["amount"], properties: { amount: { type: "number" } } };
    const source = (wait: Record<string, unknown> = {}) =>
      flow({
        paid: { use: "wait", with: { signal: "paid", ...wait } },
        end: { use: "noop", needs: ["paid"], with: { output: "{{ steps.paid.output }}" } },
      });
    const send = (id: string, payload?: unknown, name = "paid", who = stage.admin) =>
      stage.app.runs.signal(who, id, { name, payload });

    it("gives the step that waits for it its payload; it is listed with the step that took it, and signed", async () => {
      const id = await stage.run(source({ schema }));
      await stage.reach(id, "waiting");
      const sent = await send(id, { amount: 12 });
      expect(sent).toMatchObject({ name: "paid", payload: { amount: 12 }, deliveredAt: null, step: null });
      expect((await stage.reach(id, "completed")).output).toEqual({ amount: 12 });
      const [listed] = await stage.app.runs.listSignals(operator, id, { limit: 5 });
      expect(listed).toMatchObject({ id: sent.id, step: "paid", deliveredAt: expect.any(Date) });
      const { items } = await stage.app.receipts.list(
        stage.admin.tenantId,
        { runId: id, type: "signal.received" },
        { limit: 5 },
      );
      expect(await stage.app.receipts.disclosed(stage.admin.tenantId, items[0]?.id ?? "")).toEqual({
        payload: { amount: 12 },
      });
    });

    it("[O5] that comes early is kept; each is taken by one step, the oldest first", async () => {
      const id = await stage.run(
        flow({
          gap: { use: "wait", with: { for: "150ms" } },
          one: { use: "wait", needs: ["gap"], with: { signal: "tick" } },
          two: { use: "wait", needs: ["one"], with: { signal: "tick" } },
          end: {
            use: "noop",
            needs: ["two"],
            with: { output: "{{ [steps.one.output, steps.two.output] }}" },
          },
        }),
      );
      for (const payload of [1, 2, 3]) await send(id, payload, "tick");
      expect((await stage.reach(id, "completed")).output).toEqual([1, 2]);
      const left = (await stage.app.runs.listSignals(operator, id, { limit: 5 })).filter(
        (s) => s.step === null,
      );
      expect(left.map((s) => s.payload)).toEqual([3]);
    });

    it("without a payload is null", async () => {
      const id = await stage.run(source());
      await stage.reach(id, "waiting");
      expect((await send(id)).payload).toBeNull();
      expect((await stage.reach(id, "completed")).output).toBeNull();
    });

    it("that nobody waits for, or whose payload does not fit, is refused with what would", async () => {
      const id = await stage.run(source({ schema }));
      await stage.reach(id, "waiting");
      const unknown = await refusal(send(id, 1, "payed"));
      expect(unknown).toMatchObject({ code: "SIGNAL_UNKNOWN", status: 422 });
      expect(String((unknown as Error).message)).toContain("it waits for paid");
      expect(await refusal(send(id, { amount: "12" }))).toMatchObject({
        code: "SIGNAL_INVALID",
        status: 422,
        errors: [{ path: "payload.amount" }],
      });
      expect(await refusal(send(id, { amount: 1, note: "a\u0000" }))).toMatchObject({
        code: "REQUEST_INVALID",
      });
      expect(await stage.app.runs.listSignals(operator, id, { limit: 5 })).toEqual([]);
      await stage.app.runs.abort(operator, id, "not needed");
      expect(await refusal(send(id, { amount: 1 }))).toMatchObject({
        code: "RUN_ENDED",
        current: { status: "aborted" },
      });
    });

    it("is for those who may signal runs of the tenant", async () => {
      const id = await stage.run(source());
      await stage.reach(id, "waiting");
      const auditor = await stage.caller(`aud-${flows}`, ["auditor"]);
      expect(await refusal(send(id, 1, "paid", auditor))).toMatchObject({ code: "AUTH_FORBIDDEN" });
      const made = await stage.app.access.createTenant(stage.admin, `S${flows}`);
      const stranger = await stage.app.access.authenticate(`Bearer ${made.apiKey}`);
      expect(await refusal(send(id, 1, "paid", stranger))).toMatchObject({ code: "RUN_NOT_FOUND" });
      expect(await refusal(stage.app.runs.listSignals(stranger, id, { limit: 1 }))).toMatchObject({
        code: "RUN_NOT_FOUND",
      });
      const service = await stage.caller(`svc-${flows}`, ["service"]);
      await send(id, 1, "paid", service);
      await stage.reach(id, "completed");
    });

    it("cannot fill the database: a run holds so many of one name, and no more", async () => {
      const id = await stage.run(
        flow({
          gap: { use: "wait", with: { for: "1h" } },
          paid: { use: "wait", needs: ["gap"], with: { signal: "paid" } },
        }),
      );
      await stage.reach(id, "waiting");
      await stage.app.runs.pause(operator, id, "so that it claims none");
      await stage.opened.database.system.query(sql`insert into signal (tenant_id, id, run_id, name, payload, sent_by)
        select ${stage.admin.tenantId}, gen_random_uuid(), ${id}, 'paid', '1', ${stage.admin.principalId}
        from generate_series(2, ${mostSignals})`);
      await send(id, 1);
      expect(await refusal(send(id, 1))).toMatchObject({ code: "SIGNAL_BACKLOG", status: 409 });
      await stage.app.runs.abort(operator, id, "enough");
    });

    it("[O5] against the timeout of its step, 40 times: the run completes with it, or fails without having taken it", async () => {
      const publish = async (timeout: string) =>
        (await stage.app.flows.publish(stage.admin, source({ timeout }))).name;
      const [short, long] = [await publish("500ms"), await publish("1m")];
      const results = await Promise.all(
        Array.from({ length: 40 }, async (_, n) => {
          const flow = n % 4 === 1 ? long : short; // some are in time and some too late for certain
          const { id } = await stage.app.runs.start(stage.admin, { flow, params: {} });
          const due = Date.now() + 500;
          if (n % 4 === 0) await stage.reach(id, "failed");
          else if (n % 4 > 1)
            await until("its time, or nearly", () => Date.now() > due - 20 + (n % 8) * 5, 5_000, 1);
          const given = await refusal(send(id, n));
          const run = await until("its end", async () => {
            const found = await stage.app.runs.find(operator, id);
            return ["completed", "failed"].includes(found.status) && found;
          });
          if (given.code !== "carried out") {
            expect(given).toMatchObject({ code: "RUN_ENDED" });
            expect(run.status).toBe("failed");
          }
          const signals = await stage.app.runs.listSignals(operator, id, { limit: 5 });
          const taken = signals.filter((s) => s.step !== null);
          expect(taken.length).toBe(run.status === "completed" ? 1 : 0);
          if (run.status === "completed") expect(run.output).toBe(n);
          else expect(run.error).toMatchObject({ code: "WAIT_TIMEOUT" });
          return run.status;
        }),
      );
      expect(new Set(results).size).toBe(2); // else the race was none
    });

    it("sent by many at once to a step that waits for one, is taken once", async () => {
      const id = await stage.run(source());
      await stage.reach(id, "waiting");
      const sent = await Promise.all(Array.from({ length: 8 }, (_, n) => refusal(send(id, n))));
      expect(sent.some((s) => s.code === "carried out")).toBe(true);
      await stage.reach(id, "completed");
      const signals = await stage.app.runs.listSignals(operator, id, { limit: 20 });
      expect(signals.filter((s) => s.step === "paid")).toHaveLength(1);
      expect(signals.filter((s) => s.step === "paid")[0]?.id).toBe(signals.map((s) => s.id).sort()[0]);
    });
  });

  it("a run that waits for nothing is sent nothing", async () => {
    const id = await stage.run(flow({ a: { use: "wait", with: { for: "1h" } } }));
    const unknown = await refusal(stage.app.runs.signal(stage.admin, id, { name: "x" }));
    expect(unknown).toMatchObject({ code: "SIGNAL_UNKNOWN" });
    expect(await refusal(stage.app.runs.signal(stage.admin, newId(), { name: "x" }))).toMatchObject({
      code: "RUN_NOT_FOUND",
    });
    await stage.app.runs.abort(operator, id, "enough");
  });
});
