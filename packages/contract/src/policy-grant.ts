import { z } from "zod";
import { grantId, principalId } from "./id.ts";
import { pageQuery } from "./page.ts";
import { instant } from "./scalar.ts";

/** A principal, or all of a role or a group where the template says `in ?principal`. */
const grantee = z.union([
  z.strictObject({ id: principalId }),
  z.strictObject({ role: z.string().min(1).max(100) }),
  z.strictObject({ group: z.string().min(1).max(100) }),
]);

/** A tool, or all of a connector, an environment or a tool group where the template says `in ?resource`. */
const granted = z.union([
  z.strictObject({ tool: z.string().min(3).max(200) }),
  z.strictObject({ connector: z.string().min(1).max(100) }),
  z.strictObject({ environment: z.string().min(1).max(100) }),
  z.strictObject({ toolGroup: z.string().min(1).max(100) }),
]);

/** Fills a template of the bundle in force. It counts at once, until it expires or is revoked. */
export const createGrantRequest = z
  .strictObject({
    template: z.string().min(1).max(100),
    principal: grantee.optional(),
    resource: granted.optional(),
    note: z.string().max(500).optional(),
    expiresAt: instant.optional(),
  })
  .meta({ id: "CreateGrantRequest" });

const entity = z.object({ type: z.string(), id: z.string() });

export const policyGrant = z
  .object({
    id: grantId,
    template: z.string(),
    principal: entity.nullable(),
    resource: entity.nullable(),
    note: z.string().nullable(),
    createdBy: principalId,
    createdAt: instant,
    expiresAt: instant.nullable(),
    revokedBy: principalId.nullable(),
    revokedAt: instant.nullable(),
  })
  .meta({ id: "PolicyGrant" });

export const grantQuery = pageQuery;

export type CreateGrantRequest = z.input<typeof createGrantRequest>;
export type PolicyGrant = z.infer<typeof policyGrant>;
