/** Workflows, escalation, lent rights, broken glass and what approvers see, through the whole server. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ActionView } from "#act/actions";
import type { WorkflowStage } from "#act/workflows";
import type { Caller } from "#platform/access";
import { sql } from "#platform/db";
import { newId } from "#platform/kernel";
import { brokenInvariants } from "./testing/invariants.ts";
import { openStage, type Stage } from "./testing/stage.ts";
import { until } from "./testing/until.ts";

/** The workflow is the first part of the target's path; the flag `hold` of a body asks for one approver. */
const policy = `
@id("all") permit (principal, action, resource);
@id("board") @require_approval("workflow:board") @ttl("PT1H")
forbid (principal, action, resource) when { context.target like "*/board*" } unless { context.approvals.workflows.contains("board") };
@id("usual") @require_approval("workflow:default") @ttl("PT1H")
forbid (principal, action, resource) when { context.target like "*/usual*" } unless { context.approvals.workflows.contains("default") };
@id("gone") @require_approval("workflow:gone") @ttl("PT1H")
forbid (principal, action, resource) when { context.target like "*/gone*" } unless { context.approvals.workflows.contains("gone") };
@id("one") @require_approval("approver:1") @ttl("PT1H")
forbid (principal, action, resource) when { context.target like "*/one*" } unless { context.approvals.count >= 1 };
@id("two") @require_approval("approver:2") @ttl("PT1H")
forbid (principal, action, resource) when { context.target like "*/two*" } unless { context.approvals.count >= 2 };
@id("sealed") @require_approval("approver:1") @break_glass("never") @ttl("PT1H")
forbid (principal, action, resource) when { context.target like "*/sealed*" } unless { context.approvals.count >= 1 };
`;

const stageOf = (name: string, more: Partial<WorkflowStage> = {}): WorkflowStage => ({
  name,
  mode: "serial",
  approvers: ["role:approver"],
  requiredApprovals: 1,
  alongside: false,
  slaSeconds: null,
  escalateTo: [],
  ...more,
});

