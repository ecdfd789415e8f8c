/**
 * Hands back what the database says this process holds and it does not, now and when it was last looked at: the
 * answer to a claim or to a start was lost on its way.
 */
import { type Database, WriteSet } from "#platform/db";
import type { RunsInHand } from "./in-hand.ts";
import { findLeased } from "./store.ts";
import { releaseRun } from "./writes.ts";

/** Each call returns how many it handed back. */
export function createSweep(
  db: Database,
  workerId: string,
  inHand: Pick<RunsInHand, "has">,
): () => Promise<number> {
  let before: ReadonlySet<string> = new Set();
  return async () => {
    const stray = (await findLeased(db, workerId)).filter((r) => !inHand.has(r.id));
    const twice = stray.filter((r) => before.has(`${r.id} ${r.epoch}`));
    before = new Set(stray.map((r) => `${r.id} ${r.epoch}`));
    for (const { tenantId, id, epoch } of twice) {
      const key = { tenant_id: tenantId, id, epoch, delay_ms: 0 };
      await db.committer.commit(new WriteSet().add(releaseRun, key));
    }
    return twice.length;
  };
}
