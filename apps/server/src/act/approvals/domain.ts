/**
 * The life of an approval. docs/specs/approval.md explains it.
 *
 * A1 only an authenticated principal with a required role votes, once, and never who requested the action.
 * A2 an approval resolves once; whoever comes later is told how it stands.
 * A3 it is bound to the digest of the exact action and consumed once, in the commit that starts the execution.
 * A4 past its expiry it grants nothing.
 */
export const approvalStates = [
  "pending",
  "approved",
  "rejected",
  "expired",
  "cancelled",
  "consumed",
] as const;
export type ApprovalState = (typeof approvalStates)[number];
export type ApprovalEvent = "grant" | "reject" | "expire" | "cancel" | "consume";

/** Total: what each event does in each state; null means that it does nothing there. */
export const approvalTransitions: Record<ApprovalState, Record<ApprovalEvent, ApprovalState | null>> = {
  pending: { grant: "approved", reject: "rejected", expire: "expired", cancel: "cancelled", consume: null },
  approved: { grant: null, reject: null, expire: "expired", cancel: "cancelled", consume: "consumed" },
  rejected: { grant: null, reject: null, expire: null, cancel: null, consume: null },
  expired: { grant: null, reject: null, expire: null, cancel: null, consume: null },
  cancelled: { grant: null, reject: null, expire: null, cancel: null, consume: null },
  consumed: { grant: null, reject: null, expire: null, cancel: null, consume: null },
};

/** So many distinct principals with this role must approve. */
export interface Requirement {
  readonly role: string;
  readonly quorum: number;
}

export interface Vote {
  readonly principalId: string;
  readonly principalName: string;
  readonly vote: "approve" | "reject";
  /** Roles that the voter held when voting. */
  readonly roles: readonly string[];
  readonly reason: string;
  readonly receiptDigest: string;
  readonly at: Date;
}

/** What an approver must see of the action. */
export interface Subject {
  readonly tool: string;
  readonly target: string;
  readonly environment: string;
  readonly risk: number;
  readonly facts: Readonly<Record<string, string | number | boolean>>;
  readonly runId: string | null;
  readonly step: string | null;
}

export interface Approval {
  readonly id: string;
  readonly actionId: string;
  readonly actionDigest: string;
  readonly state: ApprovalState;
  readonly requirements: readonly Requirement[];
  readonly requesterId: string;
  readonly requesterName: string;
  readonly subject: Subject;
  readonly reason: string;
  readonly expiresAt: Date;
  readonly createdAt: Date;
  readonly resolvedAt: Date | null;
  readonly votes: readonly Vote[];
}

export const hasRole = (roles: readonly string[], requirements: readonly Requirement[]): boolean =>
  requirements.some((r) => roles.includes(r.role));

/** Every requirement has its quorum of distinct approvers. */
export const isGranted = (requirements: readonly Requirement[], votes: readonly Vote[]): boolean =>
  requirements.every((r) => approversWith(votes, r.role) >= r.quorum);

const approversWith = (votes: readonly Vote[], role: string): number =>
  new Set(votes.filter((v) => v.vote === "approve" && v.roles.includes(role)).map((v) => v.principalId)).size;

/** What the policy is told of the votes: how many distinct approvers, and in which of the required roles. */
export function tally(approval: Pick<Approval, "requirements" | "votes">): {
  count: number;
  roles: string[];
} {
  const approving = approval.votes.filter((v) => v.vote === "approve");
  const roles = approval.requirements
    .map((r) => r.role)
    .filter((role) => approving.some((v) => v.roles.includes(role)));
  return { count: new Set(approving.map((v) => v.principalId)).size, roles: [...new Set(roles)].sort() };
}

/** Votes still missing: the largest shortfall first. */
export const missing = (requirements: readonly Requirement[], votes: readonly Vote[]): Requirement[] =>
  requirements
    .map((r) => ({ role: r.role, quorum: Math.max(0, r.quorum - approversWith(votes, r.role)) }))
    .filter((r) => r.quorum > 0)
    .sort((a, b) => b.quorum - a.quorum);
