/** New runs that repeat another one: from a step on, or from the beginning with other parameters. */
import { addSeed, loadRow, type SeedEntry } from "#orchestrate/engine";
import type { CompiledFlow } from "#orchestrate/flows";
import { type Caller, requirePermission } from "#platform/access";
import { referenceIn } from "#platform/blobs";
import { type Db, WriteSet } from "#platform/db";
import { digestOf, newId, OarsError, sha256 } from "#platform/kernel";
import type { Ordered } from "./commands.ts";
import { requireStatus } from "./decisions.ts";
import type { RunsDeps } from "./deps.ts";
import { requireMatch } from "./etag.ts";
import { readEnds, readStepEntries } from "./journal-store.ts";
import { signer } from "./order.ts";
import { type RunView, readRun, requireRun, toView } from "./read.ts";
import { reusable } from "./reuse.ts";
import { checkedParams, labelsOf, startedBefore } from "./start.ts";
import { storable } from "./storable.ts";
import type { StoredRun } from "./store.ts";

interface Repeat extends Ordered {
  /** That of the run when absent. */
  readonly version?: string | undefined;
  /** Over those of the run. */
  readonly labels?: Record<string, string> | undefined;
  readonly idempotencyKey?: string | undefined;
}

export interface Rerun extends Repeat {
  /** This step and all that follows from it run again. */
  readonly from: string;
}

export interface Replay extends Repeat {
  /** In place of the run's own parameters of these names. */
  readonly params?: Record<string, unknown> | undefined;
}

/** Of a run that has ended. Errors: RUN_NOT_FOUND, RUN_STATE_CONFLICT, STEP_NOT_FOUND, FLOW_NOT_FOUND, RUN_PARAMS_INVALID. */
export async function rerun(deps: RunsDeps, caller: Caller, id: string, by: Rerun): Promise<RunView> {
  const { run, before, after } = await origin(deps, caller, id, by);
  requireStatus({ run }, "rerun", "completed", "failed", "aborted");
  if (!after.steps.some((s) => s.name === by.from)) throw new OarsError("STEP_NOT_FOUND", { step: by.from });
  const params = checkedParams(after, await paramsOf(deps, caller.tenantId, run));
  const entries = await deps.db.read(caller.tenantId, (db) =>
    ends(db, caller.tenantId, run.id, (ended) => reusable(before, after, by.from, ended)),
  );
  return begin(deps, caller, {
    command: "rerun",
    run,
    flow: after,
    params,
    by,
    entries,
    what: ["from", by.from],
  });
}

/** Errors: RUN_NOT_FOUND, FLOW_NOT_FOUND, RUN_PARAMS_INVALID. */
export async function replay(deps: RunsDeps, caller: Caller, id: string, by: Replay): Promise<RunView> {
  const { run, after } = await origin(deps, caller, id, by);
  if (by.params) storable("params", by.params);
  const own = await paramsOf(deps, caller.tenantId, run);
  const params = checkedParams(
    after,
    Object.fromEntries([...Object.entries(own), ...Object.entries(by.params ?? {})]),
  );
  const what = ["params", by.params ?? {}];
  return begin(deps, caller, { command: "replay", run, flow: after, params, by, entries: [], what });
}

const paramsOf = async ({ blobs }: RunsDeps, tenantId: string, run: StoredRun) =>
  (await loadRow(blobs, { tenantId, runId: run.id }, run.params)) as Record<string, unknown>; // written as an object by its start

async function origin(deps: RunsDeps, caller: Caller, id: string, by: Repeat) {
  requirePermission(caller, "runs:operate");
  requirePermission(caller, "runs:start");
  const { tenantId } = caller;
  const { run } = await readRun(deps, tenantId, id);
  requireMatch(run, by.ifMatch);
  const before = await deps.flows.compiled(tenantId, run.flowHash);
  if (by.version === undefined || by.version === run.version) return { run, before, after: before };
  const { hash } = await deps.flows.resolve(tenantId, run.flow, by.version);
  return { run, before, after: await deps.flows.compiled(tenantId, hash) };
}

/** The ends of the steps that `choose` picks among those that completed or were skipped. */
async function ends(
  db: Db,
  tenantId: string,
  runId: string,
  choose: (ended: ReadonlySet<string>) => readonly string[],
): Promise<SeedEntry[]> {
  const heads = await readStepEntries(db, tenantId, runId);
  const over = heads.filter((e) => e.event === "completed" || e.event === "skipped").map((e) => e.step);
  const steps = choose(new Set(over));
  return steps.length === 0 ? [] : readEnds(db, tenantId, runId, steps);
}

interface Beginning {
  readonly command: "rerun" | "replay";
  readonly run: StoredRun;
  readonly flow: CompiledFlow;
  readonly params: Record<string, unknown>;
  readonly by: Repeat;
  readonly entries: readonly SeedEntry[];
  /** What tells two orders of this kind apart. */
  readonly what: readonly unknown[];
}

/** On the authority of the caller, whoever started the other one. */
async function begin(deps: RunsDeps, caller: Caller, b: Beginning): Promise<RunView> {
  const { tenantId, principalId } = caller;
  const { command, run, flow, params, by } = b;
  const id = newId();
  const along = new WriteSet();
  const { reason } = by;
  const references = b.entries.flatMap(({ output }) => referenceIn(output) ?? []);
  deps.blobs.copy(along, { tenantId, runId: run.id }, id, references);
  addSeed(along, { tenantId, id }, { command: "rerun", principalId, reason, fromRunId: run.id }, b.entries);
  await deps.receipts.add(along, {
    tenantId,
    type: "run.operated",
    runId: id,
    flow: { name: flow.name, version: flow.version, hash: flow.hash },
    principal: signer(caller),
    operation: { command, to: "queued", origin: run.id },
    disclose: { reason, ...(command === "replay" ? { params } : {}) },
  });
  const startKey = by.idempotencyKey
    ? sha256(`${command}\n${principalId}\n${run.id}\n${by.idempotencyKey}`)
    : null;
  const startDigest = sha256(digestOf([command, run.id, by.version ?? null, by.labels ?? null, b.what]));
  const accepted = await deps.engine.accept(
    {
      tenant_id: tenantId,
      id,
      flow_name: flow.name,
      flow_version: flow.version,
      flow_hash: flow.hash,
      principal_id: principalId,
      params: JSON.stringify(params),
      trigger: run.trigger === null ? null : JSON.stringify(run.trigger),
      labels: labelsOf(flow, { ...run.labels, ...by.labels }),
      priority: run.priority,
      start_key: startKey,
      start_digest: startDigest,
      timeout_ms: flow.timeoutMs,
      origin_run_id: run.id,
    },
    flow,
    along,
  );
  if (accepted) return toView(await deps.db.read(tenantId, (db) => requireRun(db, tenantId, id)));
  return toView(await startedBefore(deps, tenantId, startKey, startDigest));
}
