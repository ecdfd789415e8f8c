import type { Database } from "#platform/db";
import { installationId } from "#sign/receipts";
import {
  findCosignedHead,
  findHeadEntry,
  findWitnessedSize,
  listCosignatures,
  putCosignature,
} from "./heads-store.ts";
import { findHead } from "./store.ts";

/** Keeps what a witness gave for a head of the log of logs; the caller has verified it. */
export const keepCosignature = (
  db: Database,
  given: { readonly size: number; readonly witness: string; readonly line: string },
): Promise<unknown> =>
  db.tx(installationId, (tx) => putCosignature(tx, { tenantId: installationId, ...given }));

/** The largest size of the log of logs that a witness cosigned; 0 for none. */
export const witnessedSize = (db: Database, witness: string): Promise<number> =>
  findWitnessedSize(db, installationId, witness);

/** The newest head of the log of logs and how many witnesses cosigned it; undefined while it is empty. */
export const newestHead = (
  db: Database,
): Promise<{ readonly size: number; readonly cosignatures: number } | undefined> =>
  db.read(installationId, async (tx) => {
    const head = await findHead(tx, installationId);
    if (!head) return undefined;
    const { length } = await listCosignatures(tx, installationId, head.size);
    return { size: head.size, cosignatures: length };
  });

/** Whether so many witnesses cosigned a head of the log of logs that holds the tenant's log of at least this size. */
export async function isWitnessed(
  db: Database,
  tenantId: string,
  size: number,
  quorum: number,
): Promise<boolean> {
  if (size === 0) return true;
  const above = await db.read(installationId, (tx) => findCosignedHead(tx, installationId, quorum));
  if (!above) return false;
  const entry = await db.read(tenantId, (tx) => findHeadEntry(tx, tenantId, size - 1, above.size));
  return entry !== undefined;
}
