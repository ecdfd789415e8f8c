import { z } from "zod";
import { canonicalAction } from "./action-alias.ts";
import { actionId, approvalId, policyId, principalId, runId, tenantId } from "./id.ts";
import { pageQuery } from "./page.ts";
import { digest, instant, json, jsonObject, reason, resourceName, stepError } from "./scalar.ts";

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
 * What both forms of a submission may carry. `agentId`, `userContext` and `context` are taken from callers
 * that send them and decide nothing: who acts is who authenticated, and policy reads the connection's facts.
 */
const about = {
  tenantId: tenantId
    .optional()
    .meta({ description: "Must be the caller's tenant; it selects nothing. Use X-Tenant-ID to select." }),
  agentId: text
    .optional()
    .meta({ description: "Accepted and not used: the agent is the authenticated principal." }),
  userContext: z
    .strictObject({ userId: text.optional(), sessionId: text.optional() })
    .optional()
    .meta({ description: "Accepted and not used." }),
  context: z
    .strictObject({
      environment: text.optional(),
      dataTypes: z.array(text).min(1).max(50).optional(),
      requestedAt: z.string().max(60).optional(),
    })
    .optional()
    .meta({ description: "Accepted and not used: environment and data types come from the connection." }),
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
 * `<connection>/<operation>`; `operation` repeats its second part. `target` is accepted and not used: the
 * record keeps the target that the connector works out from `input`.
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
      target: z.string().trim().min(1).max(2000),
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
});

/** What a person found out about an action in doubt. `retry` sends it again under the same idempotency key. */
export const resolveActionRequest = z
  .strictObject({ outcome: z.enum(["completed", "failed", "retry"]), reason })
  .meta({ id: "ResolveActionRequest" });

export const action = z
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
    input: json,
    output: json,
    error: stepError.nullable(),
    httpStatus: z.int().nullable(),
    requestedBy: principalId,
    runId: runId.nullable(),
    step: z.string().nullable(),
    approvalId: approvalId.nullable(),
    decision: z.object({
      effect: z.string(),
      reasons: z.array(z.string()),
      message: z.string(),
      policy: z.string().nullable().optional().meta({ description: "Version of the bundle that decided." }),
      shadow: shadowVerdict.optional(),
    }),
    attempt: z.int(),
    idempotent: z.boolean(),
    effectKey: z.string().meta({ description: "The Idempotency-Key that the outside system was sent." }),
    createdAt: instant,
    startedAt: instant.nullable(),
    endedAt: instant.nullable(),
  })
  .meta({ id: "Action" });

/**
 * The answer to a submission, 202 whatever was decided: read `state`. `output` is there once the action
 * ran, `error` when it failed, `decision.message` says why it was denied, quarantined or held, and
 * `approvalId` is set while a person must decide. `actionId` repeats `id`.
 */
export const submittedAction = action.extend({ actionId }).meta({ id: "SubmittedAction" });

export type ActionState = z.infer<typeof actionState>;
export type SubmitActionRequest = z.input<typeof actionForms>;
export type ResolveActionRequest = z.input<typeof resolveActionRequest>;
export type Action = z.infer<typeof action>;
export type SubmittedAction = z.infer<typeof submittedAction>;
