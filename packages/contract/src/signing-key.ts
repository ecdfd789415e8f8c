import { z } from "zod";
import { instant, reason } from "./scalar.ts";
import { trustKey } from "./trust.ts";

const day = 86_400;

export const rotateKeyRequest = z
  .strictObject({
    use: z.enum(["receipt", "log"]),
    overlapSeconds: z
      .int()
      .min(300)
      .max(30 * day)
      .default(day)
      .meta({
        description: "How long the old key may still sign, so that every process can take up the new one.",
      }),
  })
  .meta({ id: "RotateKeyRequest" });

export const rotatedKey = z
  .object({
    use: z.enum(["receipt", "log"]),
    current: z.string().meta({ description: "Thumbprint of the key that signs from now on." }),
    previous: z.string(),
    retiredAt: instant.meta({ description: "When the previous key ends." }),
  })
  .meta({ id: "RotatedKey" });

export const revokeKeyRequest = z
  .strictObject({ reason: reason.meta({ description: "Public: it stands in the trust document." }) })
  .meta({ id: "RevokeKeyRequest" });

/** Thumbprint of RFC 7638. */
export const keyThumbprint = z.string().regex(/^[A-Za-z0-9_-]{43}$/, { error: "must be a key's thumbprint" });

export const signingKeyList = z.object({ items: z.array(trustKey) }).meta({ id: "SigningKeyList" });

export type RotateKeyRequest = z.input<typeof rotateKeyRequest>;
export type RotatedKey = z.infer<typeof rotatedKey>;
export type RevokeKeyRequest = z.input<typeof revokeKeyRequest>;
export type SigningKeyList = z.infer<typeof signingKeyList>;
