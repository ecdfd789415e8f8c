/** `flow`: a step that starts a run of another flow and takes its output, or its failure, as its own. */
import { checkParams } from "#orchestrate/flows";
import { WriteSet } from "#platform/db";
import { formatId, newId } from "#platform/kernel";
import { keyOf } from "./concurrency.ts";
import { findEnd } from "./control-store.ts";
import type { ChildConfig } from "./kinds.ts";
import { keepLarge, loadRow } from "./payloads.ts";
import { type Attempt, completeStep, failStep } from "./step-end.ts";
import { insertRun } from "./writes.ts";

/** Levels of sub-runs below a run that nobody is the parent of. */
export const maxDepth = 8;

/** The sub-run and the wait for it are one commit: neither is there without the other. */
export async function childStep(attempt: Attempt, config: ChildConfig): Promise<void> {
  const { execution, step, iteration, state } = attempt;
  const { run, deps, writer } = execution;
  if (run.depth >= maxDepth) {
    const message = `Sub-runs go ${maxDepth} levels deep at most.`;
    return failStep(attempt, { error: { code: "RUN_TOO_DEEP", message } });
  }
  const version = await deps.flows.resolve(run.tenantId, config.flow, config.version);
  const flow = await deps.flows.compiled(run.tenantId, version.hash);
  const checked = checkParams(flow, config.params ?? {});
  if (!checked.ok) {
    const message = `The parameters do not fit the flow ${config.flow}.`;
    return failStep(attempt, { error: { code: "RUN_PARAMS_INVALID", message, details: checked.problems } });
  }
  const id = newId();
  const trigger = { kind: "flow", parent: execution.state.scope.run.id, step: step.name, iteration };
  const key = await keyOf(flow, { params: checked.params, trigger });
  const params = JSON.stringify(checked.params);
  const kept = await keepLarge(deps.blobs, { tenantId: run.tenantId, runId: id }, params);
  const signed = deps.receipts.wanted(flow);
  const start = new WriteSet();
  if (signed)
    await deps.receipts.started(start, {
      tenantId: run.tenantId,
      id,
      flowName: flow.name,
      flowVersion: flow.version,
      flowHash: flow.hash,
      principalId: run.principalId,
    });
  if (kept) writer.merge(kept.along);
  writer.merge(start);
  writer.add(insertRun, {
    tenant_id: run.tenantId,
    id,
    flow_name: flow.name,
    flow_version: flow.version,
    flow_hash: flow.hash,
    status: "queued",
    principal_id: run.principalId,
    params: kept?.text ?? params,
    trigger: JSON.stringify(trigger),
    labels: JSON.stringify(flow.labels),
    priority: run.priority,
    start_key: null,
    start_digest: null,
    lease_worker: null,
    lease_epoch: 0,
    timeout_ms: flow.timeoutMs,
    parent_run_id: run.id,
    parent_step: step.name,
    parent_iteration: iteration,
    depth: run.depth + 1,
    concurrency_key: key,
    concurrency_limit: flow.concurrency?.limit ?? null,
    blocked: key !== null,
    flow_max: flow.maxRuns,
    signed,
  });
  writer.journalWaiting(attempt);
  writer.addWait(attempt, { kind: "child", key: id, dueInMs: step.timeoutMs });
  writer.onCommit(() => {
    deps.fault("engine.after-child");
    deps.onQueued(run.tenantId, key);
    if (step.timeoutMs !== null) deps.onTimer(step.timeoutMs);
  });
  execution.held(state, "child", id);
  await writer.flush();
}

/** The sub-run has ended, or the step's time is up. */
export async function followChild(attempt: Attempt, childId: string): Promise<void> {
  const { execution, step } = attempt;
  const { run, deps } = execution;
  const child = await deps.db.read(run.tenantId, (db) => findEnd(db, run.tenantId, childId));
  switch (child?.status) {
    case "completed":
      return completeStep(
        attempt,
        await loadRow(deps.blobs, { tenantId: run.tenantId, runId: childId }, child.output),
      );
    case "failed":
    case "aborted": {
      const message = `The sub-run ${child.status}: ${child.error?.message ?? "no reason is known"}`;
      const error = {
        code: `CHILD_${child.status.toUpperCase()}`,
        message,
        details: { run: formatId("run", childId), error: child.error },
      };
      return failStep(attempt, { error, retryAfterMs: child.status === "failed" ? 0 : undefined });
    }
    default: {
      const message = `The sub-run took longer than the step's limit of ${step.timeoutMs} ms.`;
      const into = new WriteSet();
      deps.outbox.emit(into, {
        tenantId: run.tenantId,
        topic: "run.abandoned",
        payload: { runId: childId, principalId: run.principalId, reason: message },
      });
      return failStep(attempt, { error: { code: "STEP_TIMEOUT", message }, retryAfterMs: 0 }, into);
    }
  }
}
