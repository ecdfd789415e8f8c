import { createPublicKey } from "node:crypto";
import { formatVkey, fromBase64Url, noteKey, type TrustDocument, type TrustItem } from "@oars/receipts";
import { formatId, sha256 } from "#platform/kernel";
import type { PublicJwk } from "./domain.ts";
import type { StoredKey } from "./key-store.ts";
import { activeOf } from "./signers.ts";

const jwkOf = (key: StoredKey): PublicJwk => ({
  kty: "OKP",
  crv: "Ed25519",
  x: key.publicX,
  kid: key.kid,
  alg: "Ed25519",
  use: "sig",
});

const toItem = (key: StoredKey): TrustItem => ({
  keyId: key.kid,
  tenantId: formatId("tenant", key.tenantId),
  use: key.use,
  status: key.status,
  createdAt: key.createdAt.toISOString(),
  rotatedAt: key.rotatedAt?.toISOString() ?? null,
  publicKeyPem: createPublicKey({ key: { ...jwkOf(key) }, format: "jwk" })
    .export({ format: "pem", type: "spki" })
    .toString(),
  jwk: { ...jwkOf(key) },
  ...(key.use === "log" ? { vkey: formatVkey(noteKey(key.name, fromBase64Url(key.publicX), sha256)) } : {}),
});

/** What strangers need to check the tenant's receipts: every key it ever had, never a private one. */
export const toTrustDocument = (tenantId: string, keys: readonly StoredKey[]): TrustDocument => ({
  tenantId: formatId("tenant", tenantId),
  origin: activeOf(keys, "log").name,
  issuer: activeOf(keys, "receipt").name,
  items: keys.map(toItem),
});

/** RFC 7517 key set of the keys that sign receipts. */
export const toJwks = (keys: readonly StoredKey[]): { keys: PublicJwk[] } => ({
  keys: keys.filter((key) => key.use === "receipt").map(jwkOf),
});
