import { z } from "zod";
import { actionId, principalId, receiptId, runId, tenantId } from "./id.ts";
import { pageQuery } from "./page.ts";
import { withSeedNames } from "./request-alias.ts";
import { instant, json } from "./scalar.ts";
import { trustDocument } from "./trust.ts";

const word = (longest: number) => z.string().min(1).max(longest).optional();

export const receiptFilter = pageQuery
  .extend({
    run: runId.optional(),
    action: actionId.optional(),
    actor: principalId.optional().meta({ description: "Who acted, or on whose behalf." }),
    agent: principalId.optional().meta({ description: "The principal that acted." }),
    principal: principalId.optional().meta({ description: "The same as `agent`." }),
    type: word(60),
    tool: word(200).meta({ examples: ["wms/http.request"] }),
    operation: word(60).meta({ description: "read, write, delete, execute, send or pay." }),
    target: word(2_000),
    decision: z.enum(["allow", "deny", "require_approval", "quarantine"]).optional(),
    policy: word(100).meta({ description: "Digest of the policy bundle that decided." }),
    policyVersion: word(60),
    rule: word(200).meta({ description: "A rule that determined the decision." }),
    control: z
      .string()
      .max(120)
      .regex(/^[^/]+\/.+$/, { error: "must be framework/control, as in soc2/CC6.1" })
      .optional()
      .meta({ description: "A control that the receipt is evidence of, as `framework/control`." }),
    framework: word(60).meta({ description: "With `controlId`: the same as `control`." }),
    controlId: word(60),
    from: instant.optional().meta({ description: "Included." }),
    to: instant.optional().meta({ description: "Not included." }),
  })
  .refine((q) => (q.framework === undefined) === (q.controlId === undefined), {
    error: "needs framework and controlId, or neither",
    path: ["framework"],
  });

/** A signed statement that something was decided or happened. `jws` is what a stranger verifies. */
export const receipt = z
  .object({
    id: receiptId,
    type: z.string(),
    runId: runId.nullable(),
    actionId: actionId.nullable(),
    principalId: principalId.nullable(),
    userId: principalId.nullable().meta({ description: "The person for whom the principal acted." }),
    tool: z.string().nullable(),
    operation: z.string().nullable(),
    target: z.string().nullable(),
    effect: z.string().nullable(),
    policy: z.string().nullable(),
    policyVersion: z.string().nullable(),
    rules: z.array(z.string()),
    controls: z.array(z.string()),
    body: json.meta({ description: "The signed body, as `jws` holds it." }),
    jws: z.string(),
    createdAt: instant,
  })
  .meta({ id: "Receipt" });

export const receiptFormats = [
  "json",
  "jws",
  "sd-jwt",
  "tlog-proof",
  "dsse",
  "cose",
  "cloudevents",
  "replay",
] as const;
export type ReceiptFormat = (typeof receiptFormats)[number];

export const receiptQuery = z.strictObject({
  format: z.enum(receiptFormats).optional().meta({
    description:
      "Else `Accept` decides. Signed in DSSE and COSE by the tenant's active keys. `replay` is a ReceiptReplay and needs receipts:disclose.",
  }),
  disclose: z.enum(["true", "false"]).optional().meta({
    description: "With the sensitive members, in json, sd-jwt and tlog-proof. Needs receipts:disclose.",
  }),
});

/** One receipt, with its place in the log: null while it has none. */
export const receiptWithProof = receipt
  .extend({
    proof: z
      .object({
        index: z.int(),
        size: z.int(),
        hashes: z.array(z.string()).meta({ description: "Base64, from the leaf to the root (RFC 9162)." }),
        checkpoint: z.string().meta({ description: "The signed head of the log, a C2SP note." }),
      })
      .nullable(),
    disclosed: z.record(z.string(), json).optional().meta({ description: "With `disclose=true`." }),
  })
  .meta({ id: "ReceiptWithProof" });

const entityRef = z.object({ type: z.string(), id: z.string() });

/** A signed decision with all that its policy was asked, so that anybody with Cedar can make it again. */
export const receiptReplay = z
  .object({
    format: z.literal("oars-policy-replay@1"),
    receiptId,
    receipt: z.string().meta({ description: "tlog-proof, or SD-JWT while it is not in the log." }),
    policy: z.object({
      source: z
        .record(z.string(), json)
        .meta({ description: "The bundle; `decision.policy.bundle` is its digest." }),
      schema: z.string().meta({ description: "Cedar; `decision.policy.schema` is its digest." }),
      guards: z.record(z.string(), z.string()).meta({ description: "Policies beside every bundle." }),
      grants: z.array(
        z.object({
          id: z.string(),
          template: z.string(),
          principal: entityRef.nullable(),
          resource: entityRef.nullable(),
        }),
      ),
      released: z.boolean().meta({ description: "From quarantine: policies that quarantine did not count." }),
    }),
    entities: z
      .array(z.object({ uid: entityRef, attrs: z.record(z.string(), json), parents: z.array(entityRef) }))
      .meta({ description: "Who acts, the tool, and the person behind." }),
    context: z.record(z.string(), json).meta({ description: "The approvals so far are among it." }),
  })
  .meta({ id: "ReceiptReplay" });
export type ReceiptReplay = z.output<typeof receiptReplay>;

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

/** A receipt as text, or the object that `GET /v1/receipts/:id` answers. */
const receiptText = z.preprocess(
  (value) => (typeof value === "object" && value !== null && "jws" in value ? value.jws : value),
  z
    .string()
    .min(1)
    .max(1_000_000)
    .meta({ description: "A tlog-proof, SD-JWT or compact JWS; or an object with it under `jws`." }),
);
const pem = z.string().min(1).max(1_000);

const suppliedKey = withSeedNames(
  { key_id: "keyId", public_key_pem: "publicKeyPem" },
  z.strictObject({
    keyId: z.string().max(100).optional().meta({ description: "RFC 7638 thumbprint." }),
    publicKeyPem: pem,
  }),
);

const verifyFields = z
  .strictObject({
    receiptId: receiptId.optional().meta({ description: "A stored receipt, with its proof and its chain." }),
    receipt: receiptText.optional(),
    chain: z.array(receiptText).max(200).optional().meta({
      description: "All receipts of the action, this one among them. Without it no chain is valid.",
    }),
    publicKeyPem: pem.optional().meta({
      description: "An Ed25519 key that you vouch for. Counts for issuers that this server does not know.",
    }),
    publicKeys: z.array(suppliedKey).max(50).optional(),
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

/** Also reads `receipt_id`, `public_key_pem` and `public_keys` (with `key_id`). */
export const verifyReceiptRequest = withSeedNames(
  { receipt_id: "receiptId", public_key_pem: "publicKeyPem", public_keys: "publicKeys" },
  verifyFields,
);

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
    isSignatureValid: z.boolean(),
    isChainValid: z.boolean().meta({ description: "False also where no chain was given." }),
    isSchemaValid: z.boolean(),
    verificationErrors: z.array(z.string()),
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
export type ReceiptWithProof = z.infer<typeof receiptWithProof>;
export type ReceiptQuery = z.infer<typeof receiptQuery>;
export type ReceiptFilter = z.input<typeof receiptFilter>;
export type ReceiptBundle = z.infer<typeof receiptBundle>;
export type VerifyReceiptRequest = z.input<typeof verifyFields>;
export type Verification = z.infer<typeof verification>;
