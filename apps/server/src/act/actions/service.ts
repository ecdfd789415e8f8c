import { type Approval, progressOf } from "#act/approvals";
import type { Caller } from "#platform/access";
import { requirePermission } from "#platform/access";
import { applyWrites, type CommitResult, type Tx, WriteSet } from "#platform/db";
import type { Outbox } from "#platform/jobs";
import { OarsError } from "#platform/kernel";
import type { Receipts } from "#sign/receipts";
import type { BehalfDeps } from "./behalf.ts";
import { type Cancellation, cancelAction } from "./cancel.ts";
import { afterApproval, type ContinuationDeps, type Ended, record, restart } from "./continuation.ts";
import { afterDeath } from "./death.ts";
import type { ActionState } from "./domain.ts";
import {
  type Commit,
  type Executable,
  type Performed,
  type Proposed,
  perform,
  propose,
  settle,
} from "./execution.ts";
import { type ActionFilter, type ActionList, listActions } from "./listing-store.ts";
import type { Proposal } from "./proposal.ts";
import { type Judgement, rejectAction, releaseAction } from "./quarantine.ts";
import { addEnd, recordedAction } from "./record.ts";
import { type Finding, resolveDoubt } from "./resolve.ts";
import * as store from "./store.ts";
import { type Submission, type SubmitDeps, submit } from "./submit.ts";
import { type TimelineEntry, timelineOf } from "./timeline.ts";
import { type ActionSummary, type ActionView, toView } from "./views.ts";
import { OutcomeWaits } from "./waiting.ts";

export type ActionsDeps = Omit<
  ContinuationDeps,
  "inFlight" | "stopping" | "outbox" | "receipts" | "onOutcome"
> &
  BehalfDeps & {
    readonly outbox: Pick<Outbox, "emit" | "on">;
    readonly receipts: Pick<Receipts, "add" | "list">;
    /** How many requests may wait for outcomes at once. */
    readonly maxWaiting: number;
  };

/** How far a held action has come. */
export interface ApprovalProgress {
  /** From 0. */
  readonly currentStageIndex: number;
  readonly totalStages: number;
  readonly currentStageName: string;
  /** Votes for it in the current stage, and how many it takes. */
  readonly granted: number;
  readonly needed: number;
  /** Votes need a second factor. */
  readonly stepUpRequired: boolean;
}

export interface ActionDetail extends ActionView {
  /** Oldest first. */
  readonly timeline: readonly TimelineEntry[];
  readonly approvalProgress: ApprovalProgress | null;
}

