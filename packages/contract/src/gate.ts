import { z } from "zod";
import { gateDecision } from "./flow-step.ts";
import { gateId, principalId, runId } from "./id.ts";
import { pageQuery } from "./page.ts";
import { withSeedNames } from "./request-alias.ts";
import { instant, json, jsonObject } from "./scalar.ts";

export const gateStatus = z.enum(["open", "answered", "expired", "cancelled"]);

export const gateFilter = pageQuery.extend({ status: gateStatus.optional(), run: runId.optional() });

const answerFields = z
  .strictObject({
    decision: gateDecision,
    edits: jsonObject.optional().meta({
      description: "With retry: deep-merged into the step's input for all later attempts.",
    }),
    output: json.optional().meta({ description: "With continue: the output in place of the step's own." }),
    note: z.string().trim().max(2000).optional(),
  })
  .refine((a) => a.edits === undefined || a.decision === "retry", {
    error: "goes with the decision retry",
    path: ["edits"],
  })
  .refine((a) => a.output === undefined || a.decision === "continue", {
    error: "goes with the decision continue",
    path: ["output"],
  })
  .meta({ id: "AnswerGateRequest" });

/** Also reads `modifications` and `notes`. The answer is the authenticated caller's; a body cannot name another. */
export const answerGateRequest = withSeedNames({ modifications: "edits", notes: "note" }, answerFields);

/** A question to people inside a run: may it go on with what the step gave? */
export const gate = z
  .object({
    id: gateId,
    runId,
    flow: z.string(),
    version: z.string(),
    step: z.string(),
    item: z.int().nullable().meta({ description: "Index of the item, for a step with forEach." }),
    attempt: z.int(),
    status: gateStatus,
    question: z.string(),
    options: z.array(gateDecision),
    approvers: z.array(z.string()).meta({ description: "Roles that may answer." }),
    excludeRequester: z.boolean(),
    requestedBy: principalId,
    default: gateDecision.nullable().meta({ description: "Taken at `dueAt` when nobody has answered." }),
    output: json.optional().meta({ description: "What the step gave. Not in lists." }),
    decision: gateDecision.nullable(),
    edits: jsonObject.nullable(),
    editedOutput: json
      .optional()
      .meta({ description: "Where the answer replaced the output. Not in lists." }),
    answeredBy: principalId.nullable(),
    note: z.string().nullable(),
    createdAt: instant,
    dueAt: instant.nullable(),
    answeredAt: instant.nullable(),
  })
  .meta({ id: "Gate" });

export type GateStatus = z.infer<typeof gateStatus>;
export type GateFilter = z.input<typeof gateFilter>;
export type AnswerGateRequest = z.input<typeof answerFields>;
export type Gate = z.infer<typeof gate>;
