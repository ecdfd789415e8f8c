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
  clearDisclosuresOf,
  type HeldReceipts,
  type ReceiptClass,
  type ReceiptRetirement,
  retireBodies,
  retireDisclosures,
  retireReceipts,
} from "./retention.ts";
export { type Added, createReceipts, type Receipts, type ReceiptsDeps } from "./service.ts";
export { createSigners, type Signer, type Signers, type SignersDeps, type TenantSigners } from "./signers.ts";
export {
  deletePending,
  findReceipt,
  findReceipts,
  listPending,
  listRunReceipts,
  type Pending,
} from "./store.ts";
export type { SuppliedKey, VerifyAnswer, VerifyRequest } from "./verification.ts";
