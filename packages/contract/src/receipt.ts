import { z } from "zod";
import { actionId, receiptId, runId } from "./id.ts";
import { pageQuery } from "./page.ts";
import { digest, instant, json, jsonObject } from "./scalar.ts";

export const receiptFilter = pageQuery.extend({
  run: runId.optional(),
  action: actionId.optional(),
  type: z.string().min(1).max(60).optional(),
});

/** A signed statement that something was decided or happened. `jws` is what a stranger verifies. */
export const receipt = z
  .object({
    id: receiptId,
    type: z.string(),
    digest,
    runId: runId.nullable(),
    actionId: actionId.nullable(),
    body: json,
    jws: z.string(),
    logIndex: z.int().nullable().meta({ description: "Leaf in the tenant's log; null until logged." }),
    createdAt: instant,
  })
  .meta({ id: "Receipt" });

/** Every receipt of a run with proofs, checkpoint and keys: enough to verify it offline. */
export const receiptBundle = jsonObject.meta({ id: "ReceiptBundle" });

/** Either the id of a stored receipt or the receipt's text, with the keys to trust where they are known. */
export const verifyReceiptRequest = z
  .strictObject({
    receiptId: receiptId.optional(),
    receipt: z.string().min(1).max(1_000_000).optional(),
    keys: z.array(z.record(z.string(), z.unknown())).max(100).optional(),
  })
  .refine((r) => (r.receiptId === undefined) !== (r.receipt === undefined), {
    error: "send either receiptId or receipt",
    path: ["receiptId"],
  })
  .meta({ id: "VerifyReceiptRequest" });

/** What was found, part by part: a receipt can be well signed and not be in the log. */
export const verification = jsonObject.meta({ id: "Verification" });

export type Receipt = z.infer<typeof receipt>;
export type ReceiptFilter = z.input<typeof receiptFilter>;
export type VerifyReceiptRequest = z.input<typeof verifyReceiptRequest>;
