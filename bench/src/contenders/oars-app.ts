/** The whole server without a door, for contenders that start runs as triggers start them. */
import { type App, type ComposeOptions, compose } from "../../../apps/server/src/compose.ts";
import type { NewRun } from "../../../apps/server/src/orchestrate/engine/index.ts";
import type { CompiledFlow } from "../../../apps/server/src/orchestrate/flows/index.ts";
import type { Caller } from "../../../apps/server/src/platform/access/index.ts";
import { loadConfig, loadOrCreateKeys } from "../../../apps/server/src/platform/config/index.ts";
import { sql } from "../../../apps/server/src/platform/db/index.ts";
import { newId } from "../../../apps/server/src/platform/kernel/index.ts";
import { createTelemetry } from "../../../apps/server/src/platform/telemetry/index.ts";
import { temporaryDirectory } from "../temporary.ts";

export interface OarsApp {
  readonly app: App;
  /** An administrator of the first tenant. */
  readonly admin: Caller;
  /** What the store says of itself. */
  readonly facts: Readonly<Record<string, string>>;
  publish(text: string, caller?: Caller): Promise<CompiledFlow>;
  /** Durable once it answers. The id of the run. */
  start(flow: CompiledFlow, params?: Record<string, unknown>, caller?: Caller): Promise<string>;
  /** Starts a run and resolves with how it ended, which is durable then. Only for runs that end in this process. */
  finish(flow: CompiledFlow, params?: Record<string, unknown>, caller?: Caller): Promise<string>;
}

export interface OarsOptions extends Partial<Pick<ComposeOptions, "db" | "workerId">> {
  /** On the PostgreSQL database of that URL; embedded when there is none. */
  readonly url: string | null;
  /** Of the embedded database and of keys; a new one when absent. */
  readonly dataDir?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Begins no background work: starts are queued for others. */
  readonly idle?: boolean;
}

/** On a new database, or on one that `openOars` has opened before, from the same data directory. */
export async function openOars(options: OarsOptions): Promise<OarsApp> {
  const dataDir = options.dataDir ?? (await temporaryDirectory("oars"));
  const store = options.url === null ? {} : { OARS_POSTGRES_URL: options.url };
  const config = loadConfig({
    OARS_DATA_DIR: dataDir,
    OARS_MAX_CONCURRENCY: "2048",
    OARS_STORE: options.url === null ? "pglite" : "postgres",
    ...store,
    ...options.env,
  });
  const telemetry = createTelemetry({ level: "error", name: "bench" });
  const keys = await loadOrCreateKeys(dataDir, config.keys);
  const { db, workerId } = options;
  const app = await compose({
    config,
    keys,
    telemetry,
    ...(db && { db }),
    ...(workerId && { workerId }),
  });
  const admin = await administrator(app);
  if (!options.idle) await app.start();
  const [facts] = await app.db.system.query<Record<string, string>>(
    sql`select current_setting('server_version') as version, current_setting('fsync') as fsync`,
  );
  return {
    app,
    admin,
    facts: facts ?? {},
    publish: async (text, caller = admin) => {
      const { hash } = await app.flows.publish(caller, text);
      return app.flows.compiled(caller.tenantId, hash);
    },
    start: async (flow, params = {}, caller = admin) => {
      const { tenantId, principalId } = caller;
      const start = { tenantId, principalId, flow, params, trigger: {}, startKey: null };
      return (await app.runs.startTriggered(start)).runId;
    },
    finish: (flow, params = {}, caller = admin) => finish(app, caller, flow, params),
  };
}

/** Publishes a policy that allows every action. */
export async function allowAll({ app, admin }: OarsApp): Promise<void> {
  const version = await app.policy.createVersion(admin, {
    cedar: '@id("all") permit (principal, action, resource);',
  });
  await app.policy.publish(admin, version.id);
}

/** As `startTriggered` does it, with an id that is known before: a short run ends with its first commit. */
async function finish(
  app: App,
  { tenantId, principalId }: Caller,
  flow: CompiledFlow,
  params: Record<string, unknown>,
): Promise<string> {
  const id = newId();
  const expected = app.engine.expectEnd(id);
  try {
    const run: NewRun = {
      tenant_id: tenantId,
      id,
      flow_name: flow.name,
      flow_version: flow.version,
      flow_hash: flow.hash,
      principal_id: principalId,
      params: JSON.stringify(params),
      trigger: "{}",
      labels: null,
      priority: flow.priority,
      start_key: null,
      start_digest: null,
      timeout_ms: flow.timeoutMs,
    };
    if (!(await app.engine.accept(run, flow))) throw new Error("the run was refused");
    return (await expected.end).status;
  } finally {
    expected.release();
  }
}

/** Of the first tenant, which is made when there is none. */
async function administrator(app: App): Promise<Caller> {
  const first = await app.access.bootstrap("Bench");
  if (first.created) return app.access.authenticate(`Bearer ${first.apiKey}`, undefined);
  const [row] = await app.db.system.query<{ id: string }>(
    sql`select id from principal where tenant_id = ${first.tenantId} order by id limit 1`,
  );
  if (!row) throw new Error("the first tenant has no administrator");
  return app.access.callerFor(first.tenantId, row.id);
}
