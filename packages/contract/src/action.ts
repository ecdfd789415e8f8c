import { z } from "zod";
import { canonicalAction } from "./action-alias.ts";
import { actionId, approvalId, principalId, receiptId, runId, tenantId } from "./id.ts";
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

const text = z.string().trim().min(1).max(200);

/** What both forms of a submission may carry. None of it can lower what policy demands. */
const about = {
  tenantId: tenantId
    .optional()
    .meta({ description: "Must be the caller's tenant; it selects nothing. Use X-Tenant-ID to select." }),
  agentId: text.optional().meta({ description: "Name of the agent inside the caller, for the record." }),
  userContext: z
    .strictObject({ userId: text.optional(), sessionId: text.optional() })
    .optional()
    .meta({ description: "The person on whose behalf an agent acts, for the record." }),
  context: z
    .strictObject({
      environment: text.optional(),
      dataTypes: z.array(text).min(1).max(50).optional(),
      requestedAt: z.string().max(60).optional(),
    })
    .optional()
    .meta({ description: "What the caller says about itself. Policy reads the connection's facts instead." }),
  input: jsonObject.meta({ description: "The operation's input; its schema belongs to the connector." }),
  waitMs: z
    .int()
    .min(0)
    .max(60_000)
    .optional()
    .meta({
      description: "How long to hold the answer for an outcome. 0 answers once the action is durable.",
    }),
};

/** `{connection, operation, input}`: the direct form. */
export const actionByConnection = z
  .strictObject({ connection: resourceName, operation: text.meta({ examples: ["http.request"] }), ...about })
  .meta({ id: "ActionByConnection" });

/**
 * `{resource: {toolId, operation, target}, input}`: the governed-tool form. `toolId` is
 * `<connection>/<operation>`; `operation` repeats its second part. `target` is what the caller believes it
 * acts on; the record keeps the target that the connector works out from `input`.
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

export type ActionSubmission = Omit<z.infer<typeof actionByConnection>, never> & {
  target?: string | undefined;
};

export const actionFilter = pageQuery.extend({
  state: actionState.optional(),
  run: runId.optional(),
  connection: resourceName.optional(),
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
    target: z.string(),
    digest: digest.optional(),
    runId: runId.nullable(),
    step: z.string().nullable(),
    requestedBy: principalId,
    approvalId: approvalId.nullable(),
    receiptId: receiptId.nullable(),
    decision: json.optional(),
    output: json.optional(),
    error: stepError.nullable(),
    createdAt: instant,
    updatedAt: instant,
  })
  .meta({ id: "Action" });

/**
 * The answer to a submission, 202 whatever was decided: read `state`. `output` is there once the action
 * ran, `error` when it was denied, quarantined or failed, `approvalId` while a person must decide.
 */
export const submittedAction = action.extend({ actionId }).meta({ id: "SubmittedAction" });

export type ActionState = z.infer<typeof actionState>;
export type SubmitActionRequest = z.input<typeof actionForms>;
export type ResolveActionRequest = z.input<typeof resolveActionRequest>;
export type Action = z.infer<typeof action>;
export type SubmittedAction = z.infer<typeof submittedAction>;
