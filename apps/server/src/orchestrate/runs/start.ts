import { type CompiledFlow, checkParams } from "#orchestrate/flows";
import { type Caller, requirePermission } from "#platform/access";
import { digestOf, newId, OarsError, sha256 } from "#platform/kernel";
import type { RunsDeps } from "./deps.ts";
import { type RunView, readRun, toView } from "./read.ts";
import { findStarted, type StoredRun } from "./store.ts";

export interface RunStart {
  readonly flow: string;
  readonly version?: string | undefined;
  readonly params: Record<string, unknown>;
  readonly labels?: Record<string, string> | undefined;
  readonly priority?: number | undefined;
  readonly idempotencyKey?: string | undefined;
}

/** A start by a trigger: on the authority of a principal, of a version that is resolved already. */
export interface TriggeredStart {
  readonly tenantId: string;
  readonly principalId: string;
  readonly flow: CompiledFlow;
  readonly params: Record<string, unknown>;
  readonly trigger: Record<string, unknown>;
  /** Starts with the same key are one run. */
  readonly startKey: Uint8Array | null;
}

export async function startRun(
  deps: RunsDeps,
  caller: Caller,
  start: RunStart,
  id: string = newId(),
): Promise<RunView> {
  requirePermission(caller, "runs:start");
  const version = await deps.flows.resolve(caller.tenantId, start.flow, start.version);
  const flow = await deps.flows.compiled(caller.tenantId, version.hash);
  const params = checkedParams(flow, start.params);
  const startKey = start.idempotencyKey
    ? sha256(`api\n${caller.principalId}\n${start.idempotencyKey}`)
    : null;
  const startDigest = sha256(
    digestOf([start.flow, start.version ?? null, start.params, start.labels ?? null]),
  );
  const accepted = await deps.engine.accept(
    {
      tenant_id: caller.tenantId,
      id,
      flow_name: flow.name,
      flow_version: flow.version,
      flow_hash: flow.hash,
      principal_id: caller.principalId,
      params: JSON.stringify(params),
      trigger: null,
      labels: labelsOf(flow, start.labels),
      priority: start.priority ?? flow.priority,
      start_key: startKey,
      start_digest: startDigest,
      timeout_ms: flow.timeoutMs,
    },
    flow,
  );
  if (accepted) return toView((await readRun(deps, caller.tenantId, id)).run);
  return toView(await startedBefore(deps, caller.tenantId, startKey, startDigest));
}

/** The run that was started under the key before, by the same request. Throws IDEMPOTENCY_CONFLICT for another one. */
export async function startedBefore(
  deps: RunsDeps,
  tenantId: string,
  startKey: Uint8Array | null,
  startDigest: Uint8Array,
) {
  const first = startKey && (await deps.db.read(tenantId, (db) => findStarted(db, tenantId, startKey)));
  if (!first || Buffer.compare(first.startDigest, startDigest) !== 0)
    throw new OarsError("IDEMPOTENCY_CONFLICT");
  const { startDigest: _startDigest, ...run } = first;
  return run;
}

/** JSON text of the flow's labels with those of the start over them; null for none. */
export function labelsOf(
  flow: Pick<CompiledFlow, "labels">,
  given: Readonly<Record<string, string>> | undefined,
): string | null {
  const labels = { ...flow.labels, ...given };
  return Object.keys(labels).length === 0 ? null : JSON.stringify(labels);
}

export function checkedParams(flow: CompiledFlow, given: Record<string, unknown>): Record<string, unknown> {
  const checked = checkParams(flow, given);
  if (!checked.ok) throw new OarsError("RUN_PARAMS_INVALID", {}, { errors: checked.problems });
  return checked.params;
}

export async function startTriggered(
  deps: RunsDeps,
  start: TriggeredStart,
): Promise<{ runId: string; duplicate: boolean }> {
  const id = newId();
  const first = await beginTriggered(deps, start, id);
  return { runId: first?.id ?? id, duplicate: first !== undefined };
}

/** Starts the run under this id, or answers with the first one under its start key. */
export async function beginTriggered(
  deps: RunsDeps,
  start: TriggeredStart,
  id: string,
): Promise<StoredRun | undefined> {
  const { flow, tenantId, startKey } = start;
  const params = checkedParams(flow, start.params);
  const accepted = await deps.engine.accept(
    {
      tenant_id: tenantId,
      id,
      flow_name: flow.name,
      flow_version: flow.version,
      flow_hash: flow.hash,
      principal_id: start.principalId,
      params: JSON.stringify(params),
      trigger: JSON.stringify(start.trigger),
      labels: labelsOf(flow, undefined),
      priority: flow.priority,
      start_key: startKey,
      start_digest: startKey,
      timeout_ms: flow.timeoutMs,
    },
    flow,
  );
  if (accepted) return undefined;
  const first = startKey && (await deps.db.read(tenantId, (db) => findStarted(db, tenantId, startKey)));
  if (!first) throw new OarsError("SERVER_BUSY", { seconds: 1 });
  return first;
}
