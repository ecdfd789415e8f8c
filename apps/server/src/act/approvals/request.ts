/** Asking people: what an approval is made of, and when it is not made at all. */
import type { Followed } from "#act/workflows";
import type { WriteSet } from "#platform/db";
import { newId } from "#platform/kernel";
import type { Approval, FollowedWorkflow, StepUp, Subject } from "./domain.ts";
import { type ApprovalsDeps, addReceipt } from "./parts.ts";
import { findBurst } from "./reading-store.ts";
import { anyone } from "./seats.ts";
import { groupsOf, openTo, type Requirement, type Stage, stageOfRoles } from "./stages.ts";
import * as store from "./store.ts";

export interface ApprovalRequest {
  readonly tenantId: string;
  readonly actionId: string;
  readonly actionDigest: string;
  readonly requirements: readonly Requirement[];
  /** Names of workflows to go through, in this order. */
  readonly workflows: readonly string[];
  readonly stepUp: StepUp | null;
  readonly breakGlass: boolean;
  readonly requesterId: string;
  /** Principals that may not vote: the requester, who answers for it, and everybody in between. */
  readonly excluded: readonly string[];
  readonly subject: Subject;
  readonly reason: string;
  readonly ttlMs: number;
}

/** A hold, or why people are not asked: then the action is denied. */
export type Requested = { readonly id: string } | { readonly refused: string; readonly guard: string };

export async function addRequest(
  deps: ApprovalsDeps,
  into: WriteSet,
  r: ApprovalRequest,
): Promise<Requested> {
  const { tenantId } = r;
  const { followed, burst } = await deps.db.read(tenantId, async (db) => {
    const followed = await deps.workflows.follow(db, tenantId, r.workflows);
    const { fatigue } = followed.settings;
    const burst = fatigue
      ? await findBurst(db, tenantId, { requesterId: r.requesterId, tool: r.subject.tool, ...fatigue })
      : { count: 0, batchId: null };
    return { followed, burst };
  });
  const lacking = r.workflows.find((name) => !followed.workflows.has(name));
  if (lacking !== undefined)
    return {
      guard: "guard-approval-workflow",
      refused: `Denied because there is no approval workflow ${lacking}.`,
    };
  const { fatigue } = followed.settings;
  const over = fatigue !== null && burst.count >= fatigue.limit;
  if (over && fatigue.excess === "deny")
    return {
      guard: "guard-approval-fatigue",
      refused: `Denied because ${burst.count} actions with ${r.subject.tool} were held for this requester within ${fatigue.windowSeconds} s; people are not asked more often than ${fatigue.limit} times.`,
    };
  const id = newId();
  const approval = toApproval(r, id, planOf(r, followed), over ? burst.batchId : null);
  into.add(store.insertApproval, toRow(r, approval));
  await addReceipt(deps, into, { tenantId, approval, type: "approval.requested" });
  deps.outbox.emit(into, {
    tenantId,
    topic: "approval.requested",
    payload: { approvalId: id, actionId: r.actionId, batchId: approval.batchId },
  });
  return { id };
}

/** [A5] The stages as they are now: a later change of a workflow does not reach them. */
function planOf(r: ApprovalRequest, followed: Followed): { stages: Stage[]; workflows: FollowedWorkflow[] } {
  const stages: Stage[] = r.requirements.length > 0 ? [stageOfRoles("policy", r.requirements)] : [];
  const workflows: FollowedWorkflow[] = [];
  for (const [asked, { name, version, stages: own }] of followed.workflows) {
    workflows.push({ asked, name, version });
    for (const [i, s] of own.entries())
      stages.push({
        name: s.name,
        places: [{ anyOf: s.approvers.length > 0 ? s.approvers : [anyone], count: s.requiredApprovals }],
        alongside: i > 0 && s.alongside,
        slaMs: s.slaSeconds === null ? null : s.slaSeconds * 1000,
        escalateTo: s.escalateTo,
        openedAt: null,
        escalatedAt: null,
      });
  }
  return { stages, workflows };
}

const toApproval = (
  r: ApprovalRequest,
  id: string,
  plan: { stages: Stage[]; workflows: FollowedWorkflow[] },
  batchId: string | null,
): Approval => ({
  ...r,
  ...plan,
  id,
  state: "pending",
  override: null,
  review: null,
  batchId,
  requesterName: "",
  expiresAt: new Date(0), // set by the database
  escalateAt: null,
  createdAt: new Date(0),
  resolvedAt: null,
  votes: [],
});

function toRow(r: ApprovalRequest, { id, stages, workflows, batchId }: Approval): store.ApprovalRow {
  const first = groupsOf(stages)[0] ?? [];
  const limits = first.flatMap((i) => stages[i]?.slaMs ?? []);
  return {
    tenant_id: r.tenantId,
    id,
    action_id: r.actionId,
    action_digest: r.actionDigest,
    requirements: JSON.stringify(r.requirements),
    stages: JSON.stringify(stages),
    workflows: JSON.stringify(workflows),
    step_up: r.stepUp,
    break_glass: r.breakGlass,
    open_to: JSON.stringify(openTo(stages, first)),
    sla_ms: limits.length === 0 ? null : Math.min(...limits),
    batch_id: batchId,
    requester_id: r.requesterId,
    excluded: JSON.stringify(r.excluded),
    subject: JSON.stringify(r.subject),
    reason: r.reason,
    ttl_ms: r.ttlMs,
  };
}
