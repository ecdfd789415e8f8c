import { type Caller, requirePermission } from "#platform/access";
import type { Tx, WriteSet } from "#platform/db";
import { OarsError } from "#platform/kernel";
import { comment, comments } from "./comments.ts";
import type { Delegation } from "./delegation-store.ts";
import { delegate, list as listDelegations, type NewDelegation, revoke } from "./delegations.ts";
import type { Approval, Review } from "./domain.ts";
import { breakGlass, review } from "./emergency.ts";
import { type ApprovalsDeps, addReceipt, isExcluded, stateOf, toView } from "./parts.ts";
import { type ArgumentsOf, type Detail, detail, list } from "./reading.ts";
import type { ApprovalFilter, Comment } from "./reading-store.ts";
import { type ApprovalRequest, addRequest, type Requested } from "./request.ts";
import * as store from "./store.ts";
import { cancelFor, type Escalation, escalateDue, expire, expireDue } from "./timers.ts";
import { type Cast, decide } from "./voting.ts";

/** What a vote, or breaking the glass, is confirmed for. */
export type Confirmable = "approve" | "reject" | "break_glass";

export interface Approvals {
  /**
   * Adds the approval and its receipt to the commit that holds the action; or says why people are not asked, and then
   * adds nothing. Not inside a transaction.
   */
  request(into: WriteSet, request: ApprovalRequest): Promise<Requested>;
  /** Adds the consumption to the commit that starts the execution; refused when it is not granted, expired or another action's. */
  consume(into: WriteSet, approval: Approval, tenantId: string): Promise<void>;
  /** See `decide` of voting.ts for who may, and the errors. */
  decide(caller: Caller, id: string, cast: Cast): Promise<Approval>;
  /** A question for the caller's security keys, for this decision about this very action. Errors: APPROVAL_*, FACTOR_NONE. */
  challenge(
    caller: Caller,
    id: string,
    decision: Confirmable,
  ): Promise<{ readonly id: string; readonly options: object; readonly expiresAt: Date }>;
  breakGlass: (
    caller: Caller,
    id: string,
    given: { readonly reason: string; readonly proof?: Cast["proof"] },
  ) => Promise<Approval>;
  review(
    caller: Caller,
    id: string,
    found: { readonly verdict: Review["verdict"]; readonly comment: string },
  ): Promise<Approval>;
  find(caller: Caller, id: string): Promise<Approval>;
  detail(caller: Caller, id: string): Promise<Detail>;
  list(caller: Caller, filter: ApprovalFilter): Promise<Approval[]>;
  comment(caller: Caller, id: string, body: string): Promise<Comment>;
  comments(
    caller: Caller,
    id: string,
    page: { readonly after: string | null; readonly limit: number },
  ): Promise<Comment[]>;
  delegate(caller: Caller, draft: NewDelegation): Promise<Delegation>;
  delegations(
    caller: Caller,
    page: { readonly before: string | null; readonly limit: number },
  ): Promise<Delegation[]>;
  revokeDelegation(caller: Caller, id: string): Promise<Delegation>;
  /** The approval as the executor needs it, without a permission check. */
  load(tenantId: string, id: string): Promise<Approval | undefined>;
  /** Closes what is still open for actions that will not run. */
  cancelFor(tx: Tx, tenantId: string, actionIds: readonly string[]): Promise<void>;
  /** [A4] Ends an approval whose time is up, also a granted one that was not used. False: it is not overdue, or closed. */
  expire(tenantId: string, id: string): Promise<boolean>;
  /** Expires what is overdue in any tenant; returns how many. */
  expireDue(limit: number): Promise<number>;
  /** [A6] Escalates overdue stages in any tenant. */
  escalateDue(limit: number): Promise<Escalation[]>;
  /** The same for the caller's tenant, by hand. Needs `approvals:manage`. */
  escalateNow(caller: Caller): Promise<Escalation[]>;
  /** Milliseconds until the next open approval expires or is to be escalated, or null. */
  nextTimer(): Promise<number | null>;
}

const mostAtOnce = 100;

export function createApprovals(deps: ApprovalsDeps & { readonly argumentsOf: ArgumentsOf }): Approvals {
  return {
    request: (into, request) => addRequest(deps, into, request),
    consume: async (into, approval, tenantId) => {
      const { id, actionDigest } = approval;
      into.add(store.consumeApproval, { tenant_id: tenantId, id, action_digest: actionDigest });
      const consumed: Approval = { ...approval, state: "consumed" };
      await addReceipt(deps, into, { tenantId, approval: consumed, type: "approval.consumed" });
    },
    decide: (caller, id, cast) => decide(deps, caller, id, cast),
    challenge: async (caller, id, decision) => {
      requirePermission(caller, "approvals:read");
      const { tenantId } = caller;
      const found = await deps.db.read(tenantId, (db) => store.findApproval(db, tenantId, id));
      if (!found) throw new OarsError("APPROVAL_NOT_FOUND");
      const state = stateOf(found);
      if (state !== "pending") throw new OarsError("APPROVAL_CLOSED", { state });
      if (isExcluded(caller, found.excluded)) throw new OarsError("APPROVAL_REQUESTER");
      return deps.factors.challenge(caller, { subjectId: id, digest: found.actionDigest, decision });
    },
    breakGlass: (caller, id, given) => breakGlass(deps, caller, id, given),
    review: (caller, id, found) => review(deps, caller, id, found),
    find: async (caller, id) => {
      requirePermission(caller, "approvals:read");
      const found = await deps.db.read(caller.tenantId, (db) => store.findApproval(db, caller.tenantId, id));
      if (!found) throw new OarsError("APPROVAL_NOT_FOUND");
      return toView(found);
    },
    detail: (caller, id) => detail(deps, deps.argumentsOf, caller, id),
    list: (caller, filter) => list(deps, caller, filter),
    comment: (caller, id, body) => comment(deps, caller, id, body),
    comments: (caller, id, page) => comments(deps, caller, id, page),
    delegate: (caller, draft) => delegate(deps, caller, draft),
    delegations: (caller, page) => listDelegations(deps, caller, page),
    revokeDelegation: (caller, id) => revoke(deps, caller, id),
    load: (tenantId, id) => deps.db.read(tenantId, (db) => store.findApproval(db, tenantId, id)),
    cancelFor: (tx, tenantId, actionIds) => cancelFor(deps, tx, tenantId, actionIds),
    expire: (tenantId, id) => expire(deps, tenantId, id),
    expireDue: (limit) => expireDue(deps, limit),
    escalateDue: (limit) => escalateDue(deps, limit),
    escalateNow: async (caller) => {
      requirePermission(caller, "approvals:manage");
      return escalateDue(deps, mostAtOnce, caller.tenantId);
    },
    nextTimer: () => store.nextTimer(deps.db),
  };
}
