/** A step that reaches the outside: it proposes an action, performs it if allowed, or waits for people. */
import { createHash } from "node:crypto";
import type { ActionView } from "#act/actions";
import type { CompiledStep } from "#orchestrate/flows";
import { WriteSet } from "#platform/db";
import type { StepError, StepState } from "./domain.ts";
import type { RunExecution } from "./execution.ts";

const keyOf = (...parts: readonly string[]): Buffer => createHash("sha256").update(parts.join("\n")).digest();

export async function runEffect(
  execution: RunExecution,
  step: CompiledStep,
  state: StepState,
  operation: string,
  input: unknown,
  resumed: StepState["wait"],
  started: number,
): Promise<void> {
  const { deps, run } = execution;
  if (resumed?.kind === "action" && resumed.key)
    return followUp(execution, step, state, resumed.key, started);
  const reservation = keyOf("run", run.id, step.name, "0");
  const caller = await deps.callerFor(run.tenantId, run.principalId);
  const taken = await execution.writer.take();
  const { connection, ...rest } = input as { connection: string } & Record<string, unknown>; // parsed by the operation's schema
  const proposed = await deps.actions
    .propose(
      {
        caller,
        connection,
        operation,
        input: rest,
        reservation,
        effectKey: reservation.toString("hex"),
        origin: {
          runId: run.id,
          step: step.name,
          flow: { name: run.flowName, version: run.flowVersion, hash: run.flowHash },
        },
        timeoutMs: step.timeoutMs ?? 30_000,
      },
      {
        always: taken,
        onHeld: (into, actionId) => {
          const { writer } = execution;
          writer.journalWaiting(step.name, state, into);
          writer.addWait(step.name, state.attempt, { kind: "action", key: actionId, dueInMs: null }, into);
        },
      },
    )
    .catch((error) => {
      execution.writer.putBack(taken);
      throw error;
    });
  switch (proposed.kind) {
    case "execute":
      return performAndSettle(execution, step, state, proposed.action, started);
    case "held":
      return execution.held(state, proposed.actionId);
    case "refused":
      return execution.fail(
        step,
        state,
        { code: `ACTION_${proposed.state.toUpperCase()}`, message: proposed.message },
        started,
      );
    case "existing": {
      execution.writer.putBack(taken);
      const { id, state: at } = proposed.action;
      if (at === "failed" && state.attempt > 1) return retryAction(execution, step, state, id, started);
      return followUp(execution, step, state, id, started);
    }
    case "lost":
      return execution.surrender();
  }
}

async function performAndSettle(
  execution: RunExecution,
  step: CompiledStep,
  state: StepState,
  action: Parameters<RunExecution["deps"]["actions"]["perform"]>[0],
  started: number,
): Promise<void> {
  const { actions } = execution.deps;
  const done = await actions.perform(action, execution.abort.signal);
  const into = new WriteSet();
  const { state: ended } = await actions.settle(action, done, into);
  const { outcome } = done;
  if (outcome.status === "completed") return execution.complete(step, state, outcome.output, started, into);
  if (ended === "in_doubt") return awaitAction(execution, step, state, action.recorded.actionId, into);
  const { retry: _retry, ...error } = outcome.error;
  const after = outcome.status === "failed" && outcome.retryable ? (outcome.retryAfterMs ?? 0) : undefined;
  return execution.fail(step, state, error, started, after, into);
}

async function retryAction(
  execution: RunExecution,
  step: CompiledStep,
  state: StepState,
  actionId: string,
  started: number,
): Promise<void> {
  const { deps, run } = execution;
  const taken = await execution.writer.take();
  const again = await deps.actions.retry(run.tenantId, actionId, taken);
  if (again.kind === "execute") return performAndSettle(execution, step, state, again.action, started);
  execution.writer.putBack(taken);
  if (again.kind === "refused")
    return execution.fail(step, state, { code: "ACTION_DENIED", message: again.message }, started);
  return followUp(execution, step, state, actionId, started);
}

/** The action exists: take its end, or wait for it. */
async function followUp(
  execution: RunExecution,
  step: CompiledStep,
  state: StepState,
  actionId: string,
  started: number,
): Promise<void> {
  const action = await execution.deps.actions.load(execution.run.tenantId, actionId);
  if (!action) throw new Error(`action ${actionId} of step ${step.name} is gone`);
  if (action.state === "completed") return execution.complete(step, state, action.output, started);
  const error = errorOf(action);
  if (!error) return awaitAction(execution, step, state, actionId);
  const retryable =
    action.state === "failed" && (action.error as { retry?: string } | null)?.retry === "retryable"; // stored as the connector gave it
  return execution.fail(step, state, error, started, retryable ? 0 : undefined);
}

function errorOf(action: ActionView): StepError | null {
  switch (action.state) {
    case "failed":
    case "denied":
    case "quarantined":
    case "rejected":
    case "expired":
    case "cancelled":
      return {
        code: action.error?.code ?? `ACTION_${action.state.toUpperCase()}`,
        message: action.error?.message ?? `The action was ${action.state}.`,
        ...(action.error?.details === undefined ? {} : { details: action.error.details }),
      };
    default:
      return null;
  }
}

/** The wait is durable before the action is looked at once more: an end in between is not missed. */
async function awaitAction(
  execution: RunExecution,
  step: CompiledStep,
  state: StepState,
  actionId: string,
  into?: WriteSet,
): Promise<void> {
  const { writer } = execution;
  if (into) writer.merge(into);
  writer.journalWaiting(step.name, state);
  writer.addWait(step.name, state.attempt, { kind: "action", key: actionId, dueInMs: null });
  if (!(await writer.flush())) return;
  const action = await execution.deps.actions.load(execution.run.tenantId, actionId);
  const ended = action !== undefined && (action.state === "completed" || errorOf(action) !== null);
  execution.held(state, actionId, ended);
}
