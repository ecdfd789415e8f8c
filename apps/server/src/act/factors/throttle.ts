/**
 * Tries at a second factor. A try is counted in a transaction of its own before it is looked at, so that many at once
 * are no more than one after the other, in however many processes. [F3]
 */
import type { Database, Tx } from "#platform/db";
import { OarsError } from "#platform/kernel";
import { mostTries, windowMinutes } from "./domain.ts";
import * as store from "./store.ts";

interface Person {
  readonly tenantId: string;
  readonly principalId: string;
}

/** Throws STEP_UP_LOCKED. */
export async function countTry(db: Database, { tenantId, principalId }: Person): Promise<void> {
  const lockedFor = await db.tx(tenantId, async (tx) => {
    const t = await store.lockThrottle(tx, tenantId, principalId);
    if (t.lockedFor > 0) return t.lockedFor;
    const tries = t.fresh ? 0 : t.tries;
    const over = tries >= mostTries;
    await store.writeThrottle(tx, {
      tenantId,
      principalId,
      tries: over ? tries : tries + 1,
      restart: t.fresh,
      lockMinutes: over ? windowMinutes : null,
    });
    return over ? windowMinutes * 60 : 0;
  });
  if (lockedFor > 0) throw new OarsError("STEP_UP_LOCKED", { seconds: lockedFor });
}

/** Locks after the last try that a window has. True: locked now. */
export async function noteFailure(tx: Tx, { tenantId, principalId }: Person): Promise<boolean> {
  const t = await store.lockThrottle(tx, tenantId, principalId);
  const locks = t.tries >= mostTries && t.lockedFor === 0;
  if (locks)
    await store.writeThrottle(tx, {
      tenantId,
      principalId,
      tries: t.tries,
      restart: false,
      lockMinutes: windowMinutes,
    });
  return locks;
}

/** A success, or an administrator, forgets the failures before it. */
export const forgetTries = (tx: Tx, { tenantId, principalId }: Person): Promise<unknown> =>
  store.writeThrottle(tx, { tenantId, principalId, tries: 0, restart: true, lockMinutes: null });
