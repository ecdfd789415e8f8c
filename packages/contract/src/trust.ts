import { z } from "zod";
import { tenantId } from "./id.ts";
import { instant } from "./scalar.ts";

/**
 * Public keys of one tenant, never removed: a stranger needs only these and a receipt. `publicKeyPem` is
 * the same key as `jwk` for tools that read PEM.
 */
export const trustKey = z
  .object({
    keyId: z.string(),
    tenantId,
    use: z.string(),
    algorithm: z.string(),
    status: z.string(),
    jwk: z.record(z.string(), z.unknown()),
    publicKeyPem: z.string().optional(),
    createdAt: instant,
    retiredAt: instant.nullable(),
  })
  .meta({ id: "TrustKey" });

export const trustKeys = z
  .object({ tenantId: z.string(), items: z.array(trustKey) })
  .meta({ id: "TrustKeys" });

export const jwks = z.object({ keys: z.array(z.record(z.string(), z.unknown())) }).meta({ id: "Jwks" });

export type TrustKey = z.infer<typeof trustKey>;
export type TrustKeys = z.infer<typeof trustKeys>;
