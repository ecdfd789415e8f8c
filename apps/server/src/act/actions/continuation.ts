/**
 * What happens to an action after its proposal: an approval resolves, a process dies in mid-call, a failed
 * attempt is repeated. Each is one commit with its receipts; executions run detached and are awaited at stop.
 */
import { type Approval, tally } from "#act/approvals";
import type { Caller } from "#platform/access";
import { type CommitResult, isOutage, WriteSet } from "#platform/db";
import type { Outbox } from "#platform/jobs";
import { isOarsError } from "#platform/kernel";
import type { ActionState } from "./domain.ts";
import { decisionOf, type Executable, type ExecutionDeps, perform, settle } from "./execution.ts";
import { decideFor, type Proposal, type Resolved, resolveProposal } from "./proposal.ts";
import { addDecision, addEnd, addOutcome, recordedAction, recordedOf } from "./record.ts";
import * as store from "./store.ts";
import { tellDenial, tellOutcome } from "./tell.ts";

export interface ContinuationDeps extends ExecutionDeps {
  readonly outbox: Pick<Outbox, "emit">;
  /** The principal that proposed the action, with the roles it holds now. Throws PRINCIPAL_DISABLED. */
  readonly callerFor: (tenantId: string, principalId: string) => Promise<Caller>;
  /** The same for receipts: also when it may not act any more. */
  readonly whoIs: (tenantId: string, principalId: string) => Promise<Caller>;
  readonly onError: (error: unknown, what: string) => void;
  readonly inFlight: Set<Promise<void>>;
  /** Breaks off what runs detached, for this process stops. */
  readonly stopping: AbortSignal;
}

interface Reopened {
  readonly proposal: Proposal;
  readonly resolved: Resolved;
}

/** The proposal as it stands now: connection and principal are read again, the input is what was recorded. */
async function reopen(deps: ContinuationDeps, a: store.StoredAction): Promise<Reopened> {
  const caller = await deps.callerFor(a.tenantId, a.principalId);
  const proposal: Proposal = {
    caller,
    connection: a.connection,
    operation: a.operation,
    input: (await openJson(deps, a, "input", a.input)) as Record<string, unknown>, // sealed from an operation's input
    reservation: null,
    effectKey: a.effectKey,
    origin: a.runId ? { runId: a.runId, step: a.step ?? "" } : null,
    timeoutMs: a.timeoutMs,
  };
  return { proposal, resolved: await resolveProposal(deps, proposal) };
}

export async function openJson(
  deps: Pick<ExecutionDeps, "vault">,
  a: Pick<store.StoredAction, "tenantId" | "id">,
  part: "input" | "output",
  sealed: Uint8Array,
): Promise<unknown> {
  return JSON.parse(
    Buffer.from(await deps.vault.open(a.tenantId, `action.${part}:${a.id}`, sealed)).toString("utf8"),
  );
}

/** Handler of `approval.resolved`. Repeatable: an action that has moved on is left alone. */
export async function afterApproval(
  deps: ContinuationDeps,
  tenantId: string,
  actionId: string,
  approvalId: string,
): Promise<void> {
  const action = await deps.db.read(tenantId, (db) => store.findAction(db, tenantId, actionId));
  const approval = await deps.approvals.load(tenantId, approvalId);
  if (action?.state !== "pending_approval" || !approval) return;
  if (approval.state === "approved") return startApproved(deps, action, approval);
  const state = approval.state === "rejected" ? "rejected" : "expired";
  await endUnrun(deps, action, state, `APPROVAL_${state.toUpperCase()}`, `The approval was ${state}.`);
}

