/** The row of a proposed action. */
import type { Decision, ShadowVerdict } from "#act/policy";
import { formatId } from "#platform/kernel";
import { sealAsked } from "./asked.ts";
import type { ActionState } from "./domain.ts";
import type { ExecutionDeps } from "./execution.ts";
import { notAllowed, type Proposal, type Resolved } from "./proposal.ts";
import { sealFor } from "./sealing.ts";
import type * as store from "./store.ts";

export async function toRow(
  deps: Pick<ExecutionDeps, "vault" | "workerId" | "clock">,
  p: Proposal,
  r: Resolved,
  d: Decision,
  made: {
    actionId: string;
    state: ActionState;
    approvalId: string | null;
    receiptId: string;
    asked: Decision;
  },
): Promise<store.ActionRow> {
  const { tenantId } = p.caller;
  const denied = made.state === "denied" || made.state === "quarantined";
  return {
    tenant_id: tenantId,
    id: made.actionId,
    state: made.state,
    connection: r.connection.name,
    operation: p.operation,
    tool: r.shape.tool,
    verb: r.shape.verb,
    target: r.shape.target,
    environment: r.connection.environment,
    digest: r.digest,
    facts: JSON.stringify(r.shape.facts),
    input: await sealFor(deps.vault, p.caller, `action.input:${made.actionId}`, toBytes(r.input)),
    principal_id: p.caller.principalId,
    run_id: p.origin?.runId ?? null,
    step: p.origin?.step ?? null,
    reservation: p.reservation,
    effect_key: p.effectKey,
    idempotent: r.shape.idempotent,
    timeout_ms: p.timeoutMs,
    executor: made.state === "executing" ? deps.workerId : null,
    approval_id: made.approvalId,
    decision: JSON.stringify(decisionOf(d)),
    asked: await sealAsked(deps.vault, made.actionId, made.asked),
    error: denied ? JSON.stringify({ code: refusalCode(made.state, d), message: d.message }) : null,
    user_id: p.behalf?.userId ?? null,
    submitter_id: p.behalf?.submitterId ?? null,
    declared: p.declared ? JSON.stringify(p.declared) : null,
    receipt_id: made.receiptId,
    at: deps.clock.now().getTime(),
  };
}

const refusalCode = (state: ActionState, { reasons }: Decision): string =>
  reasons.includes(notAllowed) ? "TOOL_NOT_ALLOWED" : `ACTION_${state.toUpperCase()}`;

export const decisionOf = (
  d: Decision,
  released = false,
): store.StoredAction["decision"] & { policy: string | null } => ({
  effect: d.effect,
  reasons: d.reasons,
  message: d.message,
  policy: d.policy.version,
  ...(released ? { released } : {}),
  ...(d.shadow ? { shadow: shadowOf(d.shadow) } : {}),
});

const shadowOf = ({ policyId, version, effect, reasons, errors, differs }: ShadowVerdict) => ({
  policyId: formatId("policy", policyId),
  version,
  effect,
  reasons,
  differs,
  ...(errors.length > 0 ? { errors } : {}),
});

export const toBytes = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value ?? null));
