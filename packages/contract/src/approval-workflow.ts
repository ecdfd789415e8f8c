import { z } from "zod";
import { approvalId, delegationId, principalId } from "./id.ts";
import { pageQuery } from "./page.ts";
import { digest, instant, reason, resourceName } from "./scalar.ts";

const approver = z.string().regex(/^(role:[a-z][a-z0-9_-]{0,62}|prn_[0-7][0-9a-hjkmnp-tv-z]{25})$/, {
  error: "must be role:NAME or a principal's id",
});

const approverList = z.array(approver).max(50);

/** One stage. `mode` follows from `requiredApprovals` when it is left out. */
export const workflowStage = z
  .strictObject({
    name: z.string().trim().min(1).max(100),
    mode: z.enum(["serial", "parallel"]).optional().meta({
      description: "`serial`: one person decides. `parallel`: several vote side by side.",
    }),
    approvers: approverList.default([]).meta({
      description: "Who may vote; nobody named means everybody who may decide.",
      examples: [["role:approver"]],
    }),
    requiredApprovals: z.int().min(1).max(20).default(1),
    alongside: z.boolean().default(false).meta({ description: "Opens together with the stage before it." }),
    slaSeconds: z.int().min(1).max(2_592_000).nullable().default(null),
    escalateTo: approverList.default([]).meta({
      description: "Who may vote as well once the stage is overdue.",
      examples: [["role:admin"]],
    }),
  })
  .meta({ id: "WorkflowStage" });

export const putWorkflowRequest = z
  .strictObject({
    description: z.string().trim().max(500).default(""),
    stages: z.array(workflowStage).min(1).max(20),
  })
  .meta({ id: "PutApprovalWorkflowRequest" });

export const approvalWorkflow = z
  .object({
    name: resourceName,
    version: z.int(),
    description: z.string(),
    stages: z.array(workflowStage),
    digest,
    createdBy: principalId.nullable(),
    createdAt: instant.nullable(),
    retiredAt: instant.nullable(),
  })
  .meta({ id: "ApprovalWorkflow" });

export const workflowVersionQuery = z.strictObject({ version: z.coerce.number().int().min(1).optional() });

const fatigue = z.strictObject({
  limit: z.int().min(1).max(10_000),
  windowSeconds: z.int().min(1).max(604_800),
  excess: z.enum(["deny", "batch"]).meta({
    description: "Further holds are denied, or join the batch of an earlier one and are not told of each.",
  }),
});

export const approvalSettingsRequest = z
  .strictObject({
    defaultWorkflow: resourceName.nullable().meta({ description: "What `workflow:default` means." }),
    fatigue: fatigue
      .nullable()
      .meta({ description: "How many holds of one requester and tool people are asked about." }),
  })
  .meta({ id: "ApprovalSettingsRequest" });

export const approvalSettings = z
  .object({
    version: z.int(),
    defaultWorkflow: z.string().nullable(),
    fatigue: fatigue.nullable(),
    updatedBy: principalId.nullable(),
    updatedAt: instant.nullable(),
  })
  .meta({ id: "ApprovalSettings" });

export const delegateRequest = z
  .strictObject({
    to: principalId,
    from: principalId.optional().meta({ description: "Whose right; another's needs `approvals:manage`." }),
    approvalId: approvalId.optional().meta({ description: "For this approval alone." }),
    startsAt: instant.optional(),
    endsAt: instant.meta({ description: "At most 30 days after it begins." }),
    reason,
  })
  .meta({ id: "DelegateRequest" });

export const delegation = z
  .object({
    id: delegationId,
    from: principalId,
    fromName: z.string(),
    to: principalId,
    toName: z.string(),
    approvalId: approvalId.nullable(),
    startsAt: instant,
    endsAt: instant,
    reason: z.string(),
    createdBy: principalId,
    createdAt: instant,
    revokedAt: instant.nullable(),
  })
  .meta({ id: "Delegation" });

export const delegationFilter = pageQuery;

export type WorkflowStage = z.infer<typeof workflowStage>;
export type PutApprovalWorkflowRequest = z.input<typeof putWorkflowRequest>;
export type ApprovalWorkflow = z.infer<typeof approvalWorkflow>;
export type ApprovalSettings = z.infer<typeof approvalSettings>;
export type ApprovalSettingsRequest = z.input<typeof approvalSettingsRequest>;
export type DelegateRequest = z.input<typeof delegateRequest>;
export type Delegation = z.infer<typeof delegation>;
