/** Actions as callers see them. Outputs are for who asked, and for those who are allowed to read them. */
import type { OperationOutcome } from "#act/connectors";
import type { Caller } from "#platform/access";
import type { ContinuationDeps } from "./continuation.ts";
import { openOrErased } from "./sealing.ts";
import type * as store from "./store.ts";

/** An action without what went in and came out. */
export type ActionSummary = Omit<store.StoredAction, "input" | "output" | "executor">;

export interface ActionView extends ActionSummary {
  readonly input: unknown;
  readonly output: unknown;
  /** There is an output, and the caller may not read it. */
  readonly outputWithheld: boolean;
}

/** What If-Match names: it changes whenever the action moves. */
export const etagOf = (a: Pick<ActionSummary, "state" | "attempt">): string => `${a.state}-${a.attempt}`;

/** Whether the action is the caller's own: it asked for it, or it was asked for in its name or by its agent. */
export async function isPartyTo(
  deps: Pick<ContinuationDeps, "whoIs">,
  a: Pick<ActionSummary, "tenantId" | "principalId" | "userId" | "submitterId">,
  caller: Caller,
): Promise<boolean> {
  if ([a.principalId, a.userId, a.submitterId].includes(caller.principalId)) return true;
  return (await deps.whoIs(a.tenantId, a.principalId)).ownerId === caller.principalId;
}

async function mayReadOutput(
  deps: ContinuationDeps,
  a: store.StoredAction,
  caller: Caller,
): Promise<boolean> {
  if (caller.permissions.has("actions:outputs")) return true;
  if (await isPartyTo(deps, a, caller)) return true;
  return (await deps.catalogue.outputsOf(a.tenantId, a.tool)) === "readers";
}

/** Null for the caller: everything, for the server's own use. */
export async function toView(
  deps: ContinuationDeps,
  a: store.StoredAction,
  caller: Caller | null,
): Promise<ActionView> {
  const { executor: _executor, ...rest } = a;
  const shown = a.output === null || caller === null || (await mayReadOutput(deps, a, caller));
  return {
    ...rest,
    input: await openOrErased(deps, a, "input", a.input),
    output: a.output && shown ? await openOrErased(deps, a, "output", a.output) : null,
    outputWithheld: !shown,
  };
}

/** The view of an action that this process proposed and ended, for its requester: what a look at its row would give. */
export function toFreshView(
  row: store.ActionRow,
  end: store.EndRow,
  input: unknown,
  outcome: OperationOutcome,
): ActionView {
  return {
    tenantId: row.tenant_id,
    id: row.id,
    state: end.state,
    connection: row.connection,
    operation: row.operation,
    tool: row.tool,
    verb: row.verb,
    target: row.target,
    environment: row.environment,
    digest: row.digest,
    facts: JSON.parse(row.facts),
    input,
    output: outcome.status === "completed" ? outcome.output : null,
    outputWithheld: false,
    error: outcome.status === "completed" ? null : outcome.error,
    http: end.http,
    principalId: row.principal_id,
    userId: row.user_id,
    submitterId: row.submitter_id,
    declared: row.declared === null ? null : JSON.parse(row.declared),
    runId: row.run_id,
    step: row.step,
    effectKey: row.effect_key,
    idempotent: row.idempotent,
    timeoutMs: row.timeout_ms,
    attempt: 1,
    approvalId: row.approval_id,
    decision: JSON.parse(row.decision),
    receiptId: end.receipt_id,
    createdAt: new Date(row.at),
    startedAt: new Date(row.at),
    endedAt: new Date(end.at),
  };
}