describe("an approval by workflow", () => {
  let stage: Stage;
  let boss: Caller;
  let other: Caller;
  beforeAll(async () => {
    stage = await openStage("pglite");
    boss = await stage.caller("boss", ["admin"]);
    other = await stage.caller("otto", ["approver"]);
    await stage.publishPolicy(policy);
  });
  afterAll(async () => {
    await until("an empty outbox", async () => (await stage.app.outbox.pending()) === 0);
    const left = await brokenInvariants(stage.opened.database);
    await stage.close();
    expect(left).toEqual({});
  });

  const propose = (path: string, body: Record<string, unknown> = {}, by = stage.admin): Promise<ActionView> =>
    stage.app.actions.submit(by, {
      connection: "wms",
      operation: "http.request",
      input: { method: "POST", path, body },
    });
  const held = async (path: string, body: Record<string, unknown> = {}, by = stage.admin) => {
    const action = await propose(path, body, by);
    expect(action).toMatchObject({ state: "pending_approval" });
    return { action, id: action.approvalId ?? "" };
  };
  const vote = (who: Caller, id: string, decision: "approve" | "reject" = "approve") =>
    stage.app.approvals.decide(who, id, { decision, reason: "seen" });
  const find = (id: string) => stage.app.approvals.find(stage.admin, id);
  const ended = (id: string): Promise<ActionView> =>
    until("the action's end", async () => {
      const action = await stage.app.actions.find(stage.admin, id);
      return !["pending_approval", "approved", "executing"].includes(action.state) && action;
    });
  const receipts = async (type: string, actionId?: string): Promise<number> => {
    const filter = actionId ? { type, actionId } : { type };
    return (await stage.app.receipts.list(stage.admin.tenantId, filter, { limit: 200 })).items.length;
  };
  const put = (name: string, stages: WorkflowStage[], expected?: number) =>
    stage.app.workflows.put(stage.admin, name, { description: "", stages }, expected);
  /** The approval as it is so many seconds later. */
  const later = (id: string, seconds: number): Promise<unknown> =>
    stage.opened.database.system.query(sql`update approval a set created_at = created_at - make_interval(secs => ${seconds}),
      escalate_at = escalate_at - make_interval(secs => ${seconds}),
      stages = (select jsonb_agg(case when s ->> 'openedAt' is null then s else jsonb_set(s, '{openedAt}',
        to_jsonb((s ->> 'openedAt')::timestamptz - make_interval(secs => ${seconds}))) end order by n)
        from jsonb_array_elements(a.stages) with ordinality e (s, n)) where id = ${id}`);

  it("[A5] goes through its stages in order, those that stand together at once, and keeps the version it was made with", async () => {
    await put("board", [
      stageOf("check"),
      stageOf("finance", { approvers: ["role:approver"], requiredApprovals: 2, mode: "parallel" }),
      stageOf("law", { approvers: ["role:admin"], alongside: true }),
    ]);
    const { action, id } = await held("/board/1");
    await put("board", [stageOf("alone")]);
    await expect(vote(boss, id)).rejects.toMatchObject({ code: "APPROVAL_ROLE" }); // not its turn
    expect(await vote(stage.approver, id)).toMatchObject({ state: "pending" });
    await expect(vote(stage.approver, id)).rejects.toMatchObject({ code: "APPROVAL_VOTED" }); // also in a later stage
    expect(await vote(boss, id)).toMatchObject({ state: "pending" });
    expect(await vote(stage.approver2, id)).toMatchObject({ state: "pending" });
    expect((await stage.app.actions.find(stage.admin, action.id)).state).toBe("pending_approval");
    expect(await vote(other, id)).toMatchObject({
      state: "approved",
      workflows: [{ name: "board", version: 1 }],
    });
    expect((await ended(action.id)).state).toBe("completed");
    expect(await receipts("approval.vote", action.id)).toBe(4);
    const { action: second, id: secondId } = await held("/board/2");
    expect(await vote(other, secondId)).toMatchObject({ state: "approved", workflows: [{ version: 2 }] });
    expect((await ended(second.id)).state).toBe("completed");
  });

  it("is not asked for where its workflow does not exist: the action is denied, with a receipt that says why", async () => {
    const action = await propose("/gone/1");
    expect(action).toMatchObject({ state: "denied", approvalId: null });
    expect(action.decision.reasons).toContain("guard-approval-workflow");
    expect(await receipts("action.decision", action.id)).toBe(1);
  });

  it("follows the tenant's default workflow, or one approver where there is none", async () => {
    const { app, admin } = stage;
    const first = await held("/usual/1");
    expect((await find(first.id)).workflows).toEqual([{ asked: "default", name: "built-in", version: 0 }]);
    await put("house", [stageOf("house", { approvers: ["role:admin"] })]);
    const settings = await app.workflows.changeSettings(admin, { defaultWorkflow: "house", fatigue: null });
    await expect(
      app.workflows.changeSettings(admin, { defaultWorkflow: "house", fatigue: null }, settings.version - 1),
    ).rejects.toMatchObject({ code: "PRECONDITION_FAILED" });
    await expect(app.workflows.retire(admin, "house")).rejects.toMatchObject({ code: "WORKFLOW_IN_USE" });
    const second = await held("/usual/2");
    await expect(vote(other, second.id)).rejects.toMatchObject({ code: "APPROVAL_ROLE" });
    expect(await vote(boss, second.id)).toMatchObject({ state: "approved" });
    expect((await ended(second.action.id)).state).toBe("completed");
    expect(await vote(other, first.id)).toMatchObject({ state: "approved" });
    expect((await ended(first.action.id)).state).toBe("completed");
  });

  it("has workflows that are versions of each other, changed by one at a time, with a receipt each", async () => {
    const before = await receipts("approval.workflow_changed");
    const made = await Promise.allSettled([1, 2, 3, 4].map((n) => put("raced", [stageOf(`s${n}`)], 0)));
    expect(made.filter((m) => m.status === "fulfilled")).toHaveLength(1);
    const first = await stage.app.workflows.find(stage.admin, "raced");
    expect((await put("raced", [...first.stages], 1)).version).toBe(1); // the same is no change
    expect((await put("raced", [stageOf("next")], 1)).version).toBe(2);
    await expect(put("raced", [stageOf("late")], 1)).rejects.toMatchObject({ code: "PRECONDITION_FAILED" });
    expect((await stage.app.workflows.find(stage.admin, "raced", 1)).stages).toEqual(first.stages);
    await stage.app.workflows.retire(stage.admin, "raced", 2);
    expect((await put("raced", [stageOf("back")], 0)).version).toBe(3);
    expect(await receipts("approval.workflow_changed")).toBe(before + 4);
    await expect(stage.app.workflows.put(other, "x", { description: "", stages: [] })).rejects.toMatchObject({
      code: "AUTH_FORBIDDEN",
    });
    const wrong = put("wrong", [
      stageOf("a", { approvers: ["role:agent"] }),
      stageOf("a", { requiredApprovals: 2 }),
      stageOf("b", { approvers: [`principal:${newId()}`], escalateTo: ["role:admin"] }),
    ]);
    await expect(wrong).rejects.toMatchObject({ code: "WORKFLOW_INVALID" });
    const { errors } = await wrong.catch((error) => error);
    expect(errors.map((e: { code: string }) => e.code).sort()).toEqual([
      "APPROVAL_ROLE_UNKNOWN",
      "WORKFLOW_APPROVER",
      "WORKFLOW_ESCALATION",
      "WORKFLOW_SERIAL",
      "WORKFLOW_STAGE_NAME",
    ]);
  });

  it("[A6] that is overdue is escalated exactly once, and the next group's vote then counts", async () => {
    await put("board", [stageOf("slow", { slaSeconds: 600, escalateTo: ["role:admin"] })]);
    const { action, id } = await held("/board/3");
    await expect(vote(boss, id)).rejects.toMatchObject({ code: "APPROVAL_ROLE" });
    expect(await stage.app.approvals.escalateDue(10)).toEqual([]);
    await later(id, 601);
    const scans = await Promise.all([1, 2, 3].map(() => stage.app.approvals.escalateDue(10)));
    expect(scans.flat()).toMatchObject([{ approvalId: id, stage: "slow", escalateTo: ["role:admin"] }]);
    expect(await receipts("approval.escalated", action.id)).toBe(1);
    const told = await stage.app.events.list(
      stage.admin.tenantId,
      { type: "approval.escalated" },
      { limit: 10 },
    );
    expect(told).toHaveLength(1);
    expect(await vote(boss, id)).toMatchObject({ state: "approved" });
    expect((await ended(action.id)).state).toBe("completed");
  });

  it("[A6] is granted by its escalation when votes that are there are enough by then", async () => {
    await put("board", [
      stageOf("a"),
      stageOf("b", {
        approvers: ["role:admin"],
        alongside: true,
        slaSeconds: 60,
        escalateTo: ["role:approver"],
      }),
    ]);
    const { action, id } = await held("/board/4");
    await vote(stage.approver, id);
    expect(await vote(other, id)).toMatchObject({ state: "pending" });
    await later(id, 61);
    await stage.app.approvals.escalateDue(10);
    expect((await ended(action.id)).state).toBe("completed");
  });

  it("[A8] takes a lent right for a time: not further, not to who is excluded, and once for lender and borrower", async () => {
    const { approvals } = stage.app;
    const [lender, friend, third] = [
      await stage.caller("lender", ["approver"]),
      await stage.caller("friend", ["member"]),
      await stage.caller("third", ["member"]),
    ];
    const endsAt = new Date(Date.now() + 3_600_000);
    const lend = (from: Caller, to: Caller, more = {}) =>
      approvals.delegate(from, { toId: to.principalId, endsAt, reason: "away", ...more });
    const { action, id } = await held("/two/1");
    await expect(vote(friend, id)).rejects.toMatchObject({ code: "AUTH_FORBIDDEN" });
    const lent = await lend(lender, friend);
    await expect(lend(friend, third)).rejects.toMatchObject({ code: "AUTH_FORBIDDEN" });
    await expect(lend(stage.approver, lender)).rejects.toMatchObject({ code: "DELEGATION_INVALID" }); // a chain
    await expect(lend(lender, lender)).rejects.toMatchObject({ code: "DELEGATION_INVALID" });
    await expect(
      lend(stage.approver, third, { endsAt: new Date(Date.now() + 40 * 86_400_000) }),
    ).rejects.toMatchObject({ code: "DELEGATION_INVALID" });
    await expect(lend(stage.approver, stage.admin, { approvalId: id })).rejects.toMatchObject({
      code: "APPROVAL_REQUESTER",
    });
    expect(await vote(friend, id)).toMatchObject({
      state: "pending",
      votes: [{ principalId: friend.principalId, onBehalfOf: lender.principalId }],
    });
    await expect(vote(lender, id)).rejects.toMatchObject({ code: "APPROVAL_VOTED" });
    expect(await receipts("approval.delegated")).toBe(1);
    const own = await held("/two/2", {}, stage.admin);
    await approvals.revokeDelegation(friend, lent.id);
    await expect(vote(friend, own.id)).rejects.toMatchObject({ code: "AUTH_FORBIDDEN" });
    expect(await vote(other, id)).toMatchObject({ state: "approved" });
    expect((await ended(action.id)).state).toBe("completed");
    await vote(other, own.id, "reject");
    const asked = await lend(stage.approver, third);
    const self = await held("/one/2", {}, third);
    await expect(vote(third, self.id)).rejects.toMatchObject({ code: "APPROVAL_REQUESTER" });
    await approvals.revokeDelegation(stage.approver, asked.id);
    await vote(other, self.id, "reject");
  });

  it("[A1] counts a person once, through however many keys, and machines not at all", async () => {
    const { access } = stage.app;
    const { action, id } = await held("/two/3");
    const keys = [
      await access.issueKey(stage.admin, other.principalId),
      await access.issueKey(stage.admin, other.principalId),
    ];
    const [one, two] = await Promise.all(keys.map((k) => access.authenticate(`Bearer ${k.key}`)));
    expect(await vote(one as Caller, id)).toMatchObject({ state: "pending" });
    await expect(vote(two as Caller, id)).rejects.toMatchObject({ code: "APPROVAL_VOTED" });
    const made = await access.createPrincipal(stage.admin, {
      name: "bot",
      kind: "service",
      roles: ["approver"],
    });
    const bot = await access.callerFor(stage.admin.tenantId, made.id);
    await expect(vote(bot, id)).rejects.toMatchObject({ code: "APPROVAL_PERSON" });
    expect(await vote(stage.approver, id)).toMatchObject({ state: "approved" });
    expect((await ended(action.id)).state).toBe("completed");
  });

  it("[A9] is passed over by breaking the glass: in the open, with a reason, and reviewed by another person", async () => {
    const { approvals } = stage.app;
    const { action, id } = await held("/two/4");
    const reason = "the warehouse is on fire";
    await expect(approvals.breakGlass(other, id, { reason })).rejects.toMatchObject({
      code: "AUTH_FORBIDDEN",
    });
    await expect(approvals.breakGlass(stage.admin, id, { reason })).rejects.toMatchObject({
      code: "APPROVAL_REQUESTER",
    });
    const never = await held("/sealed/1");
    await expect(approvals.breakGlass(boss, never.id, { reason })).rejects.toMatchObject({
      code: "APPROVAL_BREAK_GLASS",
    });
    await vote(other, never.id, "reject");
    const broken = await approvals.breakGlass(boss, id, { reason });
    expect(broken).toMatchObject({
      state: "approved",
      override: { by: boss.principalId, reason },
      votes: [],
    });
    expect((await ended(action.id)).state).toBe("completed");
    expect(await receipts("breakglass.used", action.id)).toBe(1);
    const told = await stage.app.events.list(
      stage.admin.tenantId,
      { type: "approval.break_glass" },
      { limit: 5 },
    );
    expect(told).toMatchObject([{ severity: "critical", actor: { id: boss.principalId } }]);
    const open = await approvals.list(boss, { review: "open", limit: 5 });
    expect(open.map((a) => a.id)).toEqual([id]);
    const verdict = { verdict: "justified", comment: "it was" } as const;
    await expect(approvals.review(boss, id, verdict)).rejects.toMatchObject({ code: "APPROVAL_REVIEWER" });
    await expect(approvals.review(stage.admin, id, verdict)).rejects.toMatchObject({
      code: "APPROVAL_REVIEWER",
    });
    const reviews = await Promise.allSettled([
      approvals.review(other, id, verdict),
      approvals.review(stage.approver, id, { verdict: "unjustified", comment: "it was not" }),
    ]);
    expect(reviews.filter((r) => r.status === "fulfilled")).toHaveLength(1);
    expect(await approvals.list(boss, { review: "open", limit: 5 })).toEqual([]);
    expect(await receipts("breakglass.reviewed", action.id)).toBe(1);
  });

  it("shows approvers what they decide on, hides secrets, and says what changed since the last try", async () => {
    const { approvals } = stage.app;
    const lines = [{ sku: "a", qty: 1 }];
    const first = await held("/one/9", { amount: 10, password: "hunter2", lines });
    await vote(other, first.id, "reject");
    await ended(first.action.id);
    const second = await held("/one/9", { amount: 12, password: "hunter3", lines: [{ sku: "a", qty: 2 }] });
    const seen = await approvals.detail(other, second.id);
    expect(seen).toMatchObject({
      mine: true,
      arguments: { body: { amount: 12, password: "[hidden]" } },
      chain: [{ id: stage.admin.principalId }],
      earlier: [{ id: first.id, state: "rejected", votes: 1 }],
      changes: {
        since: first.id,
        differences: [
          { path: "body.amount", before: 10, after: 12 },
          { path: "body.lines.0.qty", before: 1, after: 2 },
        ],
      },
    });
    expect(seen.approval.subject.rules).toEqual(["one"]);
    expect(JSON.stringify(seen)).not.toContain("hunter");
    const member = await stage.caller("nina", ["member"]);
    expect(await approvals.detail(member, second.id)).toMatchObject({
      arguments: null,
      changes: null,
      mine: false,
    });
    expect((await approvals.detail(stage.admin, second.id)).mine).toBe(false);
    const mine = async (who: Caller) =>
      (await approvals.list(who, { mine: true, limit: 50 })).map((a) => a.id);
    expect(await mine(other)).toContain(second.id);
    expect(await mine(stage.admin)).not.toContain(second.id);
    expect(await mine(member)).toEqual([]);
    const soon = { dueBefore: new Date(Date.now() + 60_000), limit: 5 };
    expect(await approvals.list(other, soon)).toEqual([]);
    const tool = {
      tool: seen.approval.subject.tool,
      requesterId: stage.admin.principalId,
      state: "pending",
      limit: 50,
    } as const;
    expect((await approvals.list(other, tool)).map((a) => a.id)).toContain(second.id);
    expect(await approvals.list(other, { ...tool, tool: "wms/other" })).toEqual([]);
    const said = await approvals.comment(stage.admin, second.id, "two because one broke");
    expect(await approvals.comments(other, second.id, { after: null, limit: 5 })).toMatchObject([
      { id: said.id, body: "two because one broke", principalKind: "user" },
    ]);
    await vote(other, second.id);
    expect(await mine(other)).not.toContain(second.id);
    await ended(second.action.id);
  });

  it("is not asked for too often: further ones of the same requester and tool are denied, or join a batch", async () => {
    const { app, admin } = stage;
    const requester = await stage.caller("eager", ["member"]);
    const settings = (excess: "deny" | "batch") =>
      app.workflows.changeSettings(admin, {
        defaultWorkflow: null,
        fatigue: { limit: 2, windowSeconds: 3600, excess },
      });
    await settings("deny");
    const [first, second] = [await held("/one/f1", {}, requester), await held("/one/f2", {}, requester)];
    const third = await propose("/one/f3", {}, requester);
    expect(third).toMatchObject({ state: "denied", approvalId: null });
    expect(third.decision.reasons).toContain("guard-approval-fatigue");
    expect(await receipts("action.decision", third.id)).toBe(1);
    await settings("batch");
    const fourth = await held("/one/f4", {}, requester);
    expect((await find(fourth.id)).batchId).toBe(second.id);
    const batch = await app.approvals.list(other, { batchId: second.id, limit: 5 });
    expect(batch.map((a) => a.id)).toEqual([fourth.id, second.id]);
    await app.workflows.changeSettings(admin, { defaultWorkflow: null, fatigue: null });
    for (const { id, action } of [first, second, fourth]) {
      await vote(other, id, "reject");
      await ended(action.id);
    }
  });
});
