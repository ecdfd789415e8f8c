import { z } from "zod";
import { shadowVerdict } from "./action.ts";
import { canonicalAction } from "./action-alias.ts";
import { actionId, policyId, principalId, replayId, tenantId } from "./id.ts";
import { pageQuery } from "./page.ts";
import { policyVersion } from "./policy.ts";
import { fieldProblem } from "./problem.ts";
import { instant, jsonObject, resourceName } from "./scalar.ts";

const text = z.string().trim().min(1).max(200);
const effect = z.enum(["allow", "deny", "require_approval", "quarantine"]);

/** What is different from now. Environment, risk and data types are otherwise those of the catalogue. */
const context = z.strictObject({
  requestedAt: z.iso.datetime({ offset: true }).optional(),
  environment: text.optional(),
  risk: z.int().min(0).max(100).optional(),
  dataTypes: z.array(text).max(50).optional(),
  approvals: z
    .strictObject({
      count: z.int().min(0).max(1000),
      roles: z.array(text).max(100),
      workflows: z.array(text).max(100).optional(),
    })
    .optional(),
  counters: z.record(z.string().max(64), z.int()).optional(),
});

const about = {
  tenantId: tenantId.optional().meta({ description: "Must be the caller's tenant; it selects nothing." }),
  policyId: policyId.optional().meta({ description: "Any version, drafts too; left out: the one in force." }),
};

const asWhom = {
  agentId: principalId.optional().meta({ description: "Who would act; left out: the caller." }),
  context: context.optional(),
  input: jsonObject.default({}),
};

/** As `POST /v1/actions` takes it: a connection with an operation, or a tool. */
const imagined = z.strictObject({ ...about, connection: resourceName, operation: text, ...asWhom });
const imaginedTool = z.strictObject({
  ...about,
  resource: z.strictObject({
    toolId: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}\/[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/, {
      error: "must be <connection>/<operation>, for example wms/http.request",
    }),
    operation: text.optional(),
    target: z.string().max(2000).optional(),
  }),
  ...asWhom,
});
/** As golden cases have it: nothing is looked up. */
const caseForm = z.strictObject({ ...about, request: jsonObject });

/** `z.preprocess` has no JSON Schema of its own; the document shows the three forms. */
export const simulatePolicyDocument = z
  .union([imagined, imaginedTool, caseForm])
  .meta({ id: "SimulatePolicyRequest" });
export const simulatePolicyRequest = z.preprocess(canonicalAction, simulatePolicyDocument);

const note = {
  id: z.string(),
  effect: z.enum(["permit", "forbid"]),
  description: z.string().nullable(),
  text: z.string(),
};

/** A permit that would have allowed it but for the clause; `scope`: it is for other principals. */
const nearMiss = z.object({
  ...note,
  principal: z.object({ type: z.string(), id: z.string() }),
  because: z.enum(["scope", "clause", "error"]),
  clause: z.object({ kind: z.enum(["when", "unless"]), text: z.string() }).nullable(),
  error: z.string().nullable(),
});

export const policyExplanation = z
  .object({
    policy: policyVersion,
    decision: effect,
    message: z.string(),
    ruleIds: z.array(z.string()).meta({ description: "The determining policies." }),
    errors: z.array(z.string()),
    approval: jsonObject.nullable().meta({ description: "What people are asked, where it would be held." }),
    risk: z.object({ score: z.int(), tier: z.enum(["low", "medium", "high", "critical"]) }),
    determining: z.array(z.object(note)),
    nearMisses: z.array(nearMiss),
    considered: z.int(),
    context: jsonObject.nullable().meta({ description: "What the policies read, as Cedar's JSON." }),
  })
  .meta({ id: "PolicyExplanation" });

/** How far back: days, a number of actions, or both. */
export const replayPolicyRequest = z
  .strictObject({
    days: z.int().min(1).max(366).optional(),
    actions: z.int().min(1).max(200_000).optional(),
  })
  .meta({ id: "ReplayPolicyRequest" });

const counts = z.partialRecord(effect, z.int());
const mover = z.object({ name: z.string(), changed: z.int() });

export const replayReport = z
  .object({
    population: z.int(),
    unreadable: z.int(),
    changed: z.int(),
    matrix: z.partialRecord(effect, counts),
    movers: z.object({ principals: z.array(mover), tools: z.array(mover), policies: z.array(mover) }),
    examples: z.array(
      z.object({ actionId, tool: z.string(), before: effect, after: effect, reasons: z.array(z.string()) }),
    ),
  })
  .meta({ id: "ReplayReport" });

export const policyReplay = z
  .object({
    id: replayId,
    policyId,
    againstId: policyId.nullable(),
    state: z.enum(["queued", "running", "completed", "failed"]),
    days: z.int().nullable(),
    actions: z.int(),
    done: z.int(),
    report: replayReport.nullable(),
    error: z.string().nullable(),
    createdBy: principalId,
    createdAt: instant,
    endedAt: instant.nullable(),
  })
  .meta({ id: "PolicyReplay" });

export const shadowDifference = z
  .object({
    actionId,
    tool: z.string(),
    verb: z.string(),
    target: z.string(),
    requestedBy: principalId,
    createdAt: instant,
    decision: z.object({ effect: z.string(), reasons: z.array(z.string()) }),
    shadow: shadowVerdict,
  })
  .meta({ id: "ShadowDifference" });

export const differenceQuery = pageQuery.extend({ policyId: policyId.optional() });

/**
 * Rules of the simple form: by priority, the first that matches decides. `rules` alone, or the document that holds
 * them. With `dryRun` (the default) nothing is stored.
 */
export const importPolicyRequest = z
  .strictObject({
    rules: z.array(jsonObject),
    id: z.string().max(200).optional(),
    tenantId: z.string().max(200).optional(),
    version: z.string().max(200).optional(),
    status: z.string().max(50).optional(),
    createdAt: z.string().max(60).optional(),
    updatedAt: z.string().max(60).optional(),
    name: z.string().max(200).optional(),
    unmatched: z.enum(["allow", "deny"]).default("deny"),
    approverRole: z
      .string()
      .regex(/^[a-z][a-z0-9_-]{0,62}$/)
      .default("approver"),
    dryRun: z.boolean().default(true),
  })
  .meta({ id: "ImportPolicyRequest" });

export const policyImport = z
  .object({
    cedar: z.string(),
    divergences: z.array(z.object({ rule: z.string().nullable(), message: z.string() })),
    problems: z.array(fieldProblem),
    policy: policyVersion.nullable(),
  })
  .meta({ id: "PolicyImport" });

export type SimulatePolicyRequest = z.input<typeof simulatePolicyDocument>;
export type PolicyExplanation = z.infer<typeof policyExplanation>;
export type ReplayPolicyRequest = z.input<typeof replayPolicyRequest>;
export type PolicyReplay = z.infer<typeof policyReplay>;
export type ShadowDifference = z.infer<typeof shadowDifference>;
export type ImportPolicyRequest = z.input<typeof importPolicyRequest>;
export type PolicyImport = z.infer<typeof policyImport>;
