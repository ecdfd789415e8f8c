/**
 * The log of logs: one tree for the installation whose leaves are heads of the tenants' logs, so that witnesses follow
 * one origin. The second file of this room that works across tenants.
 *
 * H1 every head that is the newest of its tenant for longer than a turn is entered; an idle tenant's head is stated
 *    again each hour, so that "nothing happened" can be proven. Nothing is entered otherwise.
 * H2 entries, tiles and the checkpoint commit together, under the rules of every log (sequencer.ts, L1 to L6).
 */
import { formatHeadEntry, headLeaf, parseCheckpoint, type WitnessProof } from "@oars/receipts";
import { type Database, type Db, type Tx, WriteSet } from "#platform/db";
import { newId, sha256 } from "#platform/kernel";
import { areLogKeys, installationId, type Signers } from "#sign/receipts";
import { growLog, lockLog, type NewLeaf } from "./append.ts";
import {
  findCosignedHead,
  findHeadEntry,
  insertHeadEntry,
  listCosignatures,
  listNewestHeads,
  takeHeads,
} from "./heads-store.ts";
import { notLogged } from "./proofs.ts";
import { findDamage } from "./self-check.ts";
import type { Sequenced } from "./sequencer.ts";
import { findHead, findLeaf } from "./store.ts";
import { proveLeaves } from "./tree.ts";

const mostHeads = 1000;

export interface HeadsDeps {
  readonly db: Database;
  readonly signers: Signers;
  /** How long a head may stand before it is stated again; an hour when absent. */
  readonly heartbeatMs?: number;
}

export interface Heads {
  /** Enters what is new and what is due. */
  sequence(): Promise<Sequenced>;
  /**
   * Proof that a receipt is in its tenant's log and that log's head in the log of logs; under the newest checkpoint
   * that `quorum` witnesses cosigned, the newest of all for 0. Throws RECEIPT_NOT_LOGGED, RECEIPT_NOT_FOUND.
   */
  prove(tenantId: string, receiptId: string, quorum: number): Promise<WitnessProof>;
}

export function createHeads({ db, signers, heartbeatMs = 3_600_000 }: HeadsDeps): Heads {
  let checked = false;
  const attempt = async () => {
    const mine = await signers.get(installationId);
    return db.system.tx(async (tx) => {
      if (!(await lockLog(tx, installationId))) return { state: "busy" } as const;
      const taken = await takeHeads(tx, heartbeatMs, mostHeads);
      if (taken.length === 0) return { state: "empty" } as const;
      if (!(await areLogKeys(tx, installationId, mine.log))) throw new KeysChanged();
      const head = await findHead(tx, installationId);
      const damage = head && !checked ? await findDamage(tx, installationId, head) : undefined;
      if (damage) throw new Refused(damage);
      const { leaves, set } = await enter(tx, taken, head?.size ?? 0);
      const grown = await growLog(tx, mine, head, leaves, set);
      if (typeof grown === "string") throw new Refused(grown);
      const more = taken.length === mostHeads;
      return { state: "signed", size: grown.size, added: leaves.length, more } as const;
    });
  };
  return {
    sequence: async () => {
      for (let left = 2; ; left--) {
        try {
          const done = await attempt();
          if (done.state === "signed") checked = true;
          return done;
        } catch (error) {
          if (error instanceof Refused) return { state: "refused", reason: error.message };
          if (!(error instanceof KeysChanged)) throw error;
          if (left === 0) return { state: "busy" };
          signers.drop(installationId);
        }
      }
    },
    prove: (tenantId, receiptId, quorum) => proveHead(db, tenantId, receiptId, quorum),
  };
}

/** They end the transaction, so that what was taken is not marked as entered. */
class Refused extends Error {}
class KeysChanged extends Error {}

async function enter(
  tx: Tx,
  taken: readonly { tenantId: string; seconds: number }[],
  before: number,
): Promise<{ leaves: NewLeaf[]; set: WriteSet }> {
  const seconds = taken[0]?.seconds ?? 0;
  const heads = await listNewestHeads(
    tx,
    taken.map(({ tenantId }) => tenantId),
  );
  const set = new WriteSet();
  const leaves = heads.map(({ tenantId, note }, i) => {
    const { origin, size, root } = parseCheckpoint(note);
    const entry = formatHeadEntry({ origin, size, root, seconds });
    set.add(insertHeadEntry, { tenant_id: tenantId, leaf_index: before + i, size, entry });
    return { id: newId(), leafHash: headLeaf(entry, sha256) };
  });
  return { leaves, set };
}

/** A checkpoint with the lines of its witnesses after its own. */
export async function cosigned(db: Db, tenantId: string, size: number, note: string): Promise<string> {
  return note + (await listCosignatures(db, tenantId, size)).map(({ line }) => line).join("");
}

async function proveHead(
  db: Database,
  tenantId: string,
  receiptId: string,
  quorum: number,
): Promise<WitnessProof> {
  const above = await db.read(installationId, async (tx) => {
    const head = await (quorum > 0
      ? findCosignedHead(tx, installationId, quorum)
      : findHead(tx, installationId));
    return head && { size: head.size, checkpoint: await cosigned(tx, installationId, head.size, head.note) };
  });
  const own = await db.read(tenantId, async (tx) => {
    const leaf = await findLeaf(tx, tenantId, receiptId);
    if (!leaf || !above) throw notLogged();
    const entry = await findHeadEntry(tx, tenantId, leaf.index, above.size);
    if (!entry) throw notLogged();
    const [hashes = []] = await proveLeaves(tx, tenantId, entry.size, [leaf.index]);
    return { leaf, entry, hashes };
  });
  if (!above) throw notLogged();
  const [hashes = []] = await db.read(installationId, (tx) =>
    proveLeaves(tx, installationId, above.size, [own.entry.index]),
  );
  const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64");
  return {
    leafIndex: own.leaf.index,
    leafHash: base64(own.leaf.leafHash),
    treeSize: own.entry.size,
    hashes: own.hashes.map(base64),
    entry: own.entry.entry,
    logOfLogs: {
      leafIndex: own.entry.index,
      treeSize: above.size,
      hashes: hashes.map(base64),
      checkpoint: above.checkpoint,
    },
  };
}
