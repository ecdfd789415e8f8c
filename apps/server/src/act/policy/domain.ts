/**
 * What a policy bundle is, what is asked of it and what it answers. Pure: no clock, no I/O.
 *
 * States of a version: [P1] a draft or retired version may be published, [P2] publishing retires the one
 * that was published, so a tenant has at most one, [P3] content never changes after the version is made.
 */
import type { FactSpec } from "./facts.ts";

export const verbs = ["read", "write", "delete", "execute", "send", "pay"] as const;
export type Verb = (typeof verbs)[number];

export const principalKinds = ["user", "agent", "service"] as const;
export type PrincipalKind = (typeof principalKinds)[number];

export const effects = ["allow", "deny", "require_approval", "quarantine"] as const;
export type Effect = (typeof effects)[number];

export type PolicyState = "draft" | "published" | "retired";

/** Which state a version may leave, by what, and to where. Anything absent is refused. */
export const transitions: Record<PolicyState, Partial<Record<"publish" | "supersede", PolicyState>>> = {
  draft: { publish: "published" },
  published: { publish: "published", supersede: "retired" }, // again, once connections declare other facts
  retired: { publish: "published" },
};

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
}

/** What a tenant writes: Cedar text and the cases that it must satisfy. */
export interface BundleSource {
  readonly name?: string | undefined;
  readonly cedar: string;
  readonly cases?: readonly GoldenCase[] | undefined;
}

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
  readonly principal: {
    readonly id: string;
    readonly kind: PrincipalKind;
    readonly roles: readonly string[];
    readonly ownerId: string | null;
    readonly groups?: readonly string[];
    /** Where the principal lives, when not in `tenantId`: the cross-tenant guard then refuses. */
    readonly tenantId?: string;
  };
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
}

/** What decisions are made with: a published version as the evaluator needs it. */
export interface Bundle {
  readonly id: string | null;
  readonly version: number | null;
  readonly digest: string;
  readonly schema: string;
  readonly facts: readonly FactSpec[];
  readonly policies: readonly CompiledPolicy[];
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
