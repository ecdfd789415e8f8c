/** A step that reaches the outside: it proposes an action, performs it if allowed, or waits for people. */
import { createHash } from "node:crypto";
import type { ActionView, Executable, Performed } from "#act/actions";
import { WriteSet } from "#platform/db";
import { type StepError, type StepState, triesOf } from "./domain.ts";
import { type Cached, findCached } from "./step-cache.ts";
import { type Attempt, completeStep, failStep } from "./step-end.ts";

const keyOf = (...parts: readonly string[]): Buffer => createHash("sha256").update(parts.join("\n")).digest();

export async function runEffect(
  attempt: Attempt,
  operation: string,
  input: unknown,
  resumed: StepState["wait"],
  cacheKey: Uint8Array | null,
): Promise<void> {
  const { execution, step, iteration, state } = attempt;
  const { deps, run } = execution;
  if (resumed?.kind === "action" && resumed.key) return followUp(attempt, resumed.key);
  const item = iteration === 0 ? [] : [`item ${iteration}`];
  const reservation = keyOf("run", run.id, step.name, String(state.group), ...item);
  const caller = await deps.callerFor(run.tenantId, run.principalId);
  const { writer } = execution;
  const { connection, ...rest } = input as { connection: string } & Record<string, unknown>; // parsed by the operation's schema
  const proposal = {
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
  };
  const proposed = await deps.actions.propose(proposal, (set, held) =>
    writer.commitEffect(set, () => {
      if (held === null) return;
      writer.journalWaiting(attempt);
      writer.addWait(attempt, { kind: "action", key: held, dueInMs: null });
    }),
  );
  switch (proposed.kind) {
    case "execute":
      return performAndSettle(attempt, proposed.action, cacheKey);
    case "held":
      return execution.held(state, "action", proposed.actionId);
    case "refused": {
      const code = `ACTION_${proposed.state.toUpperCase()}`;
      return failStep(attempt, { error: { code, message: proposed.message } });
    }
    case "existing": {
      const { id, state: at } = proposed.action;
      if (at === "failed" && triesOf(state) > 1) return retryAction(attempt, id);
      return followUp(attempt, id);
    }
    case "lost":
      return execution.surrender();
  }
}

/** [R9] The decision is made and recorded by now; only the call itself may be spared. */
async function performAndSettle(
  attempt: Attempt,
  action: Executable,
  cacheKey: Uint8Array | null = null,
): Promise<void> {
  const { execution } = attempt;
  const { actions } = execution.deps;
  const { actionId } = action.recorded;
  const cached = cacheKey && (await findCached(execution, cacheKey));
  const done = cached ? fromCache(cached) : await actions.perform(action, execution.abort.signal);
  const into = new WriteSet();
  const { state: ended } = await actions.settle(action, done, into);
  const { outcome } = done;
  const brokenOff =
    execution.writer.lost && outcome.status === "failed" && outcome.error.code === "NET_ABORTED";
  execution.owed.add(into, { actionId, brokenOff });
  if (outcome.status === "completed") {
    const operator = cached ? { operator: cached.operator } : { cacheKey };
    return completeStep(attempt, outcome.output, { into, ...operator });
  }
  if (ended === "in_doubt") return awaitAction(attempt, actionId, into);
  const { retry: _retry, ...error } = outcome.error;
  const again = outcome.status === "failed" && outcome.retryable;
  return failStep(attempt, { error, retryAfterMs: again ? (outcome.retryAfterMs ?? 0) : undefined }, into);
}

const fromCache = ({ output }: Cached): Performed => ({
  outcome: { status: "completed", output: output as never }, // JSON, as it was stored
  ms: 0,
  spared: true,
});

async function retryAction(attempt: Attempt, actionId: string): Promise<void> {
  const { deps, run, writer } = attempt.execution;
  const again = await deps.actions.retry(run.tenantId, actionId, (set) => writer.commitEffect(set));
  if (again.kind === "execute") return performAndSettle(attempt, again.action);
  if (again.kind === "refused") {
    return failStep(attempt, { error: { code: "ACTION_DENIED", message: again.message } });
  }
  return followUp(attempt, actionId);
}

/** The action exists: take its end, or wait for it. */
async function followUp(attempt: Attempt, actionId: string): Promise<void> {
  const { deps, run } = attempt.execution;
  const action = await deps.actions.load(run.tenantId, actionId);
  if (!action) throw new Error(`action ${actionId} of step ${attempt.step.name} is gone`);
  if (action.state === "completed") return completeStep(attempt, action.output);
  const error = errorOf(action);
  if (!error) return awaitAction(attempt, actionId);
  const retryable =
    action.state === "failed" && (action.error as { retry?: string } | null)?.retry === "retryable"; // stored as the connector gave it
  return failStep(attempt, { error, retryAfterMs: retryable ? 0 : undefined });
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
async function awaitAction(attempt: Attempt, actionId: string, into?: WriteSet): Promise<void> {
  const { execution, state } = attempt;
  const { writer } = execution;
  if (into) writer.merge(into);
  writer.journalWaiting(attempt);
  writer.addWait(attempt, { kind: "action", key: actionId, dueInMs: null });
  if (!(await writer.flush())) return;
  const action = await execution.deps.actions.load(execution.run.tenantId, actionId);
  const ended = action !== undefined && (action.state === "completed" || errorOf(action) !== null);
  execution.held(state, "action", actionId, ended);
}
