import { type Caller, requirePermission } from "#platform/access";
import type { Database } from "#platform/db";
import type { SecurityEvents } from "#platform/events";
import { type Clock, type FieldProblem, formatId, newId, OarsError } from "#platform/kernel";
import { type ActionHistory, createCounters } from "./counters.ts";
import { decide } from "./decide.ts";
import { type BundleDiff, diffBundles } from "./diff.ts";
import { type Disclosed, disclose, type KeptDecision } from "./disclosure.ts";
import type {
  BundleSource,
  ChainLink,
  Decision,
  DecisionRequest,
  PolicyVersion,
  PolicyVersionDetail,
} from "./domain.ts";
import { createEngine } from "./engine.ts";
import { createEvaluator } from "./evaluate.ts";
import type { Explanation } from "./explain.ts";
import { canonicalFacts, type FactSpec } from "./facts.ts";
import { createForce } from "./force.ts";
import { type GrantRow, listGrants, listLiveGrants } from "./grant-store.ts";
import { giveGrant, type NewGrant, revokeGrant } from "./grants.ts";
import { type ImportResult, type ImportWish, importBundle } from "./import.ts";
import { setReplayRequired, setShadow } from "./mode.ts";
import { type PublishOptions, publishVersion, type RolledBack, rollBack } from "./publish.ts";
import type { ReceiptSink } from "./receipt.ts";
import { schemaText } from "./schema.ts";
import { createShadow } from "./shadow.ts";
import { normalSource } from "./source.ts";
import * as store from "./store.ts";
import { type KnownTool, unknownTools } from "./unknown-tools.ts";
import type { Verdict } from "./workbench.ts";
import { createWorkshop } from "./workshop.ts";

export interface PolicyDeps {
  readonly db: Database;
  readonly receipts: ReceiptSink;
  readonly events?: Pick<SecurityEvents, "record">;
  readonly clock: Clock;
  /** The facts that the tenant's connections declare now. None when left out. */
  readonly facts?: (tenantId: string) => Promise<readonly FactSpec[]>;
  /** The tools of the tenant's catalogue. Without it no name is told to be unknown. */
  readonly tools?: (tenantId: string) => Promise<readonly KnownTool[]>;
  /** Somebody who may act, for the chain behind an agent; undefined: nobody, or disabled. */
  readonly person?: (tenantId: string, principalId: string) => Promise<ChainLink | undefined>;
  /** What counters are made from. Without it they stay at what this process decides. */
  readonly history?: ActionHistory;
  /** Throws what a draft lacks to be published. */
  readonly mayPublish?: (tenantId: string, policyId: string) => Promise<void>;
}

