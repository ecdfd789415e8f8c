/** Erasing a data subject. See domain.ts for the promises. */
import { countLiveActions, eraseActionsOf } from "#act/actions";
import { countLiveRuns, eraseRunsOf } from "#orchestrate/engine";
import type { Caller } from "#platform/access";
import { requirePermission } from "#platform/access";
import { applyWrites, type Database, type Db, type Tx, WriteSet } from "#platform/db";
import { newId, OarsError, parseId } from "#platform/kernel";
import type { Vault } from "#platform/vault";
import { clearDisclosuresOf, type Receipts } from "#sign/receipts";
import type { Erasure, Hold, PendingErasure } from "./domain.ts";
import * as store from "./store.ts";

export interface ErasureDeps {
  readonly db: Database;
  readonly vault: Pick<Vault, "eraseSubject">;
  readonly receipts: Pick<Receipts, "add">;
}

/**
 * Destroys the key of the subject and cleans up what the principals of the subject have left. Errors: PRIVACY_HELD,
 * PRIVACY_SUBJECT_BUSY while an action or run of theirs is under way. A subject of which nothing is known is erased too.
 */
export async function erase(deps: ErasureDeps, caller: Caller, subject: string): Promise<Erasure> {
  requirePermission(caller, "privacy:write");
  const { tenantId } = caller;
  const id = newId();
  const pending = await deps.db.tx(tenantId, async (tx) => {
    await store.lockHolds(tx, tenantId);
    const principalId = parseId("principal", subject);
    const principals = principalId ? await store.listActing(tx, tenantId, principalId) : [];
    await refuseHeld(tx, tenantId, subject, principals);
    const live =
      (await countLiveActions(tx, tenantId, principals)) + (await countLiveRuns(tx, tenantId, principals));
    if (live > 0) throw new OarsError("PRIVACY_SUBJECT_BUSY", { count: live });
    const keyId = (await deps.vault.eraseSubject(tx, tenantId, subject)) ?? null;
    const left: PendingErasure = { keyId, principals };
    await store.insertErasure(tx, { tenantId, id, pending: left, by: caller.principalId });
    const set = new WriteSet();
    await deps.receipts.add(
      set,
      {
        tenantId,
        type: "privacy.erased",
        principal: { id: caller.principalId, kind: caller.principalKind, ownerId: caller.ownerId },
        operation: { command: "privacy.erase" },
      },
      tx,
    );
    await applyWrites(tx, set);
    return left;
  });
  await cleanUp(deps.db, { tenantId, id, pending });
  const [erasure] = await deps.db.read(tenantId, (db) => store.findErasure(db, tenantId, id));
  if (!erasure) throw new Error("an erasure has gone");
  return erasure;
}

/** [P2] Any hold that may be about the person: its own, the tenant's, or of a run or action of theirs. */
async function refuseHeld(
  db: Db,
  tenantId: string,
  subject: string,
  principals: readonly string[],
): Promise<void> {
  const holds = await store.activeHolds(db, tenantId);
  for (const hold of holds) {
    if (await concerns(db, tenantId, hold, subject, principals)) throw new OarsError("PRIVACY_HELD");
  }
}

async function concerns(
  db: Db,
  tenantId: string,
  hold: Hold,
  subject: string,
  principals: readonly string[],
): Promise<boolean> {
  if (hold.scope === "tenant") return true;
  if (hold.scope === "subject") return hold.ref === subject;
  return store.isOf(db, tenantId, hold.scope, hold.ref, principals);
}

const batch = 500;

/** Repeatable. [P5] */
export async function cleanUp(
  db: Database,
  work: { tenantId: string; id: string; pending: PendingErasure },
): Promise<void> {
  const { tenantId, id, pending } = work;
  const { principals, keyId } = pending;
  const counts = { receipts: 0, actions: 0, runs: 0 };
  const steps = {
    receipts: (tx: Tx) => clearDisclosuresOf(tx, tenantId, { principals, keyId }, batch),
    actions: (tx: Tx) => eraseActionsOf(tx, tenantId, principals, batch),
    runs: (tx: Tx) => eraseRunsOf(tx, tenantId, principals, batch),
  } as const;
  for (const [name, step] of Object.entries(steps)) {
    for (let n = batch; principals.length > 0 && n === batch; ) {
      n = await db.tx(tenantId, step);
      counts[name as keyof typeof counts] += n; // a key of both
    }
  }
  await db.tx(tenantId, (tx) => store.completeErasure(tx, tenantId, id, counts));
}

/** Completes what a process that died has left. Answers how many. */
export async function completeInterrupted(db: Database, olderThanSeconds = 60): Promise<number> {
  const left = await store.listInterrupted(db, olderThanSeconds);
  for (const work of left) await cleanUp(db, work);
  return left.length;
}
