import type { Caller } from "#platform/access";
import { requirePermission } from "#platform/access";
import { applyWrites, type Database, type Tx, WriteSet } from "#platform/db";
import type { Outbox } from "#platform/jobs";
import { formatId, newId, OarsError } from "#platform/kernel";
import type { ReceiptDraft, Receipts } from "#sign/receipts";
import {
  type Approval,
  type ApprovalState,
  approvalTransitions,
  hasRole,
  isGranted,
  type Requirement,
  type Subject,
  tally,
  type Vote,
} from "./domain.ts";
import * as store from "./store.ts";

export interface ApprovalsDeps {
  readonly db: Database;
  readonly receipts: Pick<Receipts, "add">;
  readonly outbox: Pick<Outbox, "emit">;
}

export interface ApprovalRequest {
  readonly tenantId: string;
  readonly actionId: string;
  readonly actionDigest: string;
  readonly requirements: readonly Requirement[];
  readonly requesterId: string;
  /** Principals that may not vote: the requester and who owns the requesting agent. */
  readonly excluded: readonly string[];
  readonly subject: Subject;
  readonly reason: string;
  readonly ttlMs: number;
}

export interface ApprovalFilter {
  readonly state?: ApprovalState | undefined;
  readonly before?: string | undefined;
  readonly limit: number;
}

export interface Approvals {
  /** Adds the approval and its receipt to the commit that holds the action. */
  request(into: WriteSet, request: ApprovalRequest): Promise<string>;
  /** Adds the consumption to the commit that starts the execution; refused when it is not granted, expired or another action's. */
  consume(into: WriteSet, approval: Approval, tenantId: string): Promise<void>;
  /** Errors: APPROVAL_NOT_FOUND, _CLOSED, _REQUESTER, _ROLE, _VOTED. */
  decide(
    caller: Caller,
    id: string,
    vote: { decision: "approve" | "reject"; reason: string },
  ): Promise<Approval>;
  find(caller: Caller, id: string): Promise<Approval>;
  list(caller: Caller, filter: ApprovalFilter): Promise<Approval[]>;
  /** The approval as the executor needs it, without a permission check. */
  load(tenantId: string, id: string): Promise<Approval | undefined>;
  /** Closes what is still open for actions that will not run. */
  cancelFor(tx: Tx, tenantId: string, actionIds: readonly string[]): Promise<void>;
  /** [A4] Ends an approval whose time is up, also a granted one that was not used. False: it is not overdue, or closed. */
  expire(tenantId: string, id: string): Promise<boolean>;
  /** Expires what is overdue in any tenant; returns how many. */
  expireDue(limit: number): Promise<number>;
  /** Milliseconds until the next open approval expires, or null. */
  nextExpiry(): Promise<number | null>;
}

export function createApprovals(deps: ApprovalsDeps): Approvals {
  return {
    request: (into, request) => addRequest(deps, into, request),
    consume: async (into, approval, tenantId) => {
      into.add(store.consumeApproval, {
        tenant_id: tenantId,
        id: approval.id,
        action_digest: approval.actionDigest,
      });
      await addReceipt(deps, into, tenantId, approval, "approval.consumed", "consumed");
    },
    decide: (caller, id, vote) => decide(deps, caller, id, vote),
    find: async (caller, id) => {
      requirePermission(caller, "approvals:read");
      const found = await deps.db.read(caller.tenantId, (db) => store.findApproval(db, caller.tenantId, id));
      if (!found) throw new OarsError("APPROVAL_NOT_FOUND");
      return toView(found);
    },
    list: async (caller, filter) => {
      requirePermission(caller, "approvals:read");
      const rows = await deps.db.read(caller.tenantId, (db) =>
        store.listApprovals(db, caller.tenantId, filter),
      );
      return rows.map(toView);
    },
    load: (tenantId, id) => deps.db.read(tenantId, (db) => store.findApproval(db, tenantId, id)),
    cancelFor: (tx, tenantId, actionIds) => cancelFor(deps, tx, tenantId, actionIds),
    expire: (tenantId, id) => expire(deps, tenantId, id),
    expireDue: (limit) => expireDue(deps, limit),
    nextExpiry: () => store.nextExpiry(deps.db),
  };
}

