import { z } from "zod";
import { principalId } from "./id.ts";
import { instant } from "./scalar.ts";

/** Secrets go in and are never returned: no answer of the API holds a value. */
export const putSecretRequest = z
  .strictObject({ value: z.string().min(1).max(65_536) })
  .meta({ id: "PutSecretRequest" });

export const secret = z
  .object({
    name: z.string(),
    version: z.int().meta({ description: "1 when first stored, one more with each new value." }),
    createdAt: instant,
    createdBy: principalId.nullable(),
    updatedAt: instant,
    updatedBy: principalId.nullable(),
  })
  .meta({ id: "Secret" });

export type PutSecretRequest = z.input<typeof putSecretRequest>;
export type Secret = z.infer<typeof secret>;

export const secretList = z.object({ items: z.array(secret) });