export interface Actions {
  /**
   * Proposes, and performs at once when the policy allows it. Errors: ACTION_INVALID, CONNECTION_NOT_FOUND,
   * IDEMPOTENCY_CONFLICT, AUTH_FORBIDDEN for names that the caller may not use.
   */
  submit(caller: Caller, submission: Submission): Promise<ActionView>;
  find(caller: Caller, id: string): Promise<ActionDetail>;
  /** How far the approval of a held action has come; null for one that is not held. */
  progress(action: ActionView): Promise<ApprovalProgress | null>;
  list(caller: Caller, filter: ActionFilter): Promise<readonly ActionSummary[]>;
  /** Like `list`, with where it goes on: a page may be short, or empty, and not be the last. */
  search(caller: Caller, filter: ActionFilter): Promise<ActionList>;
  /** Calls off what has not been sent. Errors: ACTION_NOT_FOUND, ACTION_STATE, PRECONDITION_FAILED. */
  cancel(caller: Caller, id: string, how: Cancellation): Promise<ActionView>;
  /** Lets a quarantined action go on, as policy says now. */
  release(caller: Caller, id: string, by: Judgement): Promise<ActionView>;
  /** Ends a quarantined action. */
  reject(caller: Caller, id: string, by: Judgement): Promise<ActionView>;
  /** Settles an action in doubt by what a person found out. Errors: ACTION_NOT_FOUND, ACTION_STATE. */
  resolve(caller: Caller, id: string, by: Finding): Promise<ActionView>;

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

export function createActions(given: ActionsDeps): Actions {
  const stopping = new AbortController();
  const waits = new OutcomeWaits(given.db, given.maxWaiting);
  const deps: SubmitDeps & Pick<ActionsDeps, "receipts"> = {
    ...given,
    waits,
    onOutcome: (actionId) => waits.told(actionId),
    inFlight: new Set(),
    stopping: stopping.signal,
  };
  given.outbox.on("approval.resolved", (e) =>
    afterApproval(deps, e.tenantId, String(e.payload.actionId), String(e.payload.approvalId)),
  );
  given.outbox.on("action.left", (e) =>
    afterDeath(deps, e.tenantId, String(e.payload.actionId), String(e.payload.workerId)),
  );
  const stored = (tenantId: string, id: string): Promise<store.StoredAction | undefined> =>
    deps.db.read(tenantId, (db) => store.findAction(db, tenantId, id));
  const progress = async (action: ActionView): Promise<ApprovalProgress | null> => {
    if (action.state !== "pending_approval" || action.approvalId === null) return null;
    const approval = await deps.approvals.load(action.tenantId, action.approvalId);
    return approval ? howFar(approval) : null;
  };
  const search = async (caller: Caller, filter: ActionFilter): Promise<ActionList> => {
    requirePermission(caller, "actions:read");
    return deps.db.read(caller.tenantId, (db) => listActions(db, caller.tenantId, filter));
  };
  return {
    submit: (caller, submission) => submit(deps, caller, submission),
    find: async (caller, id) => {
      requirePermission(caller, "actions:read");
      const found = await stored(caller.tenantId, id);
      if (!found) throw new OarsError("ACTION_NOT_FOUND");
      const page = { limit: 200, order: "oldest" } as const;
      const [view, { items }] = await Promise.all([
        toView(deps, found, caller),
        deps.receipts.list(caller.tenantId, { actionId: id }, page),
      ]);
      return { ...view, timeline: timelineOf(view, items), approvalProgress: await progress(view) };
    },
    progress,
    search,
    list: async (caller, filter) => (await search(caller, filter)).items,
    cancel: (caller, id, how) => cancelAction(deps, caller, id, how),
    release: (caller, id, by) => releaseAction(deps, caller, id, by),
    reject: (caller, id, by) => rejectAction(deps, caller, id, by),
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
      const action = await stored(tenantId, actionId);
      if (action?.state !== "failed") return { kind: "lost" };
      return restart(deps, action, commit);
    },
    load: async (tenantId, id) => {
      const found = await stored(tenantId, id);
      return found && toView(deps, found, null);
    },
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
      waits.close();
      const breakOff = setTimeout(() => stopping.abort(), graceMs);
      await Promise.all(deps.inFlight);
      clearTimeout(breakOff);
    },
  };
}

function howFar({ stages, votes, stepUp }: Approval): ApprovalProgress {
  const { open, empty } = progressOf(stages, votes);
  const [index = stages.length - 1] = open;
  const seats = (stages[index]?.places ?? []).reduce((sum, { count }) => sum + count, 0);
  return {
    currentStageIndex: index,
    totalStages: stages.length,
    currentStageName: stages[index]?.name ?? "",
    granted: seats - (empty[index] ?? 0),
    needed: seats,
    stepUpRequired: stepUp !== null,
  };
}

function emitLeft(deps: ContinuationDeps, into: WriteSet, left: store.LeftAction): void {
  const payload = { actionId: left.id, workerId: left.executor };
  deps.outbox.emit(into, { tenantId: left.tenantId, topic: "action.left", payload });
}

interface RunCancellation {
  readonly tenantId: string;
  readonly runId: string;
  readonly requester: Caller;
  readonly step: string | undefined;
}

/** [X5] Each with its receipt. */
async function cancelOf(
  deps: ContinuationDeps,
  tx: Tx,
  { tenantId, runId, requester, step }: RunCancellation,
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
