import { createPublicKey } from "node:crypto";
import { formatVkey, fromBase64Url, noteKey, type TrustDocument, type TrustItem } from "@oars/receipts";
import type { Database } from "#platform/db";
import { formatId, sha256 } from "#platform/kernel";
import type { PublicJwk } from "./domain.ts";
import { listKeys, type StoredKey } from "./key-store.ts";

const jwkOf = (key: StoredKey) =>
  ({ kty: "OKP", crv: "Ed25519", x: key.publicX, kid: key.kid, alg: "Ed25519", use: "sig" }) as const;

const timeOf = (at: Date | null): string | null => at?.toISOString() ?? null;

const toItem = (key: StoredKey, use: TrustItem["use"]): TrustItem => ({
  keyId: key.kid,
  tenantId: formatId("tenant", key.tenantId),
  use,
  status: key.status,
  createdAt: key.createdAt.toISOString(),
  rotatedAt: timeOf(key.rotatedAt),
  retiredAt: timeOf(key.retiredAt),
  revokedAt: timeOf(key.revokedAt),
  reason: key.reason,
  maxTreeSize: key.maxTreeSize,
  publicKeyPem: createPublicKey({ key: { ...jwkOf(key) }, format: "jwk" })
    .export({ format: "pem", type: "spki" })
    .toString(),
  jwk: { ...jwkOf(key) },
  ...(use === "log" ? { vkey: formatVkey(noteKey(key.name, fromBase64Url(key.publicX), sha256)) } : {}),
});

/**
 * What strangers need to check the tenant's receipts: every key it ever had, never a private one. A tenant that has
 * none yet gives an empty list under the names that its keys would have, as does one that does not exist.
 */
export function toTrustDocument(
  tenantId: string,
  keys: readonly StoredKey[],
  names: { readonly issuer: string; readonly origin: string },
): TrustDocument {
  const nameOf = (use: TrustItem["use"]): string | undefined => keys.find((key) => key.use === use)?.name;
  return {
    tenantId: formatId("tenant", tenantId),
    origin: nameOf("log") ?? names.origin,
    issuer: nameOf("receipt") ?? names.issuer,
    items: keys.flatMap((key) => (key.use === "witness" ? [] : [toItem(key, key.use)])),
  };
}

/** The trust document of a tenant that has keys. Throws for one that has none: its names are not fixed yet. */
export async function readTrustDocument(db: Database, tenantId: string): Promise<TrustDocument> {
  const keys = await db.read(tenantId, (tx) => listKeys(tx, tenantId));
  const [receipt, log] = (["receipt", "log"] as const).map(
    (use) => keys.find((key) => key.use === use)?.name,
  );
  if (log === undefined) throw new Error("the tenant has no log key");
  return toTrustDocument(tenantId, keys, { issuer: receipt ?? log, origin: log });
}

const seconds = (at: Date): number => Math.floor(at.getTime() / 1000);

/** RFC 7517 key set of the keys that sign receipts. Keys that ended stay, with when and why. */
export const toJwks = (keys: readonly StoredKey[]): { keys: PublicJwk[] } => ({
  keys: keys
    .filter((key) => key.use === "receipt")
    .map((key) => ({
      ...jwkOf(key),
      nbf: seconds(key.createdAt),
      status: key.status,
      ...(key.retiredAt ? { retired_at: seconds(key.retiredAt) } : {}),
      ...(key.revokedAt ? { revoked_at: seconds(key.revokedAt) } : {}),
      ...(key.reason === null ? {} : { reason: key.reason }),
      ...(key.maxTreeSize === null ? {} : { max_tree_size: key.maxTreeSize }),
    })),
});
