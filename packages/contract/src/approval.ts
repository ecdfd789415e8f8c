import { z } from "zod";
import { actionId, approvalId, principalId, runId } from "./id.ts";
import { pageQuery } from "./page.ts";
import { digest, instant, json, reason } from "./scalar.ts";

export const approvalState = z.enum(["pending", "approved", "rejected", "expired", "cancelled", "consumed"]);

export const approvalDecision = z.enum(["approve", "reject"]);

export const approvalFilter = pageQuery.extend({ state: approvalState.optional() });

/** The approver is the authenticated caller; a body cannot name another. */
export const decideApprovalRequest = z
  .strictObject({ decision: approvalDecision, reason })
  .meta({ id: "DecideApprovalRequest" });

export const approvalVote = z
  .object({
    principalId,
    principalName: z.string(),
    decision: approvalDecision,
    roles: z.array(z.string()).meta({ description: "Roles that the voter held when voting." }),
    reason: z.string(),
    receiptDigest: digest,
    at: instant,
  })
  .meta({ id: "ApprovalVote" });

/** The human answer to one held action, bound to the digest of exactly that action. */
export const approval = z
  .object({
    id: approvalId,
    actionId,
    actionDigest: digest,
    state: approvalState,
    requirements: z.array(z.object({ role: z.string(), quorum: z.int() })),
    requestedBy: principalId,
    requestedByName: z.string(),
    subject: z.object({
      tool: z.string(),
      target: z.string(),
      environment: z.string(),
      risk: z.int(),
      facts: z.record(z.string(), json),
      runId: runId.nullable(),
      step: z.string().nullable(),
    }),
    reason: z.string().meta({ description: "Why the policy asks for a person." }),
    votes: z.array(approvalVote),
    createdAt: instant,
    expiresAt: instant,
    resolvedAt: instant.nullable(),
  })
  .meta({ id: "Approval" });

export type ApprovalState = z.infer<typeof approvalState>;
export type DecideApprovalRequest = z.input<typeof decideApprovalRequest>;
export type Approval = z.infer<typeof approval>;
export type ApprovalVote = z.infer<typeof approvalVote>;
