/** What a tenant writes: Cedar text, the entities and counters that it refers to, and golden cases. */
import type { DecisionRequest, Effect, PrincipalKind, Verb } from "./domain.ts";

/** A golden case: this request must get this answer, or the bundle cannot be published. */
export interface GoldenCase {
  readonly name: string;
  readonly request: CaseRequest;
  readonly expect: Effect;
}

/** A request as a person writes it in a golden case; what is left out takes the harmless value. */
export interface CaseRequest {
  readonly principal: {
    readonly id?: string | undefined;
    readonly kind: PrincipalKind;
    readonly roles?: readonly string[] | undefined;
    readonly groups?: readonly string[] | undefined;
    readonly owner?: string | undefined;
  };
  /** The person behind an agent, whose own rights count as well. */
  readonly onBehalfOf?:
    | {
        readonly id?: string | undefined;
        readonly roles?: readonly string[] | undefined;
        readonly groups?: readonly string[] | undefined;
      }
    | undefined;
  readonly action: Verb;
  /** `connection/operation`, as in `wms/http.request`. */
  readonly tool: string;
  readonly connector?: string | undefined;
  readonly environment?: string | undefined;
  readonly risk?: number | undefined;
  readonly dataTypes?: readonly string[] | undefined;
  readonly target?: string | undefined;
  readonly args?: Readonly<Record<string, string | number | boolean>> | undefined;
  readonly approvals?: DecisionRequest["approvals"] | undefined;
  readonly delegation?:
    | { readonly user?: string | undefined; readonly depth?: number | undefined }
    | undefined;
  /** RFC 3339; 2026-01-01T12:00:00Z when left out, so that a case says the same every day. */
  readonly now?: string | undefined;
  /** Values of the counters that the bundle declares; 0 when left out. */
  readonly counters?: Readonly<Record<string, number>> | undefined;
}

/** What a tenant writes: Cedar text, what it refers to, and the cases that it must satisfy. */
export interface BundleSource {
  readonly name?: string | undefined;
  readonly cedar: string;
  readonly cases?: readonly GoldenCase[] | undefined;
  readonly entities?: BundleEntities | undefined;
  readonly counters?: readonly CounterSpec[] | undefined;
  readonly delegation?: Delegation | undefined;
}

/** Who is asked about when an agent acts for a person: both, each by the same policies, or the agent alone. */
export const delegations = ["every_link", "agent"] as const;
export type Delegation = (typeof delegations)[number];

/** Entities that a bundle brings along: groups that policies name in their scopes. */
export interface BundleEntities {
  /** Tools by group: `connection/operation`, or `connection/*` for all of a connection. */
  readonly toolGroups?: Readonly<Record<string, readonly string[]>> | undefined;
  /** Ids of principals (`prn_…`) by group. */
  readonly groups?: Readonly<Record<string, readonly string[]>> | undefined;
}

export const counterScopes = ["principal", "tool", "connection"] as const;
export type CounterScope = (typeof counterScopes)[number];

/** A sliding window that policies read as `context.counters.<name>`. */
export interface CounterSpec {
  readonly name: string;
  /** What is counted: actions, or the sum of this fact over them. */
  readonly sum?: string | undefined;
  readonly window: CounterWindow;
  /** Apart for each of these; the whole tenant in one when empty. */
  readonly per: readonly CounterScope[];
  /** Only actions of these verbs; all when left out. */
  readonly verbs?: readonly Verb[] | undefined;
}

/** Milliseconds of each window that a bundle may declare. */
export const counterWindows = {
  PT1M: 60_000,
  PT10M: 600_000,
  PT1H: 3_600_000,
  PT24H: 86_400_000,
  P7D: 604_800_000,
} as const;
export type CounterWindow = keyof typeof counterWindows;
