/** What a person confirms a decision with, beyond the credential of the request. */
import { digestOf } from "#platform/kernel";

/** What may be asked for; the stronger one last. */
export const stepUps = ["totp", "webauthn"] as const;
export type StepUp = (typeof stepUps)[number];
export type FactorKind = StepUp;
/** What a decision was confirmed with. */
export type Proof = FactorKind | "recovery";

/** Which proofs are enough for what is asked. A recovery code stands in for a code, never for a key. */
export const satisfying: Readonly<Record<StepUp, readonly Proof[]>> = {
  totp: ["totp", "webauthn", "recovery"],
  webauthn: ["webauthn"],
};

export interface Factor {
  readonly id: string;
  readonly principalId: string;
  readonly kind: FactorKind;
  readonly name: string;
  readonly state: "pending" | "active" | "revoked";
  readonly createdAt: Date;
  readonly confirmedAt: Date | null;
  readonly lastUsedAt: Date | null;
}

/** What a confirmation is for: one decision about one thing of exactly this content. */
export interface About {
  readonly subjectId: string;
  readonly digest: string;
  readonly decision: string;
}

/** A person's answer to the question for a second factor. */
export interface GivenProof {
  /** A TOTP or recovery code. */
  readonly code?: string | undefined;
  /** What the authenticator answered to a challenge of this server. */
  readonly assertion?: { readonly challengeId: string; readonly response: unknown } | undefined;
}

/**
 * The bytes that an authenticator signs: a digest over a random nonce and everything the answer is for, so that an
 * answer to one question is none to another.
 */
export const challengeOf = (
  bound: About & { nonce: string; tenantId: string; principalId: string },
): Uint8Array =>
  Buffer.from(
    digestOf({
      v: "oars-step-up-1",
      nonce: bound.nonce,
      tenant: bound.tenantId,
      principal: bound.principalId,
      subject: bound.subjectId,
      digest: bound.digest,
      decision: bound.decision,
    }).slice("sha256:".length),
    "hex",
  );

export const mostFactors = 10;
export const enrolMinutes = 15;
export const challengeMinutes = 5;

/** So many failures within the window lock a person's confirmations for as long. */
export const mostTries = 5;
export const windowMinutes = 15;
