/** Policies, grants and what would happen, as the API shows them. */
import type { GrantRow, PolicySettings, PolicyVersion } from "#act/policy";
import type { Replay, Simulated } from "#act/rehearsals";
import { shown, shownOrNull } from "./wire-id.ts";

export const toPolicy = <P extends PolicyVersion>(p: P) => ({
  ...p,
  id: shown("policy", p.id),
  createdBy: shown("principal", p.createdBy),
  publishedBy: shownOrNull("principal", p.publishedBy),
});

export const toSettings = ({ shadow, replayRequired }: PolicySettings) => ({
  shadow: shadow && { ...shadow, policyId: shown("policy", shadow.policyId) },
  replayRequired,
});

export const toGrant = (g: GrantRow) => ({
  ...g,
  id: shown("grant", g.id),
  createdBy: shown("principal", g.createdBy),
  revokedBy: shownOrNull("principal", g.revokedBy),
});

export const toReplay = ({ most, ...r }: Replay) => ({
  ...r,
  actions: most,
  id: shown("replay", r.id),
  policyId: shown("policy", r.policyId),
  againstId: shownOrNull("policy", r.againstId),
  createdBy: shown("principal", r.createdBy),
});

const tierOf = (risk: number): "low" | "medium" | "high" | "critical" =>
  risk >= 90 ? "critical" : risk >= 70 ? "high" : risk >= 40 ? "medium" : "low";

export const toExplanation = ({ version, decision, request, ...e }: Simulated) => ({
  policy: toPolicy(version),
  decision: decision.effect,
  message: decision.message,
  ruleIds: decision.reasons,
  errors: decision.errors,
  approval: decision.approval,
  risk: { score: request.tool.risk, tier: tierOf(request.tool.risk) },
  determining: e.determining,
  nearMisses: e.nearMisses,
  considered: e.considered,
  context: decision.envelope?.context ?? null,
});