export interface Policy {
  /** Every problem of a bundle, its golden cases included, against the tenant's own facts. Needs policies:read. */
  check(caller: Caller, source: BundleSource): Promise<FieldProblem[]>;
  /** Names in a bundle that the tenant's catalogue does not hold. They refuse nothing. Needs policies:read. */
  warnings(caller: Caller, source: BundleSource): Promise<FieldProblem[]>;
  /** A draft. Needs policies:write. Errors: POLICY_INVALID, POLICY_CASES_FAILED, both with all problems. */
  createVersion(caller: Caller, source: BundleSource): Promise<PolicyVersion>;
  /** Rules of the simple form as a bundle; stored as a draft where that is wished. Errors: POLICY_INVALID. */
  importRules(caller: Caller, wish: ImportWish): Promise<ImportResult>;
  /** Makes a draft or a retired version the one that decides. Errors: see publish.ts. */
  publish(caller: Caller, id: string, options?: PublishOptions): Promise<PolicyVersion>;
  /** Puts the given version, or the one before, in force again. Errors: see publish.ts. */
  rollback(caller: Caller, id: string | null, options?: PublishOptions): Promise<RolledBack>;
  /** Newest first, below version `before`; at most 100. Needs policies:read. */
  list(caller: Caller, page?: { before?: number | null; limit?: number }): Promise<PolicyVersion[]>;
  /** Needs policies:read. Errors: POLICY_NOT_FOUND. */
  find(caller: Caller, id: string): Promise<PolicyVersionDetail>;
  /** From `against` (the version in force when left out) to this one. Errors: POLICY_NOT_FOUND. */
  diff(
    caller: Caller,
    id: string,
    against?: string,
  ): Promise<{ readonly from: PolicyVersion | null; readonly to: PolicyVersion; readonly diff: BundleDiff }>;
  /** The published version, at most one second old. */
  active(tenantId: string): Promise<{ id: string; digest: string; version: number } | null>;
  /**
   * Never throws for what a request holds: what cannot be evaluated is denied with its errors. Throws when
   * the store does not answer, and then nothing was decided.
   */
  decide(q: DecisionRequest): Promise<Decision>;
  /** An action that was decided on was not made after all: counters forget it. */
  withdraw(tenantId: string, actionId: string): void;
  /**
   * What a stored version (null: the one in force) would decide, and why. Nothing is recorded. Needs policies:read.
   * Errors: POLICY_NOT_FOUND, POLICY_NONE_IN_FORCE, POLICY_INVALID.
   */
  simulate(
    caller: Caller,
    id: string | null,
    q: Omit<DecisionRequest, "tenantId">,
  ): Promise<Explanation & { readonly version: PolicyVersion }>;
  /** What a stored version says to many requests at once, off this thread. Errors: POLICY_NOT_FOUND, POLICY_INVALID. */
  judge(tenantId: string, id: string, asked: readonly DecisionRequest[]): Promise<readonly Verdict[]>;
  /** For other rooms, without a permission check. Errors: POLICY_NOT_FOUND. */
  versionFor(tenantId: string, id: string): Promise<PolicyVersion>;
  /** The id of the version of that number. */
  versionNumbered(tenantId: string, version: number): Promise<string | undefined>;
  /** What a decision was made of, without a permission check. Undefined when its version is not there. */
  disclose(tenantId: string, kept: KeptDecision): Promise<Disclosed | undefined>;
  /** The id of the version in force, as the database has it now. */
  inForce(tenantId: string): Promise<string | null>;
  /** The Cedar schema that the tenant's bundles are checked against. Needs policies:read. */
  schema(caller: Caller): Promise<string>;
  /** Errors: see grants.ts. */
  grant(caller: Caller, grant: NewGrant): Promise<GrantRow>;
  revokeGrant(caller: Caller, id: string): Promise<GrantRow>;
  /** Newest first. Needs policies:read. */
  listGrants(caller: Caller, page: { before: string | null; limit: number }): Promise<GrantRow[]>;
  /** Needs policies:read. */
  settings(caller: Caller): Promise<store.Settings>;
  /** Whether drafts of the tenant need a replay; null: as the server is configured. For no door. */
  replayRequired(tenantId: string): Promise<boolean | null>;
  /** Errors: see mode.ts. */
  setShadow(caller: Caller, id: string | null, share?: number): Promise<store.Settings>;
  setReplayRequired(caller: Caller, required: boolean | null): Promise<store.Settings>;
  /** Ends what works in the background. */
  close(): Promise<void>;
}

const noHistory: ActionHistory = { groups: async () => [], since: async () => [] };

