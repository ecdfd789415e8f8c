/**
 * The signed receipt, version 1. Integers stay within 2^53-1, there are no fractions (money is minor
 * units or a decimal string), texts are well-formed Unicode, times are RFC 3339 UTC with milliseconds,
 * ids are TypeIDs. Arguments, results and personal data are never in clear: they are disclosures (`_sd`).
 */
import type { Json } from "./canonical.ts";

export const receiptTypes = [
  "action.decision",
  "approval.requested",
  "approval.vote",
  "approval.resolved",
  "approval.expired",
  "approval.consumed",
  "approval.escalated",
  "approval.delegated",
  "approval.workflow_changed",
  "factor.changed",
  "factor.failed",
  "execution.started",
  "execution.finished",
  "run.started",
  "run.finished",
  "run.operated",
  "gate.answered",
  "signal.received",
  "flow.published",
  "policy.published",
  "policy.mode_changed",
  "policy.rolled_back",
  "policy.granted",
  "policy.grant_revoked",
  "policy.replayed",
  "tool.definition_changed",
  "key.rotated",
  "key.revoked",
  "log.checkpoint_witnessed",
  "privacy.erased",
  "hold.placed",
  "hold.released",
  "retention.changed",
  "export.created",
  "breakglass.used",
  "breakglass.reviewed",
] as const;

export type ReceiptType = (typeof receiptTypes)[number];

export const decisionEffects = ["allow", "deny", "require_approval", "quarantine"] as const;
export const approvalStates = [
  "pending",
  "approved",
  "rejected",
  "expired",
  "cancelled",
  "consumed",
] as const;
export const outcomeStatuses = [
  "completed",
  "failed",
  "tool_error",
  "protocol_error",
  "timeout",
  "cancelled",
  "not_executed",
  "unknown",
] as const;

/** Where a receipt belongs in a run. `hash` is the content digest of the flow version, `sha256:<hex>`. */
export interface ReceiptRun {
  readonly id: string;
  readonly step?: string;
  readonly flow?: string;
  readonly version?: string;
  readonly hash?: string;
}

/** A flow version that was published. `hash` is the content digest, `sha256:<hex>`. */
export interface ReceiptFlow {
  readonly name: string;
  readonly version: string;
  readonly hash: string;
}

/** What was proposed. `digest` is `sha256:<hex>` of the canonical ActionBinding that approvals bind to. */
export interface ReceiptAction {
  readonly id: string;
  readonly protocol?: string;
  readonly server?: string;
  readonly tool?: string;
  readonly tool_def?: string;
  readonly operation?: string;
  readonly target?: string;
  readonly env?: string;
  readonly digest?: string;
  readonly idempotency?: string;
}

/** Who acted: the agent (or service), the user it acted for, and the delegation chain from user to agent. */
export interface ReceiptPrincipal {
  readonly agent?: string;
  readonly agent_key?: string;
  readonly user?: string;
  readonly chain?: readonly string[];
  readonly auth?: { readonly [name: string]: Json };
}

/**
 * What became of a signing key. Keys are named by thumbprint. Of a rotation the old key signs one receipt and the new
 * key another, linked by `links.parent`; `until` is when the old one ends.
 */
export interface ReceiptKeyChange {
  readonly use: "receipt" | "log";
  /** The key that signs from now on. */
  readonly current: string;
  readonly previous?: string;
  readonly revoked?: string;
  readonly reason?: string;
  readonly until?: string;
}

export interface ReceiptDecision {
  readonly effect: (typeof decisionEffects)[number];
  readonly reasons?: readonly string[];
  readonly errors?: readonly string[];
  readonly obligations?: readonly string[];
  readonly policy?: {
    readonly bundle?: string;
    readonly version?: string;
    readonly engine?: string;
    readonly schema?: string;
  };
  readonly entities?: string;
  readonly context?: string;
  readonly mode?: "enforce" | "shadow";
  readonly message?: string;
}

/** `votes` are `sha256:<hex>` digests of the vote receipts. */
export interface ReceiptApproval {
  readonly request: string;
  readonly state: (typeof approvalStates)[number];
  readonly quorum?: { readonly need: number; readonly got: number };
  readonly role?: string;
  readonly voter?: string;
  readonly vote?: string;
  readonly votes?: readonly string[];
  readonly expires?: string;
}

export interface ReceiptOutcome {
  readonly status: (typeof outcomeStatuses)[number];
  readonly code?: string;
  readonly http?: number;
  readonly latency_ms?: number;
  readonly attempt?: number;
}

/**
 * What a person did to a run. `from` and `to` are the run's status before and after; `gate` and `signal` name what
 * was answered or sent, `origin` the run that is repeated. Reasons, edits and payloads are disclosures.
 */
export interface ReceiptOperation {
  readonly command: string;
  readonly from?: string;
  readonly to?: string;
  readonly gate?: string;
  readonly decision?: string;
  readonly signal?: string;
  readonly origin?: string;
}

/** Which fields were declared by the caller, observed by us, or reported by the other system. */
export interface ReceiptEvidence {
  readonly declared?: readonly string[];
  readonly observed?: readonly string[];
  readonly upstream_reported?: readonly string[];
}

/** Ids of other receipts (`rct_…`); `task` names a task of another protocol. */
export interface ReceiptLinks {
  readonly parent?: string | null;
  readonly supersedes?: string | null;
  readonly task?: string;
}

export interface ReceiptBody {
  readonly v: 1;
  readonly typ: ReceiptType;
  readonly rid: string;
  /** 128 random bits, base64url: makes the leaf hash hide the body. */
  readonly nonce: string;
  /** The tenant's issuer URL; a trust key counts only for its own issuer. */
  readonly iss: string;
  /** Origin of the log that will hold the receipt. */
  readonly log: string;
  readonly ts: string;
  readonly clock?: { readonly src: string; readonly skew_ms: number };
  readonly run?: ReceiptRun;
  readonly flow?: ReceiptFlow;
  readonly action?: ReceiptAction;
  readonly principal?: ReceiptPrincipal;
  readonly decision?: ReceiptDecision;
  readonly approval?: ReceiptApproval;
  readonly outcome?: ReceiptOutcome;
  readonly operation?: ReceiptOperation;
  readonly key?: ReceiptKeyChange;
  readonly evidence?: ReceiptEvidence;
  readonly trace?: string;
  readonly links?: ReceiptLinks;
  readonly _sd?: readonly string[];
  readonly _sd_alg?: "sha-256";
}
