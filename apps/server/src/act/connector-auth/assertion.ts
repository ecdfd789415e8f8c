/** JWT assertions of a client (RFC 7523), signed with a key of the vault. */
import { importJWK, importPKCS8, type JWK, SignJWT } from "jose";
import { newId, OarsError } from "#platform/kernel";
import type { SigningKey } from "./oauth-schema.ts";

export interface Claims {
  readonly issuer: string;
  readonly subject?: string | undefined;
  readonly audience: string;
  readonly lifetimeSeconds: number;
  readonly more?: Readonly<Record<string, string | number | boolean>>;
}

/** A compact JWS. Throws CONNECTION_AUTH_FAILED when the secret holds no key for the algorithm. */
export async function signAssertion(spec: SigningKey, secret: string, claims: Claims): Promise<string> {
  const key = await toKey(spec, secret);
  const now = Math.floor(Date.now() / 1_000);
  const jwt = new SignJWT({ ...claims.more })
    .setProtectedHeader({
      alg: spec.algorithm,
      typ: "JWT",
      ...(spec.keyId === undefined ? {} : { kid: spec.keyId }),
    })
    .setIssuer(claims.issuer)
    .setAudience(claims.audience)
    .setJti(newId())
    .setIssuedAt(now)
    .setExpirationTime(now + claims.lifetimeSeconds);
  return (claims.subject === undefined ? jwt : jwt.setSubject(claims.subject)).sign(key);
}

async function toKey(spec: SigningKey, secret: string) {
  try {
    if (!secret.trimStart().startsWith("{")) return await importPKCS8(secret, spec.algorithm);
    return await importJWK(JSON.parse(secret) as JWK, spec.algorithm); // a wrong shape is refused by jose
  } catch (cause) {
    const reason = `secret ${spec.key} holds no private key for ${spec.algorithm}, as PKCS #8 PEM or JWK`;
    throw new OarsError("CONNECTION_AUTH_FAILED", { reason }, { cause });
  }
}
