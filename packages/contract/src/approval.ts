import { z } from "zod";
import { actionId, approvalId, challengeId, commentId, principalId, runId } from "./id.ts";
import { pageQuery } from "./page.ts";
import { digest, instant, json, reason } from "./scalar.ts";

export const approvalState = z.enum(["pending", "approved", "rejected", "expired", "cancelled", "consumed"]);

export const approvalDecision = z.enum(["approve", "reject"]);

export const stepUp = z.enum(["totp", "webauthn"]);

export const approvalFilter = pageQuery.extend({
  state: approvalState.optional(),
  mine: z
    .enum(["true", "false"])
    .optional()
    .meta({ description: "`true`: only what the caller may vote on now." }),
  tool: z.string().max(200).optional(),
  requester: principalId.optional(),
  dueBefore: instant.optional().meta({ description: "Only what expires or is escalated before then." }),
  batch: approvalId.optional().meta({ description: "Only this approval and those that joined its batch." }),
  review: z
    .literal("open")
    .optional()
    .meta({ description: "Only where the glass was broken and nobody has reviewed it." }),
});

/** What an authenticator answered to a challenge (WebAuthn Level 3, `AuthenticationResponseJSON`). */
export const assertion = z
  .strictObject({ challengeId, response: z.record(z.string(), json) })
  .meta({ id: "Assertion" });

/** A second factor, where one is asked for. */
export const proof = {
  stepUpCode: z
    .string()
    .trim()
    .min(6)
    .max(20)
    .optional()
    .meta({
      description: "A TOTP or recovery code.",
      examples: ["123456"],
    }),
  assertion: assertion.optional(),
};

/** The approver is the authenticated caller; a body cannot name another. */
export const decideApprovalRequest = z
  .strictObject({
    decision: approvalDecision,
    reason,
    ...proof,
    approverId: z.string().max(200).optional().meta({ description: "Only the caller's own id or name." }),
    changes: json.optional().meta({
      description: "Always refused: an approval is for exactly the action that was shown.",
    }),
  })
  .meta({ id: "DecideApprovalRequest" });

export const breakGlassRequest = z
  .strictObject({ reason: z.string().trim().min(10).max(2000), ...proof })
  .meta({ id: "BreakGlassRequest" });

export const reviewApprovalRequest = z
  .strictObject({ verdict: z.enum(["justified", "unjustified"]), comment: reason })
  .meta({ id: "ReviewApprovalRequest" });

export const challengeApprovalRequest = z
  .strictObject({ decision: z.enum(["approve", "break_glass"]) })
  .meta({ id: "ChallengeApprovalRequest" });

/** A question for a security key; `options` go to `navigator.credentials.get`. */
export const challenge = z
  .object({ challengeId, options: z.record(z.string(), json), expiresAt: instant })
  .meta({ id: "Challenge" });

export const commentRequest = z
  .strictObject({ text: z.string().trim().min(1).max(4000) })
  .meta({ id: "CommentRequest" });

export const approvalComment = z
  .object({
    id: commentId,
    by: principalId,
    byName: z.string(),
    byKind: z.enum(["user", "agent", "service"]),
    text: z.string(),
    at: instant,
  })
  .meta({ id: "ApprovalComment" });

export const linkRequest = z
  .strictObject({ expiresInSeconds: z.int().min(60).max(2_592_000).default(86_400) })
  .meta({ id: "ApprovalLinkRequest" });

export const approvalLink = z.object({ url: z.string(), expiresAt: instant }).meta({ id: "ApprovalLink" });

export const openLinkRequest = z
  .strictObject({ token: z.string().min(1).max(1000) })
  .meta({ id: "OpenApprovalLinkRequest" });

export const approvalVote = z
  .object({
    principalId,
    principalName: z.string(),
    decision: approvalDecision,
    roles: z.array(z.string()).meta({ description: "Roles that the voter held when voting." }),
    onBehalfOf: principalId.nullable().meta({ description: "Who lent the right to vote." }),
    factor: z.enum(["totp", "webauthn", "recovery"]).nullable(),
    stage: z.int(),
    reason: z.string(),
    receiptDigest: digest,
    at: instant,
  })
  .meta({ id: "ApprovalVote" });

const approvers = z.array(z.string()).meta({
  description: "`role:approver`, a principal's id, or `anyone` who may decide.",
  examples: [["role:approver"]],
});

