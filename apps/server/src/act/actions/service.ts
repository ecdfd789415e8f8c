import type { OperationOutcome } from "#act/connectors";
import type { Caller } from "#platform/access";
import { requirePermission } from "#platform/access";
import { applyWrites, type CommitResult, type Tx, WriteSet } from "#platform/db";
import type { Outbox } from "#platform/jobs";
import { isOarsError, newId, OarsError, sha256 } from "#platform/kernel";
import {
  afterApproval,
  afterDeath,
  type ContinuationDeps,
  type Ended,
  openJson,
  record,
  restart,
  runDetached,
} from "./continuation.ts";
import type { ActionState } from "./domain.ts";
import {
  type Commit,
  type Executable,
  type Performed,
  type Proposed,
  perform,
  propose,
  sealFor,
  settle,
} from "./execution.ts";
import type { Proposal } from "./proposal.ts";
import { addEnd, addOutcome, recordedAction } from "./record.ts";
import * as store from "./store.ts";

export type ActionsDeps = Omit<ContinuationDeps, "inFlight" | "stopping" | "outbox"> & {
  readonly outbox: Pick<Outbox, "emit" | "on">;
};

export interface Submission {
  readonly connection: string;
  readonly operation: string;
  readonly input: Record<string, unknown>;
  readonly idempotencyKey?: string | undefined;
  readonly timeoutMs?: number | undefined;
}

/** An action as its tenant's principals see it; `input` and `output` only for who may. */
export type ActionView = Omit<store.StoredAction, "input" | "output" | "executor"> & {
  readonly input: unknown;
  readonly output: unknown;
};

export interface Actions {
  /** Proposes, and performs at once when the policy allows it. Errors: ACTION_INVALID, CONNECTION_NOT_FOUND, IDEMPOTENCY_CONFLICT. */
  submit(caller: Caller, submission: Submission): Promise<ActionView>;
  find(caller: Caller, id: string): Promise<ActionView>;
  list(caller: Caller, filter: store.ActionFilter): Promise<ActionView[]>;
  /** Settles an action in doubt by what a person found out. Errors: ACTION_NOT_FOUND, ACTION_STATE. */
  resolve(
    caller: Caller,
    id: string,
    by: { outcome: "completed" | "failed" | "retry"; reason: string },
  ): Promise<ActionView>;

  /** For the engine: the parts of an action's life, so that a run's journal can share the commits. */
  propose(proposal: Proposal, commit?: Commit): Promise<Proposed>;
  perform(action: Executable, signal?: AbortSignal): Promise<Performed>;
  settle(action: Executable, done: Performed, into: WriteSet): Promise<{ readonly state: ActionState }>;
  retry(
    tenantId: string,
    actionId: string,
    commit: (set: WriteSet) => Promise<CommitResult>,
  ): ReturnType<typeof restart>;
  /** Makes an outcome durable apart from its run's journal, and tells the run's owner. */
  record(outcome: WriteSet, ended: Ended): Promise<CommitResult>;
  /** This process broke the execution off: another one, or this one at another time, sends it again. */
  handOn(tenantId: string, actionId: string): Promise<void>;
  /** The action with its output, without a permission check. */
  load(tenantId: string, id: string): Promise<ActionView | undefined>;
  /**
   * Cancels what a run that has ended still holds, in the caller's transaction. What is being sent comes to its
   * end, but is not sent again. `requester` is the run's principal. With `step`, what that step of a live run holds,
   * because an operator skipped it.
   */
  cancelOf(tx: Tx, tenantId: string, runId: string, requester: Caller, step?: string): Promise<void>;

  /** Death hook: what the dead process was executing is handed on. */
  onDeath(tx: Tx, workerId: string): Promise<void>;
  /** Hands on executions of any process that are long over their time: their outcome was lost. Returns how many. */
  sweep(limit: number): Promise<number>;
  /** Waits for detached executions, and breaks them off after that time: the death hook hands them on. */
  stop(graceMs: number): Promise<void>;
}

const defaultTimeoutMs = 30_000;

