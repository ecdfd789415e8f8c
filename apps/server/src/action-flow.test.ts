/** Actions through the whole server: once for one key, in doubt when nobody knows, settled by people. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ActionView } from "#act/actions";
import { sql } from "#platform/db";
import { newId } from "#platform/kernel";
import { drivers } from "#testing";
import { brokenInvariants } from "./testing/invariants.ts";
import { createGate } from "./testing/receiver.ts";
import { openStage, type Stage } from "./testing/stage.ts";
import { jitter, until } from "./testing/until.ts";

let flows = 0;
const ok = () => ({ status: 201, body: { id: "S-1" } });

describe.each(drivers)("an action on %s", (driver) => {
  let stage: Stage;
  beforeAll(async () => {
    stage = await openStage(driver);
  });
  afterAll(async () => {
    await until("an empty outbox", async () => (await stage.app.outbox.pending()) === 0);
    const left = await brokenInvariants(stage.opened.database);
    await stage.close();
    expect(left).toEqual({});
  });
  const submit = (
    body: Record<string, unknown>,
    more: { connection?: string; idempotencyKey?: string; method?: string } = {},
  ): Promise<ActionView> => {
    const { connection = "wms", idempotencyKey, method = "POST" } = more;
    const input = { method, path: "/orders", ...(method === "GET" ? {} : { body }) };
    return stage.app.actions.submit(stage.admin, {
      connection,
      operation: "http.request",
      input,
      idempotencyKey,
    });
  };
  const reach = (id: string, ...states: string[]): Promise<ActionView> =>
    until(states.join(" or "), async () => {
      const action = await stage.app.actions.find(stage.admin, id);
      return states.includes(action.state) && action;
    });
  const typesOf = async (actionId: string): Promise<string[]> => {
    const page = { limit: 50, order: "oldest" } as const;
    const { items } = await stage.app.receipts.list(stage.admin.tenantId, { actionId }, page);
    return items.map((r) => r.type);
  };

  describe("[X2] with an idempotency key", () => {
    it("is executed once, however many ask at once: 20 times each of 10 keys", async () => {
      stage.receiver.answer(async () => {
        await jitter(10);
        return { status: 201, body: { number: stage.receiver.received.length } };
      });
      const before = stage.receiver.received.length;
      const keys = Array.from({ length: 10 }, () => newId());
      const answers = await Promise.all(
        keys.flatMap((idempotencyKey, n) =>
          Array.from({ length: 20 }, () => submit({ n }, { idempotencyKey })),
        ),
      );
      const sent = stage.receiver.received.slice(before);
      expect(sent.map((r) => (r.body as { n: number }).n).sort((a, b) => a - b)).toEqual(
        keys.map((_, n) => n),
      );
      expect(new Set(sent.map((r) => r.key)).size).toBe(10);
      expect(answers.every((a) => a.state === "completed")).toBe(true);
      const outputs = Map.groupBy(answers, (a) => a.id);
      expect(outputs.size).toBe(10);
      for (const same of outputs.values()) {
        expect(same).toHaveLength(20);
        for (const a of same) expect(a.output).toEqual(same[0]?.output);
      }
    });

    it("and another body is a conflict, also while the first is under way, and changes nothing", async () => {
      const gate = createGate();
      stage.receiver.answer(async () => {
        await gate.opened;
        return ok();
      });
      const before = stage.receiver.received.length;
      const idempotencyKey = newId();
      const first = submit({ n: 1 }, { idempotencyKey });
      await until("the request", () => stage.receiver.received.length > before);
      await expect(submit({ n: 2 }, { idempotencyKey })).rejects.toMatchObject({
        code: "IDEMPOTENCY_CONFLICT",
      });
      gate.open();
      expect((await first).state).toBe("completed");
      await expect(submit({ n: 2 }, { idempotencyKey })).rejects.toMatchObject({
        code: "IDEMPOTENCY_CONFLICT",
      });
      expect((await submit({ n: 1 }, { idempotencyKey })).id).toBe((await first).id);
      expect(stage.receiver.received.length).toBe(before + 1);
    });

    it("that is held is held once, and its duplicates are told how it stands", async () => {
      const idempotencyKey = newId();
      const held = await Promise.all([1, 2, 3].map(() => submit({ hold: true }, { idempotencyKey })));
      expect(new Set(held.map((a) => a.approvalId)).size).toBe(1);
      expect(held.map((a) => a.state)).toEqual(["pending_approval", "pending_approval", "pending_approval"]);
    });

    it("of another principal is another action", async () => {
      const idempotencyKey = newId();
      const member = await stage.caller("mia", ["member"]);
      stage.receiver.answer(ok);
      const mine = await submit({ n: 1 }, { idempotencyKey });
      const input = { method: "POST", path: "/orders", body: { n: 1 } };
      const theirs = await stage.app.actions.submit(member, {
        connection: "wms",
        operation: "http.request",
        input,
        idempotencyKey,
      });
      expect(theirs.id).not.toBe(mine.id);
    });
  });

  it("gives its output to who asked, then and later, and to the requester after an approval", async () => {
    stage.receiver.answer(() => ({ status: 201, body: { id: "S-77" } }));
    const done = await submit({ n: 1 });
    expect(done).toMatchObject({
      state: "completed",
      http: 201,
      output: { status: 201, body: { id: "S-77" } },
    });
    expect(await stage.app.actions.find(stage.admin, done.id)).toMatchObject(done);
    const held = await submit({ hold: true });
    await stage.app.approvals.decide(stage.approver, held.approvalId ?? "", {
      decision: "approve",
      reason: "",
    });
    expect((await reach(held.id, "completed")).output).toMatchObject({ status: 201, body: { id: "S-77" } });
  });

  it("[X1] that is denied sends nothing, and its receipt says so", async () => {
    const before = stage.receiver.received.length;
    const denied = await submit({ deny: true });
    expect(denied).toMatchObject({ state: "denied", error: { code: "ACTION_DENIED" }, output: null });
    expect(await typesOf(denied.id)).toEqual(["action.decision"]);
    expect(stage.receiver.received.length).toBe(before);
  });

  it("[X1] has its decision on disk when the request arrives", async () => {
    let state: unknown;
    stage.receiver.answer(async () => {
      [state] = await stage.opened.database.system.query(sql`select a.state, r.type from action a
        join receipt r on r.tenant_id = a.tenant_id and r.action_id = a.id order by a.id desc limit 1`);
      return ok();
    });
    await submit({ n: 1 });
    expect(state).toEqual({ state: "executing", type: "action.decision" });
  });

  describe("[X3] whose peer hangs up in mid-call", () => {
    const hangUp = async (connection: string): Promise<ActionView> => {
      stage.receiver.answer(() => "hang up");
      const action = await submit({ n: 1 }, { connection });
      stage.receiver.answer(ok);
      return action;
    };

    it("failed when sending it again does no harm, and is in doubt when it might", async () => {
      expect(await hangUp("wms")).toMatchObject({
        state: "failed",
        error: { code: "NET_RESET", retry: "retryable" },
      });
      const doubtful = await hangUp("mail");
      expect(doubtful).toMatchObject({ state: "in_doubt", error: { code: "NET_RESET" } });
      expect(await typesOf(doubtful.id)).toEqual(["action.decision", "execution.finished"]);
    });

    it.each([
      ["completed", "completed", 0],
      ["failed", "failed", 0],
      ["retry", "completed", 1],
    ] as const)("is settled by a person as %s", async (outcome, state, sent) => {
      const { id } = await hangUp("mail");
      const before = stage.receiver.received.length;
      const member = await stage.caller(`m-${outcome}`, ["member"]);
      const by = { outcome, reason: "looked it up" };
      await expect(stage.app.actions.resolve(member, id, by)).rejects.toMatchObject({
        code: "AUTH_FORBIDDEN",
      });
      await stage.app.actions.resolve(stage.admin, id, by);
      const done = await reach(id, "completed", "failed");
      expect(done.state).toBe(state);
      expect(stage.receiver.received.length - before).toBe(sent);
      expect((await typesOf(id)).filter((t) => t === "execution.finished")).toHaveLength(2);
      await expect(stage.app.actions.resolve(stage.admin, id, by)).rejects.toMatchObject({
        code: "ACTION_STATE",
      });
    });

    it("is settled once, when two people settle it at the same moment", async () => {
      const { id } = await hangUp("mail");
      const both = await Promise.allSettled([
        stage.app.actions.resolve(stage.admin, id, { outcome: "completed", reason: "" }),
        stage.app.actions.resolve(stage.admin, id, { outcome: "failed", reason: "" }),
      ]);
      expect(both.map((r) => r.status).sort()).toEqual(["fulfilled", "rejected"]);
    });

    it.each([
      ["completed", "completed"],
      ["failed", "failed"],
      ["retry", "completed"],
    ] as const)("keeps its run waiting until it is settled as %s", async (outcome, status) => {
      stage.receiver.answer(() => "hang up");
      const steps = {
        tell: { use: "http.request", with: { connection: "mail", method: "POST", path: "/m", body: {} } },
        after: { use: "noop", needs: ["tell"] },
      };
      const runId = await stage.run(JSON.stringify({ flow: `doubt-${++flows}`, version: "1.0.0", steps }));
      await stage.reach(runId, "waiting");
      stage.receiver.answer(ok);
      const [action] = await stage.app.actions.list(stage.admin, { runId, limit: 1 });
      expect(action?.state).toBe("in_doubt");
      await stage.app.actions.resolve(stage.admin, action?.id ?? "", { outcome, reason: "looked" });
      const run = await stage.reach(runId, status);
      expect(run.error?.code ?? null).toBe(outcome === "failed" ? "ACTION_SETTLED_FAILED" : null);
    });
  });

  describe("[X3] whose process died in mid-call", () => {
    const dead = "00000000-0000-7000-8000-000000000001";
    /** An execution as a dead process leaves it: the row says executing, and nobody is there. */
    const abandon = async (connection: string): Promise<string> => {
      stage.receiver.answer(ok);
      const { id } = await submit({ n: 1 }, { connection });
      await stage.opened.database.system.query(sql`update action set state = 'executing', executor = ${dead},
        output = null, ended_at = null where id = ${id}`);
      return id;
    };
    const die = () => stage.opened.database.system.tx((tx) => stage.app.actions.onDeath(tx, dead));

    it("is sent again with the same key where that does no harm", async () => {
      const id = await abandon("wms");
      const before = stage.receiver.received.length;
      await die();
      stage.app.outbox.wake();
      const done = await reach(id, "completed");
      expect(done.attempt).toBe(2);
      expect(stage.receiver.received.slice(before).map((r) => r.key)).toEqual([done.effectKey]);
    });

    it("is in doubt where sending it twice might do harm, and nothing is sent", async () => {
      const id = await abandon("mail");
      const before = stage.receiver.received.length;
      await die();
      stage.app.outbox.wake();
      expect(await reach(id, "in_doubt")).toMatchObject({ error: { code: "ACTION_IN_DOUBT" } });
      expect(stage.receiver.received.length).toBe(before);
    });

    it("is in doubt when its connection is another one by now: only what was decided is sent again", async () => {
      await stage.connect("moved");
      const id = await abandon("moved");
      await stage.connect("moved", { path: "/elsewhere" });
      const before = stage.receiver.received.length;
      await die();
      stage.app.outbox.wake();
      await reach(id, "in_doubt");
      expect(stage.receiver.received.length).toBe(before);
    });

    it("ends also when its requester was disabled meanwhile", async () => {
      const leaver = await stage.caller("gone", ["member"]);
      stage.receiver.answer(ok);
      const input = { method: "POST", path: "/orders", body: {} };
      const { id } = await stage.app.actions.submit(leaver, {
        connection: "wms",
        operation: "http.request",
        input,
      });
      await stage.opened.database.system.query(
        sql`update action set state = 'executing', executor = ${dead}, output = null where id = ${id}`,
      );
      await stage.app.access.updatePrincipal(stage.admin, leaver.principalId, { status: "disabled" });
      await die();
      stage.app.outbox.wake();
      await reach(id, "in_doubt");
    });

    it("is found by the sweep when nobody told of the death, once", async () => {
      const id = await abandon("wms");
      await stage.app.outbox.stop();
      expect(await stage.app.actions.sweep(10)).toBe(0); // it may still be under way
      await stage.opened.database.system.query(
        sql`update action set started_at = now() - interval '10 minutes' where id = ${id}`,
      );
      expect(await stage.app.actions.sweep(10)).toBe(1);
      expect(await stage.app.actions.sweep(10)).toBe(0);
      await stage.app.outbox.start();
      expect((await reach(id, "completed")).attempt).toBe(2);
    });
  });
});
