/** What a verifier may be given: a bundle of one run, a tlog-proof, an SD-JWT or a bare compact JWS. */
import { parseJson, parseSdJwt, type SdJwt } from "./disclosure.ts";
import { FormatError } from "./format-error.ts";
import { parseTlogProof, type TlogProof, tlogProofHeader } from "./tlog-proof.ts";

export const bundleFormat = "oars-receipt-bundle@1";

/** All receipts of a run in one file, each with its proof against the same checkpoint. */
export interface ReceiptBundle {
  readonly format: typeof bundleFormat;
  readonly tenantId: string;
  readonly run: string;
  readonly exportedAt: string;
  readonly items: readonly { readonly receiptId: string; readonly proof: string }[];
}

export interface Evidence {
  readonly sdJwt: SdJwt;
  readonly proof?: TlogProof;
  /** The receipt id that a bundle claims for the item. */
  readonly receiptId?: string;
}

/** Reads one tlog-proof, SD-JWT or JWS; hostile input. Throws FormatError. */
export function parseEvidence(text: string): Evidence {
  if (!text.startsWith(tlogProofHeader)) return { sdJwt: parseSdJwt(text.trim()) };
  const proof = parseTlogProof(text);
  if (proof.extra === undefined)
    throw new FormatError("the proof does not carry its receipt (no extra line)");
  return { sdJwt: parseSdJwt(proof.extra), proof };
}

/** Texts of single pieces of evidence in a file. Throws FormatError for JSON that is not a bundle. */
export function splitEvidence(
  text: string,
): readonly { readonly text: string; readonly receiptId?: string }[] {
  if (!text.trimStart().startsWith("{")) return [{ text }];
  const value = parseJson(text, "the file");
  if (!isBundle(value)) throw new FormatError(`the JSON is not a bundle (format ${bundleFormat})`);
  return value.items.map(({ receiptId, proof }) => ({ text: proof, receiptId }));
}

export function isBundle(value: unknown): value is ReceiptBundle {
  if (typeof value !== "object" || value === null) return false;
  const { format, items } = value as { format?: unknown; items?: unknown }; // members are checked here
  return (
    format === bundleFormat &&
    Array.isArray(items) &&
    items.every((item) => typeof item?.proof === "string" && typeof item?.receiptId === "string")
  );
}