export function createActions(given: ActionsDeps): Actions {
  const stopping = new AbortController();
  const deps: ContinuationDeps = { ...given, inFlight: new Set(), stopping: stopping.signal };
  given.outbox.on("approval.resolved", (e) =>
    afterApproval(deps, e.tenantId, String(e.payload.actionId), String(e.payload.approvalId)),
  );
  given.outbox.on("action.left", (e) =>
    afterDeath(deps, e.tenantId, String(e.payload.actionId), String(e.payload.workerId)),
  );
  const load = async (tenantId: string, id: string): Promise<ActionView | undefined> => {
    const found = await deps.db.read(tenantId, (db) => store.findAction(db, tenantId, id));
    return found ? toView(deps, found) : undefined;
  };
  return {
    submit: (caller, submission) => submit(deps, caller, submission),
    find: async (caller, id) => {
      requirePermission(caller, "actions:read");
      const found = await load(caller.tenantId, id);
      if (!found) throw new OarsError("ACTION_NOT_FOUND");
      return found;
    },
    list: async (caller, filter) => {
      requirePermission(caller, "actions:read");
      const rows = await deps.db.read(caller.tenantId, (db) =>
        store.listActions(db, caller.tenantId, filter),
      );
      return Promise.all(rows.map((row) => toView(deps, row)));
    },
    resolve: (caller, id, by) => resolveDoubt(deps, caller, id, by),
    propose: (proposal, commit) => propose(deps, proposal, commit),
    perform: (action, signal) => perform(deps, action, signal),
    settle: (action, done, into) => settle(deps, action, done, into),
    record: (outcome, ended) => record(deps, outcome, ended),
    handOn: async (tenantId, actionId) => {
      const set = new WriteSet();
      emitLeft(deps, set, { tenantId, id: actionId, executor: deps.workerId });
      await deps.db.committer.commit(set);
    },
    retry: async (tenantId, actionId, commit) => {
      const action = await deps.db.read(tenantId, (db) => store.findAction(db, tenantId, actionId));
      if (action?.state !== "failed") return { kind: "lost" };
      return restart(deps, action, commit);
    },
    load,
    cancelOf: (tx, tenantId, runId, requester, step) =>
      cancelOf(deps, tx, { tenantId, runId, requester, step }),
    onDeath: async (tx, workerId) => {
      const set = new WriteSet();
      for (const left of await store.findLeft(tx, workerId)) emitLeft(deps, set, left);
      await applyWrites(tx, set);
    },
    sweep: (limit) =>
      deps.db.system.tx(async (tx) => {
        const set = new WriteSet();
        const lost = await store.findOverdue(tx, limit);
        for (const left of lost) emitLeft(deps, set, left);
        await applyWrites(tx, set);
        return lost.length;
      }),
    stop: async (graceMs) => {
      const breakOff = setTimeout(() => stopping.abort(), graceMs);
      await Promise.all(deps.inFlight);
      clearTimeout(breakOff);
    },
  };
}

function emitLeft(deps: ContinuationDeps, into: WriteSet, left: store.LeftAction): void {
  const payload = { actionId: left.id, workerId: left.executor };
  deps.outbox.emit(into, { tenantId: left.tenantId, topic: "action.left", payload });
}

interface Cancellation {
  readonly tenantId: string;
  readonly runId: string;
  readonly requester: Caller;
  readonly step: string | undefined;
}

/** [X5] Each with its receipt. */
async function cancelOf(
  deps: ContinuationDeps,
  tx: Tx,
  { tenantId, runId, requester, step }: Cancellation,
): Promise<void> {
  if (step === undefined) await store.forbidResend(tx, tenantId, runId);
  const cancelled = await store.cancelHeld(tx, tenantId, runId, step);
  if (cancelled.length === 0) return;
  const code = step === undefined ? "RUN_ENDED" : "STEP_SKIPPED";
  const set = new WriteSet();
  for (const action of cancelled) {
    await addEnd(deps.receipts, set, recordedAction(action, requester), "cancelled", code, tx);
  }
  await applyWrites(tx, set);
  await deps.approvals.cancelFor(
    tx,
    tenantId,
    cancelled.map((c) => c.id),
  );
}

async function toView(deps: ContinuationDeps, a: store.StoredAction): Promise<ActionView> {
  const { executor: _executor, ...rest } = a;
  return {
    ...rest,
    input: await openOrErased(deps, a, "input", a.input),
    output: a.output ? await openOrErased(deps, a, "output", a.output) : null,
  };
}

/** The view of an action that this process proposed and ended: what a look at its row would give. */
function toFreshView(
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
    error: outcome.status === "completed" ? null : outcome.error,
    http: end.http,
    principalId: row.principal_id,
    runId: row.run_id,
    step: row.step,
    effectKey: row.effect_key,
    idempotent: row.idempotent,
    timeoutMs: row.timeout_ms,
    attempt: 1,
    approvalId: row.approval_id,
    decision: JSON.parse(row.decision),
    createdAt: new Date(row.at),
    startedAt: new Date(row.at),
    endedAt: new Date(end.at),
  };
}

