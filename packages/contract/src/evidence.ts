/** Frameworks, controls, coverage and evidence packs. */
import { z } from "zod";
import { actionId, controlMappingId, evidenceId, principalId, runId } from "./id.ts";
import { pageQuery } from "./page.ts";
import { instant, json } from "./scalar.ts";

/** A framework of the catalogue, or a name of the tenant's own. */
export const frameworkName = z
  .string()
  .regex(/^[a-z][a-z0-9_]{1,39}$/, { error: "must be 2 to 40 lower-case letters, digits or underscores" })
  .meta({ examples: ["soc2", "iso_27001", "iso_42001", "eu_ai_act"] });

export const controlId = z
  .string()
  .regex(/^[A-Za-z][A-Za-z0-9._-]{0,39}$/, {
    error: "must be 1 to 40 letters, digits, dots, dashes or underscores and start with a letter",
  })
  .meta({ examples: ["CC6.1"] });

/** What a receipt can be evidence of. */
export const evidenceKind = z.enum([
  "receipt",
  "action",
  "denial",
  "outcome",
  "approval_request",
  "approval_decision",
  "policy_version",
  "operator_order",
  "actor",
  "key_change",
  "evidence_bundle",
  "erasure",
]);

const values = z.array(z.string().trim().min(1).max(200)).max(200).optional();

export const receiptFilters = z
  .strictObject({
    types: values,
    toolIds: values,
    operations: values,
    environments: values,
    policyDecisions: values,
    policyRuleIds: values,
    policyVersions: values,
    actorUserIds: values,
    actorAgentIds: values,
    outcomes: values,
  })
  .meta({
    id: "ReceiptFilters",
    description:
      "Every list that is given must hold a value of the receipt; a value that ends with `*` stands for all that begin so.",
  });

export const controlMappingRequest = z
  .strictObject({
    framework: frameworkName,
    controlId,
    title: z.string().trim().min(1).max(300).optional(),
    controlDescription: z.string().trim().min(1).max(2000),
    requiredNodeTypes: z.array(evidenceKind).min(1).max(20),
    receiptFilters: receiptFilters.optional(),
    freshnessDays: z.int().min(1).max(3650).nullable().optional().meta({
      description: "How old the newest evidence may be at the end of a window; null or absent: any age.",
    }),
    threshold: z
      .int()
      .min(1)
      .max(1_000_000)
      .optional()
      .meta({ description: "So many receipts at least; 1." }),
  })
  .meta({ id: "ControlMappingRequest" });

export const controlMappingQuery = z.strictObject({
  framework: frameworkName.optional(),
  controlId: controlId
    .optional()
    .meta({ description: "With `framework`: every version of it, newest first." }),
});

/** Which receipts are evidence for a control. A version never changes; `replacedAt` is null for the one in force. */
export const controlMapping = z
  .object({
    id: controlMappingId,
    framework: z.string(),
    controlId: z.string(),
    version: z.int(),
    title: z.string(),
    controlDescription: z.string(),
    requiredNodeTypes: z.array(evidenceKind),
    receiptFilters,
    freshnessDays: z.int().nullable(),
    threshold: z.int(),
    source: z.enum(["catalogue", "tenant"]),
    createdBy: principalId.nullable(),
    createdAt: instant,
    replacedAt: instant.nullable(),
    taggedTo: z.int().meta({ description: "All leaves of the log below this one were compared with it." }),
  })
  .meta({ id: "ControlMapping" });

export const controlMappings = z.object({ items: z.array(controlMapping) });

export const complianceFramework = z
  .object({
    framework: z.string(),
    name: z.string(),
    note: z.string(),
    controls: z.array(
      z.object({
        controlId: z.string(),
        title: z.string(),
        mapped: z.boolean().meta({ description: "Whether a default rule says which receipts are evidence." }),
      }),
    ),
  })
  .meta({ id: "ComplianceFramework" });

export const complianceFrameworks = z.object({ items: z.array(complianceFramework) });

export const coverageScanRequest = z
  .strictObject({
    framework: frameworkName,
    dateFrom: instant.optional().meta({ description: "90 days before `dateTo` when absent." }),
    dateTo: instant.optional().meta({ description: "Now when absent; not part of the window." }),
  })
  .refine((r) => !r.dateFrom || !r.dateTo || r.dateFrom < r.dateTo, {
    error: "must be before dateTo",
    path: ["dateFrom"],
  })
  .meta({ id: "CoverageScanRequest" });

const gap = z.object({
  framework: z.string(),
  controlId: z.string(),
  reason: z.enum(["missing_kind", "below_threshold", "stale", "not_mapped"]),
  detail: z.string(),
});

export const coverageScan = z
  .object({
    framework: z.string(),
    window: z.object({ from: instant, to: instant }),
    totalControls: z.int(),
    coveredControls: z.int(),
    missingControls: z.array(
      z.object({
        controlId: z.string(),
        controlDescription: z.string(),
        missingNodeTypes: z.array(evidenceKind),
        reasons: z.array(z.string()),
      }),
    ),
    controls: z.array(
      z.object({
        controlId: z.string(),
        title: z.string(),
        covered: z.boolean(),
        receipts: z.int(),
        kinds: z.array(evidenceKind),
        newestAt: instant.nullable(),
      }),
    ),
    gaps: z.array(gap),
    taggedTo: z.int(),
    generatedAt: instant,
  })
  .meta({ id: "CoverageScan" });

