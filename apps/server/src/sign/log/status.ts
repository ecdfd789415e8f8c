import type { Db } from "#platform/db";
import { countPendingOf } from "#sign/receipts";
import { findDamage } from "./self-check.ts";
import { findHead } from "./store.ts";

export interface LogStatus {
  readonly origin: string;
  readonly treeSize: number;
  readonly root: Uint8Array | null;
  readonly checkpointAt: Date | null;
  /** Receipts that have no place in the log yet. */
  readonly pending: number;
  /** What the self-check finds now; null: nothing. */
  readonly problem: string | null;
}

export async function readStatus(db: Db, tenantId: string, origin: string): Promise<LogStatus> {
  const head = await findHead(db, tenantId);
  return {
    origin,
    treeSize: head?.size ?? 0,
    root: head?.root ?? null,
    checkpointAt: head?.at ?? null,
    pending: await countPendingOf(db, tenantId),
    problem: (head && (await findDamage(db, tenantId, head))) ?? null,
  };
}
