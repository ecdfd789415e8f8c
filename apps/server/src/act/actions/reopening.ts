/** An action as it would be proposed now: what approvals, takeovers and releases compare with what was decided. */
import type { Caller } from "#platform/access";
import { isOarsError } from "#platform/kernel";
import type { Vault } from "#platform/vault";
import { type Proposal, type Registers, type Resolved, resolveProposal } from "./proposal.ts";
import type * as store from "./store.ts";

export interface ReopenDeps extends Registers {
  readonly vault: Vault;
  /** The principal that proposed the action, with the roles it holds now. Throws PRINCIPAL_DISABLED. */
  readonly callerFor: (tenantId: string, principalId: string) => Promise<Caller>;
}

export interface Reopened {
  readonly proposal: Proposal;
  readonly resolved: Resolved;
}

/** The proposal as it stands now: connection and principal are read again, the input is what was recorded. */
export async function reopen(deps: ReopenDeps, a: store.StoredAction): Promise<Reopened> {
  const caller = await deps.callerFor(a.tenantId, a.principalId);
  for (const other of [a.submitterId, a.userId]) {
    if (other !== null) await deps.callerFor(a.tenantId, other); // who may not act any more has nothing done either
  }
  const proposal: Proposal = {
    caller,
    connection: a.connection,
    operation: a.operation,
    input: (await openJson(deps, a, "input", a.input)) as Record<string, unknown>, // sealed from an operation's input
    behalf: { userId: a.userId, submitterId: a.submitterId },
    declared: a.declared ?? undefined,
    released: a.decision.released === true,
    reservation: null,
    effectKey: a.effectKey,
    origin: a.runId ? { runId: a.runId, step: a.step ?? "" } : null,
    timeoutMs: a.timeoutMs,
  };
  return { proposal, resolved: await resolveProposal(deps, proposal) };
}

export async function openJson(
  deps: Pick<ReopenDeps, "vault">,
  a: Pick<store.StoredAction, "tenantId" | "id">,
  part: "input" | "output",
  sealed: Uint8Array,
): Promise<unknown> {
  return JSON.parse(
    Buffer.from(await deps.vault.open(a.tenantId, `action.${part}:${a.id}`, sealed)).toString("utf8"),
  );
}

export const changed =
  "The connection or the requester changed since the approval; propose the action again.";

export interface Refusal {
  readonly state: "denied" | "cancelled";
  readonly code: string;
  readonly message: string;
}

/** What is asked for cannot be asked for any more: a refusal, where anything else that fails is tried again. */
export async function tryReopen(
  deps: ReopenDeps,
  action: store.StoredAction,
): Promise<Reopened | { readonly refusal: Refusal }> {
  try {
    return await reopen(deps, action);
  } catch (error) {
    if (!isOarsError(error) || error.status >= 500) throw error;
    const { code, message } = error;
    return code === "PRINCIPAL_DISABLED"
      ? { refusal: { state: "denied", code, message } }
      : { refusal: { state: "cancelled", code: "ACTION_CHANGED", message: `${changed} ${message}` } };
  }
}
