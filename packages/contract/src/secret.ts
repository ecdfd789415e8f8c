import { z } from "zod";
import { actionId, principalId } from "./id.ts";
import { pageOf } from "./page.ts";
import { instant, resourceName } from "./scalar.ts";

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

/** Values of many secrets by name: from a file of variables or of JSON. */
export const importSecretsRequest = z
  .strictObject({
    secrets: z
      .record(resourceName, z.string().min(1).max(65_536))
      .refine((all) => Object.keys(all).length >= 1 && Object.keys(all).length <= 500, {
        error: "must hold 1 to 500 secrets",
      }),
    overwrite: z.boolean().default(false),
    dryRun: z.boolean().default(false),
  })
  .meta({ id: "ImportSecretsRequest" });

export const importedSecrets = z
  .object({
    items: z.array(z.object({ name: z.string(), outcome: z.enum(["created", "replaced", "kept"]) })),
  })
  .meta({ id: "ImportedSecrets" });

/** Uses of a secret within one hour, by one principal for one purpose. */
export const secretAccess = z
  .object({
    principalId: principalId.nullable().meta({ description: "Null: the server itself." }),
    purpose: z.string().meta({ description: "The tool, or what the server does." }),
    hour: instant,
    reads: z.int(),
    firstAt: instant,
    lastAt: instant,
    lastActionId: actionId.nullable(),
  })
  .meta({ id: "SecretAccess" });

export const secretAccessList = pageOf(secretAccess);

export type ImportSecretsRequest = z.input<typeof importSecretsRequest>;
export type ImportedSecrets = z.infer<typeof importedSecrets>;
export type SecretAccess = z.infer<typeof secretAccess>;

export const secretList = z.object({ items: z.array(secret) });
