import { type Caller, requirePermission } from "#platform/access";
import { applyWrites, type Database, type Tx, WriteSet } from "#platform/db";
import { newId, OarsError } from "#platform/kernel";
import type { Receipts } from "#sign/receipts";
import type { Hold, HoldScope } from "./domain.ts";
import * as store from "./store.ts";

export interface HoldsDeps {
  readonly db: Database;
  readonly receipts: Pick<Receipts, "add">;
}

export interface NewHold {
  readonly scope: HoldScope;
  /** UUID of the run or action, or the subject; empty for the tenant. Need not exist (any more). */
  readonly ref: string;
  readonly reason: string;
}

/** [P2] */
export function placeHold(deps: HoldsDeps, caller: Caller, hold: NewHold): Promise<Hold> {
  requirePermission(caller, "privacy:write");
  const { tenantId, principalId } = caller;
  return deps.db.tx(tenantId, async (tx) => {
    await store.lockHolds(tx, tenantId);
    const [placed] = await store.insertHold(tx, { tenantId, id: newId(), by: principalId, ...hold });
    if (!placed) throw new Error("an insert returned no row");
    await receipt(deps, tx, caller, "hold.placed", hold);
    return placed;
  });
}

/** Errors: PRIVACY_HOLD_NOT_FOUND, PRIVACY_HOLD_RELEASED. */
export function releaseHold(deps: HoldsDeps, caller: Caller, id: string, reason: string): Promise<Hold> {
  requirePermission(caller, "privacy:write");
  const { tenantId, principalId } = caller;
  return deps.db.tx(tenantId, async (tx) => {
    await store.lockHolds(tx, tenantId);
    const [released] = await store.releaseHold(tx, tenantId, id, principalId);
    if (!released) {
      const [found] = await store.findHold(tx, tenantId, id);
      throw new OarsError(found ? "PRIVACY_HOLD_RELEASED" : "PRIVACY_HOLD_NOT_FOUND");
    }
    await receipt(deps, tx, caller, "hold.released", { ...released, reason });
    return released;
  });
}

/** Whom or what the hold is about stays out of the signed body. */
async function receipt(
  deps: HoldsDeps,
  tx: Tx,
  caller: Caller,
  type: "hold.placed" | "hold.released",
  { scope, ref, reason }: NewHold,
): Promise<void> {
  const set = new WriteSet();
  await deps.receipts.add(
    set,
    {
      tenantId: caller.tenantId,
      type,
      principal: { id: caller.principalId, kind: caller.principalKind, ownerId: caller.ownerId },
      operation: { command: `${type}.${scope}` },
      disclose: { reason },
      ...(scope === "subject" ? { about: [{ subject: ref, disclose: { subject: ref } }] } : {}),
    },
    tx,
  );
  await applyWrites(tx, set);
}
