import { type FlowDefinition, flowLimits } from "@oars/contract";
import { type Caller, requirePermission } from "#platform/access";
import type { Database, Db, Tx } from "#platform/db";
import { digestOf, newId, OarsError } from "#platform/kernel";
import { compileFlow } from "./compile.ts";
import type { CompiledFlow } from "./compiled-flow.ts";
import { editorSchema } from "./editor-schema.ts";
import { loadShelf } from "./flow-shelf.ts";
import { createRecent } from "./recent.ts";
import { compareVersions } from "./semver.ts";
import type { StepKindCatalogue } from "./step-kinds.ts";
import type { FlowSummary, FlowVersion, FlowVersionDetail } from "./store.ts";
import * as store from "./store.ts";
import { type FlowSourceInput, type OpenedDefinition, openDefinition, type Validation } from "./validate.ts";

export interface FlowsDeps {
  readonly db: Database;
  readonly kinds: StepKindCatalogue;
  /** Steps of one run at once, for flows that set no limit; 4 when absent. */
  readonly defaultParallel?: number;
  /**
   * Runs in the transaction that publishes a new version, so that what follows from it is published with
   * it or not at all. May run again when the transaction is retried; not called for a repeated publish.
   */
  readonly onPublish?: (tx: Tx, caller: Caller, version: NewVersion) => Promise<void>;
}

/** A version as it is being published. */
export interface NewVersion {
  readonly id: string;
  readonly flowId: string;
  readonly name: string;
  readonly version: string;
  readonly hash: string;
  readonly definition: FlowDefinition;
  /** Whether it is the highest version of its flow. */
  readonly isLatest: boolean;
}

/** `created` is false when the same version with the same content had been published before. */
export type PublishedVersion = FlowVersion & { readonly created: boolean };

/** One page, newest first. `before` of the next one is the last `flowId` of this. */
export interface FlowPage {
  readonly items: readonly FlowSummary[];
  readonly more: boolean;
}

export interface Flows {
  /** JSON Schema of definitions, for editors: with the step kinds of this server. */
  schema(): Readonly<Record<string, unknown>>;
  /** Everything that is wrong with a source, held against the flows of the tenant, or its definition and hash. */
  validate(tenantId: string, source: FlowSourceInput): Promise<Validation>;
  /**
   * Publishes a version. The same content again answers like the first time; other content under a
   * published version throws FLOW_VERSION_TAKEN. Also FLOW_INVALID, FLOW_TOO_LARGE. Needs flows:publish.
   */
  publish(caller: Caller, source: FlowSourceInput): Promise<PublishedVersion>;
  /** Needs flows:read. */
  list(caller: Caller, page: { readonly limit: number; readonly before?: string | null }): Promise<FlowPage>;
  /** With definition and source. `version` is a version or "latest". Throws FLOW_NOT_FOUND. Needs flows:read. */
  find(caller: Caller, name: string, version?: string): Promise<FlowVersionDetail>;
  /** The version that a run starts with; "latest" is the highest published. Throws FLOW_NOT_FOUND. */
  resolve(tenantId: string, name: string, version?: string): Promise<FlowVersion>;
  /** Names of flows whose highest version uses the connection. */
  usersOf(tenantId: string, connection: string): Promise<string[]>;
  /** The compiled flow of a hash that this tenant has published; the most recent 500 are kept. */
  compiled(tenantId: string, hash: string): Promise<CompiledFlow>;
}

const keptFlows = 500;
const keptVersions = 2_000;

