/**
 * The sequencer: gives receipts their places in their tenant's log and signs the new head. The only file of
 * this room that works across tenants, beside heads.ts.
 *
 * L1 leaf indexes of a tenant are gapless from 0, and a receipt has one.
 * L2 leaves, tiles, checkpoint and the receipts taken from the queue commit together or not at all.
 * L3 at most one process sequences a tenant at a time (advisory lock of the transaction).
 * L4 a head is signed only over a stored tree that still has the root of the head before it; each process
 *    compares leaves and tiles as well before its first head of a tenant.
 * L5 no head is smaller than, or as large as, one that was signed before.
 * L6 a head is signed by the log's active key and those that retire, as they are when it is signed.
 */
import { type Database, sql, type Tx, WriteSet } from "#platform/db";
import {
  areLogKeys,
  deletePending,
  installationId,
  listPending,
  type Signers,
  type TenantSigners,
} from "#sign/receipts";
import { growLog, lockLog } from "./append.ts";
import { markHead } from "./heads-store.ts";
import { findDamage } from "./self-check.ts";
import { findHead } from "./store.ts";

/** Receipts per head at most: 16 full tiles. */
export const mostPerHead = 4096;

export type Sequenced =
  | { readonly state: "empty" }
  /** Another process is at it. */
  | { readonly state: "busy" }
  | { readonly state: "signed"; readonly size: number; readonly added: number; readonly more: boolean }
  | { readonly state: "refused"; readonly reason: string };

/** The log's keys are not those that this process knows. */
const keysChanged = { state: "keys changed" } as const;

export interface Sequencer {
  /** One batch of one tenant. */
  sequence(tenantId: string): Promise<Sequenced>;
  /** Tenants with receipts that wait, at most 1,000. */
  findWaiting(): Promise<string[]>;
}

export function createSequencer(deps: { readonly db: Database; readonly signers: Signers }): Sequencer {
  const checked = new Set<string>();
  return {
    sequence: async (tenantId) => {
      const attempt = async () => {
        const signers = await deps.signers.get(tenantId);
        return deps.db.system.tx((tx) => sequenceWithin(tx, signers, checked.has(tenantId)));
      };
      let result = await attempt();
      if (result.state === "keys changed") {
        deps.signers.drop(tenantId);
        result = await attempt();
      }
      if (result.state === "keys changed") return { state: "busy" };
      if (result.state === "signed") checked.add(tenantId);
      return result;
    },
    findWaiting: async () => {
      const rows = await deps.db.system.query<{ tenantId: string }>(sql`/* log.find_waiting */
        select distinct p.tenant_id as "tenantId" from receipt_pending p limit 1000`);
      return rows.map(({ tenantId }) => tenantId);
    },
  };
}

async function sequenceWithin(
  tx: Tx,
  signers: TenantSigners,
  checked: boolean,
): Promise<Sequenced | typeof keysChanged> {
  const { tenantId } = signers;
  if (!(await lockLog(tx, tenantId))) return { state: "busy" };
  const pending = await listPending(tx, tenantId, mostPerHead + 1);
  if (pending.length === 0) return { state: "empty" };
  if (!(await areLogKeys(tx, tenantId, signers.log))) return keysChanged;
  const head = await findHead(tx, tenantId);
  if (head && !checked) {
    const damage = await findDamage(tx, tenantId, head);
    if (damage) return { state: "refused", reason: damage };
  }
  const taken = pending.slice(0, mostPerHead);
  const set = new WriteSet();
  for (const { receiptId } of taken) set.add(deletePending, { tenant_id: tenantId, receipt_id: receiptId });
  if (tenantId !== installationId)
    set.add(markHead, { tenant_id: tenantId, size: (head?.size ?? 0) + taken.length });
  const leaves = taken.map(({ receiptId, leafHash }) => ({ id: receiptId, leafHash }));
  const grown = await growLog(tx, signers, head, leaves, set);
  return typeof grown === "string"
    ? { state: "refused", reason: grown }
    : { state: "signed", size: grown.size, added: taken.length, more: pending.length > mostPerHead };
}
