import { z } from "zod";
import { instant } from "./scalar.ts";

/** Secrets go in and are never returned: no answer of the API holds a value. */
export const putSecretRequest = z
  .strictObject({ value: z.string().min(1).max(65_536) })
  .meta({ id: "PutSecretRequest" });

export const secret = z
  .object({ name: z.string(), createdAt: instant, updatedAt: instant })
  .meta({ id: "Secret" });

export type PutSecretRequest = z.input<typeof putSecretRequest>;
export type Secret = z.infer<typeof secret>;
