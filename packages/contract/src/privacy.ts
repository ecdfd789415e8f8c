import { z } from "zod";
import { action } from "./action.ts";
import { actionId, erasureId, holdId, principalId, runId } from "./id.ts";
import { receipt } from "./receipt.ts";
import { instant, json, reason } from "./scalar.ts";

/** A person: a principal's id, or the name under which the data about somebody were declared, as in `customer:4711`. */
export const dataSubject = z
  .string()
  .trim()
  .min(1)
  .max(200)
  .meta({ examples: ["customer:4711"] });

const scopes = ["tenant", "run", "action", "subject"] as const;

export const placeHoldRequest = z
  .strictObject({
    scope: z.enum(scopes),
    run: runId.optional(),
    action: actionId.optional(),
    subject: dataSubject.optional(),
    reason,
  })
  .refine(
    (hold) => scopes.every((one) => one === "tenant" || (hold[one] !== undefined) === (hold.scope === one)),
    {
      error: "name the run, action or subject that the scope says, and nothing else",
      path: ["scope"],
    },
  )
  .meta({ id: "PlaceHoldRequest" });
export const releaseHoldRequest = z.strictObject({ reason }).meta({ id: "ReleaseHoldRequest" });

/** Keeps what it is about from erasure and retention until it is released. */
export const legalHold = z
  .object({
    id: holdId,
    scope: z.enum(scopes),
    ref: z.string().nullable().meta({ description: "The run, action or subject." }),
    reason: z.string(),
    placedBy: principalId,
    placedAt: instant,
    releasedBy: principalId.nullable(),
    releasedAt: instant.nullable(),
  })
  .meta({ id: "LegalHold" });

const days = z.int().min(1).max(36_500).nullable();

export const retentionRule = z
  .strictObject({
    type: z
      .string()
      .regex(/^(\*|[a-z]+\.[a-z_]+)$/, { error: "must be * or a receipt type such as action.decision" })
      .meta({ description: "A receipt type, or `*` for all without a rule of their own." }),
    bodyDays: days.meta({
      description: "Days until the signed text goes; its hash stays in the log. Null: never.",
    }),
    disclosureDays: days.meta({ description: "Days until the sensitive members go. Null: never." }),
  })
  .meta({ id: "RetentionRule" });

export const retentionRules = z
  .strictObject({
    rules: z
      .array(retentionRule)
      .max(100)
      .refine(
        (rules) => new Set(rules.map((rule) => rule.type)).size === rules.length,
        "a type occurs twice",
      ),
  })
  .meta({ id: "RetentionRules" });

export const eraseRequest = z.strictObject({ subject: dataSubject }).meta({ id: "EraseRequest" });

/** Whom it was about is not kept. */
export const erasure = z
  .object({
    id: erasureId,
    state: z.enum(["erasing", "completed"]),
    counts: z.record(z.string(), z.int()),
    requestedBy: principalId,
    createdAt: instant,
    completedAt: instant.nullable(),
  })
  .meta({ id: "Erasure" });

export const subjectExportRequest = z
  .strictObject({ subject: dataSubject, cursor: z.string().min(1).max(512).optional() })
  .meta({ id: "SubjectExportRequest" });

export const subjectExport = z
  .object({
    receipts: z.array(receipt.extend({ disclosed: z.record(z.string(), json) })),
    actions: z.array(action),
    runs: z.array(z.object({ id: runId, flow: z.string(), params: json, createdAt: instant })),
    nextCursor: z.string().nullable(),
  })
  .meta({ id: "SubjectExport" });

export type PlaceHoldRequest = z.input<typeof placeHoldRequest>;
export type LegalHold = z.infer<typeof legalHold>;
export type RetentionRule = z.infer<typeof retentionRule>;
export type RetentionRules = z.infer<typeof retentionRules>;
export type Erasure = z.infer<typeof erasure>;
export type SubjectExport = z.infer<typeof subjectExport>;
