import type {
  Page,
  Receipt,
  ReceiptBundle,
  ReceiptFilter,
  ReceiptFormat,
  ReceiptReplay,
  ReceiptWithProof,
  TrustDocument,
  Verification,
  VerifyReceiptRequest,
} from "@oars/contract";
import {
  createVerifier,
  createWebCrypto,
  type ReceiptReport,
  splitEvidence,
  type TrustDocument as VerifierTrust,
} from "@oars/receipts";
import { type Listing, type ListQuery, toListing } from "./listing.ts";
import { path, withQuery } from "./path.ts";
import type { CallOptions, Transport } from "./transport.ts";

export const createReceipts = (transport: Transport) => ({
  /** Newest first, back to the first receipt. A page may be short and still have a next one. */
  list: (query: ListQuery<ReceiptFilter> = {}, options?: CallOptions): Listing<Receipt> =>
    toListing(
      (cursor): Promise<Page<Receipt>> =>
        transport.json({ method: "GET", path: withQuery("/v1/receipts", { ...query, cursor }), options }),
      query.cursor,
    ),
  /** With its place in the log; `disclose` adds the sensitive members, for who may see them. */
  get: (
    id: string,
    { disclose }: { readonly disclose?: boolean } = {},
    options?: CallOptions,
  ): Promise<ReceiptWithProof> =>
    transport.json({
      method: "GET",
      path: withQuery(path`/v1/receipts/${id}`, { disclose: disclose ? "true" : undefined }),
      options,
    }),
  /** The receipt in another format, as the bytes of a file. COSE is binary, the rest is UTF-8. */
  export: (
    id: string,
    { format, disclose }: { readonly format: ReceiptFormat; readonly disclose?: boolean },
    options?: CallOptions,
  ): Promise<Uint8Array> =>
    transport.bytes({
      method: "GET",
      path: withQuery(path`/v1/receipts/${id}`, { format, disclose: disclose ? "true" : undefined }),
      accept: "*/*",
      options,
    }),
  /** With all that its policy was asked, for `oars-verify --replay`. Needs receipts:disclose. */
  replay: (id: string, options?: CallOptions): Promise<ReceiptReplay> =>
    transport.json({
      method: "GET",
      path: withQuery(path`/v1/receipts/${id}`, { format: "replay" }),
      options,
    }),
  /** The receipt with its proof of inclusion, as `c2sp.org/tlog-proof@v1` text. Waits for the log. */
  proof: (id: string, options?: CallOptions): Promise<string> =>
    transport.text({ method: "GET", path: path`/v1/receipts/${id}/proof`, accept: "text/plain", options }),
  /** Every receipt of a run with its proof: with the trust keys, verifiable by anybody offline. */
  exportRun: (runId: string, options?: CallOptions): Promise<ReceiptBundle> =>
    transport.json({ method: "GET", path: path`/v1/runs/${runId}/receipts`, options }),
  /** Verified by the server. Whoever does not trust it verifies with `verifyOffline`. */
  verify: (request: VerifyReceiptRequest, options?: CallOptions): Promise<Verification> =>
    transport.json({ method: "POST", path: "/v1/receipts/verify", body: request, options }),
});

/**
 * Verifies without the server: a bundle, or the text of a bundle, tlog-proof, SD-JWT or compact JWS, against
 * keys that were fetched from a place the caller trusts. One report per receipt. Throws FormatError for JSON
 * that is not a bundle and for trust documents that contradict themselves.
 */
export async function verifyOffline(
  evidence: string | ReceiptBundle,
  trust: readonly TrustDocument[],
): Promise<ReceiptReport[]> {
  const items =
    typeof evidence === "string"
      ? splitEvidence(evidence)
      : evidence.items.map(({ receiptId, proof }) => ({ receiptId, text: proof }));
  const verifier = createVerifier(trust as readonly VerifierTrust[], createWebCrypto()); // it checks each member itself
  const reports: ReceiptReport[] = [];
  for (const { text, receiptId } of items) {
    reports.push(await verifier.verify(text, receiptId === undefined ? {} : { receiptId }));
  }
  return reports;
}
