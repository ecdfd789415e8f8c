/**
 * Signing and reading receipts. `add` runs on the path of every action and step: with the tenant's keys in
 * memory it waits for nothing and costs about 70 us, of which Ed25519 takes 25.
 */
import {
  checkBody,
  type Disclosure,
  decodeDisclosure,
  disclosureDigest,
  formatSdJwt,
  type ReceiptReport,
  type TrustDocument,
  verifyReceipt,
} from "@oars/receipts";
import { createNodeCrypto, type SignedReceipt, signReceiptAside } from "@oars/receipts/node";
import type { Database, Tx, WriteSet } from "#platform/db";
import { type Clock, isUuid, newId, OarsError, parseId, sha256 } from "#platform/kernel";
import type { Vault } from "#platform/vault";
import { disclosuresFor, joinDisclosures, openDisclosures, purposeOfReceipt } from "./disclosures.ts";
import type { ListFilter, ListPage, PublicJwk, StoredReceipt, TrustKey } from "./domain.ts";
import { type ReceiptDraft, toBody } from "./draft.ts";
import { listKeys, type StoredKey } from "./key-store.ts";
import { createRandomTexts } from "./random.ts";
import { createSigners, type TenantSigners } from "./signers.ts";
import {
  countPending,
  findReceipt,
  insertPending,
  insertReceipt,
  listReceipts,
  type ReceiptRow,
} from "./store.ts";
import { toJwks, toTrustDocument } from "./trust.ts";

export interface Added {
  readonly receiptId: string;
  /** `sha256:<hex>` of the compact JWS: how another receipt names this one. */
  readonly digest: string;
}

export interface Receipts {
  /**
   * Signs a receipt and adds its rows to `into`; it exists once `into` is durable. Inside a transaction pass
   * it as `within`: a tenant's first receipt makes keys, and the embedded database would wait for itself.
   * Throws TypeError when the draft does not fit the receipt format: a receipt that no verifier accepts is
   * never signed.
   */
  add(into: WriteSet, draft: ReceiptDraft, within?: Tx): Promise<Added>;
  /** Throws RECEIPT_NOT_FOUND. */
  find(tenantId: string, receiptId: string): Promise<StoredReceipt>;
  list(
    tenantId: string,
    filter: ListFilter,
    page: ListPage,
  ): Promise<{ items: StoredReceipt[]; next: string | null }>;
  /** The receipt as an SD-JWT, with all of its disclosures or none. Throws RECEIPT_NOT_FOUND. */
  sdJwt(tenantId: string, receiptId: string, show: { disclose: boolean }): Promise<string>;
  /** Sensitive members in clear; empty when there are none or they were erased. Throws RECEIPT_NOT_FOUND. */
  disclosed(tenantId: string, receiptId: string): Promise<Record<string, Disclosure["value"]>>;
  keys(tenantId: string): Promise<TrustKey[]>;
  trust(tenantId: string): Promise<TrustDocument>;
  jwks(tenantId: string): Promise<{ keys: PublicJwk[] }>;
  /** Receipts of all tenants that have no place in their log yet. */
  pending(): Promise<number>;
  /** Checks a tlog-proof, SD-JWT or compact JWS, hostile input, against the tenant's keys and `more` trust. */
  verify(tenantId: string, text: string, more?: readonly TrustDocument[]): Promise<ReceiptReport>;
}

export interface ReceiptsDeps {
  readonly db: Database;
  readonly vault: Pick<Vault, "sealer" | "open">;
  /** Public URL of this server. */
  readonly origin: string;
  /** First part of log origins; the host of `origin` when absent. */
  readonly logOrigin?: string;
  readonly clock: Clock;
  /** Told when a receipt of a tenant became durable. */
  readonly onAdded?: (tenantId: string, type: ReceiptDraft["type"]) => void;
}

