/**
 * Which receipts are evidence for a control, as data: the same rules tag receipts on the server and are applied again
 * by whoever verifies an evidence pack.
 */
import type { ReceiptBody } from "./body.ts";

/**
 * Each list that is given must hold a value of the receipt; a value that ends with `*` stands for all that begin so.
 * A list that is left out asks for nothing.
 */
export interface ControlFilter {
  readonly types?: readonly string[];
  /** Tool, or connection and tool joined by a slash. */
  readonly toolIds?: readonly string[];
  /** Verb of an action, or the command of a person who operates. */
  readonly operations?: readonly string[];
  readonly environments?: readonly string[];
  readonly policyDecisions?: readonly string[];
  readonly policyRuleIds?: readonly string[];
  readonly policyVersions?: readonly string[];
  readonly actorUserIds?: readonly string[];
  readonly actorAgentIds?: readonly string[];
  readonly outcomes?: readonly string[];
}

export const filterNames = [
  "types",
  "toolIds",
  "operations",
  "environments",
  "policyDecisions",
  "policyRuleIds",
  "policyVersions",
  "actorUserIds",
  "actorAgentIds",
  "outcomes",
] as const satisfies readonly (keyof ControlFilter)[];

/** What a receipt can be evidence of. The order is that of the bits in which a server keeps them. */
export const evidenceKinds = [
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
] as const;

export type EvidenceKind = (typeof evidenceKinds)[number];

const values: Readonly<Record<keyof ControlFilter, (body: ReceiptBody) => readonly (string | undefined)[]>> =
  {
    types: (b) => [b.typ],
    toolIds: (b) => [b.action?.tool, `${b.action?.server}/${b.action?.tool}`],
    operations: (b) => [b.action?.operation, b.operation?.command],
    environments: (b) => [b.action?.env],
    policyDecisions: (b) => [b.decision?.effect],
    policyRuleIds: (b) => b.decision?.reasons ?? [],
    policyVersions: (b) => [b.decision?.policy?.version, b.decision?.policy?.bundle],
    actorUserIds: (b) => [b.principal?.user],
    actorAgentIds: (b) => [b.principal?.agent],
    outcomes: (b) => [b.outcome?.status],
  };

const fits = (wanted: string, value: string): boolean =>
  wanted.endsWith("*") ? value.startsWith(wanted.slice(0, -1)) : value === wanted;

/** Whether a receipt is evidence for a control with this filter. */
export function matchesFilter(body: ReceiptBody, filter: ControlFilter): boolean {
  return filterNames.every((name) => {
    const wanted = filter[name];
    if (wanted === undefined) return true;
    return values[name](body).some((value) => value !== undefined && wanted.some((w) => fits(w, value)));
  });
}

/**
 * A person's vote: an `approval.vote` whose voter is a user. What a policy allowed by itself, and what an agent or
 * a service answered, never counts as one.
 */
export const isHumanApproval = (body: ReceiptBody): boolean =>
  body.typ === "approval.vote" &&
  body.principal?.user !== undefined &&
  body.principal.agent === undefined &&
  body.approval?.vote !== undefined;

const isKind: Readonly<Record<EvidenceKind, (body: ReceiptBody) => boolean>> = {
  receipt: () => true,
  action: (b) => b.typ === "action.decision",
  denial: (b) =>
    b.typ === "action.decision" && (b.decision?.effect === "deny" || b.decision?.effect === "quarantine"),
  outcome: (b) => b.typ === "execution.finished",
  approval_request: (b) => b.typ === "approval.requested",
  approval_decision: isHumanApproval,
  policy_version: (b) => b.typ === "policy.published",
  operator_order: (b) => b.operation !== undefined,
  actor: (b) => b.principal !== undefined,
  key_change: (b) => b.typ.startsWith("key."),
  evidence_bundle: (b) => b.typ === "export.created",
  erasure: (b) => b.typ === "privacy.erased",
};

export const kindsOf = (body: ReceiptBody): EvidenceKind[] =>
  evidenceKinds.filter((kind) => isKind[kind](body));
