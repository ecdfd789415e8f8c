/** One outcome each, whoever comes first: two processes on PostgreSQL race for the same approvals. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Caller } from "#platform/access";
import { startWorker, type TestWorker } from "./testing/app.ts";
import { type RaceGround, races, runRace } from "./testing/approval-races.ts";
import { brokenInvariants } from "./testing/invariants.ts";
import { openStage, type Stage } from "./testing/stage.ts";
import { until } from "./testing/until.ts";

const policy = `
@id("all") permit (principal, action, resource);
@id("plain") @require_approval("approver:1") @ttl("PT1H")
forbid (principal, action, resource) when { context.target like "*/plain" } unless { context.approvals.count >= 1 };
@id("slow") @require_approval("workflow:slow") @ttl("PT1H")
forbid (principal, action, resource) when { context.target like "*/escalating" } unless { context.approvals.workflows.contains("slow") };
`;

describe("[A2] [A3] [A6] two processes that race for an approval", () => {
  let stage: Stage;
  let second: TestWorker;
  let ground: RaceGround;
  let sent = 0;
  beforeAll(async () => {
    stage = await openStage("postgres");
    second = await startWorker(stage.opened);
    await second.app.start();
    await stage.publishPolicy(policy);
    const { app, admin, approver, approver2 } = stage;
    const deputy: Caller = await stage.caller("deputy", ["admin"]);
    const slow = {
      name: "slow",
      mode: "serial",
      approvers: ["role:approver"],
      requiredApprovals: 1,
      alongside: false,
      slaSeconds: 3600,
      escalateTo: ["role:admin"],
    } as const;
    await app.workflows.put(admin, "slow", { description: "", stages: [slow] });
    ground = {
      apps: [app, second.app],
      requester: admin,
      approvers: [approver, approver2],
      deputy,
      hold: async (kind) => {
        const input = { method: "POST", path: `/${kind}`, body: { n: ++sent } };
        const held = await app.actions.submit(admin, { connection: "wms", operation: "http.request", input });
        if (held.approvalId === null) throw new Error(`not held: ${held.state}`);
        return { id: held.id, approvalId: held.approvalId };
      },
    };
  });
  afterAll(async () => {
    await until("an empty outbox", async () => (await stage.app.outbox.pending()) === 0);
    const left = await brokenInvariants(stage.opened.database);
    await second.stop();
    await stage.close();
    expect(left).toEqual({});
  });

  it.each(races)("%s: every round has one outcome, and one execution at most", async (race) => {
    const before = stage.receiver.received.length;
    const counted = await runRace(ground, race, 20);
    expect(counted).toMatchObject({ rounds: 20, broken: 0 });
    const ends = Object.values(counted.ends).reduce((sum, n) => sum + n, 0);
    expect(ends).toBe(20);
    const bodies = stage.receiver.received.slice(before).map((r) => (r.body as { n: number }).n);
    expect(bodies).toHaveLength(counted.executions);
    expect(new Set(bodies).size).toBe(counted.executions);
    if (race === "approve/approve" || race === "consume/consume") expect(counted.executions).toBe(20);
    if (race === "timer/timer") expect(counted.ends).toEqual({ expired: 20 });
  });
});
