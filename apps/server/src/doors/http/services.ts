import type { Registry } from "prom-client";
import type { Actions } from "#act/actions";
import type { ApprovalLinks, Approvals } from "#act/approvals";
import type { Catalogue } from "#act/catalogue";
import type { Connectors, EgressRules } from "#act/connectors";
import type { Factors } from "#act/factors";
import type { Policy } from "#act/policy";
import type { Rehearsals } from "#act/rehearsals";
import type { Workflows } from "#act/workflows";
import type { Alerts } from "#operate/alerts";
import type { Delivery } from "#operate/delivery";
import type { Privacy } from "#operate/privacy";
import type { Scheduling } from "#orchestrate/engine";
import type { Flows } from "#orchestrate/flows";
import type { Runs } from "#orchestrate/runs";
import type { Triggers } from "#orchestrate/triggers";
import type { Access } from "#platform/access";
import type { Blobs } from "#platform/blobs";
import type { SecurityEvents } from "#platform/events";
import type { Scheduler } from "#platform/jobs";
import type { Evidence } from "#sign/evidence";
import type { Interop } from "#sign/interop";
import type { Log } from "#sign/log";
import type { Receipts, SigningKeys } from "#sign/receipts";
import type { Witnessing } from "#sign/witness";
import type { StreamTiming } from "./event-stream.ts";
import { type Route, routeFor } from "./route.ts";
import type { Secrets } from "./secrets.ts";

export interface HealthReport {
  readonly ready: boolean;
  readonly checks: readonly {
    readonly name: string;
    readonly ok: boolean;
    readonly detail?: string | undefined;
    readonly ms?: number | undefined;
  }[];
}

/** Every use-case that a route calls. */
export interface Services {
  readonly access: Pick<
    Access,
    | "createPrincipal"
    | "listPrincipals"
    | "findPrincipal"
    | "findTenant"
    | "issueKey"
    | "listKeys"
    | "revokeKey"
    | "issueToken"
  >;
  readonly secrets: Secrets;
  readonly egress: Pick<EgressRules, "show" | "put">;
  readonly connectors: Omit<Connectors, "find" | "operation" | "operations" | "factSpecs" | "refreshDue">;
  readonly catalogue: Pick<Catalogue, "browse" | "find" | "reclassify" | "review" | "allowance" | "allow">;
  readonly policy: Pick<
    Policy,
    | "check"
    | "warnings"
    | "createVersion"
    | "importRules"
    | "list"
    | "find"
    | "diff"
    | "schema"
    | "publish"
    | "rollback"
    | "settings"
    | "setShadow"
    | "setReplayRequired"
    | "grant"
    | "revokeGrant"
    | "listGrants"
  >;
  readonly rehearsals: Pick<
    Rehearsals,
    "simulate" | "explain" | "disclose" | "replay" | "findReplay" | "listReplays" | "differences"
  >;
  readonly flows: Pick<Flows, "schema" | "validate" | "publish" | "list" | "find">;
  readonly runs: Omit<Runs, "startTriggered" | "answerTriggered" | "answering">;
  readonly actions: Pick<
    Actions,
    "submit" | "find" | "search" | "progress" | "cancel" | "release" | "reject" | "resolve"
  >;
  readonly approvals: Omit<
    Approvals,
    "request" | "consume" | "load" | "cancelFor" | "expire" | "expireDue" | "escalateDue" | "nextTimer"
  >;
  readonly approvalLinks: ApprovalLinks;
  readonly factors: Omit<Factors, "prove" | "purge">;
  readonly workflows: Omit<Workflows, "follow">;
  readonly receipts: Pick<Receipts, "find" | "list" | "sdJwt" | "trust" | "keys" | "jwks" | "verifyRequest">;
  readonly witnessing: Pick<Witnessing, "prove" | "trust" | "addCheckpoint" | "quorum" | "settle">;
  readonly signingKeys: Pick<SigningKeys, "rotate" | "revoke">;
  readonly interop: Interop;
  readonly privacy: Omit<Privacy, "applyRules" | "completeInterrupted">;
  readonly receiptLog: Pick<
    Log,
    "checkpoint" | "inclusion" | "tlogProof" | "exportRun" | "leaf" | "consistency" | "file" | "status"
  >;
  /** Whether logs are served as files to anybody, and below which URL. */
  readonly logFiles: { readonly public: boolean; readonly baseUrl: string };
  readonly evidence: Pick<
    Evidence,
    "catalogue" | "mappings" | "coverage" | "ofControl" | "controlsOf" | "packs" | "schedules"
  >;
  readonly triggers: Pick<Triggers, "receive" | "list">;
  readonly blobs: Pick<Blobs, "stream">;
  readonly events: Pick<SecurityEvents, "list" | "find">;
  readonly alerts: Omit<Alerts, "escalateDue" | "nextEscalation" | "forget">;
  readonly delivery: Pick<
    Delivery,
    | "put"
    | "list"
    | "find"
    | "remove"
    | "test"
    | "setPaused"
    | "flush"
    | "deadLetters"
    | "replay"
    | "resolve"
    | "retry"
  >;
  readonly scheduling: Scheduling;
  readonly scheduler: Pick<Scheduler, "list" | "runNow">;
  readonly health: () => Promise<HealthReport>;
  /** What `/metrics` asks for; null: nothing. */
  readonly metricsToken: string | null;
  readonly registry: Pick<Registry, "metrics" | "contentType">;
  /** The tenant whose keys `/.well-known/jwks.json` shows when the request names none. */
  readonly firstTenantId: string;
  readonly version: string;
  readonly streams: { readonly timing: StreamTiming; readonly closing: AbortSignal };
}

export type ServiceRoute = Route<Services>;
export const route = routeFor<Services>();