async function submit(deps: ContinuationDeps, caller: Caller, s: Submission): Promise<ActionView> {
  requirePermission(caller, "actions:write");
  const reservation = s.idempotencyKey ? sha256(`api\n${caller.principalId}\n${s.idempotencyKey}`) : null;
  const proposed = await propose(deps, {
    caller,
    connection: s.connection,
    operation: s.operation,
    input: s.input,
    reservation,
    effectKey: reservation ? reservation.toString("hex") : newId(),
    origin: null,
    timeoutMs: s.timeoutMs ?? defaultTimeoutMs,
  });
  switch (proposed.kind) {
    case "execute": {
      const done = await perform(deps, proposed.action);
      const set = new WriteSet();
      const end = await settle(deps, proposed.action, done, set);
      const { row, recorded, resolved } = proposed.action;
      const { tenantId, actionId, runId } = recorded;
      const { ok } = await record(deps, set, { tenantId, actionId, runId });
      if (!ok || !row) return mustLoad(deps, caller.tenantId, recorded.actionId);
      return toFreshView(row, end, resolved.input, done.outcome);
    }
    case "held":
    case "refused":
      return mustLoad(deps, caller.tenantId, proposed.actionId);
    case "existing":
      if (proposed.action.digest !== proposed.resolved.digest) throw new OarsError("IDEMPOTENCY_CONFLICT");
      return awaitEnd(deps, proposed.action);
    case "lost":
      throw new OarsError("SERVER_BUSY", { seconds: 1 });
  }
}

async function mustLoad(deps: ContinuationDeps, tenantId: string, id: string): Promise<ActionView> {
  const found = await deps.db.read(tenantId, (db) => store.findAction(db, tenantId, id));
  if (!found) throw new OarsError("ACTION_NOT_FOUND");
  return toView(deps, found);
}

/** A duplicate waits for the first one's outcome, up to its time limit, then answers how it stands. */
async function awaitEnd(deps: ContinuationDeps, action: store.StoredAction): Promise<ActionView> {
  const deadline = performance.now() + action.timeoutMs;
  let current = action;
  for (
    let ms = 5;
    current.state === "executing" && performance.now() < deadline;
    ms = Math.min(ms * 2, 200)
  ) {
    await new Promise((done) => setTimeout(done, ms));
    const found = await deps.db.read(action.tenantId, (db) =>
      store.findAction(db, action.tenantId, action.id),
    );
    if (found) current = found;
  }
  return toView(deps, current);
}

async function resolveDoubt(
  deps: ContinuationDeps,
  caller: Caller,
  id: string,
  by: { outcome: "completed" | "failed" | "retry"; reason: string },
): Promise<ActionView> {
  requirePermission(caller, "runs:operate");
  const action = await deps.db.read(caller.tenantId, (db) => store.findAction(db, caller.tenantId, id));
  if (!action) throw new OarsError("ACTION_NOT_FOUND");
  if (action.state !== "in_doubt")
    throw new OarsError("ACTION_STATE", { state: action.state, needed: "in_doubt" });
  if (by.outcome === "retry") {
    const started = await restart(deps, action);
    if (started.kind === "refused")
      throw new OarsError("ACTION_STATE", { state: "denied by policy", needed: "allowed" });
    if (started.kind === "lost")
      throw new OarsError("ACTION_STATE", { state: "no longer in_doubt", needed: "in_doubt" });
    runDetached(deps, started.action);
    return mustLoad(deps, caller.tenantId, id);
  }
  await settleDoubt(deps, caller, action, by.outcome, by.reason);
  return mustLoad(deps, caller.tenantId, id);
}

async function settleDoubt(
  deps: ContinuationDeps,
  caller: Caller,
  action: store.StoredAction,
  outcome: "completed" | "failed",
  reason: string,
): Promise<void> {
  const error = {
    code: "ACTION_SETTLED_FAILED",
    message: `Settled by a person as failed: ${reason}`,
    retry: "terminal" as const,
  };
  const told: OperationOutcome =
    outcome === "completed"
      ? { status: "completed", output: { settledBy: "person", reason } }
      : { status: "failed", error, retryable: false };
  const set = new WriteSet().add(store.endAction, {
    tenant_id: action.tenantId,
    id: action.id,
    from_state: "in_doubt",
    executor: action.executor,
    state: outcome,
    output:
      told.status === "completed"
        ? await sealFor(
            deps,
            await deps.whoIs(action.tenantId, action.principalId),
            `action.output:${action.id}`,
            Buffer.from(JSON.stringify(told.output)),
          )
        : null,
    error: told.status === "completed" ? null : JSON.stringify(error),
    http: null,
    at: deps.clock.now().getTime(),
  });
  await addOutcome(deps.receipts, set, { ...recordedAction(action, caller) }, told, null);
  if (action.runId) {
    deps.outbox.emit(set, {
      tenantId: action.tenantId,
      topic: "action.ended",
      payload: { actionId: action.id, runId: action.runId },
    });
  }
  if (!(await deps.db.committer.commit(set)).ok) {
    throw new OarsError("ACTION_STATE", { state: "no longer in_doubt", needed: "in_doubt" });
  }
}

/** What was erased with its person is shown as null. */
async function openOrErased(
  deps: ContinuationDeps,
  a: store.StoredAction,
  part: "input" | "output",
  sealed: Uint8Array,
): Promise<unknown> {
  if (sealed.length === 0) return null;
  try {
    return await openJson(deps, a, part, sealed);
  } catch (error) {
    if (isOarsError(error) && error.code === "SECRET_ERASED") return null;
    throw error;
  }
}
