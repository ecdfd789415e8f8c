/** One sentence for the requester: what decided, and what to do next. */
import type { ApprovalDemand, DecisionRequest, Duties, Effect } from "./domain.ts";

export interface Told {
  readonly effect: Effect;
  readonly reasons: readonly string[];
  /** What would still deny once the votes were in; the reasons themselves when no vote can help. */
  readonly blockers: readonly string[];
  readonly approval: ApprovalDemand | null;
  readonly dutiesOf: (id: string) => Duties;
  readonly q: DecisionRequest;
}

export const noPolicyMessage =
  "Denied because this tenant has no published policy: create one with POST /v1/policies and publish it with POST /v1/policies/{id}/publish.";

const namedIds = 5;

export function messageOf(told: Told): string {
  const { effect, reasons, blockers, approval, dutiesOf, q } = told;
  const tool = `${q.tool.verb} with ${q.tool.name}`;
  if (effect === "allow") return `Allowed by ${named(reasons, dutiesOf)}.`;
  if (effect === "quarantine")
    return `Quarantined by ${named(reasons, dutiesOf)}; it will not run, ask an administrator to look at it.`;
  if (effect === "require_approval" && approval)
    return `Held by ${named(reasons, dutiesOf)}: it needs ${votes(approval)} within ${span(approval.ttlMs)}${
      approval.stepUp ? `, confirmed with ${approval.stepUp}` : ""
    }, and goes on by itself once they are given.`;
  if (reasons.length === 0)
    return `Denied because no policy permits this ${q.principal.kind} to ${tool}; ask a policy administrator for a permit policy.`;
  if (blockers.length === 0)
    return `Denied because no policy permits this ${q.principal.kind} to ${tool}, approvals would not change that; ask a policy administrator for a permit policy.`;
  return `Denied by ${named(blockers, dutiesOf)}; change the request so that it no longer applies, or ask a policy administrator.`;
}

export function errorMessage(errors: readonly string[], reasons: readonly string[]): string {
  const more = errors.length > 1 ? ` (and ${errors.length - 1} more)` : "";
  const whose = reasons.length > 0 || errors[0]?.startsWith("policy ") ? "the policies" : "the request";
  return `Denied because ${whose} could not be evaluated: ${(errors[0] ?? "unknown").slice(0, 300)}${more}; correct it and try again.`;
}

function named(ids: readonly string[], dutiesOf: (id: string) => Duties): string {
  const shown = ids.slice(0, namedIds).map((id) => {
    const description = dutiesOf(id).description?.trim().replace(/\.$/, "");
    return description ? `${id} (${description})` : id;
  });
  const rest = ids.length - shown.length;
  const list = rest > 0 ? [...shown, `${rest} more`] : shown;
  return `${ids.length === 1 ? "policy" : "policies"} ${list.join(", ")}`;
}

const votes = ({ requirements, workflows }: ApprovalDemand): string =>
  [
    ...requirements.map(
      ({ role, quorum }) => `${quorum} ${quorum === 1 ? "approval" : "approvals"} by ${role}`,
    ),
    ...workflows.map((name) => `the approvals of workflow ${name}`),
  ].join(" and ");

function span(ms: number): string {
  for (const [unit, length] of [
    ["day", 86_400_000],
    ["hour", 3_600_000],
    ["minute", 60_000],
  ] as const)
    if (ms >= length && ms % length === 0) return `${ms / length} ${unit}${ms === length ? "" : "s"}`;
  return `${Math.round(ms / 1000)} seconds`;
}