export const approvalStage = z
  .object({
    name: z.string(),
    approvers,
    requiredApprovals: z.int(),
    missing: z.int(),
    state: z.enum(["waiting", "open", "done"]),
    alongside: z.boolean(),
    openedAt: instant.nullable(),
    dueAt: instant.nullable(),
    escalateTo: approvers,
    escalatedAt: instant.nullable(),
  })
  .meta({ id: "ApprovalStage" });

/** The human answer to one held action, bound to the digest of exactly that action. */
export const approval = z
  .object({
    id: approvalId,
    actionId,
    actionDigest: digest,
    state: approvalState,
    requirements: z
      .array(z.object({ role: z.string(), quorum: z.int() }))
      .meta({ description: "All votes that are asked for, stage by stage." }),
    stages: z.array(approvalStage),
    approvalProgress: z.object({
      currentStageIndex: z.int(),
      totalStages: z.int(),
      currentStageName: z.string().nullable(),
    }),
    workflows: z.array(z.object({ name: z.string(), version: z.int() })),
    stepUp: stepUp.nullable().meta({ description: "What an approving vote must be confirmed with." }),
    stepUpRequired: z.boolean(),
    breakGlassAllowed: z.boolean(),
    override: z
      .object({
        by: principalId,
        byName: z.string(),
        reason: z.string(),
        at: instant,
        factor: z.string().nullable(),
      })
      .nullable()
      .meta({ description: "Who broke the glass." }),
    review: z
      .object({
        by: principalId,
        byName: z.string(),
        verdict: z.enum(["justified", "unjustified"]),
        comment: z.string(),
        at: instant,
      })
      .nullable(),
    batchId: approvalId.nullable().meta({ description: "The earlier approval whose batch it joined." }),
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
      rules: z.array(z.string()).meta({ description: "The policies that ask for people." }),
    }),
    reason: z.string().meta({ description: "Why the policy asks for a person." }),
    votes: z.array(approvalVote),
    createdAt: instant,
    expiresAt: instant,
    resolvedAt: instant.nullable(),
  })
  .meta({ id: "Approval" });

const difference = z.object({ path: z.string(), before: json.optional(), after: json.optional() });

/** What an approver must see before deciding. */
export const approvalDetail = approval
  .extend({
    mine: z.boolean().meta({ description: "Whether the caller may vote now." }),
    arguments: json.meta({
      description: "The action's input without its secrets, for who may decide; null for others.",
    }),
    chain: z
      .array(z.object({ id: principalId, name: z.string(), kind: z.string() }))
      .meta({ description: "From who is answerable to who acts." }),
    earlier: z
      .array(
        z.object({
          id: approvalId,
          actionId,
          state: approvalState,
          requestedBy: principalId,
          votes: z.int(),
          resolvedAt: instant.nullable(),
          sameAction: z.boolean().meta({ description: "Whether it was for exactly the same action." }),
        }),
      )
      .meta({ description: "The latest decisions about the same tool and target." }),
    changes: z
      .object({ since: approvalId, differences: z.array(difference) })
      .nullable()
      .meta({ description: "What differs from the latest earlier try of the same requester." }),
  })
  .meta({ id: "ApprovalDetail" });

export const escalationScanRequest = z.strictObject({ tenantId: z.string().max(100).optional() }).meta({
  id: "EscalationScanRequest",
  description: "The server's clock says what is overdue; a body cannot.",
});

export const escalationScan = z
  .object({
    scannedAt: instant,
    tenantId: z.string(),
    escalatedCount: z.int(),
    items: z.array(
      z.object({
        approvalId,
        actionId,
        tenantId: z.string(),
        stageName: z.string(),
        escalateTo: z.array(z.string()),
        overdueSeconds: z.int(),
      }),
    ),
  })
  .meta({ id: "EscalationScan" });

export type ApprovalState = z.infer<typeof approvalState>;
export type DecideApprovalRequest = z.input<typeof decideApprovalRequest>;
export type BreakGlassRequest = z.input<typeof breakGlassRequest>;
export type ReviewApprovalRequest = z.input<typeof reviewApprovalRequest>;
export type ChallengeApprovalRequest = z.input<typeof challengeApprovalRequest>;
export type Challenge = z.infer<typeof challenge>;
export type Approval = z.infer<typeof approval>;
export type ApprovalDetail = z.infer<typeof approvalDetail>;
export type ApprovalVote = z.infer<typeof approvalVote>;
export type ApprovalComment = z.infer<typeof approvalComment>;
export type ApprovalLink = z.infer<typeof approvalLink>;
export type EscalationScan = z.infer<typeof escalationScan>;
export type Proof = { stepUpCode?: string | undefined; assertion?: z.input<typeof assertion> | undefined };
