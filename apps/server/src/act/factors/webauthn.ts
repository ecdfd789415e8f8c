/**
 * Web Authentication Level 3, through `@simplewebauthn/server`. It is loaded on first use: it brings ASN.1 and CBOR
 * that no other request needs. Answers of authenticators are hostile input; whatever is wrong with one is `undefined`.
 */
import { randomBytes } from "node:crypto";

export interface RelyingParty {
  /** The host name that credentials belong to. */
  readonly id: string;
  readonly origin: string;
  readonly name: string;
}

export interface StoredCredential {
  readonly credentialId: string;
  readonly publicKey: Uint8Array;
  readonly signCount: number;
  readonly transports: readonly string[];
}

/** EdDSA, ES256 and RS256: what keys in people's hands speak. */
const algorithms = [-8, -7, -257];

const library = () => import("@simplewebauthn/server");

/** The page's address says who we are; a credential of another host never fits. */
export const relyingPartyOf = (publicUrl: string): RelyingParty => {
  const { hostname, origin } = new URL(publicUrl);
  return { id: hostname, origin, name: "OARS" };
};

export async function registrationOptions(
  rp: RelyingParty,
  who: { readonly id: string; readonly name: string },
  known: readonly string[],
): Promise<{ readonly options: object; readonly challenge: string }> {
  const { generateRegistrationOptions } = await library();
  const options = await generateRegistrationOptions({
    rpName: rp.name,
    rpID: rp.id,
    userName: who.name,
    userID: new Uint8Array(Buffer.from(who.id)),
    challenge: new Uint8Array(randomBytes(32)),
    attestationType: "none",
    supportedAlgorithmIDs: algorithms,
    excludeCredentials: known.map((id) => ({ id })),
    authenticatorSelection: { residentKey: "discouraged", userVerification: "required" },
  });
  return { options, challenge: options.challenge };
}

export async function verifyRegistration(
  rp: RelyingParty,
  expectedChallenge: string,
  response: unknown,
): Promise<StoredCredential | undefined> {
  const { verifyRegistrationResponse } = await library();
  const result = await verifyRegistrationResponse({
    response: response as Parameters<typeof verifyRegistrationResponse>[0]["response"], // checked by the library
    expectedChallenge,
    expectedOrigin: rp.origin,
    expectedRPID: rp.id,
    requireUserVerification: true,
    supportedAlgorithmIDs: algorithms,
  }).catch(() => undefined);
  if (!result?.verified) return undefined;
  const { credential } = result.registrationInfo;
  return {
    credentialId: credential.id,
    publicKey: credential.publicKey,
    signCount: credential.counter,
    transports: credential.transports ?? [],
  };
}

export async function assertionOptions(
  rp: RelyingParty,
  challenge: Uint8Array,
  known: readonly StoredCredential[],
): Promise<object> {
  const { generateAuthenticationOptions } = await library();
  return generateAuthenticationOptions({
    rpID: rp.id,
    challenge: new Uint8Array(challenge),
    allowCredentials: known.map((c) => ({ id: c.credentialId, transports: [...c.transports] })),
    userVerification: "required",
  });
}

/** The authenticator's new count of signatures when the answer is good. */
export async function verifyAssertion(
  rp: RelyingParty,
  challenge: Uint8Array,
  credential: StoredCredential,
  response: unknown,
): Promise<number | undefined> {
  const { verifyAuthenticationResponse } = await library();
  const result = await verifyAuthenticationResponse({
    response: response as Parameters<typeof verifyAuthenticationResponse>[0]["response"], // checked by the library
    expectedChallenge: Buffer.from(challenge).toString("base64url"),
    expectedOrigin: rp.origin,
    expectedRPID: rp.id,
    credential: {
      id: credential.credentialId,
      publicKey: new Uint8Array(credential.publicKey),
      counter: credential.signCount,
    },
    requireUserVerification: true,
  }).catch(() => undefined);
  return result?.verified ? result.authenticationInfo.newCounter : undefined;
}

/** The credential that an answer says it is of. */
export function credentialIdOf(response: unknown): string | undefined {
  const { id } = (response ?? {}) as { id?: unknown }; // hostile input
  return typeof id === "string" && id.length <= 1400 ? id : undefined;
}
