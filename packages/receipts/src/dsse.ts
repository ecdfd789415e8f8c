/** Receipts for supply-chain tools: an in-toto Statement v1 in a DSSE envelope. */
import type { ReceiptBody } from "./body.ts";
import { concatBytes, toBase64, toHex, utf8 } from "./bytes.ts";
import { canonicalJson } from "./canonical.ts";
import type { SignBytes } from "./cose.ts";
import type { Sha256 } from "./crypto.ts";
import { decodeBody } from "./jws.ts";

export const inTotoPayloadType = "application/vnd.in-toto+json";
export const receiptPredicateType = "https://oars.dev/attestation/receipt/v1";

export interface InTotoStatement {
  readonly _type: "https://in-toto.io/Statement/v1";
  readonly subject: readonly { readonly name: string; readonly digest: { readonly sha256: string } }[];
  readonly predicateType: typeof receiptPredicateType;
  readonly predicate: { readonly receipt: ReceiptBody; readonly jws: string };
}

export interface DsseEnvelope {
  readonly payloadType: typeof inTotoPayloadType;
  /** Base64 of the statement. */
  readonly payload: string;
  readonly signatures: readonly { readonly keyid: string; readonly sig: string }[];
}

/** Subjects: the receipt's JWS by its SHA-256 and, where it tells of an action, the action by its digest. */
export function toInTotoStatement(jws: string, sha256: Sha256): InTotoStatement {
  const receipt = decodeBody(jws);
  const { action } = receipt;
  return {
    _type: "https://in-toto.io/Statement/v1",
    subject: [
      { name: receipt.rid, digest: { sha256: toHex(sha256(utf8(jws))) } },
      ...(action?.digest
        ? [{ name: action.id, digest: { sha256: action.digest.slice("sha256:".length) } }]
        : []),
    ],
    predicateType: receiptPredicateType,
    predicate: { receipt, jws },
  };
}

/** The bytes that DSSE signs: its pre-authentication encoding, version 1. */
export function dssePreAuth(payloadType: string, payload: Uint8Array): Uint8Array {
  const type = utf8(payloadType);
  return concatBytes(utf8(`DSSEv1 ${type.length} `), type, utf8(` ${payload.length} `), payload);
}

/** `sign` signs with the tenant's receipt key, whose thumbprint is `kid`. */
export async function toDsse(
  jws: string,
  kid: string,
  sign: SignBytes,
  sha256: Sha256,
): Promise<DsseEnvelope> {
  const payload = utf8(canonicalJson(toInTotoStatement(jws, sha256)));
  const sig = await sign(dssePreAuth(inTotoPayloadType, payload));
  return {
    payloadType: inTotoPayloadType,
    payload: toBase64(payload),
    signatures: [{ keyid: kid, sig: toBase64(sig) }],
  };
}