/** [X4] The policy is asked again with the real votes; the digest is taken again from what would be sent. */
async function startApproved(
  deps: ContinuationDeps,
  action: store.StoredAction,
  approval: Approval,
): Promise<void> {
  const reopened = await tryReopen(deps, action);
  if ("refusal" in reopened) {
    const { state, code, message } = reopened.refusal;
    return endUnrun(deps, action, state, code, message);
  }
  const { proposal, resolved } = reopened;
  if (resolved.digest !== approval.actionDigest) {
    return endUnrun(deps, action, "cancelled", "ACTION_CHANGED", changed);
  }
  const decision = await decideFor(
    deps.policy,
    proposal,
    resolved,
    tally(approval),
    deps.clock.now(),
    action.id,
  );
  if (decision.effect !== "allow") {
    return endUnrun(deps, action, "denied", "ACTION_DENIED", decision.message);
  }
  const set = new WriteSet().add(store.startAction, {
    tenant_id: action.tenantId,
    id: action.id,
    from_state: "pending_approval",
    attempt: action.attempt,
    next_attempt: action.attempt,
    executor: deps.workerId,
    decision: JSON.stringify(decisionOf(decision)),
  });
  await deps.approvals.consume(set, approval, action.tenantId);
  const recorded = recordedOf(proposal, resolved, action.id, action.attempt);
  await addDecision(deps.receipts, set, recorded, decision);
  deps.fault("actions.before-consume");
  if (!(await deps.db.committer.commit(set)).ok) return notStarted(deps, action, approval);
  deps.fault("actions.after-consume");
  runDetached(deps, { recorded, resolved, effectKey: action.effectKey, timeoutMs: action.timeoutMs });
}

const changed = "The connection or the requester changed since the approval; propose the action again.";

/** Another process was first, or the approval ran out between the vote and its use: then the action ends with it. [A4] */
async function notStarted(
  deps: ContinuationDeps,
  action: store.StoredAction,
  approval: Approval,
): Promise<void> {
  const { tenantId, id } = action;
  const now = await deps.db.read(tenantId, (db) => store.findAction(db, tenantId, id));
  if (now?.state !== "pending_approval") return;
  if (await deps.approvals.expire(tenantId, approval.id)) return; // tells of itself
  throw new Error(`approved action ${id} could not be started`); // the event comes again
}

interface Refusal {
  readonly state: "denied" | "cancelled";
  readonly code: string;
  readonly message: string;
}

