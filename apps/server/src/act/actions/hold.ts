/** Asks people about an action: the approval is in the commit that holds it. */
import type { Requested } from "#act/approvals";
import type { Decision } from "#act/policy";
import type { WriteSet } from "#platform/db";
import { chainIds, partiesOf } from "./behalf.ts";
import type { ExecutionDeps } from "./execution.ts";
import { behalfOf, type Proposal, type Resolved } from "./proposal.ts";

export function hold(
  deps: Pick<ExecutionDeps, "approvals">,
  set: WriteSet,
  p: Proposal,
  r: Resolved,
  d: Decision,
  actionId: string,
): Promise<Requested> {
  const { approval } = d;
  const chain = chainIds(p.caller, behalfOf(p));
  return deps.approvals.request(set, {
    tenantId: p.caller.tenantId,
    actionId,
    actionDigest: r.digest,
    requirements: approval?.requirements ?? [],
    workflows: approval?.workflows ?? [],
    stepUp: approval?.stepUp ?? null,
    breakGlass: approval?.breakGlass ?? false,
    requesterId: p.caller.principalId,
    excluded: partiesOf(p.caller, behalfOf(p)),
    subject: {
      tool: r.shape.tool,
      target: r.shape.target,
      environment: r.connection.environment,
      risk: r.shape.risk,
      facts: r.shape.facts,
      runId: p.origin?.runId ?? null,
      step: p.origin?.step ?? null,
      rules: d.reasons,
      chain,
    },
    reason: d.message,
    ttlMs: approval?.ttlMs ?? 3_600_000,
  });
}

/** People are not asked, so nobody can lift what holds the action: it is denied. */
export const unasked = (
  d: Decision,
  why: { readonly refused: string; readonly guard: string },
): Decision => ({
  ...d,
  effect: "deny",
  approval: null,
  reasons: [...d.reasons, why.guard],
  message: why.refused,
});
