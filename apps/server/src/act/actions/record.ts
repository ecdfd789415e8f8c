/** The receipts of an action: one with each decision, one with each outcome, in the commit that records it. [X5] */

import type { OperationOutcome } from "#act/connectors";
import type { Decision, ShadowVerdict } from "#act/policy";
import type { Caller } from "#platform/access";
import type { Tx, WriteSet } from "#platform/db";
import type { ReceiptDraft, Receipts } from "#sign/receipts";
import { type Behalf, chainOf, ownBehalf } from "./behalf.ts";
import { behalfOf, type Proposal, type Resolved } from "./proposal.ts";
import type { StoredAction } from "./store.ts";

/** What both receipts say of the action itself. */
export interface Recorded {
  readonly tenantId: string;
  readonly actionId: string;
  readonly caller: Caller;
  readonly behalf: Behalf;
  readonly runId: string | null;
  readonly step: string | null;
  readonly flow?: { readonly name: string; readonly version: string; readonly hash: string };
  readonly server: string;
  readonly tool: string;
  readonly operation: string;
  readonly target: string;
  readonly environment: string;
  readonly digest: string;
  readonly attempt: number;
}

export const recordedOf = (p: Proposal, r: Resolved, actionId: string, attempt: number): Recorded => ({
  tenantId: p.caller.tenantId,
  actionId,
  caller: p.caller,
  behalf: behalfOf(p),
  runId: p.origin?.runId ?? null,
  step: p.origin?.step ?? null,
  ...(p.origin?.flow ? { flow: p.origin.flow } : {}),
  server: r.connection.name,
  tool: r.shape.tool,
  operation: r.shape.verb,
  target: r.shape.target,
  environment: r.connection.environment,
  digest: r.digest,
  attempt,
});

export const recordedAction = (a: StoredAction, caller: Caller): Recorded => ({
  tenantId: a.tenantId,
  actionId: a.id,
  caller,
  behalf: caller.principalId === a.principalId ? a : ownBehalf,
  runId: a.runId,
  step: a.step,
  server: a.connection,
  tool: a.tool,
  operation: a.verb,
  target: a.target,
  environment: a.environment,
  digest: a.digest,
  attempt: a.attempt,
});

const about = (r: Recorded): Omit<ReceiptDraft, "type"> => ({
  tenantId: r.tenantId,
  runId: r.runId,
  step: r.step,
  ...(r.flow ? { flow: r.flow } : {}),
  action: {
    id: r.actionId,
    protocol: r.runId ? "workflow" : "rest",
    server: r.server,
    tool: r.tool,
    operation: r.operation,
    target: r.target,
    env: r.environment,
    digest: r.digest,
  },
  principal: {
    id: r.caller.principalId,
    kind: r.caller.principalKind,
    ownerId: r.behalf.userId ?? r.caller.ownerId,
    chain: chainOf(r.caller, r.behalf),
    auth: { method: r.caller.credential.kind },
  },
});

export async function addDecision(
  receipts: Pick<Receipts, "add">,
  into: WriteSet,
  r: Recorded,
  d: Decision,
  input?: unknown,
  by?: Operated,
): Promise<string> {
  const stopped = d.effect === "deny" || d.effect === "quarantine";
  const { receiptId } = await receipts.add(into, {
    ...about(r),
    type: "action.decision",
    decision: {
      effect: d.effect,
      reasons: d.reasons,
      errors: d.errors,
      obligations: obligationsOf(d),
      policy: {
        ...(d.policy.bundle ? { bundle: d.policy.bundle } : {}),
        ...(d.policy.version ? { version: d.policy.version } : {}),
        engine: d.policy.engine,
        schema: d.policy.schema,
      },
      entities: d.entitiesDigest,
      context: d.contextDigest,
      mode: d.mode,
    },
    ...(stopped ? { outcome: { status: "not_executed", attempt: r.attempt } } : {}),
    evidence: { declared: ["action.target"], observed: ["decision"] },
    ...(input === undefined ? {} : { disclose: { args: input } }),
    ...operation(by),
  });
  if (d.shadow) await receipts.add(into, shadowDecision(r, d, d.shadow));
  return receiptId;
}

/** What the candidate said, as a receipt of its own: `mode` says that it decided nothing. */
const shadowDecision = (r: Recorded, d: Decision, s: ShadowVerdict): ReceiptDraft => ({
  ...about(r),
  type: "action.decision",
  decision: {
    effect: s.effect,
    reasons: s.reasons,
    errors: s.errors,
    policy: { bundle: s.bundle, version: String(s.version), engine: d.policy.engine, schema: s.schema },
    entities: d.entitiesDigest,
    context: d.contextDigest,
    mode: "shadow",
  },
  evidence: { observed: ["decision"] },
});
const obligationsOf = ({ approval }: Decision): string[] => [
  ...(approval?.requirements ?? []).map((q) => `approve:${q.role}:${q.quorum}`),
  ...(approval?.workflows ?? []).map((name) => `approve:workflow:${name}`),
  ...(approval?.stepUp ? [`step_up:${approval.stepUp}`] : []),
];

const statusOf = { completed: "completed", failed: "tool_error", unknown: "unknown" } as const;

export async function addOutcome(
  receipts: Pick<Receipts, "add">,
  into: WriteSet,
  r: Recorded,
  outcome: OperationOutcome,
  latencyMs: number | null,
): Promise<string> {
  const http = "http" in outcome ? outcome.http : undefined;
  const { receiptId } = await receipts.add(into, {
    ...about(r),
    type: "execution.finished",
    outcome: {
      status: statusOf[outcome.status],
      ...(outcome.status === "completed" ? {} : { code: outcome.error.code }),
      ...(http === undefined ? {} : { http }),
      ...(latencyMs === null ? {} : { latency_ms: Math.round(latencyMs) }),
      attempt: r.attempt,
    },
    evidence: { observed: ["outcome.status", "outcome.latency_ms"], upstream_reported: ["outcome.http"] },
    ...(outcome.status === "completed" ? { disclose: { result: outcome.output } } : {}),
  });
  return receiptId;
}

export async function addEnd(
  receipts: Pick<Receipts, "add">,
  into: WriteSet,
  r: Recorded,
  status: "cancelled" | "not_executed",
  code: string,
  within?: Tx,
  by?: Operated,
): Promise<string> {
  const draft = {
    ...about(r),
    type: "execution.finished",
    outcome: { status, code, attempt: r.attempt },
    ...operation(by),
  } as const;
  return (await receipts.add(into, draft, within)).receiptId;
}

/** What a person did to an action; the receipt's principal is that person. */
export interface Operated {
  readonly command: "action.cancel" | "action.release" | "action.reject" | "action.resolve";
  readonly from: string;
  readonly to: string;
  readonly reason: string | null;
}

const operation = (by: Operated | undefined) =>
  by === undefined
    ? {}
    : {
        operation: { command: by.command, from: by.from, to: by.to },
        ...(by.reason === null ? {} : { disclose: { reason: by.reason } }),
      };
