/** Proposing, performing and settling: the hot path of an action. */
import type { Approvals } from "#act/approvals";
import type { Catalogue } from "#act/catalogue";
import type { Connectors, OperationOutcome } from "#act/connectors";
import type { Decision, Policy } from "#act/policy";
import { type CommitResult, type Database, WriteSet } from "#platform/db";
import { type Clock, type Fault, newId } from "#platform/kernel";
import type { Dialer } from "#platform/net";
import type { Vault } from "#platform/vault";
import type { Receipts } from "#sign/receipts";
import { toBytes, toRow } from "./action-row.ts";
import type { ActionState } from "./domain.ts";
import { hold, unasked } from "./hold.ts";
import { keptOf } from "./outcome.ts";
import { decideFor, type Proposal, type Resolved, resolveProposal } from "./proposal.ts";
import { addDecision, addEnd, addOutcome, type Recorded, recordedOf } from "./record.ts";
import { sealFor } from "./sealing.ts";
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
  /** The action has an outcome, durably. */
  readonly onOutcome: (actionId: string) => void;
  /** Largest output that is kept of an action which is no step of a run. */
  readonly maxOutputBytes: number;
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
  | {
      readonly kind: "existing";
      readonly action: store.StoredAction;
      readonly fingerprint: Uint8Array | null;
      readonly resolved: Resolved;
    }
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
  const recorded = recordedOf(p, resolved, actionId, 1);
  const receiptId = await addDecision(deps.receipts, set, recorded, decision, resolved.input);
  const row = await toRow(deps, p, resolved, decision, { actionId, state, approvalId, receiptId, asked });
  set.add(store.insertAction, row);
  if (p.reservation) {
    set.add(store.reserveAction, {
      tenant_id: p.caller.tenantId,
      reservation: p.reservation,
      action_id: actionId,
      fingerprint: p.fingerprint ?? null,
    });
  }
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
  const found = await deps.db.read(p.caller.tenantId, (db) =>
    store.findReserved(db, p.caller.tenantId, reservation),
  );
  return found ? { kind: "existing", ...found, resolved } : { kind: "lost", fence };
}

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
        secrets: (name) =>
          deps.vault.readSecret(recorded.tenantId, name, {
            principalId: recorded.caller.principalId,
            purpose: recorded.tool,
            actionId: recorded.actionId,
          }),
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
  outcome = keptOf(outcome, resolved.standing.redact, recorded.runId === null ? deps.maxOutputBytes : null);
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
  const receiptId = done.spared
    ? await addEnd(deps.receipts, into, recorded, "not_executed", "OUTPUT_CACHED")
    : await addOutcome(deps.receipts, into, recorded, outcome, done.ms);
  const end: store.EndRow = {
    tenant_id: recorded.tenantId,
    id: recorded.actionId,
    from_state: "executing",
    executor: deps.workerId,
    state,
    output:
      outcome.status === "completed"
        ? await sealFor(deps.vault, recorded.caller, purpose, toBytes(outcome.output))
        : null,
    error: outcome.status === "completed" ? null : JSON.stringify(outcome.error),
    http: ("http" in outcome ? outcome.http : null) ?? null,
    receipt_id: receiptId,
    at: deps.clock.now().getTime(),
  };
  into.add(store.endAction, end);
  tellOutcome(deps.events, into, recorded, outcome, action.resolved.connection.risk);
  into.onCommit(() => {
    deps.onState(recorded.tool, state);
    deps.onOutcome(recorded.actionId);
  });
  return end;
}
