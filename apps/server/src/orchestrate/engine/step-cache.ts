/**
 * Outputs of steps that may stand in for a further call with the same input.
 *
 * R9 an output is used again only for the same flow, step, kind version, tenant and, unless the step shares it with
 *    the tenant, principal, and for the same resolved input; never past its time. A gate still asks, and an
 *    effect still has its decision.
 */
import { canonicalJson, sha256 } from "#platform/kernel";
import { readCached } from "./control-store.ts";
import type { Operator } from "./domain.ts";
import type { RunExecution } from "./execution.ts";
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
  const row = await execution.deps.db.read(tenantId, (db) => readCached(db, tenantId, key));
  return row && { output: row.output, operator: { command: "cache", fromRunId: row.runId } };
}
