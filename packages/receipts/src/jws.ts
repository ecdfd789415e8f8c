/**
 * JWS compact serialization (RFC 7515) with Ed25519 (RFC 8037, RFC 9864). The payload is attached, so a
 * verifier never has to reproduce canonical bytes to check the signature. Keys inside the header (`jwk`,
 * `jku`, `x5u`, `x5c`) are never used.
 */
import type { ReceiptBody } from "./body.ts";
import { fromBase64Url, fromUtf8, toBase64Url, toHex, utf8 } from "./bytes.ts";
import { canonicalJson } from "./canonical.ts";
import type { Sha256 } from "./crypto.ts";
import { parseJson } from "./disclosure.ts";
import { FormatError } from "./format-error.ts";

export const receiptTyp = "agent-receipt+sd-jwt";

export interface CompactJws {
  readonly header: {
    readonly alg: string;
    readonly kid: string;
    readonly typ: string;
    readonly crit: boolean;
  };
  /** The bytes that are signed: ASCII of `<header>.<payload>`. */
  readonly signingInput: Uint8Array;
  /** Still encoded: decode them only to report, after the signature is known. */
  readonly payload: string;
  readonly signature: string;
}

/** Splits a JWS and reads its header; hostile input. Throws FormatError when there is no header to go by. */
export function parseJws(text: string): CompactJws {
  const parts = text.split(".");
  const [head = "", payload = "", signature = ""] = parts;
  if (parts.length !== 3 || head === "") throw new FormatError("not a compact JWS: it has not three parts");
  const header = parseJson(fromUtf8(fromBase64Url(head)), "JWS header");
  if (typeof header !== "object" || header === null) throw new FormatError("JWS header is not an object");
  const { alg, kid, typ } = header as Record<string, unknown>; // an object, by the check above
  if (typeof alg !== "string" || typeof kid !== "string" || typeof typ !== "string")
    throw new FormatError("JWS header lacks alg, kid or typ");
  return {
    header: { alg, kid, typ, crit: "crit" in header },
    signingInput: utf8(`${head}.${payload}`),
    payload,
    signature,
  };
}

/** The encoded protected header of a receipt. */
export const receiptHeader = (kid: string): string =>
  toBase64Url(utf8(canonicalJson({ alg: "Ed25519", kid, typ: receiptTyp })));

/** Why a header cannot belong to a receipt, or undefined. `EdDSA` is the older name of the same algorithm. */
export function headerProblem(header: CompactJws["header"]): string | undefined {
  if (header.alg !== "Ed25519" && header.alg !== "EdDSA") return `algorithm ${header.alg} is not accepted`;
  if (header.typ !== receiptTyp) return `typ ${header.typ} is not ${receiptTyp}`;
  if (header.crit) return "the header asks for extensions (crit) that are not known";
  return undefined;
}

/** RFC 7638 thumbprint of an Ed25519 public key (RFC 8037): the key id. `x` is the raw key in base64url. */
export const thumbprint = (x: string, sha256: Sha256): string =>
  toBase64Url(sha256(utf8(`{"crv":"Ed25519","kty":"OKP","x":"${x}"}`)));

/** The body of a receipt that this program signed or has verified. Throws FormatError when it is none. */
export function decodeBody(jws: string): ReceiptBody {
  const body = parseJson(fromUtf8(fromBase64Url(parseJws(jws).payload)), "the payload");
  if (typeof body !== "object" || body === null) throw new FormatError("the payload is not an object");
  return body as ReceiptBody; // the schema was checked where it was signed or verified
}

/** `sha256:<hex>` of the compact JWS: how receipts name each other. */
export const receiptDigest = (jws: string, sha256: Sha256): string => `sha256:${toHex(sha256(utf8(jws)))}`;
