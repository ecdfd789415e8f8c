import { z } from "zod";
import { policyId, principalId } from "./id.ts";
import { fieldProblem } from "./problem.ts";
import { digest, instant, json, jsonObject } from "./scalar.ts";

/**
 * A policy bundle as its author writes it: Cedar policies (deny by default, forbid wins) and golden cases
 * that must hold before the bundle can be published.
 */
export const policyBundleRequest = jsonObject.meta({ id: "PolicyBundleRequest" });

export const policyValidation = z
  .object({ valid: z.boolean(), problems: z.array(fieldProblem) })
  .meta({ id: "PolicyValidation" });

/** One immutable bundle. At most one of a tenant is `published`; publishing an older one is the rollback. */
export const policyVersion = z
  .object({
    id: policyId,
    version: z.int(),
    digest,
    status: z.string(),
    source: json.optional(),
    createdBy: principalId.nullable(),
    createdAt: instant,
    publishedAt: instant.nullable(),
  })
  .meta({ id: "PolicyVersion" });

export type PolicyBundleRequest = z.input<typeof policyBundleRequest>;
export type PolicyValidation = z.infer<typeof policyValidation>;
export type PolicyVersion = z.infer<typeof policyVersion>;
