import { z } from "zod";

/**
 * TypeIDs (github.com/jetify-com/typeid): `run_01j9zr3c4kf8w9m2x5q7t0v1ab` is a kind, an underscore and a
 * UUIDv7 in Crockford base32. Each kind is a type of its own, so a receipt id cannot be passed for a run id.
 */
export const idPrefix = {
  tenant: "ten",
  principal: "prn",
  apiKey: "key",
  flowVersion: "flv",
  connection: "con",
  run: "run",
  action: "act",
  approval: "apr",
  policy: "pol",
  grant: "gnt",
  replay: "rpl",
  receipt: "rct",
  hold: "hld",
  erasure: "ers",
  evidence: "evd",
  control: "ctl",
  gate: "gat",
  signal: "sig",
  comment: "cmt",
  delegation: "dlg",
  factor: "fac",
  challenge: "chl",
  event: "evt",
  alert: "alr",
  target: "tgt",
  deadLetter: "dlq",
} as const;

export type IdKind = keyof typeof idPrefix;

const typeId = <K extends IdKind>(kind: K) =>
  z
    .string()
    .regex(new RegExp(`^${idPrefix[kind]}_[0-7][0-9a-hjkmnp-tv-z]{25}$`), {
      error: `must be an id that starts with ${idPrefix[kind]}_`,
    })
    .brand<K>()
    .meta({
      description: `TypeID of kind ${kind}`,
      examples: [`${idPrefix[kind]}_01j9zr3c4kf8w9m2x5q7t0v1ab`],
    });

export const tenantId = typeId("tenant");
export const principalId = typeId("principal");
export const apiKeyId = typeId("apiKey");
export const flowVersionId = typeId("flowVersion");
export const connectionId = typeId("connection");
export const runId = typeId("run");
export const actionId = typeId("action");
export const approvalId = typeId("approval");
export const policyId = typeId("policy");
export const grantId = typeId("grant");
export const replayId = typeId("replay");
export const receiptId = typeId("receipt");
export const holdId = typeId("hold");
export const erasureId = typeId("erasure");
export const evidenceId = typeId("evidence");
export const controlMappingId = typeId("control");
export const gateId = typeId("gate");
export const signalId = typeId("signal");
export const commentId = typeId("comment");
export const delegationId = typeId("delegation");
export const factorId = typeId("factor");
export const challengeId = typeId("challenge");
export const securityEventId = typeId("event");
export const alertId = typeId("alert");
export const targetId = typeId("target");
export const deadLetterId = typeId("deadLetter");

export type TenantId = z.infer<typeof tenantId>;
export type PrincipalId = z.infer<typeof principalId>;
export type ApiKeyId = z.infer<typeof apiKeyId>;
export type FlowVersionId = z.infer<typeof flowVersionId>;
export type ConnectionId = z.infer<typeof connectionId>;
export type RunId = z.infer<typeof runId>;
export type ActionId = z.infer<typeof actionId>;
export type ApprovalId = z.infer<typeof approvalId>;
export type PolicyId = z.infer<typeof policyId>;
export type GrantId = z.infer<typeof grantId>;
export type ReplayId = z.infer<typeof replayId>;
export type ReceiptId = z.infer<typeof receiptId>;
export type EvidenceId = z.infer<typeof evidenceId>;
export type ControlMappingId = z.infer<typeof controlMappingId>;
export type GateId = z.infer<typeof gateId>;
export type SignalId = z.infer<typeof signalId>;
export type CommentId = z.infer<typeof commentId>;
export type DelegationId = z.infer<typeof delegationId>;
export type FactorId = z.infer<typeof factorId>;
export type ChallengeId = z.infer<typeof challengeId>;
export type SecurityEventId = z.infer<typeof securityEventId>;
export type AlertId = z.infer<typeof alertId>;
export type TargetId = z.infer<typeof targetId>;
export type DeadLetterId = z.infer<typeof deadLetterId>;
