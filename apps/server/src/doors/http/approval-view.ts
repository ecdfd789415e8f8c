/** Approvals as the API shows them. */
import {
  type Approval,
  type Detail,
  dueAt,
  progressOf,
  requirementsOf,
  type Stage,
  shownToken,
} from "#act/approvals";
import { shown, shownOrNull } from "./wire-id.ts";

const roleOf = (token: string): string => shownToken(token).replace(/^role:/, "");

const toStage = (stage: Stage, missing: number, open: boolean) => ({
  name: stage.name,
  approvers: [...new Set(stage.places.flatMap(({ anyOf }) => anyOf))].map(shownToken),
  requiredApprovals: stage.places.reduce((sum, { count }) => sum + count, 0),
  missing,
  state: open ? ("open" as const) : missing === 0 ? ("done" as const) : ("waiting" as const),
  alongside: stage.alongside,
  openedAt: stage.openedAt,
  dueAt: dueAt(stage),
  escalateTo: stage.escalateTo.map(shownToken),
  escalatedAt: stage.escalatedAt,
});

export const toApproval = (a: Approval) => {
  const progress = progressOf(a.stages, a.votes);
  const [current] = progress.open;
  const open = a.state === "pending" ? progress.open : [];
  const { rules = [], chain: _, ...subject } = a.subject;
  return {
    id: shown("approval", a.id),
    actionId: shown("action", a.actionId),
    actionDigest: a.actionDigest,
    state: a.state,
    requirements: requirementsOf(a.stages, roleOf),
    stages: a.stages.map((stage, i) => toStage(stage, progress.empty[i] ?? 0, open.includes(i))),
    approvalProgress: {
      currentStageIndex: current ?? a.stages.length,
      totalStages: a.stages.length,
      currentStageName: current === undefined ? null : (a.stages[current]?.name ?? null),
    },
    workflows: a.workflows.map(({ name, version }) => ({ name, version })),
    stepUp: a.stepUp,
    stepUpRequired: a.stepUp !== null,
    breakGlassAllowed: a.breakGlass,
    override: a.override && { ...a.override, by: shown("principal", a.override.by) },
    review: a.review && { ...a.review, by: shown("principal", a.review.by) },
    batchId: shownOrNull("approval", a.batchId),
    requestedBy: shown("principal", a.requesterId),
    requestedByName: a.requesterName,
    subject: { ...subject, runId: shownOrNull("run", a.subject.runId), rules },
    reason: a.reason,
    votes: a.votes.map((v) => ({
      principalId: shown("principal", v.principalId),
      principalName: v.principalName,
      decision: v.vote,
      roles: v.roles,
      onBehalfOf: shownOrNull("principal", v.onBehalfOf),
      factor: v.factor,
      stage: v.stage,
      reason: v.reason,
      receiptDigest: v.receiptDigest,
      at: v.at,
    })),
    createdAt: a.createdAt,
    expiresAt: a.expiresAt,
    resolvedAt: a.resolvedAt,
  };
};

export const toDetail = ({ approval, chain, earlier, changes, ...rest }: Detail) => ({
  ...toApproval(approval),
  ...rest,
  chain: chain.map((link) => ({ ...link, id: shown("principal", link.id) })),
  earlier: earlier.map((e) => ({
    id: shown("approval", e.id),
    actionId: shown("action", e.actionId),
    state: e.state,
    requestedBy: shown("principal", e.requesterId),
    votes: e.votes,
    resolvedAt: e.resolvedAt,
    sameAction: e.actionDigest === approval.actionDigest,
  })),
  changes: changes && { ...changes, since: shown("approval", changes.since) },
});
