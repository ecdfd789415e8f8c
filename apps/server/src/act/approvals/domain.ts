/**
 * The life of an approval. docs/specs/approval.md explains it.
 *
 * A1 only an authenticated person with a right to it votes, once, and never who requested the action, nor who owns
 *    the agent that did, nor anybody on whose behalf it was asked for.
 * A2 an approval resolves once; whoever comes later is told how it stands.
 * A3 it is bound to the digest of the exact action and consumed once, in the commit that starts the execution.
 * A4 past its expiry it grants nothing.
 * A5 its stages are those of the moment when it was made, and open one after the other, or together where they say so.
 * A6 an overdue stage is escalated once, by whichever process comes first: the next group may vote from then on.
 * A7 a vote that needs confirmation counts only with a second factor of the voter's own, used for it alone.
 * A8 a right to vote is lent for a time by who holds it, never further, never to who is excluded, and used once.
 * A9 breaking the glass takes a permission, a reason and another person's review, and only where policy leaves it open.
 */
import { byRole } from "./seats.ts";
import type { Ballot, Requirement, Stage } from "./stages.ts";

export const approvalStates = [
  "pending",
  "approved",
  "rejected",
  "expired",
  "cancelled",
  "consumed",
] as const;
export type ApprovalState = (typeof approvalStates)[number];
export type ApprovalEvent = "grant" | "override" | "reject" | "expire" | "cancel" | "consume";

const nothing = {
  grant: null,
  override: null,
  reject: null,
  expire: null,
  cancel: null,
  consume: null,
} as const;

/** Total: what each event does in each state; null means that it does nothing there. */
export const approvalTransitions: Record<ApprovalState, Record<ApprovalEvent, ApprovalState | null>> = {
  pending: {
    grant: "approved",
    override: "approved",
    reject: "rejected",
    expire: "expired",
    cancel: "cancelled",
    consume: null,
  },
  approved: { ...nothing, expire: "expired", cancel: "cancelled", consume: "consumed" },
  rejected: nothing,
  expired: nothing,
  cancelled: nothing,
  consumed: nothing,
};

export const stepUps = ["totp", "webauthn"] as const;
export type StepUp = (typeof stepUps)[number];
/** What a vote was confirmed with. */
export type VoteFactor = StepUp | "recovery";

export interface Vote extends Ballot {
  readonly principalName: string;
  /** Roles that the voter held when voting. */
  readonly roles: readonly string[];
  readonly reason: string;
  readonly receiptDigest: string;
  /** Who lent the right to vote; null for one's own. */
  readonly onBehalfOf: string | null;
  readonly factor: VoteFactor | null;
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
  /** Policies that ask for people. */
  readonly rules?: readonly string[];
  /** Ids of principals from the one who is answerable to the one who acts. */
  readonly chain?: readonly string[];
}

/** Who broke the glass, and what a second person found. */
export interface Override {
  readonly by: string;
  readonly byName: string;
  readonly reason: string;
  readonly at: string;
  readonly factor: VoteFactor | null;
}
export const verdicts = ["justified", "unjustified"] as const;
export interface Review {
  readonly by: string;
  readonly byName: string;
  readonly verdict: (typeof verdicts)[number];
  readonly comment: string;
  readonly at: string;
}

/** A workflow that stages came from: by which name the policy asked, what that was then, and which version of it. */
export interface FollowedWorkflow {
  readonly asked: string;
  readonly name: string;
  /** 0: the built-in one. */
  readonly version: number;
}

export interface Approval {
  readonly id: string;
  readonly actionId: string;
  readonly actionDigest: string;
  readonly state: ApprovalState;
  /** Roles that the policy asked for by name. */
  readonly requirements: readonly Requirement[];
  readonly stages: readonly Stage[];
  readonly workflows: readonly FollowedWorkflow[];
  readonly stepUp: StepUp | null;
  /** Whether the glass may be broken. */
  readonly breakGlass: boolean;
  readonly override: Override | null;
  readonly review: Review | null;
  readonly batchId: string | null;
  readonly requesterId: string;
  readonly requesterName: string;
  readonly subject: Subject;
  readonly reason: string;
  readonly expiresAt: Date;
  readonly escalateAt: Date | null;
  readonly createdAt: Date;
  readonly resolvedAt: Date | null;
  readonly votes: readonly Vote[];
}

type Counted = Pick<Approval, "requirements" | "stages" | "workflows" | "votes" | "state" | "override">;

/** Seats of all stages. */
export const needed = ({ stages }: Pick<Approval, "stages">): number =>
  stages.reduce((sum, { places }) => sum + places.reduce((n, { count }) => n + count, 0), 0);

const rolePrefix = byRole("");

/**
 * What the policy is told of the votes: how many distinct approvers, in which roles, by which workflows. Once granted,
 * by votes or by breaking the glass, what the policy asked for counts as given: others than it named may have filled
 * an escalated stage. Nothing else is made up: a role that nobody asked for is told only when a voter held it.
 */
export function tally(approval: Counted): { count: number; roles: string[]; workflows: string[] } {
  const approving = approval.votes.filter((v) => v.vote === "approve");
  const people = new Set(approving.map((v) => v.principalId)).size;
  const granted = approval.state === "approved" || approval.state === "consumed";
  const asked = approval.requirements.map(({ role }) => role);
  const seats = approval.stages.flatMap(({ places }) => places.flatMap(({ anyOf }) => anyOf));
  const held = approving
    .flatMap(({ rights }) => rights.filter((right) => right.startsWith(rolePrefix) && seats.includes(right)))
    .map((right) => right.slice(rolePrefix.length));
  return {
    count: approval.override && granted ? Math.max(people, needed(approval)) : people,
    roles: [...new Set([...held, ...(granted ? asked : [])])].sort(),
    workflows: granted ? [...new Set(approval.workflows.map(({ asked }) => asked))].sort() : [],
  };
}
