/**
 * Receipts for COSE and SCITT tools (RFC 9052, RFC 9942 profile RFC9162_SHA256). The statement is a COSE_Sign1
 * whose payload is the compact JWS; its unprotected header carries a COSE receipt: the log's signature over the
 * root of the same Merkle tree that the tlog-proof shows, and the path to it.
 *
 * The leaf is not taken over the statement but by the rule of the log: `0x01 || SHA-256(payload)` is the entry,
 * so the leaf hash is `SHA-256(0x00 || 0x01 || SHA-256(payload))`.
 */
import { utf8 } from "./bytes.ts";
import { CborMap, CborTag, encodeCbor } from "./cbor.ts";
import { receiptTyp } from "./jws.ts";
import type { Hash } from "./merkle.ts";

/** COSE algorithm Ed25519, fully specified (RFC 9864). */
export const coseEd25519 = -19;
const label = { alg: 1, contentType: 3, kid: 4, receipts: 394, vds: 395, vdp: 396 } as const;
/** RFC9162_SHA256 in the registry of verifiable data structures. */
const rfc9162Sha256 = 1;
const inclusionProofs = -1;
const sign1Tag = 18;

export type SignBytes = (message: Uint8Array) => Uint8Array | Promise<Uint8Array>;

const sigStructure = (protectedHeader: Uint8Array, payload: Uint8Array): Uint8Array =>
  encodeCbor(["Signature1", protectedHeader, new Uint8Array(), payload]);

export interface CoseReceiptInput {
  /** Thumbprint of the log key. */
  readonly kid: string;
  readonly index: number;
  readonly size: number;
  readonly hashes: readonly Hash[];
  /** Signed, but not part of the receipt: whoever verifies computes it from leaf and path. */
  readonly root: Hash;
}

/** A COSE receipt of inclusion with a detached root (RFC 9942 §5.2). `sign` signs with the log key. */
export async function encodeCoseReceipt(input: CoseReceiptInput, sign: SignBytes): Promise<Uint8Array> {
  const protectedHeader = encodeCbor(
    new CborMap([
      [label.alg, coseEd25519],
      [label.kid, utf8(input.kid)],
      [label.vds, rfc9162Sha256],
    ]),
  );
  const proof = encodeCbor([input.size, input.index, input.hashes]);
  const unprotectedHeader = new CborMap([[label.vdp, new CborMap([[inclusionProofs, [proof]]])]]);
  const signature = await sign(sigStructure(protectedHeader, input.root));
  return encodeCbor(new CborTag(sign1Tag, [protectedHeader, unprotectedHeader, null, signature]));
}

/** The statement with its COSE receipts. `sign` signs with the tenant's receipt key. */
export async function encodeCoseStatement(
  statement: { readonly jws: string; readonly kid: string; readonly receipts: readonly Uint8Array[] },
  sign: SignBytes,
): Promise<Uint8Array> {
  const protectedHeader = encodeCbor(
    new CborMap([
      [label.alg, coseEd25519],
      [label.contentType, `application/${receiptTyp}`],
      [label.kid, utf8(statement.kid)],
    ]),
  );
  const payload = utf8(statement.jws);
  const unprotectedHeader = new CborMap(
    statement.receipts.length > 0 ? [[label.receipts, statement.receipts]] : [],
  );
  const signature = await sign(sigStructure(protectedHeader, payload));
  return encodeCbor(new CborTag(sign1Tag, [protectedHeader, unprotectedHeader, payload, signature]));
}
