/** Votes. Each is one transaction that holds the approval locked: of two at the same moment the second sees the first. */
import type { GivenProof } from "#act/factors";
import { type Caller, requirePermission } from "#platform/access";
import { applyWrites, type Tx, WriteSet } from "#platform/db";
import { formatId, newId, OarsError } from "#platform/kernel";
import { type Lent, rightsLentTo } from "./delegation-store.ts";
import type { Approval, Vote, VoteFactor } from "./domain.ts";
import {
  type ApprovalsDeps,
  addReceipt,
  advance,
  isExcluded,
  principalOf,
  stateOf,
  toView,
} from "./parts.ts";
import { accepts, anyone, byPrincipal, byRole } from "./seats.ts";
import { openTo, progressOf } from "./stages.ts";
import * as store from "./store.ts";

export interface Cast {
  readonly decision: "approve" | "reject";
  readonly reason: string;
  readonly proof?: GivenProof | undefined;
}

/** The right that a vote is cast by. */
interface Right {
  readonly tokens: readonly string[];
  readonly onBehalfOf: string | null;
}

/**
 * Errors: APPROVAL_NOT_FOUND, _CLOSED, _REQUESTER, _PERSON, _ROLE, _VOTED, AUTH_FORBIDDEN, STEP_UP_*. A proof is taken
 * before the vote, so a vote that then comes too late has used it up.
 */
export async function decide(deps: ApprovalsDeps, caller: Caller, id: string, cast: Cast): Promise<Approval> {
  requirePermission(caller, "approvals:read");
  const { tenantId } = caller;
  const factor = await confirmed(deps, caller, id, cast);
  return deps.db.tx(tenantId, async (tx) => {
    const approval = await store.lockApproval(tx, tenantId, id);
    if (!approval) throw new OarsError("APPROVAL_NOT_FOUND");
    const right = rightOf(caller, approval, await rightsLentTo(tx, tenantId, caller.principalId, id));
    const set = new WriteSet();
    const vote = await addVote(deps, tx, set, { caller, approval, cast, right, factor });
    const after = await advance(deps, tx, set, tenantId, { ...approval, votes: [...approval.votes, vote] });
    await applyWrites(tx, set);
    return toView({ ...approval, ...after });
  });
}

/** [A7] The second factor of the voter, when the policy asks for one. Who may not vote is told so before it is looked at. */
async function confirmed(
  deps: ApprovalsDeps,
  caller: Caller,
  id: string,
  cast: Cast,
): Promise<VoteFactor | null> {
  const { tenantId, principalId } = caller;
  const { approval, lent } = await deps.db.read(tenantId, async (db) => ({
    approval: await store.findApproval(db, tenantId, id),
    lent: await rightsLentTo(db, tenantId, principalId, id),
  }));
  if (!approval) throw new OarsError("APPROVAL_NOT_FOUND");
  rightOf(caller, approval, lent);
  if (cast.decision === "reject" || approval.stepUp === null) return null;
  const about = { subjectId: id, digest: approval.actionDigest, decision: cast.decision };
  return deps.factors.prove(caller, about, cast.proof ?? {}, approval.stepUp);
}

/** [A1] [A8] Order matters to the caller: a closed approval is told first, then why this principal may not vote. */
function rightOf(caller: Caller, approval: store.LockedApproval, lent: readonly Lent[]): Right {
  const state = stateOf(approval);
  if (state !== "pending") throw new OarsError("APPROVAL_CLOSED", { state });
  if (isExcluded(caller, approval.excluded)) throw new OarsError("APPROVAL_REQUESTER");
  const open = openTo(approval.stages, progressOf(approval.stages, approval.votes).open);
  const borrowed = lent.find(
    (l) => !approval.excluded.includes(l.fromId) && accepts(open, new Set(tokensOf(l.fromId, l.roles))),
  );
  if (!borrowed) requirePermission(caller, "approvals:decide");
  if (caller.principalKind !== "user") throw new OarsError("APPROVAL_PERSON");
  const own = tokensOf(caller.principalId, caller.roles);
  const byOwn = caller.permissions.has("approvals:decide") && accepts(open, new Set(own));
  if (!byOwn && !borrowed) throw new OarsError("APPROVAL_ROLE", { role: named(open) });
  const counted = new Set(
    approval.votes.flatMap((v) => [v.principalId, ...(v.onBehalfOf ? [v.onBehalfOf] : [])]),
  );
  if (counted.has(caller.principalId)) throw new OarsError("APPROVAL_VOTED");
  if (byOwn || !borrowed) return { tokens: own, onBehalfOf: null };
  if (counted.has(borrowed.fromId)) throw new OarsError("APPROVAL_VOTED");
  return { tokens: tokensOf(borrowed.fromId, borrowed.roles), onBehalfOf: borrowed.fromId };
}

const tokensOf = (id: string, roles: readonly string[]): string[] => [...roles.map(byRole), byPrincipal(id)];

const named = (open: readonly string[]): string =>
  open
    .map((token) => (token === anyone ? "of anybody who may decide" : token.replace(/^role:/, "")))
    .map((token) => token.replace(/^principal:(.+)$/, (_, id: string) => formatId("principal", id)))
    .join(" or ");

async function addVote(
  deps: ApprovalsDeps,
  tx: Tx,
  set: WriteSet,
  given: {
    caller: Caller;
    approval: store.LockedApproval;
    cast: Cast;
    right: Right;
    factor: VoteFactor | null;
  },
): Promise<Vote> {
  const { caller, approval, cast, right, factor } = given;
  const { tenantId, principalId, principalName, roles } = caller;
  const receipt = await addReceipt(
    deps,
    set,
    { tenantId, approval, type: "approval.vote", within: tx },
    {
      principal: principalOf(caller, factor),
      approval: { vote: cast.decision, voter: formatId("principal", principalId) },
      ...(right.onBehalfOf
        ? { operation: { command: "vote.delegated", from: formatId("principal", right.onBehalfOf) } }
        : {}),
      disclose: { reason: cast.reason },
    },
  );
  const [stage = 0] = progressOf(approval.stages, approval.votes).open;
  const vote: store.VoteRow = {
    tenantId,
    approvalId: approval.id,
    id: newId(),
    principalId,
    vote: cast.decision,
    roles,
    rights: right.tokens,
    stage,
    onBehalfOf: right.onBehalfOf,
    factor,
    reason: cast.reason,
    receiptDigest: receipt.digest,
  };
  await store.insertVote(tx, vote);
  return { ...vote, principalName, at: approval.now };
}