/** What is asked for cannot be asked for any more: a refusal, where anything else that fails is tried again. */
async function tryReopen(
  deps: ContinuationDeps,
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

/** Performs and settles in the background, then tells who waits. */
export function runDetached(deps: ContinuationDeps, action: Executable): void {
  const { tenantId, actionId, runId } = action.recorded;
  const work = (async () => {
    const done = await perform(deps, action, deps.stopping);
    const { outcome } = done;
    if (deps.stopping.aborted && outcome.status === "failed" && outcome.error.code === "NET_ABORTED") return; // the death hook hands it on
    const set = new WriteSet();
    await settle(deps, action, done, set);
    await record(deps, set, { tenantId, actionId, runId });
  })()
    .catch((error) => deps.onError(error, "action execution"))
    .finally(() => deps.inFlight.delete(work));
  deps.inFlight.add(work);
}

export interface Ended {
  readonly tenantId: string;
  readonly actionId: string;
  readonly runId: string | null;
}

const recordTries = 8;

/**
 * Makes an outcome durable and tells the run that waits for it. What happened has happened: while the database is
 * out of reach it is tried again for some seconds; after that the sweep finds the action.
 */
export async function record(deps: ContinuationDeps, outcome: WriteSet, ended: Ended): Promise<CommitResult> {
  announce(deps, outcome, ended);
  for (let tries = 1; ; tries++) {
    try {
      const committed = await deps.db.committer.commit(outcome);
      deps.fault("actions.after-record");
      return committed;
    } catch (error) {
      if (!isOutage(error) || tries === recordTries) throw error;
      await new Promise((done) => setTimeout(done, 25 * 2 ** tries));
    }
  }
}

function announce(deps: ContinuationDeps, set: WriteSet, { tenantId, actionId, runId }: Ended): void {
  if (runId) deps.outbox.emit(set, { tenantId, topic: "action.ended", payload: { actionId, runId } });
}

async function endUnrun(
  deps: ContinuationDeps,
  action: store.StoredAction,
  state: ActionState,
  code: string,
  message: string,
): Promise<void> {
  const caller = await deps.whoIs(action.tenantId, action.principalId);
  const set = new WriteSet().add(store.endAction, {
    tenant_id: action.tenantId,
    id: action.id,
    from_state: action.state,
    executor: action.executor,
    state,
    output: null,
    error: JSON.stringify({ code, message }),
    http: null,
    at: deps.clock.now().getTime(),
  });
  await addEnd(
    deps.receipts,
    set,
    recordedAction(action, caller),
    state === "cancelled" ? "cancelled" : "not_executed",
    code,
  );
  if (state === "denied") tellDenial(deps.events, set, recordedAction(action, caller), code, message);
  announce(deps, set, { tenantId: action.tenantId, actionId: action.id, runId: action.runId });
  await deps.db.committer.commit(set);
}

/**
 * Handler of `action.left`: the process that executed it died. [X3] Only what was decided is sent again: when the
 * connection or the requester is another one by now, a person decides.
 */
export async function afterDeath(
  deps: ContinuationDeps,
  tenantId: string,
  actionId: string,
  dead: string,
): Promise<void> {
  const action = await deps.db.read(tenantId, (db) => store.findAction(db, tenantId, actionId));
  if (action?.state !== "executing" || action.executor !== dead) return;
  const caller = await deps.whoIs(tenantId, action.principalId);
  if (!action.idempotent) return markInDoubt(deps, action, caller);
  const reopened = await tryReopen(deps, action);
  if ("refusal" in reopened || reopened.resolved.digest !== action.digest) {
    return markInDoubt(deps, action, caller);
  }
  const { resolved } = reopened;
  deps.fault("actions.before-adopt");
  const adopted = await deps.db.committer.commit(
    new WriteSet().add(store.adoptAction, {
      tenant_id: tenantId,
      id: actionId,
      dead,
      executor: deps.workerId,
    }),
  );
  if (!adopted.ok) return;
  deps.fault("actions.after-adopt");
  const recorded = { ...recordedAction(action, caller), attempt: action.attempt + 1 };
  runDetached(deps, { recorded, resolved, effectKey: action.effectKey, timeoutMs: action.timeoutMs });
}

async function markInDoubt(
  deps: ContinuationDeps,
  action: store.StoredAction,
  caller: Caller,
): Promise<void> {
  const error = {
    code: "ACTION_IN_DOUBT",
    message:
      "The server stopped while this was being sent; whether it arrived is not known. Check the other system, then resolve the action.",
    retry: "terminal" as const,
  };
  const set = new WriteSet().add(store.endAction, {
    tenant_id: action.tenantId,
    id: action.id,
    from_state: "executing",
    executor: action.executor,
    state: "in_doubt",
    output: null,
    error: JSON.stringify(error),
    http: null,
    at: deps.clock.now().getTime(),
  });
  const unknown = { status: "unknown", error } as const;
  await addOutcome(deps.receipts, set, recordedAction(action, caller), unknown, null);
  tellOutcome(deps.events, set, recordedAction(action, caller), unknown, null);
  await deps.db.committer.commit(set);
  deps.fault("actions.after-doubt");
}

/** Begins the next attempt of an action that failed or whose outcome a person settled as "send again". */
export async function restart(
  deps: ContinuationDeps,
  action: store.StoredAction,
  commit?: (set: WriteSet) => Promise<CommitResult>,
): Promise<
  { kind: "execute"; action: Executable } | { kind: "refused"; message: string } | { kind: "lost" }
> {
  const { proposal, resolved } = await reopen(deps, action);
  const approval = action.approvalId
    ? await deps.approvals.load(action.tenantId, action.approvalId)
    : undefined;
  const counted =
    approval && approval.actionDigest === resolved.digest ? tally(approval) : { count: 0, roles: [] };
  const decision = await decideFor(deps.policy, proposal, resolved, counted, deps.clock.now(), action.id);
  const attempt = action.attempt + 1;
  const recorded = { ...recordedOf(proposal, resolved, action.id, attempt) };
  if (decision.effect !== "allow") return { kind: "refused", message: decision.message };
  const set = new WriteSet().add(store.startAction, {
    tenant_id: action.tenantId,
    id: action.id,
    from_state: action.state,
    attempt: action.attempt,
    next_attempt: attempt,
    executor: deps.workerId,
    decision: JSON.stringify(decisionOf(decision)),
  });
  await addDecision(deps.receipts, set, recorded, decision);
  if (!(await (commit ? commit(set) : deps.db.committer.commit(set))).ok) return { kind: "lost" };
  deps.fault("actions.after-resend");
  return {
    kind: "execute",
    action: { recorded, resolved, effectKey: action.effectKey, timeoutMs: action.timeoutMs },
  };
}