export function createPolicy(deps: PolicyDeps): Policy {
  const { db, clock, receipts, facts = async () => [] } = deps;
  const workshop = createWorkshop();
  const evaluator = createEvaluator(createEngine());
  const force = createForce({ db, clock, workshop, engine: evaluator.engine });
  const now = (): number => clock.now().getTime();
  const counters = createCounters({ history: deps.history ?? noHistory, now });
  const person = deps.person ?? (async () => undefined);
  const deciding = { force, evaluator, counters, shadow: createShadow(evaluator), person };
  const publishing = {
    ...{ db, receipts, events: deps.events, workshop, facts, published: force.forget },
    mayPublish: deps.mayPublish ?? (async () => {}),
  };
  const granting = {
    ...{ db, receipts, changed: force.forget },
    bundle: async (tenantId: string) => (await force.get(tenantId)).bundle,
  };
  const modes = { db, clock, receipts, workshop, facts, changed: force.forget };
  const versionOf = async (tenantId: string, id: string): Promise<PolicyVersionDetail> => {
    const found = await db.read(tenantId, (reader) => store.findVersion(reader, tenantId, id));
    if (found === undefined) throw new OarsError("POLICY_NOT_FOUND");
    return found;
  };
  const inForce = async (tenantId: string): Promise<string | null> =>
    (await db.read(tenantId, (reader) => store.findHead(reader, tenantId))).policyId;
  const subjectOf = async (tenantId: string, { source }: PolicyVersionDetail) => {
    const { grants } = await db.read(tenantId, (reader) => listLiveGrants(reader, tenantId));
    return { source, facts: canonicalFacts(await facts(tenantId)), grants };
  };
  const createVersion = async (caller: Caller, given: BundleSource): Promise<PolicyVersion> => {
    requirePermission(caller, "policies:write");
    const bundle = await workshop.accept(given, await facts(caller.tenantId));
    const draft = {
      tenantId: caller.tenantId,
      id: newId(),
      source: normalSource(given),
      digest: bundle.digest,
      schema: bundle.schema,
      engine: workshop.engine,
      policies: bundle.policies.length + bundle.templates.length,
      createdBy: caller.principalId,
    };
    return db.tx(caller.tenantId, async (tx) => {
      const made = await store.insertDraft(tx, draft);
      await deps.events?.record(tx, {
        tenantId: caller.tenantId,
        type: "policy.drafted",
        actor: caller,
        target: { kind: "policy", id: formatId("policy", made.id) },
        details: { version: made.version },
      });
      return made;
    });
  };
  const check = async (caller: Caller, source: BundleSource): Promise<FieldProblem[]> => {
    requirePermission(caller, "policies:read");
    return workshop.examine(source, await facts(caller.tenantId));
  };
  return {
    check,
    async warnings(caller, source) {
      requirePermission(caller, "policies:read");
      return deps.tools === undefined ? [] : unknownTools(source, await deps.tools(caller.tenantId));
    },
    createVersion,
    importRules: (caller, wish) => importBundle({ check, createVersion }, caller, wish),
    publish: (caller, id, options) => publishVersion(publishing, caller, id, options),
    rollback: (caller, id, options) => rollBack(publishing, caller, id, options),
    async list(caller, { before = null, limit = 50 } = {}) {
      requirePermission(caller, "policies:read");
      const page = { before, limit: Math.min(Math.max(limit, 1), 100) };
      return db.read(caller.tenantId, (reader) => store.listVersions(reader, caller.tenantId, page));
    },
    async find(caller, id) {
      requirePermission(caller, "policies:read");
      return versionOf(caller.tenantId, id);
    },
    async diff(caller, id, against) {
      requirePermission(caller, "policies:read");
      const { source: after, ...to } = await versionOf(caller.tenantId, id);
      const other = against ?? (await inForce(caller.tenantId));
      if (other === null) return { from: null, to, diff: diffBundles({ cedar: "" }, after) };
      const { source: before, ...from } = await versionOf(caller.tenantId, other);
      return { from, to, diff: diffBundles(before, after) };
    },
    async active(tenantId) {
      const { bundle } = await force.get(tenantId);
      if (bundle === null || bundle.id === null || bundle.version === null) return null;
      return { id: bundle.id, digest: bundle.digest, version: bundle.version };
    },
    decide: (q) => decide(deciding, q),
    withdraw: counters.withdraw,
    async simulate(caller, id, q) {
      requirePermission(caller, "policies:read");
      const { tenantId } = caller;
      const wanted = id ?? (await inForce(tenantId));
      if (wanted === null) throw new OarsError("POLICY_NONE_IN_FORCE");
      const found = await versionOf(tenantId, wanted);
      const { source: _, ...version } = found;
      const explained = await workshop.explain(await subjectOf(tenantId, found), { ...q, tenantId });
      return { ...explained, version };
    },
    async judge(tenantId, id, asked) {
      return workshop.judge(await subjectOf(tenantId, await versionOf(tenantId, id)), asked);
    },
    versionFor: versionOf,
    versionNumbered: (tenantId, version) =>
      db.read(tenantId, (reader) => store.findNumbered(reader, tenantId, version)),
    disclose: (tenantId, kept) => disclose(db, tenantId, kept),
    inForce,
    async schema(caller) {
      requirePermission(caller, "policies:read");
      return schemaText(canonicalFacts(await facts(caller.tenantId)));
    },
    grant: (caller, grant) => giveGrant(granting, caller, grant),
    revokeGrant: (caller, id) => revokeGrant(granting, caller, id),
    async listGrants(caller, page) {
      requirePermission(caller, "policies:read");
      return db.read(caller.tenantId, (reader) => listGrants(reader, caller.tenantId, page));
    },
    async settings(caller) {
      requirePermission(caller, "policies:read");
      return db.read(caller.tenantId, (reader) => store.findSettings(reader, caller.tenantId));
    },
    replayRequired: async (tenantId) =>
      (await db.read(tenantId, (reader) => store.findSettings(reader, tenantId))).replayRequired,
    setShadow: (caller, id, share = 100) => setShadow(modes, caller, id, share),
    setReplayRequired: (caller, required) => setReplayRequired(modes, caller, required),
    close: workshop.close,
  };
}
