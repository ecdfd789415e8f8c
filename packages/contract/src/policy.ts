import { z } from "zod";
import { policyId, principalId } from "./id.ts";
import { fieldProblem } from "./problem.ts";
import { digest, instant, jsonObject } from "./scalar.ts";

/**
 * A policy bundle as its author writes it: Cedar text (deny by default, forbid wins) and golden cases, each
 * a request with the answer that it must get, that hold before the bundle can be drafted or published.
 */
export const policyBundle = z
  .strictObject({
    name: z.string().max(200).optional(),
    cedar: z.string().meta({ examples: ['permit (principal, action == Action::"read", resource);'] }),
    cases: z
      .array(jsonObject)
      .optional()
      .meta({ description: "Golden cases: `{name, request: {principal, action, tool, …}, expect}`." }),
  })
  .meta({ id: "PolicyBundle" });

/** `replaces`: publish only while that version is the published one; null: only while none is. */
export const publishPolicyRequest = z
  .strictObject({ replaces: policyId.nullable().optional() })
  .meta({ id: "PublishPolicyRequest" });

export const policyValidation = z
  .object({ valid: z.boolean(), problems: z.array(fieldProblem) })
  .meta({ id: "PolicyValidation" });

export const policyState = z.enum(["draft", "published", "retired"]);

/** One immutable bundle. At most one of a tenant is published; publishing an older one is the rollback. */
export const policyVersion = z
  .object({
    id: policyId,
    version: z.int(),
    name: z.string().nullable(),
    state: policyState,
    digest,
    schema: digest.meta({ description: "Digest of the Cedar schema that it was checked against." }),
    engine: z.string(),
    policies: z.int(),
    cases: z.int(),
    createdBy: principalId,
    createdAt: instant,
    publishedBy: principalId.nullable(),
    publishedAt: instant.nullable(),
    retiredAt: instant.nullable(),
  })
  .meta({ id: "PolicyVersion" });

export const policyVersionDetail = policyVersion
  .extend({ source: policyBundle })
  .meta({ id: "PolicyVersionDetail" });

export type PolicyBundle = z.input<typeof policyBundle>;
export type PublishPolicyRequest = z.input<typeof publishPolicyRequest>;
export type PolicyValidation = z.infer<typeof policyValidation>;
export type PolicyVersion = z.infer<typeof policyVersion>;
export type PolicyVersionDetail = z.infer<typeof policyVersionDetail>;
