/**
 * What a policy bundle is, what is asked of it and what it answers. Pure: no clock, no I/O.
 *
 * States of a version: [P1] a draft or retired version may be published, [P2] publishing retires the one
 * that was published, so a tenant has at most one, [P3] content never changes after the version is made.
 */
import type { BundleEntities, BundleSource, CounterSpec, Delegation } from "./bundle-form.ts";
import type { FactSpec } from "./facts.ts";

export * from "./bundle-form.ts";

export const verbs = ["read", "write", "delete", "execute", "send", "pay"] as const;
export type Verb = (typeof verbs)[number];

export const principalKinds = ["user", "agent", "service"] as const;
export type PrincipalKind = (typeof principalKinds)[number];

export const effects = ["allow", "deny", "require_approval", "quarantine"] as const;
export type Effect = (typeof effects)[number];

export type PolicyState = "draft" | "published" | "retired";

/** What becomes of a version; null: nothing, and whoever asked is told. A rollback publishes what is retired. */
export const policyTransitions: Record<
  PolicyState,
  Record<"publish" | "rollback" | "supersede", PolicyState | null>
> = {
  draft: { publish: "published", rollback: null, supersede: null },
  published: { publish: "published", rollback: null, supersede: "retired" }, // again, once connections declare other facts
  retired: { publish: "published", rollback: "published", supersede: null },
};

export interface PolicyVersion {
  readonly id: string;
  readonly version: number;
  readonly name: string | null;
  readonly state: PolicyState;
  /** `sha256:` of the RFC 8785 form of the source. */
  readonly digest: string;
  /** `sha256:` of the schema text it was checked against. */
  readonly schema: string;
  readonly engine: string;
  readonly policies: number;
  readonly cases: number;
  readonly createdBy: string;
  readonly createdAt: Date;
  readonly publishedBy: string | null;
  readonly publishedAt: Date | null;
  readonly retiredAt: Date | null;
}

export interface PolicyVersionDetail extends PolicyVersion {
  readonly source: BundleSource;
}

export interface DecisionRequest {
  readonly tenantId: string;
  /** The action that is decided on, where there is one: counters leave it out of what came before. */
  readonly actionId?: string;
  readonly principal: {
    readonly id: string;
    readonly kind: PrincipalKind;
    readonly roles: readonly string[];
    readonly ownerId: string | null;
    readonly groups?: readonly string[];
    /** Where the principal lives, when not in `tenantId`: the cross-tenant guard then refuses. */
    readonly tenantId?: string;
  };
  /** The person for whom an agent acts. Under `every_link` that person must be allowed the same. */
  readonly onBehalfOf?: ChainLink | null;
  readonly delegation: { readonly userId: string | null; readonly depth: number };
  readonly tool: {
    /** `connection/operation`, as in `wms/http.request`. */
    readonly name: string;
    readonly connector: string;
    readonly operation: string;
    readonly verb: Verb;
    readonly risk: number;
    readonly dataTypes: readonly string[];
    /** Compared in lower case. */
    readonly environment: string;
    /** False when the catalogue does not hold this tool or its definition changed: a guard refuses it. */
    readonly known?: boolean;
    /** Where the tool lives, when not in `tenantId`. */
    readonly tenantId?: string;
  };
  readonly target: string;
  readonly facts: Readonly<Record<string, string | number | boolean | null>>;
  readonly approvals: {
    readonly count: number;
    readonly roles: readonly string[];
    /** Approval workflows that have been gone through; none when left out. */
    readonly workflows?: readonly string[] | undefined;
  };
  readonly now: Date;
  /** What the counters of the bundle hold; one that is left out is 0. */
  readonly counters?: Readonly<Record<string, number>>;
  /** A person released it from quarantine: policies that quarantine do not count. */
  readonly released?: boolean;
}

export interface ChainLink {
  readonly id: string;
  readonly kind: PrincipalKind;
  readonly roles: readonly string[];
  readonly groups?: readonly string[];
}

export interface ApprovalDemand {
  /** Sorted by role; for each role the largest quorum that a determining policy asks for. */
  readonly requirements: readonly { readonly role: string; readonly quorum: number }[];
  /** Names of approval workflows to go through, sorted; `default` is the tenant's own choice. */
  readonly workflows: readonly string[];
  readonly ttlMs: number;
  readonly stepUp: StepUp | null;
  /** False where a determining policy forbids breaking the glass. */
  readonly breakGlass: boolean;
}

