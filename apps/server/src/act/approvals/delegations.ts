/** [A8] Lending one's right to vote, for a time: by who holds it, to somebody who may get it, never further. */
import { type Caller, permissions, requirePermission } from "#platform/access";
import { applyWrites, type Tx, WriteSet } from "#platform/db";
import { formatId, newId, OarsError } from "#platform/kernel";
import type { ReceiptDraft } from "#sign/receipts";
import {
  type Delegation,
  findDelegation,
  insertDelegation,
  listDelegations,
  lockPeople,
  overlapping,
  revokeDelegation,
} from "./delegation-store.ts";
import { type ApprovalsDeps, principalOf } from "./parts.ts";
import { findApproval } from "./store.ts";

export interface NewDelegation {
  readonly toId: string;
  /** Whose right; the caller's own when left out, another's with `approvals:manage`. */
  readonly fromId?: string | undefined;
  readonly approvalId?: string | undefined;
  readonly startsAt?: Date | undefined;
  readonly endsAt: Date;
  readonly reason: string;
}

const longestMs = 30 * 86_400_000;
const voters: readonly string[] = permissions["approvals:decide"].roles;

const refuse = (reason: string): never => {
  throw new OarsError("DELEGATION_INVALID", { reason });
};

/** Errors: DELEGATION_INVALID, PRINCIPAL_NOT_FOUND, APPROVAL_NOT_FOUND, APPROVAL_REQUESTER, AUTH_FORBIDDEN. */
export async function delegate(deps: ApprovalsDeps, caller: Caller, d: NewDelegation): Promise<Delegation> {
  const { tenantId } = caller;
  const fromId = d.fromId ?? caller.principalId;
  requirePermission(caller, fromId === caller.principalId ? "approvals:decide" : "approvals:manage");
  return deps.db.tx(tenantId, async (tx) => {
    const { toId } = d;
    if (fromId === toId) refuse("they are one person");
    const people = await lockPeople(tx, tenantId, [fromId, toId]);
    const [from, to] = [people.find(({ id }) => id === fromId), people.find(({ id }) => id === toId)];
    if (!from || !to) throw new OarsError("PRINCIPAL_NOT_FOUND");
    if ([from, to].some((p) => p.kind !== "user" || p.status !== "active"))
      refuse("both must be people who are active");
    if (!from.roles.some((role) => voters.includes(role))) refuse("who lends it does not hold it");
    const [{ now } = { now: new Date() }] = await tx.query<{ now: Date }>(nowQuery);
    const startsAt = d.startsAt && d.startsAt > now ? d.startsAt : now;
    const spanMs = d.endsAt.getTime() - startsAt.getTime();
    if (!(spanMs > 0 && spanMs <= longestMs)) refuse("it must end after it begins, within 30 days");
    if ((await overlapping(tx, tenantId, { startsAt, endsAt: d.endsAt, fromId, toId })).length > 0)
      refuse("one of them lends or borrows another right at that time, and rights are not lent on");
    if (d.approvalId !== undefined) await assertMayBorrow(tx, tenantId, d.approvalId, [fromId, toId]);
    const id = newId();
    const row = {
      id,
      fromId,
      toId,
      approvalId: d.approvalId ?? null,
      startsAt,
      endsAt: d.endsAt,
      reason: d.reason,
      createdBy: caller.principalId,
    };
    await insertDelegation(tx, tenantId, row);
    await tell(deps, tx, caller, { ...row, command: "right.lent" });
    return mustFind(tx, tenantId, id);
  });
}

const nowQuery = { text: "/* approvals.now */ select now() as now", values: [] } as const;

async function assertMayBorrow(
  tx: Tx,
  tenantId: string,
  approvalId: string,
  people: readonly string[],
): Promise<void> {
  const approval = await findApproval(tx, tenantId, approvalId);
  if (!approval) throw new OarsError("APPROVAL_NOT_FOUND");
  if (people.some((id) => approval.excluded.includes(id))) throw new OarsError("APPROVAL_REQUESTER");
}

/** By who lent it, who got it, or with `approvals:manage`. Errors: DELEGATION_NOT_FOUND. */
export async function revoke(deps: ApprovalsDeps, caller: Caller, id: string): Promise<Delegation> {
  const { tenantId, principalId } = caller;
  return deps.db.tx(tenantId, async (tx) => {
    const found = await findDelegation(tx, tenantId, id);
    if (!found) throw new OarsError("DELEGATION_NOT_FOUND");
    if (found.fromId !== principalId && found.toId !== principalId)
      requirePermission(caller, "approvals:manage");
    const gone = await revokeDelegation(tx, tenantId, id);
    if (gone.length > 0) await tell(deps, tx, caller, { ...found, command: "right.withdrawn" });
    return mustFind(tx, tenantId, id);
  });
}

/** One's own, or everybody's with `approvals:manage`. */
export function list(
  deps: ApprovalsDeps,
  caller: Caller,
  page: { readonly before: string | null; readonly limit: number },
): Promise<Delegation[]> {
  requirePermission(caller, "approvals:read");
  const { tenantId, principalId } = caller;
  const of = caller.permissions.has("approvals:manage") ? null : principalId;
  return deps.db.read(tenantId, (db) => listDelegations(db, tenantId, { of, ...page }));
}

async function mustFind(tx: Tx, tenantId: string, id: string): Promise<Delegation> {
  const row = await findDelegation(tx, tenantId, id);
  if (!row) throw new Error("a delegation that was written is not there");
  return row;
}

type Told = Pick<Delegation, "id" | "fromId" | "toId" | "approvalId" | "startsAt" | "endsAt" | "reason"> & {
  readonly command: string;
};

async function tell(deps: ApprovalsDeps, tx: Tx, caller: Caller, told: Told): Promise<void> {
  const set = new WriteSet();
  const draft: ReceiptDraft = {
    tenantId: caller.tenantId,
    type: "approval.delegated",
    principal: principalOf(caller),
    operation: {
      command: told.command,
      from: formatId("principal", told.fromId),
      to: formatId("principal", told.toId),
    },
    disclose: {
      delegation: {
        id: formatId("delegation", told.id),
        approval: told.approvalId ? formatId("approval", told.approvalId) : null,
        startsAt: told.startsAt.toISOString(),
        endsAt: told.endsAt.toISOString(),
        reason: told.reason,
      },
    },
  };
  await deps.receipts.add(set, draft, tx);
  const target = { kind: "principal", id: formatId("principal", told.toId) };
  const details = {
    command: told.command,
    from: formatId("principal", told.fromId),
    endsAt: told.endsAt.toISOString(),
  };
  void deps.events.record(set, {
    tenantId: caller.tenantId,
    type: "approval.delegated",
    actor: caller,
    target,
    details,
  }); // nothing to wait for
  await applyWrites(tx, set);
}