const packFields = z
  .strictObject({
    framework: frameworkName.optional(),
    frameworks: z.array(frameworkName).min(1).max(10).optional(),
    dateFrom: instant.optional(),
    dateTo: instant.optional(),
    run: runId
      .optional()
      .meta({ description: "An incident: every receipt of this run, each with its proof." }),
    action: actionId.optional().meta({ description: "The same for an action." }),
    mode: z.enum(["full", "sample"]).optional().meta({
      description:
        "`full`: every receipt of the window. `sample`: those that were drawn, and of all others the leaf of the log.",
    }),
    samplesPerControl: z.int().min(0).max(100).optional().meta({ description: "5 when absent." }),
    samples: z
      .int()
      .min(0)
      .max(1000)
      .optional()
      .meta({ description: "Drawn from all receipts; 25 when absent." }),
    seed: z
      .string()
      .regex(/^[A-Za-z0-9._-]{1,64}$/, {
        error: "must be 1 to 64 letters, digits, dots, dashes or underscores",
      })
      .optional()
      .meta({ description: "Of the draw; random when absent. An auditor may choose it." }),
  })
  .refine((r) => (r.framework === undefined) !== (r.frameworks === undefined) || r.run || r.action, {
    error: "send either framework or frameworks",
    path: ["framework"],
  })
  .refine((r) => !(r.run && r.action), { error: "send either run or action", path: ["action"] })
  .refine((r) => r.run || r.action || (r.dateFrom && r.dateTo), {
    error: "a window needs dateFrom and dateTo",
    path: ["dateFrom"],
  })
  .refine((r) => !r.dateFrom || !r.dateTo || r.dateFrom < r.dateTo, {
    error: "must be before dateTo",
    path: ["dateFrom"],
  });

export const evidenceExportRequest = packFields.meta({ id: "EvidenceExportRequest" });

export const evidenceExportFilter = pageQuery.extend({
  kind: z.enum(["on_demand", "monthly", "incident"]).optional(),
  state: z.enum(["queued", "building", "ready", "failed"]).optional(),
});

/** An evidence pack. `manifest` is what `manifest.jws` signs. */
export const evidenceExport = z
  .object({
    id: evidenceId,
    kind: z.enum(["on_demand", "monthly", "incident"]),
    frameworks: z.array(z.string()),
    window: z.object({ from: instant, to: instant }),
    run: runId.nullable(),
    action: actionId.nullable(),
    mode: z.enum(["full", "sample"]),
    seed: z.string(),
    state: z.enum(["queued", "building", "ready", "failed"]),
    progress: z.object({ done: z.int(), total: z.int().nullable() }),
    bytes: z.int().nullable(),
    sha256: z.string().nullable().meta({ description: "Of the archive, in hex." }),
    error: z.string().nullable(),
    requestedBy: principalId.nullable().meta({ description: "Null for the schedule." }),
    createdAt: instant,
    finishedAt: instant.nullable(),
    deliveredAt: instant.nullable(),
  })
  .meta({ id: "EvidenceExport" });

export const evidenceExportInFull = evidenceExport
  .extend({ manifest: json.nullable(), signature: z.string().nullable() })
  .meta({ id: "EvidenceExportInFull" });

export const verifyEvidenceRequest = z
  .strictObject({
    id: evidenceId.optional().meta({ description: "A pack that is kept here." }),
    bundle: z
      .string()
      .min(1)
      .regex(/^[A-Za-z0-9+/]+={0,2}$/, { error: "must be base64" })
      .optional()
      .meta({ description: "An archive, in base64. Larger ones are verified offline." }),
  })
  .refine((r) => (r.id === undefined) !== (r.bundle === undefined), {
    error: "send either id or bundle",
    path: ["id"],
  })
  .meta({ id: "VerifyEvidenceRequest" });

const check = z.object({ status: z.enum(["ok", "failed", "absent", "undecidable"]), detail: z.string() });

export const evidenceVerification = z
  .object({
    verdict: z.enum(["verified", "tampered", "undecidable"]),
    exitCode: z.union([z.literal(0), z.literal(1), z.literal(2)]),
    isHashValid: z.boolean().meta({ description: "Every file is as the manifest says." }),
    isSignatureValid: z.boolean(),
    errors: z.array(z.string()),
    checks: z.record(z.string(), check),
  })
  .meta({ id: "EvidenceVerification" });

export const evidenceScheduleRequest = z
  .strictObject({ framework: frameworkName })
  .meta({ id: "EvidenceScheduleRequest" });

export const evidenceSchedule = z
  .object({ framework: z.string(), createdBy: principalId, createdAt: instant })
  .meta({ id: "EvidenceSchedule" });

export const evidenceSchedules = z.object({ items: z.array(evidenceSchedule) });

export type ControlMapping = z.infer<typeof controlMapping>;
export type ControlMappingRequest = z.input<typeof controlMappingRequest>;
export type ComplianceFramework = z.infer<typeof complianceFramework>;
export type CoverageScanRequest = z.input<typeof coverageScanRequest>;
export type CoverageScan = z.infer<typeof coverageScan>;
export type EvidenceExportRequest = z.input<typeof evidenceExportRequest>;
export type EvidenceExportFilter = z.input<typeof evidenceExportFilter>;
export type EvidenceExport = z.infer<typeof evidenceExport>;
export type EvidenceExportInFull = z.infer<typeof evidenceExportInFull>;
export type VerifyEvidenceRequest = z.input<typeof verifyEvidenceRequest>;
export type EvidenceVerification = z.infer<typeof evidenceVerification>;
export type EvidenceSchedule = z.infer<typeof evidenceSchedule>;
