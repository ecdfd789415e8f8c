import { z } from "zod";
import { proof } from "./approval.ts";
import { factorId, principalId } from "./id.ts";
import { instant, json } from "./scalar.ts";

export const factorKind = z.enum(["totp", "webauthn"]);

export const factor = z
  .object({
    id: factorId,
    principalId,
    kind: factorKind,
    name: z.string(),
    state: z.enum(["pending", "active", "revoked"]),
    createdAt: instant,
    confirmedAt: instant.nullable(),
    lastUsedAt: instant.nullable(),
  })
  .meta({ id: "Factor" });

export const factorList = z
  .object({ items: z.array(factor), nextCursor: z.null(), recoveryCodesLeft: z.int() })
  .meta({ id: "FactorList" });

export const factorQuery = z.strictObject({
  principal: principalId.optional().meta({ description: "Whose; another's needs `access:read`." }),
});

/** A further factor is confirmed with one that is there. */
export const enrolFactorRequest = z
  .strictObject({ kind: factorKind, name: z.string().trim().min(1).max(100), ...proof })
  .meta({ id: "EnrolFactorRequest" });

/** What an enrolment goes on with; `secret` and `uri` are in this answer alone. */
export const enrolment = z
  .object({
    factor,
    secret: z.string().nullable().meta({ description: "TOTP: base32, for typing." }),
    uri: z.string().nullable().meta({ description: "TOTP: otpauth://, for a QR code." }),
    options: z
      .record(z.string(), json)
      .nullable()
      .meta({ description: "WebAuthn: for navigator.credentials.create." }),
  })
  .meta({ id: "Enrolment" });

export const confirmFactorRequest = z
  .strictObject({
    code: z.string().trim().min(6).max(6).optional().meta({ description: "TOTP: the code shown now." }),
    response: z
      .record(z.string(), json)
      .optional()
      .meta({ description: "WebAuthn: what the authenticator answered (`RegistrationResponseJSON`)." }),
  })
  .meta({ id: "ConfirmFactorRequest" });

export const confirmedFactor = z
  .object({
    factor,
    recoveryCodes: z
      .array(z.string())
      .nullable()
      .meta({ description: "With the first factor; in this answer alone." }),
  })
  .meta({ id: "ConfirmedFactor" });

export const proofRequest = z.strictObject(proof).meta({ id: "ProofRequest" });

export const factorChallengeRequest = z
  .strictObject({ for: z.enum(["enrol", "revoke", "recovery"]) })
  .meta({ id: "FactorChallengeRequest" });

export const recoveryCodes = z.object({ recoveryCodes: z.array(z.string()) }).meta({ id: "RecoveryCodes" });

export const factorReset = z.object({ principalId, revoked: z.int() }).meta({ id: "FactorReset" });

export type Factor = z.infer<typeof factor>;
export type FactorList = z.infer<typeof factorList>;
export type EnrolFactorRequest = z.input<typeof enrolFactorRequest>;
export type Enrolment = z.infer<typeof enrolment>;
export type ConfirmFactorRequest = z.input<typeof confirmFactorRequest>;
export type ConfirmedFactor = z.infer<typeof confirmedFactor>;
export type FactorChallengeRequest = z.input<typeof factorChallengeRequest>;
export type RecoveryCodes = z.infer<typeof recoveryCodes>;
export type FactorReset = z.infer<typeof factorReset>;
