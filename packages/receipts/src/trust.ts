/**
 * Trust keys: what a verifier believes before it reads a receipt. A key counts only for the tenant,
 * issuer and log of the document that it came in, and only for its own use.
 */
import { equalBytes, fromBase64, fromBase64Url } from "./bytes.ts";
import type { Sha256 } from "./crypto.ts";
import { FormatError } from "./format-error.ts";
import { thumbprint } from "./jws.ts";
import { type NoteKey, noteKey, parseVkey } from "./note.ts";

/** Answer of `GET /v1/trust/tenants/:tenantId/keys`. */
export interface TrustDocument {
  readonly tenantId: string;
  /** Origin line of the tenant's log. */
  readonly origin: string;
  /** `iss` of the tenant's receipts. */
  readonly issuer: string;
  readonly items: readonly TrustItem[];
}

export interface TrustItem {
  /** RFC 7638 thumbprint; `kid` of receipts. */
  readonly keyId: string;
  readonly tenantId: string;
  readonly use: "receipt" | "log";
  /** `retiring`: a newer key signs, and this one may until `retiredAt`. */
  readonly status: "active" | "retiring" | "retired" | "revoked";
  readonly createdAt: string;
  readonly rotatedAt: string | null;
  readonly retiredAt?: string | null;
  readonly revokedAt?: string | null;
  /** Why it was revoked. */
  readonly reason?: string | null;
  /** Leaves of the log when the key had ended: nothing that it signed counts from there on. */
  readonly maxTreeSize?: number | null;
  readonly publicKeyPem: string;
  readonly jwk: {
    readonly kty: "OKP";
    readonly crv: "Ed25519";
    readonly x: string;
    readonly [name: string]: unknown;
  };
  /** Of log keys. */
  readonly vkey?: string;
}

/** How long the signatures of a key count. */
export interface KeyLife {
  readonly status: TrustItem["status"];
  readonly maxTreeSize: number | null;
}

export interface ReceiptKey extends KeyLife {
  readonly keyId: string;
  readonly publicKey: Uint8Array;
}

export type LogKey = NoteKey & KeyLife;

const hasEnded = ({ status }: KeyLife): boolean => status === "retired" || status === "revoked";

/**
 * Why a receipt signed by this key does not count, or undefined. Whoever holds a key that has ended can sign and
 * date what they like; only what the log held by then was signed in time.
 */
export function lateReceipt(key: KeyLife, leafIndex: number | undefined): string | undefined {
  if (!hasEnded(key)) return undefined;
  if (leafIndex === undefined)
    return `the key is ${key.status}; such a signature counts only with a proof of inclusion`;
  if (key.maxTreeSize === null || leafIndex < key.maxTreeSize) return undefined;
  return `the key is ${key.status}; it ended before leaf ${key.maxTreeSize}, and the receipt is leaf ${leafIndex}`;
}

/** Why a checkpoint signed by this key alone does not count, or undefined. */
export function lateCheckpoint(key: KeyLife, size: number): string | undefined {
  if (!hasEnded(key) || (key.maxTreeSize !== null && size <= key.maxTreeSize)) return undefined;
  if (key.maxTreeSize === null) return key.status === "revoked" ? "the log's key is revoked" : undefined;
  return `the log's key is ${key.status}; it ended with the tree of ${key.maxTreeSize}`;
}

/** One tenant's keys, ready for use. */
export interface TrustedTenant {
  readonly tenantId: string;
  readonly origin: string;
  readonly issuer: string;
  readonly receiptKeys: ReadonlyMap<string, ReceiptKey>;
  readonly logKeys: readonly LogKey[];
}

const spki = Uint8Array.of(0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00);

/** The 32 raw bytes of an Ed25519 public key in PEM (RFC 8410). Throws FormatError. */
export function publicKeyFromPem(pem: string): Uint8Array {
  const [, body] =
    /^-----BEGIN PUBLIC KEY-----\s+([A-Za-z0-9+/=\s]+?)\s+-----END PUBLIC KEY-----\s*$/.exec(pem) ?? [];
  const der = fromBase64((body ?? "").replaceAll(/\s/g, ""));
  if (der.length !== 44 || !equalBytes(der.subarray(0, 12), spki))
    throw new FormatError("the PEM is not an Ed25519 public key");
  return der.subarray(12);
}

function publicKeyOf(item: TrustItem, sha256: Sha256): Uint8Array {
  if (item.jwk?.kty !== "OKP" || item.jwk.crv !== "Ed25519" || typeof item.jwk.x !== "string")
    throw new FormatError(`key ${item.keyId} has no Ed25519 jwk`);
  const raw = fromBase64Url(item.jwk.x);
  if (raw.length !== 32) throw new FormatError(`key ${item.keyId} has not 32 bytes`);
  if (thumbprint(item.jwk.x, sha256) !== item.keyId)
    throw new FormatError(`key id ${item.keyId} is not the thumbprint of its jwk`);
  if (item.publicKeyPem !== undefined && !equalBytes(publicKeyFromPem(item.publicKeyPem), raw))
    throw new FormatError(`key ${item.keyId}: PEM and jwk are different keys`);
  return raw;
}

const statuses: readonly unknown[] = ["active", "retiring", "retired", "revoked"];

/** A status that is not known here counts as revoked: a verifier that does not understand does not trust. */
function lifeOf({ status, maxTreeSize = null, keyId }: TrustItem): KeyLife {
  if (maxTreeSize !== null && !(Number.isSafeInteger(maxTreeSize) && maxTreeSize >= 0))
    throw new FormatError(`key ${keyId}: maxTreeSize is not a size`);
  return { status: statuses.includes(status) ? status : "revoked", maxTreeSize };
}

/** Checks a trust document. Throws FormatError when any part of it contradicts another. */
export function readTrust(document: unknown, sha256: Sha256): TrustedTenant {
  const { tenantId, origin, issuer, items } = (document ?? {}) as Partial<TrustDocument>; // fields are checked next
  if (
    typeof tenantId !== "string" ||
    typeof origin !== "string" ||
    typeof issuer !== "string" ||
    !Array.isArray(items)
  )
    throw new FormatError("not a trust document: it needs tenantId, origin, issuer and items");
  const receiptKeys = new Map<string, ReceiptKey>();
  const logKeys: LogKey[] = [];
  for (const item of items as TrustItem[]) {
    // members are checked one by one
    if (item?.tenantId !== tenantId)
      throw new FormatError(`key ${item?.keyId ?? "without an id"} belongs to another tenant`);
    const publicKey = publicKeyOf(item, sha256);
    const life = lifeOf(item);
    if (item.use === "log") {
      const key = noteKey(origin, publicKey, sha256);
      if (item.vkey !== undefined && parseVkey(item.vkey, sha256).id !== key.id)
        throw new FormatError(`log key ${item.keyId}: the vkey is another key or another log's`);
      logKeys.push({ ...key, ...life });
    } else if (item.use === "receipt") {
      receiptKeys.set(item.keyId, { keyId: item.keyId, publicKey, ...life });
    }
  }
  return { tenantId, origin, issuer, receiptKeys, logKeys };
}

export const isTrustDocument = (value: unknown): value is TrustDocument =>
  typeof value === "object" && value !== null && "issuer" in value && "origin" in value && "items" in value;
