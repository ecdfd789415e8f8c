/**
 * Rotation and revocation of signing keys. Owns: how a key ends.
 *
 * active -> retiring (a newer key signs; this one may until the overlap is over) -> retired
 * active, retiring, retired -> revoked, for good
 *
 * K3 a rotation changes keys and leaves its receipts in one transaction: of a receipt key one signed by the old and one
 *    by the new key, of a log key one signed by the receipt key, while heads carry both signatures until the overlap ends.
 * K4 a key that ended gets the size of the log as of then, once, when all that was signed in time is in the log.
 * K5 no key is ever deleted, nor comes back.
 */
import { applyWrites, type Database, type Tx, WriteSet } from "#platform/db";
import type { SecurityEvents } from "#platform/events";
import { formatId, OarsError } from "#platform/kernel";
import type { DraftPrincipal } from "./draft.ts";
import {
  beginRetirement,
  insertKeys,
  type KeyUse,
  listDueKeys,
  listKeys,
  listUnsettled,
  lockKeys,
  revokeKeyRow,
  type StoredKey,
  settleKeyRow,
} from "./key-store.ts";
import type { Receipts } from "./service.ts";
import { activeOf, type Signers } from "./signers.ts";

export interface KeyChange {
  readonly tenantId: string;
  /** Who wants it; the installation itself when absent. */
  readonly by?: DraftPrincipal & { readonly name: string };
}

export interface RotatedKey {
  readonly use: KeyUse;
  readonly current: string;
  readonly previous: string;
  /** Until then the previous key may still sign. */
  readonly retiredAt: Date;
}

export interface SigningKeys {
  /** A new active key. Errors: SIGNER_UNAVAILABLE, with nothing changed. */
  rotate(
    change: KeyChange & { readonly use: "receipt" | "log"; readonly overlapMs: number },
  ): Promise<RotatedKey>;
  /**
   * Ends a key at once, because somebody else may have it. An active one is followed by a new one. Errors:
   * SIGNING_KEY_NOT_FOUND, SIGNING_KEY_REVOKED, SIGNER_UNAVAILABLE.
   */
  revoke(change: KeyChange & { readonly kid: string; readonly reason: string }): Promise<void>;
  /** Writes where keys ended whose time is over. How many. */
  settle(): Promise<number>;
  /** Rotates keys that are older. How many. */
  rotateOlder(days: number): Promise<number>;
}

export interface SigningKeysDeps {
  readonly db: Database;
  readonly signers: Signers;
  readonly receipts: Pick<Receipts, "add">;
  /** The size of the log when all that was durable at the call is in it. */
  readonly logged: (tenantId: string) => Promise<number>;
  /** How long after its end a key may still be in use by a process that has not heard; 120,000 when absent. */
  readonly graceMs?: number;
  readonly events?: Pick<SecurityEvents, "record">;
}

export const usualOverlapMs = 24 * 3_600_000;

export function createSigningKeys(deps: SigningKeysDeps): SigningKeys {
  const { db, signers } = deps;
  const rotate: SigningKeys["rotate"] = async ({ tenantId, use, overlapMs, by }) => {
    await signers.get(tenantId); // the first keys, where there are none
    return db.tx(tenantId, async (tx) => {
      const change = await follow(deps, tx, { tenantId, use, overlapMs });
      const key = { use, previous: change.old.kid, current: change.current };
      const until = { ...key, until: change.retiredAt.toISOString() };
      const told = { tenantId, type: "key.rotated", ...(by ? { principal: by } : {}) } as const;
      const set = new WriteSet();
      if (use === "log") await deps.receipts.add(set, { ...told, key: until }, tx);
      else {
        const old = await signers.open(tx, change.old);
        const first = await deps.receipts.add(set, { ...told, key: until }, tx, old);
        const fresh = await signers.open(tx, change.stored);
        const links = { parent: formatId("receipt", first.receiptId) };
        await deps.receipts.add(set, { ...told, key: until, links }, tx, fresh);
      }
      await applyWrites(tx, set);
      await tell(deps, tx, "key.rotated", { tenantId, ...(by ? { by } : {}) }, change.current);
      tx.onCommit(() => signers.changed(tenantId));
      return { use, current: change.current, previous: change.old.kid, retiredAt: change.retiredAt };
    });
  };

  return {
    rotate,
    revoke: ({ tenantId, kid, reason, by }) =>
      db.tx(tenantId, async (tx) => {
        await lockKeys(tx, tenantId);
        const key = (await listKeys(tx, tenantId)).find((row) => row.kid === kid);
        if (!key || key.use === "witness") throw new OarsError("SIGNING_KEY_NOT_FOUND", { kid });
        if (key.status === "revoked") throw new OarsError("SIGNING_KEY_REVOKED", { kid });
        const { use } = key;
        if (key.status === "active") await follow(deps, tx, { tenantId, use, overlapMs: 0 });
        await revokeKeyRow(tx, tenantId, kid, reason);
        const rows = await listKeys(tx, tenantId);
        const [active, receiptKey] = [activeOf(rows, use), activeOf(rows, "receipt")];
        const set = new WriteSet();
        const draft = {
          tenantId,
          type: "key.revoked",
          key: { use, current: active.kid, revoked: kid, reason },
          ...(by ? { principal: by } : {}),
        } as const;
        await deps.receipts.add(set, draft, tx, await signers.open(tx, receiptKey));
        await applyWrites(tx, set);
        await tell(deps, tx, "key.revoked", { tenantId, ...(by ? { by } : {}) }, kid);
        tx.onCommit(() => signers.changed(tenantId));
      }),
    settle: async () => {
      const due = await listUnsettled(db, deps.graceMs ?? 120_000);
      for (const { tenantId, kid } of due) {
        const size = await deps.logged(tenantId);
        await db.tx(tenantId, (tx) => settleKeyRow(tx, tenantId, kid, size));
        signers.changed(tenantId);
      }
      return due.length;
    },
    rotateOlder: async (days) => {
      const due = await listDueKeys(db, days);
      for (const { tenantId, use } of due) await rotate({ tenantId, use, overlapMs: usualOverlapMs });
      return due.length;
    },
  };
}

const tell = async (
  { events }: SigningKeysDeps,
  tx: Tx,
  type: "key.rotated" | "key.revoked",
  { tenantId, by }: KeyChange,
  kid: string,
): Promise<void> =>
  events?.record(tx, {
    tenantId,
    type,
    actor: by ? { principalId: by.id, principalKind: by.kind, principalName: by.name } : null,
    target: { kind: "signing key", id: kid },
  });

interface Follower {
  readonly old: StoredKey;
  readonly stored: StoredKey;
  readonly current: string;
  readonly retiredAt: Date;
}

/** Ends the active key of a use and makes the next one active. Changes of one key wait for each other. */
async function follow(
  { signers }: SigningKeysDeps,
  tx: Tx,
  plan: { readonly tenantId: string; readonly use: "receipt" | "log"; readonly overlapMs: number },
): Promise<Follower> {
  const { tenantId, use } = plan;
  await lockKeys(tx, tenantId);
  const old = activeOf(await listKeys(tx, tenantId), use);
  const made = await signers.make(tx, tenantId, use, old.name, true);
  const [ended] = await beginRetirement(tx, tenantId, old.kid, plan.overlapMs);
  await insertKeys(tx, [made]);
  const stored = activeOf(await listKeys(tx, tenantId), use);
  if (!ended || stored.kid !== made.kid) throw new Error("the next key did not become the active one");
  return { old, stored, current: made.kid, retiredAt: ended.retiredAt };
}