async function addRequest(deps: ApprovalsDeps, into: WriteSet, r: ApprovalRequest): Promise<string> {
  const id = newId();
  into.add(store.insertApproval, {
    tenant_id: r.tenantId,
    id,
    action_id: r.actionId,
    action_digest: r.actionDigest,
    requirements: JSON.stringify(r.requirements),
    requester_id: r.requesterId,
    excluded: JSON.stringify(r.excluded),
    subject: JSON.stringify(r.subject),
    reason: r.reason,
    ttl_ms: r.ttlMs,
  });
  await deps.receipts.add(into, {
    tenantId: r.tenantId,
    type: "approval.requested",
    runId: r.subject.runId,
    step: r.subject.step,
    action: { id: r.actionId, digest: r.actionDigest },
    approval: { request: id, state: "pending", quorum: { need: needed(r.requirements), got: 0 } },
  });
  return id;
}

const needed = (requirements: readonly Requirement[]): number =>
  requirements.reduce((sum, r) => sum + r.quorum, 0);

async function decide(
  deps: ApprovalsDeps,
  caller: Caller,
  id: string,
  cast: { decision: "approve" | "reject"; reason: string },
): Promise<Approval> {
  requirePermission(caller, "approvals:read");
  return deps.db.tx(caller.tenantId, async (tx) => {
    const approval = await store.lockApproval(tx, caller.tenantId, id);
    if (!approval) throw new OarsError("APPROVAL_NOT_FOUND");
    assertMayVote(caller, approval);
    const set = new WriteSet();
    const vote = await addVote(deps, tx, set, caller, approval, cast);
    const votes = [...approval.votes, vote];
    const event =
      cast.decision === "reject" ? "reject" : isGranted(approval.requirements, votes) ? "grant" : null;
    const next = event ? (approvalTransitions[approval.state][event] ?? approval.state) : approval.state;
    const after: Approval = { ...approval, votes, state: next };
    if (next !== approval.state) await resolve(deps, tx, set, caller.tenantId, approval.state, after);
    await applyWrites(tx, set);
    return toView({ ...approval, ...after });
  });
}

/** Who may not vote stays inside; an approval whose time is up says so, also before the timer has come by. */
function toView({ excluded: _excluded, expired, ...approval }: store.LockedApproval): Approval {
  return expired && approval.state === "pending" ? { ...approval, state: "expired" } : approval;
}

/** Neither they nor whoever acts for them: an agent of the requester is the requester's hand. */
const mayNot = (caller: Caller, excluded: readonly string[]): boolean =>
  excluded.includes(caller.principalId) || (caller.ownerId !== null && excluded.includes(caller.ownerId));

/** [A1] Order matters to the caller: a closed approval is told first, then why this principal may not vote. */
function assertMayVote(caller: Caller, approval: store.LockedApproval): void {
  const state = approval.state === "pending" && approval.expired ? "expired" : approval.state;
  if (state !== "pending") throw new OarsError("APPROVAL_CLOSED", { state });
  if (mayNot(caller, approval.excluded)) throw new OarsError("APPROVAL_REQUESTER");
  requirePermission(caller, "approvals:decide");
  if (!hasRole(caller.roles, approval.requirements)) {
    throw new OarsError("APPROVAL_ROLE", { role: approval.requirements.map((r) => r.role).join(" or ") });
  }
  if (approval.votes.some((v) => v.principalId === caller.principalId)) throw new OarsError("APPROVAL_VOTED");
}

