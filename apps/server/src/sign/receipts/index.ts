export { openDisclosures } from "./disclosures.ts";
export type { ListFilter, ListPage, PublicJwk, StoredReceipt, TrustDocument, TrustKey } from "./domain.ts";
export type { DraftPrincipal, ReceiptDraft } from "./draft.ts";
export { countPendingOf, listEntries } from "./entries.ts";
export { type ReceiptRetirement, retireReceipts } from "./retention.ts";
export { type Added, createReceipts, type Receipts, type ReceiptsDeps } from "./service.ts";
export { createSigners, type Signer, type Signers, type SignersDeps, type TenantSigners } from "./signers.ts";
export { deletePending, findReceipt, listPending, listRunReceipts, type Pending } from "./store.ts";
