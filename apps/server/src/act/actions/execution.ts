/** Proposing, performing and settling: the hot path of an action. */
import type { Approvals, Requested } from "#act/approvals";
import type { Catalogue } from "#act/catalogue";
import type { Connectors, OperationOutcome } from "#act/connectors";
import type { Decision, Policy, ShadowVerdict } from "#act/policy";
import type { Caller } from "#platform/access";
import { type CommitResult, type Database, WriteSet } from "#platform/db";
import { type Clock, type Fault, formatId, newId } from "#platform/kernel";
import type { Dialer } from "#platform/net";
import type { Vault } from "#platform/vault";
import { type Receipts, subjectOf } from "#sign/receipts";
import { sealAsked } from "./asked.ts";
import type { ActionState } from "./domain.ts";
import {
  chainIds,
  decideFor,
  notAllowed,
  type Proposal,
  type Resolved,
  resolveProposal,
} from "./proposal.ts";
import { addDecision, addEnd, addOutcome, type Recorded, recordedOf } from "./record.ts";
import * as store from "./store.ts";
import { type ActionEvents, tellDecision, tellOutcome } from "./tell.ts";

export interface ExecutionDeps {
  readonly db: Database;
  readonly clock: Clock;
  readonly vault: Vault;
  readonly dialer: Dialer;
  readonly connectors: Connectors;
  readonly catalogue: Pick<Catalogue, "standing" | "outputsOf">;
  readonly policy: Pick<Policy, "decide" | "withdraw">;
  readonly approvals: Approvals;
  readonly receipts: Pick<Receipts, "add">;
  /** Told of what is stopped, fails or is of high risk; nobody, when absent. */
  readonly events?: ActionEvents;
  /** Id of this process among the workers. */
  readonly workerId: string;
  /** An action of this tool reached the state. */
  readonly onState: (tool: string, state: ActionState) => void;
  /** A named point at which tests kill the process. */
  readonly fault: Fault;
}

/** An action that this process may perform now: its decision is durable. */
export interface Executable {
  readonly recorded: Recorded;
  readonly resolved: Resolved;
  readonly effectKey: string;
  readonly timeoutMs: number;
  /** The row as this process wrote it, when it proposed the action itself. */
  readonly row?: store.ActionRow;
}

export type Proposed =
  | { readonly kind: "execute"; readonly action: Executable }
  | { readonly kind: "held"; readonly actionId: string; readonly approvalId: string }
  | {
      readonly kind: "refused";
      readonly actionId: string;
      readonly state: ActionState;
      readonly message: string;
    }
  /** The reservation key names an action that exists; nothing was written. */
  | { readonly kind: "existing"; readonly action: store.StoredAction; readonly resolved: Resolved }
  /** A guard of the caller's writes did not hold; nothing was written. */
  | { readonly kind: "lost"; readonly fence: string };

/** Makes the commit, with the caller's own writes. `held` names the action when it is to wait for an approval. */
export type Commit = (set: WriteSet, held: string | null) => Promise<CommitResult>;

/** [X1] Decides and records in one commit; on `execute` the caller performs the action next. */
export async function propose(deps: ExecutionDeps, p: Proposal, commit?: Commit): Promise<Proposed> {
  const resolved = await resolveProposal(deps, p);
  const actionId = newId();
  const nobody = { count: 0, roles: [] };
  const asked = await decideFor(deps.policy, p, resolved, nobody, deps.clock.now(), actionId);
  try {
    const proposed = await recordProposal(deps, p, { resolved, asked, actionId }, commit);
    if (proposed.kind === "existing" || proposed.kind === "lost")
      deps.policy.withdraw(p.caller.tenantId, actionId);
    return proposed;
  } catch (error) {
    deps.policy.withdraw(p.caller.tenantId, actionId); // it may be durable all the same: then its row counts
    throw error;
  }
}

interface Decided {
  readonly resolved: Resolved;
  /** What the policy says. */
  readonly asked: Decision;
  readonly actionId: string;
}

async function recordProposal(
  deps: ExecutionDeps,
  p: Proposal,
  { resolved, asked, actionId }: Decided,
  commit?: Commit,
): Promise<Proposed> {
  const set = new WriteSet();
  const held =
    asked.effect === "require_approval" ? await hold(deps, set, p, resolved, asked, actionId) : null;
  const decision = held && "refused" in held ? unasked(asked, held) : asked;
  const approvalId = held && "id" in held ? held.id : null;
  const state = stateFor[decision.effect];
  if (decision !== asked) deps.policy.withdraw(p.caller.tenantId, actionId);
  const row = await toRow(deps, p, resolved, decision, { actionId, state, approvalId, asked });
  set.add(store.insertAction, row);
  const { reservation } = p;
  if (reservation) {
    const { tenantId } = p.caller;
    set.add(store.reserveAction, { tenant_id: tenantId, reservation, action_id: actionId });
  }
  const recorded = recordedOf(p, resolved, actionId, 1);
  await addDecision(deps.receipts, set, recorded, decision, resolved.input);
  tellDecision(deps.events, set, recorded, decision, resolved.connection.risk);
  set.onCommit(() => deps.onState(resolved.shape.tool, state));
  deps.fault("actions.before-propose");
  const committed = await (commit
    ? commit(set, approvalId ? actionId : null)
    : deps.db.committer.commit(set));
  deps.fault("actions.after-propose");
  if (!committed.ok) return refused(deps, p, resolved, committed.fence);
  if (approvalId) return { kind: "held", actionId, approvalId };
  if (state === "executing") {
    return {
      kind: "execute",
      action: { recorded, resolved, effectKey: p.effectKey, timeoutMs: p.timeoutMs, row },
    };
  }
  return { kind: "refused", actionId, state, message: decision.message };
}

