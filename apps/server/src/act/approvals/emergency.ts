/** [A9] Breaking the glass: one person runs a held action without its votes, in the open, and another one looks at it later. */
import type { GivenProof } from "#act/factors";
import { type Caller, requirePermission } from "#platform/access";
import { applyWrites, WriteSet } from "#platform/db";
import { OarsError } from "#platform/kernel";
import { type Approval, approvalTransitions, type Override, type Review, type VoteFactor } from "./domain.ts";
import {
  type ApprovalsDeps,
  addReceipt,
  isExcluded,
  principalOf,
  resolve,
  stateOf,
  toView,
} from "./parts.ts";
import * as store from "./store.ts";

/**
 * The policy is asked again all the same when the action starts: what another policy forbids stays forbidden.
 * Errors: APPROVAL_NOT_FOUND, _CLOSED, _REQUESTER, _PERSON, _BREAK_GLASS, AUTH_FORBIDDEN, STEP_UP_*.
 */
export async function breakGlass(
  deps: ApprovalsDeps,
  caller: Caller,
  id: string,
  given: { readonly reason: string; readonly proof?: GivenProof | undefined },
): Promise<Approval> {
  requirePermission(caller, "approvals:break_glass");
  const { tenantId } = caller;
  const seen = await deps.db.read(tenantId, (db) => store.findApproval(db, tenantId, id));
  assertMayBreak(caller, seen);
  let factor: VoteFactor | null = null;
  if (seen.stepUp !== null) {
    const about = { subjectId: id, digest: seen.actionDigest, decision: "break_glass" };
    factor = await deps.factors.prove(caller, about, given.proof ?? {}, seen.stepUp);
  }
  return deps.db.tx(tenantId, async (tx) => {
    const approval = await store.lockApproval(tx, tenantId, id);
    assertMayBreak(caller, approval);
    const override: Override = {
      by: caller.principalId,
      byName: caller.principalName,
      reason: given.reason,
      at: approval.now.toISOString(),
      factor,
    };
    const state = approvalTransitions[approval.state].override ?? approval.state;
    const after: Approval = { ...approval, override, state };
    const set = new WriteSet();
    await addReceipt(
      deps,
      set,
      { tenantId, approval: after, type: "breakglass.used", within: tx },
      {
        principal: principalOf(caller, factor),
        operation: { command: "approval.overridden", from: approval.state, to: state },
        disclose: { reason: given.reason },
      },
    );
    await store.writeOverride(tx, tenantId, id, override);
    await resolve(deps, tx, set, { tenantId, from: approval.state, after });
    deps.outbox.emit(set, {
      tenantId,
      topic: "breakglass.used",
      payload: { approvalId: id, actionId: approval.actionId, principalId: caller.principalId },
    });
    await applyWrites(tx, set);
    return toView({ ...approval, ...after });
  });
}

function assertMayBreak(
  caller: Caller,
  approval: store.LockedApproval | undefined,
): asserts approval is store.LockedApproval {
  if (!approval) throw new OarsError("APPROVAL_NOT_FOUND");
  const state = stateOf(approval);
  if (state !== "pending") throw new OarsError("APPROVAL_CLOSED", { state });
  if (isExcluded(caller, approval.excluded)) throw new OarsError("APPROVAL_REQUESTER");
  if (caller.principalKind !== "user") throw new OarsError("APPROVAL_PERSON");
  if (!approval.breakGlass) throw new OarsError("APPROVAL_BREAK_GLASS");
}

/** Errors: APPROVAL_NOT_FOUND, APPROVAL_REVIEW, APPROVAL_REVIEWER, APPROVAL_PERSON, AUTH_FORBIDDEN. */
export async function review(
  deps: ApprovalsDeps,
  caller: Caller,
  id: string,
  found: { readonly verdict: Review["verdict"]; readonly comment: string },
): Promise<Approval> {
  requirePermission(caller, "approvals:decide");
  const { tenantId } = caller;
  return deps.db.tx(tenantId, async (tx) => {
    const approval = await store.lockApproval(tx, tenantId, id);
    if (!approval) throw new OarsError("APPROVAL_NOT_FOUND");
    const { override } = approval;
    if (!override) throw new OarsError("APPROVAL_REVIEW", { reason: "the glass was not broken" });
    if (approval.review) throw new OarsError("APPROVAL_REVIEW", { reason: "it was reviewed already" });
    if (caller.principalKind !== "user") throw new OarsError("APPROVAL_PERSON");
    if (isExcluded(caller, [...approval.excluded, override.by])) throw new OarsError("APPROVAL_REVIEWER");
    const done: Review = {
      by: caller.principalId,
      byName: caller.principalName,
      ...found,
      at: approval.now.toISOString(),
    };
    const written = await store.writeReview(tx, tenantId, id, done);
    if (written.length !== 1) throw new OarsError("APPROVAL_REVIEW", { reason: "it was reviewed already" });
    const set = new WriteSet();
    await addReceipt(
      deps,
      set,
      { tenantId, approval, type: "breakglass.reviewed", within: tx },
      {
        principal: principalOf(caller),
        operation: { command: "override.reviewed", decision: found.verdict },
        disclose: { comment: found.comment },
      },
    );
    await applyWrites(tx, set);
    return toView({ ...approval, review: done });
  });
}
