/**
 * The sequencer: gives receipts their places in their tenant's log and signs the new head. The only file of
 * this room that works across tenants.
 *
 * L1 leaf indexes of a tenant are gapless from 0, and a receipt has one.
 * L2 leaves, tiles, checkpoint and the receipts taken from the queue commit together or not at all.
 * L3 at most one process sequences a tenant at a time (advisory lock of the transaction).
 * L4 a head is signed only over a stored tree that still has the root of the head before it; each process
 *    compares leaves and tiles as well before its first head of a tenant.
 * L6 a head is signed by the log's active key and those that retire, as they are when it is signed.
 * L5 no head is smaller than, or as large as, one that was signed before.
 */
import { appendLeaves, edgeTiles, rootHash, tileKey } from "@oars/receipts";
import { signCheckpointWith } from "@oars/receipts/node";
import { applyWrites, type Database, sql, type Tx, WriteSet } from "#platform/db";
import { sha256 } from "#platform/kernel";
import {
  areLogKeys,
  deletePending,
  listPending,
  type Pending,
  type Signers,
  type TenantSigners,
} from "#sign/receipts";
import { findDamage, rootProblem } from "./self-check.ts";
import { findHead, type Head, insertCheckpoint, insertLeaf, putTile } from "./store.ts";
import { loadTiles, readerOf } from "./tree.ts";

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
  const [lock] = await tx.query<{ held: boolean }>(sql`/* log.lock */
    select pg_try_advisory_xact_lock(hashtextextended(${`oars/log/${tenantId}`}, 0)) as held`);
  if (!lock?.held) return { state: "busy" };
  const pending = await listPending(tx, tenantId, mostPerHead + 1);
  if (pending.length === 0) return { state: "empty" };
  if (!(await areLogKeys(tx, tenantId, signers.log))) return keysChanged;
  const head = await findHead(tx, tenantId);
  if (head && !checked) {
    const damage = await findDamage(tx, tenantId, head);
    if (damage) return { state: "refused", reason: damage };
  }
  const taken = pending.slice(0, mostPerHead);
  const grown = await grow(tx, signers, head, taken);
  return typeof grown === "string"
    ? { state: "refused", reason: grown }
    : { state: "signed", size: grown.size, added: taken.length, more: pending.length > mostPerHead };
}

/** Appends, signs and stores; or says why the tree must not be signed. */
async function grow(
  tx: Tx,
  signers: TenantSigners,
  head: Head | undefined,
  taken: readonly Pending[],
): Promise<{ size: number } | string> {
  const { tenantId } = signers;
  const before = head?.size ?? 0;
  const tiles = new Map(await loadTiles(tx, tenantId, edgeTiles(before)));
  const problem = head ? rootProblem(head, tiles) : undefined;
  if (problem) return problem;

  const set = new WriteSet();
  const leaves = taken.map(({ leafHash }) => leafHash);
  for (const tile of appendLeaves(before, leaves, (id) => tiles.get(tileKey(id)), sha256)) {
    tiles.set(tileKey(tile), tile.hashes);
    set.add(putTile, { tenant_id: tenantId, level: tile.level, tile_index: tile.index, hashes: tile.hashes });
  }
  taken.forEach(({ receiptId, leafHash }, i) => {
    set.add(insertLeaf, {
      tenant_id: tenantId,
      leaf_index: before + i,
      receipt_id: receiptId,
      leaf_hash: leafHash,
    });
    set.add(deletePending, { tenant_id: tenantId, receipt_id: receiptId });
  });
  const size = before + taken.length;
  const root = rootHash(size, readerOf(tiles), sha256);
  const note = await signCheckpointWith({ origin: signers.origin, size, root }, signers.log);
  set.add(insertCheckpoint, { tenant_id: tenantId, size, root, note });
  await applyWrites(tx, set);
  return { size };
}