const stateFor = {
  allow: "executing",
  deny: "denied",
  quarantine: "quarantined",
  require_approval: "pending_approval",
} as const;

async function refused(
  deps: ExecutionDeps,
  p: Proposal,
  resolved: Resolved,
  fence: string,
): Promise<Proposed> {
  const { reservation } = p;
  if (fence !== store.reserveAction.name || !reservation) return { kind: "lost", fence };
  const action = await deps.db.read(p.caller.tenantId, (db) =>
    store.findReserved(db, p.caller.tenantId, reservation),
  );
  return action ? { kind: "existing", action, resolved } : { kind: "lost", fence };
}

async function toRow(
  deps: ExecutionDeps,
  p: Proposal,
  r: Resolved,
  d: Decision,
  made: { actionId: string; state: ActionState; approvalId: string | null; asked: Decision },
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
    input: await sealFor(deps, p.caller, `action.input:${made.actionId}`, toBytes(r.input)),
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
    at: deps.clock.now().getTime(),
  };
}

const refusalCode = (state: ActionState, { reasons }: Decision): string =>
  reasons.includes(notAllowed) ? "TOOL_NOT_ALLOWED" : `ACTION_${state.toUpperCase()}`;

export const decisionOf = (d: Decision): store.StoredAction["decision"] & { policy: string | null } => ({
  effect: d.effect,
  reasons: d.reasons,
  message: d.message,
  policy: d.policy.version,
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

/** Under the key of the person for whom the action is, so that it can be erased with them. */
export async function sealFor(
  deps: Pick<ExecutionDeps, "vault">,
  caller: Caller,
  purpose: string,
  plain: Uint8Array,
): Promise<Uint8Array> {
  const person = subjectOf({ id: caller.principalId, ownerId: caller.ownerId });
  const sealer = await deps.vault.subjectSealer(caller.tenantId, [person]);
  return sealer.seal(purpose, plain);
}

export const toBytes = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value ?? null));

function hold(
  deps: ExecutionDeps,
  set: WriteSet,
  p: Proposal,
  r: Resolved,
  d: Decision,
  actionId: string,
): Promise<Requested> {
  const { approval } = d;
  const chain = chainIds(p.caller);
  return deps.approvals.request(set, {
    tenantId: p.caller.tenantId,
    actionId,
    actionDigest: r.digest,
    requirements: approval?.requirements ?? [],
    workflows: approval?.workflows ?? [],
    stepUp: approval?.stepUp ?? null,
    breakGlass: approval?.breakGlass ?? false,
    requesterId: p.caller.principalId,
    excluded: chain,
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
const unasked = (d: Decision, why: { readonly refused: string; readonly guard: string }): Decision => ({
  ...d,
  effect: "deny",
  approval: null,
  reasons: [...d.reasons, why.guard],
  message: why.refused,
});

export interface Performed {
  readonly outcome: OperationOutcome;
  readonly ms: number;
  /** Nothing was sent: an earlier output for the same input stands in. The receipt says so. */
  readonly spared?: true;
}

/** Reaches the outside. Never throws: what goes wrong is an outcome. */
export async function perform(
  deps: ExecutionDeps,
  action: Executable,
  signal?: AbortSignal,
): Promise<Performed> {
  const { resolved, recorded } = action;
  const started = performance.now();
  let outcome: OperationOutcome;
  try {
    outcome = await resolved.operation.execute(
      {
        connection: resolved.connection,
        secrets: (name) => deps.vault.readSecret(recorded.tenantId, name),
        dialer: deps.dialer,
        idempotencyKey: action.effectKey,
        timeoutMs: action.timeoutMs,
        ...(signal ? { signal } : {}),
      },
      resolved.input,
    );
  } catch (error) {
    outcome = { status: "failed", error: toError(error), retryable: false };
  }
  deps.fault("actions.after-perform");
  return { outcome, ms: performance.now() - started };
}

function toError(error: unknown): { code: string; message: string; retry: "terminal" } {
  const code =
    typeof error === "object" && error !== null && "code" in error ? String(error.code) : "CONNECTOR_FAILED";
  const message =
    error instanceof Error && code !== "CONNECTOR_FAILED" ? error.message : "The connector failed.";
  return { code, message, retry: "terminal" };
}

const endStates = { completed: "completed", failed: "failed", unknown: "in_doubt" } as const;

/** Adds the end of the attempt and its receipt to the caller's commit. Refused when another process took the action over. */
export async function settle(
  deps: ExecutionDeps,
  action: Executable,
  done: Performed,
  into: WriteSet,
): Promise<store.EndRow> {
  const { recorded } = action;
  const { outcome } = done;
  const state = endStates[outcome.status];
  const purpose = `action.output:${recorded.actionId}`;
  const end: store.EndRow = {
    tenant_id: recorded.tenantId,
    id: recorded.actionId,
    from_state: "executing",
    executor: deps.workerId,
    state,
    output:
      outcome.status === "completed"
        ? await sealFor(deps, recorded.caller, purpose, toBytes(outcome.output))
        : null,
    error: outcome.status === "completed" ? null : JSON.stringify(outcome.error),
    http: ("http" in outcome ? outcome.http : null) ?? null,
    at: deps.clock.now().getTime(),
  };
  into.add(store.endAction, end);
  if (done.spared) await addEnd(deps.receipts, into, recorded, "not_executed", "OUTPUT_CACHED");
  else await addOutcome(deps.receipts, into, recorded, outcome, done.ms);
  tellOutcome(deps.events, into, recorded, outcome, action.resolved.connection.risk);
  into.onCommit(() => deps.onState(recorded.tool, state));
  return end;
}
