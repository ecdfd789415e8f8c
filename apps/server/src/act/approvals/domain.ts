/**
 * The life of an approval. docs/specs/approval.md explains it.
 *
 * A1 only an authenticated principal with a required role votes, once, and never who requested the action, nor who
 *    owns the agent that did, nor an agent of either.
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

/**
 * Every requirement has its quorum, each approver counted for one of them: who holds two of the roles fills one
 * place. So the number of people is never less than the places that the policy asks for.
 */
export const isGranted = (requirements: readonly Requirement[], votes: readonly Vote[]): boolean =>
  missing(requirements, votes).length === 0;

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

/** Places still empty: the largest shortfall first. */
export function missing(requirements: readonly Requirement[], votes: readonly Vote[]): Requirement[] {
  const places = requirements.flatMap((r) => Array.from({ length: r.quorum }, () => r.role));
  const rolesOf = new Map<string, Set<string>>();
  for (const v of votes) {
    if (v.vote === "approve")
      rolesOf.set(v.principalId, new Set([...(rolesOf.get(v.principalId) ?? []), ...v.roles]));
  }
  const filled = fillPlaces(places, rolesOf);
  return requirements
    .map((r) => ({
      role: r.role,
      quorum: places.filter((role, i) => role === r.role && !filled.has(i)).length,
    }))
    .filter((r) => r.quorum > 0)
    .sort((a, b) => b.quorum - a.quorum);
}

/** Largest number of places filled by distinct people: augmenting paths (Kuhn). Place by person. */
function fillPlaces(
  places: readonly string[],
  rolesOf: ReadonlyMap<string, ReadonlySet<string>>,
): Map<number, string> {
  const filled = new Map<number, string>();
  const seat = (person: string, tried: Set<number>): boolean => {
    for (const [i, role] of places.entries()) {
      if (tried.has(i) || !rolesOf.get(person)?.has(role)) continue;
      tried.add(i);
      const holder = filled.get(i);
      if (holder === undefined || seat(holder, tried)) {
        filled.set(i, person);
        return true;
      }
    }
    return false;
  };
  for (const person of rolesOf.keys()) seat(person, new Set());
  return filled;
}
