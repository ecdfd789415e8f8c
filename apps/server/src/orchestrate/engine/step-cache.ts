/**
 * Outputs of steps that may stand in for a further call with the same input.
 *
 * R9 an output is used again only for the same flow, step, kind version, tenant and, unless the step shares it with
 *    the tenant, principal, and for the same resolved input; never past its time. A gate still asks, and an
 *    effect still has its decision.
 */
import { canonicalJson, isOarsError, sha256 } from "#platform/kernel";
import { readCached } from "./control-store.ts";
import type { Operator } from "./domain.ts";
import type { RunExecution } from "./execution.ts";
import { loadRow } from "./payloads.ts";
import type { Attempt } from "./step-end.ts";

export interface Cached {
  readonly output: unknown;
  readonly operator: Operator;
}

export function keyOfStep({ execution, step }: Attempt, input: unknown): Uint8Array {
  const { run } = execution;
  const scope = step.cache?.scope === "tenant" ? null : run.principalId;
  const kind = `${step.kind}@${step.kindVersion}`;
  return sha256(canonicalJson([run.flowName, step.name, kind, scope, input ?? null]));
}

export async function findCached(execution: RunExecution, key: Uint8Array): Promise<Cached | undefined> {
  const { tenantId } = execution.run;
  const { db, blobs } = execution.deps;
  const row = await db.read(tenantId, (reader) => readCached(reader, tenantId, key));
  if (!row) return undefined;
  const { runId } = row;
  try {
    const output = await loadRow(blobs, { tenantId, runId }, row.output);
    return { output, operator: { command: "cache", fromRunId: runId } };
  } catch (error) {
    if (isOarsError(error) && error.code === "BLOB_NOT_FOUND") return undefined; // gone with its run
    throw error;
  }
}