export function createReceipts(deps: ReceiptsDeps): Receipts {
  const signers = createSigners(deps);
  const randomText = createRandomTexts();
  const crypto = createNodeCrypto();

  const sealDisclosures = async (
    draft: ReceiptDraft,
    receiptId: string,
    texts: readonly string[],
    within?: Tx,
  ) => {
    if (texts.length === 0) return null;
    const sealer = await deps.vault.sealer(draft.tenantId, within);
    return sealer.seal(purposeOfReceipt(receiptId), joinDisclosures(texts));
  };

  const find = async (tenantId: string, receiptId: string): Promise<StoredReceipt> => {
    const [row] = isUuid(receiptId)
      ? await deps.db.read(tenantId, (db) => findReceipt(db, tenantId, receiptId))
      : [];
    if (!row) throw new OarsError("RECEIPT_NOT_FOUND");
    return row;
  };

  const keysOf = async (tenantId: string): Promise<StoredKey[]> => {
    await signers.get(tenantId);
    return deps.db.read(tenantId, (db) => listKeys(db, tenantId));
  };
  const trust = async (tenantId: string): Promise<TrustDocument> =>
    toTrustDocument(tenantId, await keysOf(tenantId));

  return {
    add: async (into, draft, within) => {
      const keys = signers.cached(draft.tenantId) ?? (await signers.get(draft.tenantId, within));
      const receiptId = draft.receiptId ?? newId();
      const at = deps.clock.now();
      const texts = disclosuresFor(draft, randomText);
      const [signed, disclosures] = await Promise.all([
        sign(keys, draft, { receiptId, nonce: randomText(), at, texts }),
        sealDisclosures(draft, receiptId, texts, within),
      ]);
      into.add(insertReceipt, {
        ...facetsOf(draft),
        id: receiptId,
        jws: signed.jws,
        disclosures,
        created_at: at,
      });
      into.add(insertPending, {
        tenant_id: draft.tenantId,
        receipt_id: receiptId,
        leaf_hash: signed.leafHash,
      });
      if (deps.onAdded) into.onCommit(() => deps.onAdded?.(draft.tenantId, draft.type));
      return { receiptId, digest: signed.digest };
    },
    find,
    pending: () => countPending(deps.db),
    list: (tenantId, filter, page) =>
      deps.db.read(tenantId, async (db) => {
        const limit = Math.min(500, Math.max(1, Math.trunc(page.limit)));
        const asked = {
          limit: limit + 1,
          cursor: page.cursor ?? null,
          order: page.order ?? "newest",
        } as const;
        const rows = await listReceipts(db, tenantId, filter, asked);
        const items = rows.slice(0, limit);
        return { items, next: rows.length > limit ? (items.at(-1)?.id ?? null) : null };
      }),
    sdJwt: async (tenantId, receiptId, show) => {
      const receipt = await find(tenantId, receiptId);
      return formatSdJwt(
        receipt.jws,
        show.disclose ? await openDisclosures(deps.vault, tenantId, receipt) : [],
      );
    },
    disclosed: async (tenantId, receiptId) => {
      const texts = await openDisclosures(deps.vault, tenantId, await find(tenantId, receiptId));
      return Object.fromEntries(texts.map(decodeDisclosure).map(({ name, value }) => [name, value]));
    },
    keys: async (tenantId) => [...(await trust(tenantId)).items],
    trust,
    jwks: async (tenantId) => toJwks(await keysOf(tenantId)),
    verify: async (tenantId, text, more = []) =>
      verifyReceipt(text, [await trust(tenantId), ...more], crypto),
  };
}

async function sign(
  keys: TenantSigners,
  draft: ReceiptDraft,
  made: { receiptId: string; nonce: string; at: Date; texts: readonly string[] },
): Promise<SignedReceipt> {
  const digests = made.texts.map((text) => disclosureDigest(text, sha256)).sort(); // the order tells nothing
  const envelope = { ...made, digests, issuer: keys.issuer, log: keys.origin };
  const body = toBody(draft, envelope);
  const { problems } = checkBody(body);
  if (problems.length > 0) {
    const list = problems.map(({ path, message }) => `${path} ${message}`).join("; ");
    throw new TypeError(`the draft of a ${draft.type} receipt does not fit: ${list}`);
  }
  return signReceiptAside(body, keys.receipt.privateKey, keys.receipt.kid);
}

const uuidOf = (kind: "run" | "action" | "principal", id: string | null | undefined): string | null =>
  !id ? null : isUuid(id) ? id : (parseId(kind, id) ?? null);

const facetsOf = (draft: ReceiptDraft): Omit<ReceiptRow, "id" | "jws" | "disclosures" | "created_at"> => ({
  tenant_id: draft.tenantId,
  type: draft.type,
  run_id: uuidOf("run", draft.runId),
  action_id: uuidOf("action", draft.action?.id),
  principal_id: uuidOf("principal", draft.principal?.id),
  tool: draft.action?.tool ?? null,
  effect: draft.decision?.mode === "shadow" ? null : (draft.decision?.effect ?? null), // a candidate has no effect
});
