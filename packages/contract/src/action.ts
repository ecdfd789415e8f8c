import { z } from "zod";
import { canonicalAction } from "./action-alias.ts";
import { actionId, approvalId, policyId, principalId, receiptId, runId, tenantId } from "./id.ts";
import { pageQuery } from "./page.ts";
import { digest, instant, json, jsonObject, reason, resourceName, searchText, stepError } from "./scalar.ts";

export const actionState = z.enum([
  "proposed",
  "denied",
  "quarantined",
  "pending_approval",
  "approved",
  "executing",
  "completed",
  "failed",
  "in_doubt",
  "rejected",
  "expired",
  "cancelled",
]);

/** What the candidate beside the policy in force said; it changed nothing. */
export const shadowVerdict = z
  .object({
    policyId,
    version: z.int(),
    effect: z.string(),
    reasons: z.array(z.string()),
    errors: z.array(z.string()).optional(),
    differs: z.boolean().optional(),
  })
  .meta({ id: "ShadowVerdict" });

const text = z.string().trim().min(1).max(200);

/**
 * What both forms of a submission may carry. Names are believed only of those who have a right to them, and what is
 * said of the context adds to what the catalogue knows or contradicts it; it never weakens a decision.
 */
const about = {
  tenantId: tenantId
    .optional()
    .meta({ description: "Must be the caller's tenant; it selects nothing. Use X-Tenant-ID to select." }),
  agentId: text.optional().meta({
    description:
      "Id or name of the agent that acts; the caller when absent. Another than the caller only where the caller owns it, or with `actions:impersonate`; else 403.",
  }),
  userContext: z.strictObject({ userId: text.optional(), sessionId: text.optional() }).optional().meta({
    description:
      "`userId`: id or name of the person for whom it acts; the caller, or the agent's owner, when absent. Another only with `actions:impersonate`; else 403. `sessionId` is recorded.",
  }),
  context: z
    .strictObject({
      environment: text.optional(),
      dataTypes: z.array(text).min(1).max(50).optional(),
      requestedAt: z.string().max(60).optional(),
    })
    .optional()
    .meta({
      description:
        "`environment` must be the tool's own, else 422. `dataTypes` are added to the tool's own. `requestedAt` is not used: the server's time counts.",
    }),
  input: jsonObject.meta({ description: "The operation's input; its schema belongs to the connector." }),
  timeoutMs: z
    .int()
    .min(1)
    .max(300_000)
    .optional()
    .meta({ description: "How long the outside system may take; 30,000 when absent." }),
};

/** `{connection, operation, input}`: the direct form. */
export const actionByConnection = z
  .strictObject({ connection: resourceName, operation: text.meta({ examples: ["http.request"] }), ...about })
  .meta({ id: "ActionByConnection" });

/**
 * `{resource: {toolId, operation, target}, input}`: the governed-tool form. `toolId` is
 * `<connection>/<operation>`; `operation` repeats its second part. `target` must be the target that the connector
 * works out from `input`, a part of it, or the connection's name.
 */
export const actionByTool = z
  .strictObject({
    resource: z.strictObject({
      toolId: z
        .string()
        .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}\/[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/, {
          error: "must be <connection>/<operation>, for example wms/http.request",
        })
        .meta({ examples: ["wms/http.request"] }),
      operation: text.meta({ examples: ["http.request"] }),
      target: z.string().trim().min(1).max(2000).meta({
        description:
          "What the caller means to act on. Refused with 422 when the input acts on something else: it must be the target that the action will show, a part of it, or the connection's name.",
      }),
    }),
    ...about,
  })
  .refine((a) => a.resource.toolId.endsWith(`/${a.resource.operation}`), {
    path: ["resource", "operation"],
    error: "must be the part of toolId after the slash",
  })
  .meta({ id: "ActionByTool" });

/** Both forms, as documented. `submitActionRequest` reads them, with their snake_case spellings. */
export const actionForms = z.union([actionByConnection, actionByTool]).meta({ id: "SubmitActionRequest" });

/** Reads either form into one shape: connection, operation, input, and what the caller said besides. */
export const submitActionRequest = z
  .preprocess(canonicalAction, actionForms)
  .transform((form): ActionSubmission => {
    if (!("resource" in form)) return form;
    const { resource, ...rest } = form;
    const slash = resource.toolId.indexOf("/");
    return {
      ...rest,
      connection: resource.toolId.slice(0, slash),
      operation: resource.operation,
      target: resource.target,
    };
  });

export type ActionSubmission = z.infer<typeof actionByConnection> & {
  target?: string | undefined;
};

export const actionFilter = pageQuery.extend({
  state: actionState.optional(),
  run: runId.optional(),
  tool: z.string().min(1).max(201).optional(),
  operation: z
    .string()
    .min(1)
    .max(100)
    .optional()
    .meta({ description: "Of any connection.", examples: ["http.request"] }),
  agent: principalId.optional().meta({ description: "The principal that acted." }),
  actor: principalId
    .optional()
    .meta({ description: "The person who acted or for whom it was acted: what their agents do is theirs." }),
  target: z.string().min(1).max(2000).optional().meta({ description: "Exactly this one." }),
  policyVersion: z.string().min(1).max(60).optional(),
  rule: z.string().min(1).max(200).optional().meta({ description: "A policy that determined the decision." }),
  from: instant.optional().meta({ description: "Proposed from then on." }),
  to: instant.optional().meta({ description: "Proposed before then." }),
  text: searchText.optional().meta({
    description: "In target, tool, step, error and the decision's message; literally, regardless of case.",
  }),
});

