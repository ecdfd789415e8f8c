export { openDisclosures, subjectOf } from "./disclosures.ts";
export type {
  ListFilter,
  ListPage,
  PublicJwk,
  ReceiptPage,
  StoredReceipt,
  TrustDocument,
  TrustKey,
} from "./domain.ts";
export type { DraftPrincipal, ReceiptDraft } from "./draft.ts";
export { countPendingOf, listEntries } from "./entries.ts";
export {
  createSigningKeys,
  type KeyChange,
  type RotatedKey,
  type SigningKeys,
  usualOverlapMs,
} from "./key-changes.ts";
export type { KeyHolder, Signer } from "./key-holders.ts";
export { softwareKeys } from "./key-holders.ts";
export { areLogKeys, type KeyUse } from "./key-store.ts";
export {
  clearDisclosuresOf,
  type HeldReceipts,
  type ReceiptClass,
  type ReceiptRetirement,
  retireBodies,
  retireDisclosures,
  retireReceipts,
} from "./retention.ts";
export { sealedDisclosures, sealedSigningKeys } from "./sealed.ts";
export { type Added, createReceipts, type Receipts, type ReceiptsDeps } from "./service.ts";
export {
  createSigners,
  installationId,
  type Signers,
  type SignersDeps,
  type TenantSigners,
} from "./signers.ts";
export {
  deletePending,
  findReceipt,
  findReceipts,
  listPending,
  listRunReceipts,
  type Pending,
} from "./store.ts";
export { createTransitKeys } from "./transit-keys.ts";
export { readTrustDocument } from "./trust.ts";
export type { SuppliedKey, VerifyAnswer, VerifyRequest } from "./verification.ts";
