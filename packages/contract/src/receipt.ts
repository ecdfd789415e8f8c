import { z } from "zod";
import { actionId, principalId, receiptId, runId, tenantId } from "./id.ts";
import { pageQuery } from "./page.ts";
import { instant, json } from "./scalar.ts";
import { trustDocument } from "./trust.ts";

export const receiptFilter = pageQuery.extend({
  run: runId.optional(),
  action: actionId.optional(),
  principal: principalId.optional(),
  type: z.string().min(1).max(60).optional(),
});

/** A signed statement that something was decided or happened. `jws` is what a stranger verifies. */
export const receipt = z
  .object({
    id: receiptId,
    type: z.string(),
    runId: runId.nullable(),
    actionId: actionId.nullable(),
    principalId: principalId.nullable(),
    tool: z.string().nullable(),
    effect: z.string().nullable(),
    body: json.meta({ description: "The signed body, as `jws` holds it." }),
    jws: z.string(),
    createdAt: instant,
  })
  .meta({ id: "Receipt" });

/** Every receipt of a run, each with its proof against one checkpoint: with the trust keys, verifiable offline. */
export const receiptBundle = z
  .object({
    format: z.string(),
    tenantId,
    run: runId,
    exportedAt: instant,
    items: z.array(z.object({ receiptId, proof: z.string() })),
  })
  .meta({ id: "ReceiptBundle" });

const verifyFields = z
  .strictObject({
    receiptId: receiptId.optional().meta({ description: "A stored receipt, with its proof." }),
    receipt: z
      .string()
      .min(1)
      .max(1_000_000)
      .optional()
      .meta({ description: "A tlog-proof, SD-JWT or compact JWS." }),
    trust: z
      .array(trustDocument)
      .max(20)
      .optional()
      .meta({ description: "Answers of `GET /v1/trust/tenants/:tenantId/keys` of others whom you trust." }),
  })
  .refine((r) => (r.receiptId === undefined) !== (r.receipt === undefined), {
    error: "send either receiptId or receipt",
    path: ["receiptId"],
  })
  .meta({ id: "VerifyReceiptRequest" });

/** Also reads `receipt_id`. */
export const verifyReceiptRequest = z.preprocess((value) => {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  const { receipt_id: alias, ...rest } = value as Record<string, unknown>; // a JSON object, by the line above
  return alias === undefined || "receiptId" in rest ? value : { ...rest, receiptId: alias };
}, verifyFields);

const check = z.object({ status: z.enum(["ok", "failed", "absent", "undecidable"]), detail: z.string() });

/**
 * What was found, part by part: a receipt can be well signed and not be in the log. One failed check proves
 * tampering; `exitCode` is 0 verified, 1 tampered, 2 cannot be decided.
 */
export const verification = z
  .object({
    verdict: z.enum(["verified", "tampered", "undecidable"]),
    exitCode: z.union([z.literal(0), z.literal(1), z.literal(2)]),
    checks: z.record(z.string(), check),
    receiptId: z.string().optional(),
    body: json.optional(),
    disclosed: z.record(z.string(), json),
    keyId: z.string().optional(),
    tenantId: z.string().optional(),
    leafIndex: z.int().optional(),
    treeSize: z.int().optional(),
  })
  .meta({ id: "Verification" });

export type Receipt = z.infer<typeof receipt>;
export type ReceiptFilter = z.input<typeof receiptFilter>;
export type ReceiptBundle = z.infer<typeof receiptBundle>;
export type VerifyReceiptRequest = z.input<typeof verifyFields>;
export type Verification = z.infer<typeof verification>;
