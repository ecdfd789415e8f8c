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
    entities: jsonObject.optional().meta({
      description:
        "Groups that policies name in their scopes: `{toolGroups: {payouts: ['bank/*']}, groups: {treasury: ['prn_…']}}`.",
    }),
    counters: z.array(jsonObject).optional().meta({
      description:
        "Sliding windows, read as `context.counters.NAME`: `{name, sum?: FACT, window: PT1M|PT10M|PT1H|PT24H|P7D, per: [principal, tool, connection], verbs?}`.",
    }),
    delegation: z.enum(["every_link", "agent"]).optional().meta({
      description:
        "Who must be allowed when an agent acts for a person: both (the default), or the agent alone.",
    }),
  })
  .meta({ id: "PolicyBundle" });

/** `replaces`: publish only while that version is the published one; null: only while none is. */
export const publishPolicyRequest = z
  .strictObject({ replaces: policyId.nullable().optional() })
  .meta({ id: "PublishPolicyRequest" });

/** `replaces`: as of a publication; left out: the version that is in force when the rollback begins. */
export const rollbackPolicyRequest = publishPolicyRequest.meta({ id: "RollbackPolicyRequest" });

export const policyValidation = z
  .object({
    valid: z.boolean(),
    problems: z.array(fieldProblem),
    warnings: z.array(fieldProblem).meta({
      description: "Of a valid bundle: tools and connectors that no connection has.",
    }),
  })
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

export const policyRollback = z
  .object({ policy: policyVersion, previousPublishedPolicyId: policyId.nullable() })
  .meta({ id: "PolicyRollback" });

const change = z.object({
  id: z.string(),
  change: z.enum(["added", "removed", "changed"]),
  before: z.string().nullable(),
  after: z.string().nullable(),
});

/** What changed from `from` (null: nothing was in force) to `to`. */
export const policyDiff = z
  .object({
    from: policyVersion.nullable(),
    to: policyVersion,
    policies: z.array(change),
    cases: z.array(change),
    counters: z.array(change),
    entities: z.array(change),
    delegation: z.object({ before: z.string(), after: z.string() }).nullable(),
  })
  .meta({ id: "PolicyDiff" });

/** `shadow`: the candidate that is asked beside the version in force. `replayRequired` null: as the server is configured. */
export const policySettings = z
  .object({
    shadow: z.object({ policyId, share: z.int(), since: instant }).nullable(),
    replayRequired: z.boolean().nullable(),
  })
  .meta({ id: "PolicySettings" });

export const policySettingsRequest = z
  .strictObject({ replayRequired: z.boolean().nullable() })
  .meta({ id: "PolicySettingsRequest" });

/** `policyId` null ends shadow mode. `share`: percent of decisions that ask the candidate too. */
export const policyShadowRequest = z
  .strictObject({ policyId: policyId.nullable(), share: z.int().min(1).max(100).default(100) })
  .meta({ id: "PolicyShadowRequest" });

export type PolicyRollback = z.infer<typeof policyRollback>;
export type PolicyDiff = z.infer<typeof policyDiff>;
export type PolicySettings = z.infer<typeof policySettings>;
export type PolicySettingsRequest = z.input<typeof policySettingsRequest>;
export type PolicyShadowRequest = z.input<typeof policyShadowRequest>;
export type PolicyBundle = z.input<typeof policyBundle>;
export type PublishPolicyRequest = z.input<typeof publishPolicyRequest>;
export type PolicyValidation = z.infer<typeof policyValidation>;
export type PolicyVersion = z.infer<typeof policyVersion>;
export type PolicyVersionDetail = z.infer<typeof policyVersionDetail>;
