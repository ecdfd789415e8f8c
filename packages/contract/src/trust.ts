import { z } from "zod";
import { tenantId } from "./id.ts";
import { instant } from "./scalar.ts";

/** One public key. Keys are never removed: old receipts stay verifiable. `vkey` is the C2SP form of log keys. */
export const trustKey = z
  .object({
    keyId: z.string().meta({ description: "RFC 7638 thumbprint; `kid` of receipts." }),
    tenantId,
    use: z.enum(["receipt", "log"]),
    status: z.enum(["active", "retiring", "retired", "revoked"]),
    createdAt: instant,
    rotatedAt: instant.nullable(),
    retiredAt: instant.nullable().optional().meta({ description: "When it stops signing after a rotation." }),
    revokedAt: instant.nullable().optional(),
    reason: z.string().nullable().optional().meta({ description: "Why it was revoked." }),
    maxTreeSize: z.int().nullable().optional().meta({
      description:
        "Leaves of the log when the key had ended: what it signed counts only for leaves below, and heads up to it.",
    }),
    publicKeyPem: z.string(),
    jwk: z.looseObject({ kty: z.literal("OKP"), crv: z.literal("Ed25519"), x: z.string() }),
    vkey: z.string().optional(),
  })
  .meta({ id: "TrustKey" });

/** What a stranger needs, besides a receipt, to check it offline. */
export const trustDocument = z
  .object({
    tenantId,
    origin: z.string().meta({ description: "Origin line of the tenant's log." }),
    issuer: z.string().meta({ description: "`iss` of the tenant's receipts." }),
    items: z.array(trustKey),
  })
  .meta({ id: "TrustDocument" });

export const jwksQuery = z.strictObject({ tenant: tenantId.optional() });

/** RFC 7517. */
export const jwks = z.object({ keys: z.array(z.record(z.string(), z.unknown())) }).meta({ id: "Jwks" });

export type TrustKey = z.infer<typeof trustKey>;
export type TrustDocument = z.infer<typeof trustDocument>;
