import { type Caller, requirePermission } from "#platform/access";
import type { Database } from "#platform/db";
import type { SecurityEvents } from "#platform/events";
import { type Clock, type FieldProblem, newId, OarsError } from "#platform/kernel";
import { createActive } from "./active.ts";
import { demandProblems } from "./demands.ts";
import type {
  Bundle,
  BundleSource,
  Decision,
  DecisionRequest,
  PolicyVersion,
  PolicyVersionDetail,
} from "./domain.ts";
import { createEngine } from "./engine.ts";
import { createEvaluator, deniedBefore } from "./evaluate.ts";
import { canonicalFacts, type FactSpec } from "./facts.ts";
import { noPolicyMessage } from "./message.ts";
import { type PublishOptions, publishVersion } from "./publish.ts";
import type { ReceiptSink } from "./receipt.ts";
import { schemaText } from "./schema.ts";
import { normalSource } from "./source.ts";
import * as store from "./store.ts";
import { createWorkshop } from "./workshop.ts";

export interface PolicyDeps {
  readonly db: Database;
  readonly receipts: ReceiptSink;
  readonly events?: Pick<SecurityEvents, "record">;
  readonly clock: Clock;
  /** The facts that the tenant's connections declare now. None when left out. */
  readonly facts?: (tenantId: string) => Promise<readonly FactSpec[]>;
}

export interface Policy {
  /**
   * Every problem of a bundle, its golden cases included. Blocks the thread for about 0.4 ms per policy: doors
   * that take bundles from tenants use `check`.
   */
  validate(source: BundleSource, facts: readonly FactSpec[]): FieldProblem[];
  /** The same against the tenant's own facts, with other work in between. Needs policies:read. */
  check(caller: Caller, source: BundleSource): Promise<FieldProblem[]>;
  /** A draft. Needs policies:write. Errors: POLICY_INVALID, POLICY_CASES_FAILED, both with all problems. */
  createVersion(caller: Caller, source: BundleSource): Promise<PolicyVersion>;
  /** Makes a draft or a retired version the one that decides. Errors: see publish.ts. */
  publish(caller: Caller, id: string, options?: PublishOptions): Promise<PolicyVersion>;
  /** Newest first, below version `before`; at most 100. Needs policies:read. */
  list(caller: Caller, page?: { before?: number | null; limit?: number }): Promise<PolicyVersion[]>;
  /** Needs policies:read. Errors: POLICY_NOT_FOUND. */
  find(caller: Caller, id: string): Promise<PolicyVersionDetail>;
  /** The published version, at most one second old. */
  active(tenantId: string): Promise<{ id: string; digest: string; version: number } | null>;
  /**
   * Never throws for what a request holds: what cannot be evaluated is denied with its errors. Throws when
   * the store does not answer, and then nothing was decided.
   */
  decide(q: DecisionRequest): Promise<Decision>;
  /** What a stored version would decide. Nothing is recorded. Needs policies:read. Errors: POLICY_NOT_FOUND, POLICY_INVALID. */
  simulate(caller: Caller, id: string, q: Omit<DecisionRequest, "tenantId">): Promise<Decision>;
  /** The Cedar schema that the tenant's bundles are checked against. Needs policies:read. */
  schema(caller: Caller): Promise<string>;
}

type Published = { readonly bundle: Bundle | null; readonly errors: readonly string[] };

export function createPolicy({ db, receipts, events, clock, facts = async () => [] }: PolicyDeps): Policy {
  const workshop = createWorkshop(demandProblems);
  const evaluator = createEvaluator(createEngine());
  const active = createActive<Published>({
    now: () => clock.now().getTime(),
    revision: (tenantId) => db.read(tenantId, async (r) => (await store.findHead(r, tenantId)).revision),
    load: async (tenantId) => {
      const found = await db.read(tenantId, (reader) => store.findPublication(reader, tenantId));
      return { revision: found.revision, value: await toPublished(found.publication) };
    },
  });
  /** A publication that another release of the engine compiled is compiled again before it decides. */
  const toPublished = async (publication: store.Publication | null): Promise<Published> => {
    if (publication === null) return { bundle: null, errors: [] };
    const { policyId: id, version, digest, schema } = publication;
    const known = { id, version, digest, schema, facts: publication.facts, policies: publication.compiled };
    if (publication.engine === evaluator.engine) return { bundle: known, errors: [] };
    try {
      const { policies } = await workshop.accept({ cedar: publication.source.cedar }, publication.facts);
      return { bundle: { ...known, policies }, errors: [] };
    } catch (cause) {
      const problems = cause instanceof OarsError ? cause.errors.map((error) => error.message) : [];
      return { bundle: null, errors: [`${evaluator.engine} cannot read the published policy`, ...problems] };
    }
  };
  const versionOf = async (caller: Caller, id: string): Promise<PolicyVersionDetail> => {
    requirePermission(caller, "policies:read");
    const found = await db.read(caller.tenantId, (reader) => store.findVersion(reader, caller.tenantId, id));
    if (found === undefined) throw new OarsError("POLICY_NOT_FOUND");
    return found;
  };
  return {
    validate: workshop.problems,
    async check(caller, source) {
      requirePermission(caller, "policies:read");
      return workshop.examine(source, await facts(caller.tenantId));
    },
    async createVersion(caller, given) {
      requirePermission(caller, "policies:write");
      const bundle = await workshop.accept(given, await facts(caller.tenantId));
      const draft = {
        tenantId: caller.tenantId,
        id: newId(),
        source: normalSource(given),
        digest: bundle.digest,
        schema: bundle.schema,
        engine: workshop.engine,
        policies: bundle.policies.length,
        createdBy: caller.principalId,
      };
      return db.tx(caller.tenantId, (tx) => store.insertDraft(tx, draft));
    },
    publish: (caller, id, options) =>
      publishVersion(
        { db, receipts, events, workshop, facts, published: active.forget },
        caller,
        id,
        options,
      ),
    async list(caller, { before = null, limit = 50 } = {}) {
      requirePermission(caller, "policies:read");
      const page = { before, limit: Math.min(Math.max(limit, 1), 100) };
      return db.read(caller.tenantId, (reader) => store.listVersions(reader, caller.tenantId, page));
    },
    find: versionOf,
    async active(tenantId) {
      const { bundle } = await active.get(tenantId);
      if (bundle === null || bundle.id === null || bundle.version === null) return null;
      return { id: bundle.id, digest: bundle.digest, version: bundle.version };
    },
    async decide(q) {
      const { bundle, errors } = await active.get(q.tenantId);
      if (bundle !== null) return evaluator.decide(bundle, q);
      return deniedBefore(evaluator.engine, errors, errors.length > 0 ? undefined : noPolicyMessage);
    },
    async simulate(caller, id, q) {
      const version = await versionOf(caller, id);
      const bundle = await workshop.accept({ cedar: version.source.cedar }, await facts(caller.tenantId));
      return workshop.decide(
        { ...bundle, id, version: version.version, digest: version.digest },
        { ...q, tenantId: caller.tenantId },
      );
    },
    async schema(caller) {
      requirePermission(caller, "policies:read");
      return schemaText(canonicalFacts(await facts(caller.tenantId)));
    },
  };
}