export function createFlows(deps: FlowsDeps): Flows {
  const { db, kinds } = deps;
  const compiled = createRecent<CompiledFlow>(keptFlows);
  const versions = createRecent<FlowVersion>(keptVersions);

  const resolve = async (tenantId: string, name: string, version: string): Promise<FlowVersion> => {
    const row = await db.read(tenantId, (reader) => store.findVersion(reader, tenantId, name, version));
    return row ?? notFound();
  };

  const check = async (tenantId: string, opened: OpenedDefinition): Promise<Validation> =>
    opened.calls.length === 0
      ? opened.validation()
      : db.read(tenantId, (reader) => validateIn(reader, tenantId, opened));

  const schema = editorSchema(kinds);

  return {
    schema: () => schema,
    validate: (tenantId, source) => check(tenantId, openDefinition(source, kinds)),
    async publish(caller, source) {
      requirePermission(caller, "flows:publish");
      const opened = openDefinition(source, kinds);
      if (!opened.sound) throw refusal((await check(caller.tenantId, opened)).problems);
      return publishVersion(deps, caller, opened, typeof source === "string" ? source : null);
    },
    async list(caller, page) {
      requirePermission(caller, "flows:read");
      const { tenantId } = caller;
      const rows = await db.read(tenantId, (reader) =>
        store.listFlows(reader, tenantId, { ...page, limit: page.limit + 1 }),
      );
      const items = rows.slice(0, page.limit).map((row) => ({
        ...row,
        versions: row.versions.toSorted((a, b) => compareVersions(b, a)),
      }));
      return { items, more: rows.length > page.limit };
    },
    async find(caller, name, version = "latest") {
      requirePermission(caller, "flows:read");
      const { tenantId } = caller;
      const row = await db.read(tenantId, (reader) => store.findDetail(reader, tenantId, name, version));
      return row ?? notFound();
    },
    resolve(tenantId, name, version = "latest") {
      if (version === "latest") return resolve(tenantId, name, version);
      return versions.get(JSON.stringify([tenantId, name, version]), () => resolve(tenantId, name, version));
    },
    usersOf: (tenantId, connection) =>
      db.read(tenantId, async (reader) =>
        (await store.listUsers(reader, tenantId, connection)).map(({ name }) => name),
      ),
    compiled: (tenantId, hash) =>
      compiled.get(`${tenantId} ${hash}`, async () => {
        const definition = await db.read(tenantId, (reader) => store.findDefinition(reader, tenantId, hash));
        if (definition === undefined) return notFound();
        if (digestOf(definition) !== hash)
          throw new Error(`the stored definition of ${hash} has another hash`);
        return compileFlow(definition, kinds, deps.defaultParallel);
      }),
  };
}

const validateIn = async (reader: Db, tenantId: string, opened: OpenedDefinition): Promise<Validation> =>
  opened.validation(await loadShelf(reader, tenantId, opened.calls));

/**
 * The row of the flow is locked, so that of two publishers of one version the second sees the first. What
 * steps run is checked under a lock of its own: what was true when it was checked is true when it is there.
 */
function publishVersion(
  deps: FlowsDeps,
  caller: Caller,
  opened: OpenedDefinition,
  source: string | null,
): Promise<PublishedVersion> {
  const { tenantId } = caller;
  const { flow: name, version, hash, definition } = accepted(opened.validation());
  return deps.db.tx(tenantId, async (tx) => {
    if (opened.calls.length > 0) await store.lockCalls(tx, tenantId);
    const flow = await store.lockFlow(tx, tenantId, newId(), name);
    const existing = await store.findVersion(tx, tenantId, name, version);
    if (existing !== undefined) {
      if (existing.hash === hash) return { ...existing, created: false };
      throw new OarsError("FLOW_VERSION_TAKEN", { flow: name, version });
    }
    if (opened.calls.length > 0) accepted(await validateIn(tx, tenantId, opened));
    const id = newId();
    const row = { tenantId, id, flowId: flow.id, name, version, hash, definition };
    await store.insertVersion(tx, { ...row, source, publishedBy: caller.principalId });
    const isLatest = flow.latestVersion === null || compareVersions(version, flow.latestVersion) > 0;
    if (isLatest) await store.updateLatest(tx, tenantId, flow.id, id);
    await deps.onPublish?.(tx, caller, { id, flowId: flow.id, name, version, hash, definition, isLatest });
    const inserted = await store.findVersion(tx, tenantId, name, version);
    if (inserted === undefined) throw new Error(`version ${name} ${version} is gone inside its transaction`);
    return { ...inserted, created: true };
  });
}

function accepted(validation: Validation): Extract<Validation, { valid: true }> {
  if (!validation.valid) throw refusal(validation.problems);
  return validation;
}

function refusal(problems: Validation["problems"]): OarsError {
  const isLarge = problems.some(({ code, path }) => code === "FLOW_TOO_LARGE" && path === "");
  if (isLarge)
    return new OarsError("FLOW_TOO_LARGE", { limit: flowLimits.definitionBytes }, { errors: problems });
  return new OarsError("FLOW_INVALID", {}, { errors: problems });
}

const notFound = (): never => {
  throw new OarsError("FLOW_NOT_FOUND");
};