/** What Cedar was asked, so that the decision can be replayed offline. May hold personal data: seal it. */
export interface Envelope {
  readonly principal: EntityRef;
  readonly action: EntityRef;
  readonly resource: EntityRef;
  readonly context: Readonly<Record<string, unknown>>;
  readonly entities: readonly EnvelopeEntity[];
}

export interface EnvelopeEntity {
  readonly uid: EntityRef;
  readonly attrs: Readonly<Record<string, unknown>>;
  readonly parents: readonly EntityRef[];
}

export interface EntityRef {
  readonly type: string;
  readonly id: string;
}

export interface Decision {
  readonly effect: Effect;
  /** Ids of the determining policies, sorted. Empty when no policy permits the request. */
  readonly reasons: readonly string[];
  /** Why the policies could not be evaluated. Never empty together with an effect other than `deny`. */
  readonly errors: readonly string[];
  readonly approval: ApprovalDemand | null;
  readonly policy: {
    readonly bundle: string | null;
    readonly version: string | null;
    readonly engine: string;
    readonly schema: string;
  };
  readonly entitiesDigest: string;
  readonly contextDigest: string;
  readonly mode: "enforce";
  /** One sentence for the requester: what decided, and what to do next. */
  readonly message: string;
  /** Null when the request never reached the policies. */
  readonly envelope: Envelope | null;
  /** What was asked in the end, with what the server added to it: what a replay asks again. */
  readonly asked?: DecisionRequest;
  /** The facts that connections declared for the bundle that was asked. */
  readonly facts?: readonly FactSpec[];
  /** What the candidate beside the published version would have said; it changed nothing. */
  readonly shadow?: ShadowVerdict;
}

export interface ShadowVerdict {
  readonly policyId: string;
  readonly version: number;
  readonly bundle: string;
  readonly schema: string;
  readonly effect: Effect;
  readonly reasons: readonly string[];
  readonly errors: readonly string[];
  readonly differs: boolean;
}

/** What decisions are made with: a published version as the evaluator needs it. */
export interface Bundle {
  readonly id: string | null;
  readonly version: number | null;
  readonly digest: string;
  readonly schema: string;
  readonly facts: readonly FactSpec[];
  readonly policies: readonly CompiledPolicy[];
  readonly templates: readonly CompiledTemplate[];
  readonly entities: BundleEntities;
  readonly counters: readonly CounterSpec[];
  readonly delegation: Delegation;
}

/** One policy with what its scope and annotations say, taken from Cedar's own parse. */
export interface CompiledPolicy {
  readonly id: string;
  readonly effect: "permit" | "forbid";
  readonly text: string;
  /** Null: every verb. */
  readonly verbs: readonly string[] | null;
  /** The tool, connector, environment or tenant that the scope names; null: every tool. */
  readonly resource: EntityRef | null;
  /** Names of the attributes that the conditions read; null: all. */
  readonly reads: readonly string[] | null;
  readonly duties: Duties;
}

/** A policy with holes in its scope, which grants fill. `text` is cut where the fillings belong. */
export interface CompiledTemplate extends Omit<CompiledPolicy, "resource"> {
  readonly resource: EntityRef | null;
  readonly pieces: readonly (string | Slot)[];
  readonly slots: { readonly principal: SlotUse | null; readonly resource: SlotUse | null };
}

export interface Slot {
  readonly slot: "principal" | "resource";
}

/** How a template names its hole: `== ?principal` is filled by one entity, `in ?principal` by a group as well. */
export type SlotUse = "==" | "in";

/** How a vote is confirmed beyond the login, weaker first. */
export const stepUps = ["totp", "webauthn"] as const;
export type StepUp = (typeof stepUps)[number];

/** The annotations of a policy, which Cedar carries but does not act upon. */
export interface Duties {
  readonly approval?: readonly { readonly role: string; readonly quorum: number }[] | undefined;
  readonly workflows?: readonly string[] | undefined;
  readonly ttlMs?: number | undefined;
  readonly stepUp?: StepUp | undefined;
  /** Present: nobody may run the action without the votes, not even in an emergency. */
  readonly breakGlass?: false | undefined;
  readonly quarantine?: boolean | undefined;
  readonly description?: string | undefined;
}
