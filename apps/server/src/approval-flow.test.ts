/** Approvals through the whole server: who may vote, what a vote is bound to, races, expiry. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ActionView } from "#act/actions";
import type { Approval } from "#act/approvals";
import type { Caller } from "#platform/access";
import { sql } from "#platform/db";
import { drivers } from "#testing";
import { brokenInvariants } from "./testing/invariants.ts";
import { openStage, type Stage, stagePolicy } from "./testing/stage.ts";
import { jitter, until } from "./testing/until.ts";

const yes = { decision: "approve", reason: "fine" } as const;
const no = { decision: "reject", reason: "not this one" } as const;
let flows = 0;
const flow = (steps: Record<string, unknown>) =>
  JSON.stringify({ flow: `held-${++flows}`, version: "1.0.0", steps, params: { n: { type: "integer" } } });
const held = {
  use: "http.request",
  with: { connection: "wms", method: "POST", path: "/orders", body: { hold: true, n: "{{ params.n }}" } },
};

describe.each(drivers)("an approval on %s", (driver) => {
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

  const propose = (caller: Caller, body: Record<string, unknown> = {}): Promise<ActionView> =>
    stage.app.actions.submit(caller, {
      connection: "wms",
      operation: "http.request",
      input: { method: "POST", path: "/orders", body: { hold: true, ...body } },
    });
  const vote = (who: Caller, action: ActionView, how: typeof yes | typeof no = yes): Promise<Approval> =>
    stage.app.approvals.decide(who, action.approvalId ?? "", how);
  const ended = (id: string): Promise<ActionView> =>
    until("the action's end", async () => {
      const action = await stage.app.actions.find(stage.admin, id);
      return !["pending_approval", "approved", "executing"].includes(action.state) && action;
    });
  const underPolicy = async (cedar: string, work: () => Promise<void>): Promise<void> => {
    await stage.publishPolicy(cedar);
    await work().finally(() => stage.publishPolicy(stagePolicy()));
  };
  const overdue = (id: string | null): Promise<unknown> =>
    stage.opened.database.system.query(
      sql`update approval set expires_at = now() - interval '1 second' where id = ${id}`,
    );
  const sentSince = (before: number): number => stage.receiver.received.length - before;

  describe("[A1] is voted on", () => {
    it("never by who requested it, nor by the owner of the agent that did, nor by an agent of theirs", async () => {
      const { access } = stage.app;
      const owner = await stage.caller("olga", ["approver", "operator"]);
      const agent = async (name: string) => {
        const draft = {
          name,
          kind: "agent",
          roles: ["approver", "agent"],
          ownerId: owner.principalId,
        } as const;
        const made = await access.createPrincipal(stage.admin, draft);
        return access.callerFor(stage.admin.tenantId, made.id);
      };
      const [hand, other] = [await agent("hand"), await agent("other-hand")];
      for (const requester of [hand, owner]) {
        const action = await propose(requester);
        expect(action.state).toBe("pending_approval");
        for (const who of [hand, other, owner]) {
          await expect(vote(who, action), who.principalName).rejects.toMatchObject({
            code: "APPROVAL_REQUESTER",
          });
        }
        await vote(stage.approver, action);
        expect((await ended(action.id)).state).toBe("completed");
      }
    });

    it("only with a required role, once, and not after its end", async () => {
      const action = await propose(stage.admin);
      const member = await stage.caller("max", ["member"]);
      const admin2 = await stage.caller("ada", ["admin"]);
      await expect(vote(member, action)).rejects.toMatchObject({ code: "AUTH_FORBIDDEN" });
      await expect(vote(admin2, action)).rejects.toMatchObject({ code: "APPROVAL_ROLE" });
      await vote(stage.approver, action);
      await expect(vote(stage.approver, action)).rejects.toMatchObject({ code: "APPROVAL_CLOSED" });
      await expect(vote(stage.approver2, action, no)).rejects.toMatchObject({ code: "APPROVAL_CLOSED" });
      await expect(vote(member, action)).rejects.toMatchObject({ code: "APPROVAL_CLOSED" });
      await ended(action.id);
    });

    it("by as many as the policy asks for: until then it stays pending, and a second vote of one counts not", () =>
      underPolicy(stagePolicy("PT1H", 2), async () => {
        const before = stage.receiver.received.length;
        const action = await propose(stage.admin);
        expect((await vote(stage.approver, action)).state).toBe("pending");
        await expect(vote(stage.approver, action)).rejects.toMatchObject({ code: "APPROVAL_VOTED" });
        expect((await stage.app.actions.find(stage.admin, action.id)).state).toBe("pending_approval");
        expect(sentSince(before)).toBe(0);
        expect((await vote(stage.approver2, action)).state).toBe("approved");
        expect((await ended(action.id)).state).toBe("completed");
        expect(sentSince(before)).toBe(1);
      }));

    it("in another tenant by nobody: it is not there", async () => {
      const made = await stage.app.access.createTenant(stage.admin, "Elsewhere");
      const stranger = await stage.app.access.authenticate(`Bearer ${made.apiKey}`);
      const action = await propose(stage.admin);
      await expect(vote(stranger, action)).rejects.toMatchObject({ code: "APPROVAL_NOT_FOUND" });
      await vote(stage.approver, action, no);
      expect((await ended(action.id)).state).toBe("rejected");
    });
  });

  describe("[A3] [X4] is bound to what was shown", () => {
    const lastReceipt = async (actionId: string) => {
      const { items } = await stage.app.receipts.list(stage.admin.tenantId, { actionId }, { limit: 20 });
      return items[0]?.type;
    };

    it("a connection that changed since makes it worthless: nothing is sent", async () => {
      await stage.connect("moving");
      const before = stage.receiver.received.length;
      const action = await stage.app.actions.submit(stage.admin, {
        connection: "moving",
        operation: "http.request",
        input: { method: "POST", path: "/orders", body: { hold: true } },
      });
      await stage.connect("moving", { path: "/elsewhere" });
      await vote(stage.approver, action);
      expect(await ended(action.id)).toMatchObject({ state: "cancelled", error: { code: "ACTION_CHANGED" } });
      expect(sentSince(before)).toBe(0);
      expect(await lastReceipt(action.id)).toBe("execution.finished");
    });

    it("a policy that denies by now wins over it: nothing is sent", async () => {
      const before = stage.receiver.received.length;
      const action = await propose(stage.admin);
      await underPolicy(`@id("none")\nforbid (principal, action, resource);`, async () => {
        await vote(stage.approver, action);
        expect(await ended(action.id)).toMatchObject({ state: "denied", error: { code: "ACTION_DENIED" } });
      });
      expect(sentSince(before)).toBe(0);
      expect(await lastReceipt(action.id)).toBe("execution.finished");
    });

    it("a requester who was disabled meanwhile gets nothing sent, and a rejection ends the action all the same", async () => {
      const before = stage.receiver.received.length;
      for (const how of [yes, no]) {
        const leaver = await stage.caller(`leaver-${how.decision}`, ["member"]);
        const action = await propose(leaver);
        await stage.app.access.updatePrincipal(stage.admin, leaver.principalId, { status: "disabled" });
        await vote(stage.approver, action, how);
        expect(await ended(action.id)).toMatchObject(
          how === yes
            ? { state: "denied", error: { code: "PRINCIPAL_DISABLED" } }
            : { state: "rejected", error: { code: "APPROVAL_REJECTED" } },
        );
      }
      expect(sentSince(before)).toBe(0);
    });
  });

  describe("[A4] expires", () => {
    it("unanswered: the action ends expired, its run fails, and a late vote is told so", async () => {
      const before = stage.receiver.received.length;
      const id = await stage.run(flow({ ship: held }), { n: 1 });
      await stage.reach(id, "waiting");
      const [action] = await stage.app.actions.list(stage.admin, { runId: id, limit: 1 });
      await overdue(action?.approvalId ?? null);
      await expect(vote(stage.approver, action as ActionView)).rejects.toMatchObject({
        code: "APPROVAL_CLOSED",
        params: { state: "expired" },
      });
      await stage.app.approvals.expireDue(10); // as its timer does
      const run = await stage.reach(id, "failed");
      expect(run.error).toMatchObject({ code: "APPROVAL_EXPIRED", step: "ship" });
      expect(await ended(action?.id ?? "")).toMatchObject({ state: "expired" });
      expect(sentSince(before)).toBe(0);
    });

    it("granted but not used in time: the action ends expired and is not sent", async () => {
      const before = stage.receiver.received.length;
      const action = await propose(stage.admin);
      await stage.app.outbox.stop(); // nobody hears of the vote
      await vote(stage.approver, action);
      await overdue(action.approvalId);
      await stage.app.outbox.start();
      expect(await ended(action.id)).toMatchObject({ state: "expired", error: { code: "APPROVAL_EXPIRED" } });
      expect((await stage.app.approvals.find(stage.admin, action.approvalId ?? "")).state).toBe("expired");
      expect(sentSince(before)).toBe(0);
    });
  });

  it("[R4] wakes its run, whenever it comes: 200 times between the hold and the parking of the run", async () => {
    stage.receiver.answer(async () => {
      await jitter(2);
      return { status: 201 };
    });
    const before = stage.receiver.received.length;
    const { name } = await stage.app.flows.publish(
      stage.admin,
      flow({ ship: held, after: { use: "noop", needs: ["ship"], durable: true } }),
    );
    let over = false;
    const voting = (async () => {
      while (!over) {
        await jitter(2); // an embedded database answers without letting anybody else have a turn
        const open = await stage.app.approvals.list(stage.approver, { state: "pending", limit: 100 });
        await Promise.all(
          open.map(async ({ id }) => {
            await jitter(4);
            await stage.app.approvals.decide(stage.approver, id, yes);
          }),
        );
      }
    })();
    const ids: string[] = [];
    for (let batch = 0; batch < 10; batch++) {
      const runs = Array.from({ length: 20 }, async (_, n) => {
        await jitter(20);
        return (await stage.app.runs.start(stage.admin, { flow: name, params: { n: batch * 20 + n } })).id;
      });
      ids.push(...(await Promise.all(runs)));
    }
    for (const id of ids) await stage.reach(id, "completed");
    over = true;
    await voting;
    const sent = stage.receiver.received.slice(before).map((r) => (r.body as { n: number }).n);
    expect(sent.sort((a, b) => a - b)).toEqual(Array.from({ length: 200 }, (_, n) => n));
  });

  it("[R1] timers against aborts, 50 times: one outcome each", async () => {
    const { name } = await stage.app.flows.publish(
      stage.admin,
      flow({
        pause: { use: "wait", with: { for: "{{ params.n = 1 ? '1h' : '15ms' }}" } },
        b: { use: "noop", needs: ["pause"], durable: true },
      }),
    );
    const outcomes = await Promise.all(
      Array.from({ length: 50 }, async (_, n) => {
        const { id } = await stage.app.runs.start(stage.admin, { flow: name, params: { n: n % 10 } });
        if (n % 10 === 0)
          await stage.reach(id, "completed"); // some are too late, some in time for certain
        else if (n % 10 > 1) await jitter(40);
        const aborted = await stage.app.runs.abort(stage.admin, id, "too slow").then(
          () => true,
          () => false,
        );
        const run = await until("its end", async () => {
          const found = await stage.app.runs.find(stage.admin, id);
          return ["completed", "failed", "aborted"].includes(found.status) && found;
        });
        expect(run.status).toBe(aborted ? "aborted" : "completed");
        return aborted;
      }),
    );
    expect(new Set(outcomes).size).toBe(2);
  });
});

describe("votes of two people at the same moment, on postgres", () => {
  let stage: Stage;
  beforeAll(async () => {
    stage = await openStage("postgres");
  });
  afterAll(() => stage.close());

  it.each([
    ["approve against approve", yes],
    ["approve against reject", no],
  ] as const)("[A2] [A3] %s, 100 times: one outcome, and one execution at most", async (_name, second) => {
    const before = stage.receiver.received.length;
    const rounds = await Promise.all(
      Array.from({ length: 100 }, async (_, n) => {
        const action = await stage.app.actions.submit(stage.admin, {
          connection: "wms",
          operation: "http.request",
          input: { method: "POST", path: "/orders", body: { hold: true, n } },
        });
        const id = action.approvalId ?? "";
        const votes = await Promise.allSettled([
          jitter(2).then(() => stage.app.approvals.decide(stage.approver, id, yes)),
          jitter(2).then(() => stage.app.approvals.decide(stage.approver2, id, second)),
        ]);
        const counted = votes.filter((v) => v.status === "fulfilled");
        expect(counted).toHaveLength(1);
        for (const v of votes)
          if (v.status === "rejected") expect(v.reason).toMatchObject({ code: "APPROVAL_CLOSED" });
        const done = await until("its end", async () => {
          const now = await stage.app.actions.find(stage.admin, action.id);
          return ["completed", "rejected"].includes(now.state) && now;
        });
        expect(done.state).toBe(counted[0]?.value.state === "rejected" ? "rejected" : "completed");
        const approval = await stage.app.approvals.find(stage.admin, id);
        expect(approval.votes).toHaveLength(1);
        expect(approval.state).toBe(done.state === "completed" ? "consumed" : "rejected");
        return { n, state: done.state };
      }),
    );
    const executed = rounds.filter((r) => r.state === "completed").map((r) => r.n);
    const sent = stage.receiver.received.slice(before).map((r) => (r.body as { n: number }).n);
    expect(sent.sort((a, b) => a - b)).toEqual(executed.sort((a, b) => a - b));
    if (second === no) expect(executed.length).toBeLessThan(100);
    await until("an empty outbox", async () => (await stage.app.outbox.pending()) === 0);
    expect(await brokenInvariants(stage.opened.database)).toEqual({});
  });
});