export const cancelActionRequest = z
  .strictObject({ reason: reason.optional() })
  .meta({ id: "CancelActionRequest" });

/** Why a quarantined action is released or rejected; it is signed into the receipt. */
export const judgeActionRequest = z.strictObject({ reason }).meta({ id: "JudgeActionRequest" });

/** What a person found out about an action in doubt. `retry` sends it again under the same idempotency key. */
export const resolveActionRequest = z
  .strictObject({ outcome: z.enum(["completed", "failed", "retry"]), reason })
  .meta({ id: "ResolveActionRequest" });

/** An action without what went in and came out, as lists show it. */
export const actionSummary = z
  .object({
    id: actionId,
    state: actionState,
    connection: z.string(),
    operation: z.string(),
    tool: z.string().meta({ examples: ["wms/http.request"] }),
    verb: z.string(),
    target: z.string(),
    environment: z.string(),
    digest,
    facts: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
    error: stepError.nullable(),
    httpStatus: z.int().nullable(),
    requestedBy: principalId.meta({ description: "The principal that acts." }),
    requestedFor: principalId
      .nullable()
      .meta({ description: "The person for whom it acts, where that is neither itself nor its owner." }),
    submittedBy: principalId
      .nullable()
      .meta({ description: "Who sent the proposal, where that is another than the one that acts." }),
    sessionId: z.string().nullable(),
    dataTypes: z.array(z.string()).meta({ description: "Those that the proposal added to the tool's own." }),
    runId: runId.nullable(),
    step: z.string().nullable(),
    approvalId: approvalId.nullable(),
    receiptId: receiptId.nullable().meta({ description: "The last receipt that it left." }),
    decision: z.object({
      effect: z.string(),
      reasons: z.array(z.string()),
      message: z.string(),
      policy: z.string().nullable().optional().meta({ description: "Version of the bundle that decided." }),
      released: z.boolean().optional().meta({ description: "A person released it from quarantine." }),
      shadow: shadowVerdict.optional(),
    }),
    attempt: z.int(),
    idempotent: z.boolean(),
    effectKey: z.string().meta({ description: "The Idempotency-Key that the outside system was sent." }),
    createdAt: instant,
    startedAt: instant.nullable(),
    endedAt: instant.nullable(),
    etag: z.string().meta({ description: "Changes whenever the action moves; for If-Match." }),
  })
  .meta({ id: "ActionSummary" });

export const action = actionSummary
  .extend({
    input: json,
    output: json,
    outputWithheld: z.boolean().meta({
      description:
        "There is an output, and only who asked for the action and holders of `actions:outputs` read it.",
    }),
  })
  .meta({ id: "Action" });

export const approvalProgress = z
  .object({
    currentStageIndex: z.int(),
    totalStages: z.int(),
    currentStageName: z.string(),
    granted: z.int().meta({ description: "Seats of the stage that votes have filled." }),
    needed: z.int(),
    stepUpRequired: z.boolean().meta({ description: "Votes need a second factor." }),
  })
  .meta({ id: "ApprovalProgress" });

export const timelineEntry = z
  .object({
    event: z.enum(["proposed", "decided", "held", "voted", "approval_ended", "released", "started", "ended"]),
    at: instant,
    receiptId: receiptId.nullable(),
    by: z.string().nullable().meta({ description: "Who did it, where somebody did." }),
    effect: z.string().optional(),
    reasons: z.array(z.string()).optional(),
    policyVersion: z.string().optional(),
    outcome: z.string().optional(),
    code: z.string().optional(),
    attempt: z.int().optional(),
    httpStatus: z.int().optional(),
    latencyMs: z.number().optional(),
  })
  .meta({ id: "TimelineEntry" });

/** An action with everything that happened to it, oldest first. */
export const actionDetail = action
  .extend({ timeline: z.array(timelineEntry), approvalProgress: approvalProgress.nullable() })
  .meta({ id: "ActionDetail" });

/**
 * The answer to a submission. 200 when it has ended, whatever was decided; 202 with its place while it runs or waits
 * for somebody. `output` is there once the action ran, `error` when it was refused or failed, `decision.message` says
 * why it was denied, quarantined or held, and `approvalId` is set while people must vote. `actionId` repeats `id`.
 */
export const submittedAction = action
  .extend({
    actionId,
    stepUpRequired: z.boolean().meta({ description: "Votes need a second factor." }),
    approvalProgress: approvalProgress.nullable(),
  })
  .meta({ id: "SubmittedAction" });

export type ActionState = z.infer<typeof actionState>;
export type SubmitActionRequest = z.input<typeof actionForms>;
export type ResolveActionRequest = z.input<typeof resolveActionRequest>;
export type CancelActionRequest = z.input<typeof cancelActionRequest>;
export type JudgeActionRequest = z.input<typeof judgeActionRequest>;
export type ActionSummary = z.infer<typeof actionSummary>;
export type Action = z.infer<typeof action>;
export type ActionDetail = z.infer<typeof actionDetail>;
export type ApprovalProgress = z.infer<typeof approvalProgress>;
export type TimelineEntry = z.infer<typeof timelineEntry>;
export type SubmittedAction = z.infer<typeof submittedAction>;
