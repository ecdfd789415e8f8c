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
import { createNodeCrypto, type SignedReceipt, signReceiptWith } from "@oars/receipts/node";
import type { Database, Tx, WriteSet } from "#platform/db";
import { type Clock, isUuid, newId, OarsError, sha256 } from "#platform/kernel";
import type { Vault } from "#platform/vault";
import { openDisclosures, piecesOf, sealPieces } from "./disclosures.ts";
import type { ListFilter, ListPage, PublicJwk, ReceiptPage, StoredReceipt, TrustKey } from "./domain.ts";
import { type ReceiptDraft, toBody } from "./draft.ts";
import { facetsOf } from "./facets.ts";
import type { Signer } from "./key-holders.ts";
import { listKeys, type StoredKey } from "./key-store.ts";
import { createRandomTexts } from "./random.ts";
import { searchReceipts } from "./search-store.ts";
import { createSigners, type Signers, type TenantSigners } from "./signers.ts";
import { countPending, findReceipt, insertPending, insertReceipt } from "./store.ts";
import { toJwks, toTrustDocument } from "./trust.ts";
import { tenantOfIssuer, type VerifyAnswer, type VerifyRequest, verifyRequest } from "./verification.ts";

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
   * never signed. `signer` signs in place of the tenant's active key.
   */
  add(into: WriteSet, draft: ReceiptDraft, within?: Tx, signer?: Signer): Promise<Added>;
  /** Throws RECEIPT_NOT_FOUND. */
  find(tenantId: string, receiptId: string): Promise<StoredReceipt>;
  /** Complete over all history, in pages; see ReceiptPage. */
  list(tenantId: string, filter: ListFilter, page: ListPage): Promise<ReceiptPage>;
  /** The receipt as an SD-JWT, with all of its disclosures or none. Throws RECEIPT_NOT_FOUND. */
  sdJwt(tenantId: string, receiptId: string, show: { disclose: boolean }): Promise<string>;
  /** Sensitive members in clear; empty when there are none or they were erased. Throws RECEIPT_NOT_FOUND. */
  disclosed(tenantId: string, receiptId: string): Promise<Record<string, Disclosure["value"]>>;
  /** Every key that the tenant ever had; none before its first receipt. */
  keys(tenantId: string): Promise<TrustKey[]>;
  trust(tenantId: string): Promise<TrustDocument>;
  jwks(tenantId: string): Promise<{ keys: PublicJwk[] }>;
  /** Receipts of all tenants that have no place in their log yet. */
  pending(): Promise<number>;
  /** Checks a tlog-proof, SD-JWT or compact JWS, hostile input, against the tenant's keys and `more` trust. */
  verify(tenantId: string, text: string, more?: readonly TrustDocument[]): Promise<ReceiptReport>;
  /** The same with keys that the caller supplies and the chain of the action. */
  verifyRequest(tenantId: string, request: VerifyRequest): Promise<VerifyAnswer>;
}

export interface ReceiptsDeps {
  readonly db: Database;
  readonly vault: Pick<Vault, "sealer" | "subjectSealer" | "open">;
  /** Public URL of this server. */
  readonly origin: string;
  /** First part of log origins; the host of `origin` when absent. */
  readonly logOrigin?: string;
  /** Shared by the rooms of a process; made of the other parts when absent. */
  readonly signers?: Signers;
  readonly clock: Clock;
  /** Told when a receipt of a tenant became durable. */
  readonly onAdded?: (tenantId: string, type: ReceiptDraft["type"]) => void;
}

export function createReceipts(deps: ReceiptsDeps): Receipts {
  const signers = deps.signers ?? createSigners(deps);
  const randomText = createRandomTexts();
  const crypto = createNodeCrypto();

  const find = async (tenantId: string, receiptId: string): Promise<StoredReceipt> => {
    const [row] = isUuid(receiptId)
      ? await deps.db.read(tenantId, (db) => findReceipt(db, tenantId, receiptId))
      : [];
    if (!row) throw new OarsError("RECEIPT_NOT_FOUND");
    return row;
  };

  const keysOf = (tenantId: string): Promise<StoredKey[]> =>
    deps.db.read(tenantId, (db) => listKeys(db, tenantId));
  const trust = async (tenantId: string): Promise<TrustDocument> =>
    toTrustDocument(tenantId, await keysOf(tenantId), signers.names(tenantId));

  return {
    add: async (into, draft, within, signer) => {
      const keys = signers.cached(draft.tenantId) ?? (await signers.get(draft.tenantId, within));
      const receiptId = draft.receiptId ?? newId();
      const at = deps.clock.now();
      const pieces = piecesOf(draft, randomText);
      const texts = pieces.flatMap((piece) => piece.texts);
      const [signed, disclosures] = await Promise.all([
        sign(keys, signer ?? keys.receipt, draft, { receiptId, nonce: randomText(), at, texts }),
        sealPieces(deps.vault, { tenantId: draft.tenantId, id: receiptId }, pieces, within),
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
    list: (tenantId, filter, { cursor = null, order = "newest", ...page }) => {
      const limit = Math.min(500, Math.max(1, Math.trunc(page.limit)));
      return deps.db.read(tenantId, (db) => searchReceipts(db, tenantId, filter, { limit, cursor, order }));
    },
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
    verifyRequest: async (tenantId, request) =>
      verifyRequest(
        request,
        await trust(tenantId),
        (issuer) => trustOfIssuer(deps.db, signers, issuer),
        crypto,
      ),
  };
}

/** Public keys of the tenant of this server with that issuer. Makes none. */
async function trustOfIssuer(
  db: Database,
  signers: Signers,
  issuer: string,
): Promise<TrustDocument | undefined> {
  const tenantId = tenantOfIssuer(issuer);
  if (tenantId === undefined) return undefined;
  const keys = await db.read(tenantId, (tx) => listKeys(tx, tenantId));
  const named = keys.some((key) => key.use === "receipt" && key.name === issuer);
  return named ? toTrustDocument(tenantId, keys, signers.names(tenantId)) : undefined;
}

async function sign(
  keys: TenantSigners,
  signer: Signer,
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
  return signReceiptWith(body, signer.sign, signer.kid);
}