async function addVote(
  deps: ApprovalsDeps,
  tx: Tx,
  set: WriteSet,
  caller: Caller,
  approval: Approval,
  cast: { decision: "approve" | "reject"; reason: string },
): Promise<Vote> {
  const receipt = await deps.receipts.add(
    set,
    {
      tenantId: caller.tenantId,
      type: "approval.vote",
      runId: approval.subject.runId,
      step: approval.subject.step,
      action: { id: approval.actionId, digest: approval.actionDigest },
      principal: { id: caller.principalId, kind: caller.principalKind, ownerId: caller.ownerId },
      approval: {
        request: approval.id,
        state: "pending",
        vote: cast.decision,
        voter: formatId("principal", caller.principalId),
      },
      disclose: { reason: cast.reason },
    },
    tx,
  );
  const vote: store.VoteRow = {
    tenantId: caller.tenantId,
    approvalId: approval.id,
    id: newId(),
    principalId: caller.principalId,
    vote: cast.decision,
    roles: caller.roles,
    reason: cast.reason,
    receiptDigest: receipt.digest,
  };
  await store.insertVote(tx, vote);
  return { ...vote, principalName: caller.principalName, at: new Date() };
}

/** [A2] Moves the approval, signs what became of it and tells who waits for the action. */
async function resolve(
  deps: ApprovalsDeps,
  tx: Tx,
  set: WriteSet,
  tenantId: string,
  from: ApprovalState,
  after: Approval,
): Promise<void> {
  const moved = await store.moveApproval(tx, tenantId, after.id, from, after.state);
  if (moved.length !== 1) throw new OarsError("APPROVAL_CLOSED", { state: from });
  await addReceipt(
    deps,
    set,
    tenantId,
    after,
    after.state === "expired" ? "approval.expired" : "approval.resolved",
    after.state,
    tx,
  );
  deps.outbox.emit(set, {
    tenantId,
    topic: "approval.resolved",
    payload: { approvalId: after.id, actionId: after.actionId, state: after.state },
  });
}

async function addReceipt(
  deps: ApprovalsDeps,
  set: WriteSet,
  tenantId: string,
  approval: Approval,
  type: "approval.resolved" | "approval.expired" | "approval.consumed",
  state: ApprovalState,
  within?: Tx,
): Promise<void> {
  const draft: ReceiptDraft = {
    tenantId,
    type,
    runId: approval.subject.runId,
    step: approval.subject.step,
    action: { id: approval.actionId, digest: approval.actionDigest },
    approval: {
      request: approval.id,
      state,
      quorum: { need: needed(approval.requirements), got: tally(approval).count },
      votes: approval.votes.map((v) => v.receiptDigest),
    },
  };
  await deps.receipts.add(set, draft, within);
}

async function cancelFor(
  deps: ApprovalsDeps,
  tx: Tx,
  tenantId: string,
  actionIds: readonly string[],
): Promise<void> {
  const set = new WriteSet();
  for (const open of await store.findOpenOf(tx, tenantId, actionIds)) {
    const approval = await store.findApproval(tx, tenantId, open.id);
    if (!approval) continue;
    await store.moveApproval(tx, tenantId, open.id, open.state, "cancelled");
    await addReceipt(deps, set, tenantId, approval, "approval.resolved", "cancelled", tx);
  }
  await applyWrites(tx, set);
}

async function expire(deps: ApprovalsDeps, tenantId: string, id: string): Promise<boolean> {
  return deps.db.tx(tenantId, async (tx) => {
    const approval = await store.lockApproval(tx, tenantId, id);
    if (!approval?.expired || approvalTransitions[approval.state].expire === null) return false;
    const set = new WriteSet();
    await resolve(deps, tx, set, tenantId, approval.state, { ...approval, state: "expired" });
    await applyWrites(tx, set);
    return true;
  });
}

/** [A4] Each tenant's approvals expire in one transaction with their receipts. */
async function expireDue(deps: ApprovalsDeps, limit: number): Promise<number> {
  return deps.db.system.tx(async (tx) => {
    const due = await store.findExpired(tx, limit);
    const set = new WriteSet();
    for (const { tenantId, id } of due) {
      const approval = await store.findApproval(tx, tenantId, id);
      if (approval) await resolve(deps, tx, set, tenantId, "pending", { ...approval, state: "expired" });
    }
    await applyWrites(tx, set);
    return due.length;
  });
}
