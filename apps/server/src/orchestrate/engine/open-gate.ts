/**
 * A question to people after a step. The answer is given in the runs room, by one compare-and-set on the gate's row;
 * gate.ts acts on it.
 *
 * R10 a gate has one decision: the first answer, or its default once its time is up; nothing that follows from the
 *     step runs before.
 */
import { newId } from "#platform/kernel";
import type { Attempt, Completion } from "./step-end.ts";
import { insertGate } from "./writes.ts";

/** The output, the question and the wait for the answer are one commit, which is the run's next. */
export async function openGate(
  attempt: Attempt,
  output: { readonly value: unknown; readonly text: string | null },
  { into, standsFor, operator }: Completion,
): Promise<void> {
  const { execution, step, iteration, state } = attempt;
  const { gate } = step;
  if (!gate) throw new Error(`step ${step.name} has no gate`);
  const scope = { ...execution.state.scope, output: output.value };
  const question = String((await gate.question.render(scope)) ?? "");
  const { run, writer } = execution;
  const id = newId();
  const text = output.text ?? (step.forEach ? JSON.stringify(output.value) : null);
  const shown = output.text === null ? await execution.keep(text) : undefined; // kept by its step else
  if (shown) writer.merge(shown.along);
  const ms = Math.round(performance.now() - attempt.started);
  writer.journal(attempt, {
    event: "gated",
    output: output.text,
    error: standsFor ?? null,
    operator: operator ?? null,
    ms,
  });
  if (into) writer.merge(into);
  writer.add(insertGate, {
    tenant_id: run.tenantId,
    id,
    run_id: run.id,
    step: step.name,
    iteration,
    attempt: state.attempt,
    question: question.slice(0, 2_000),
    options: JSON.stringify(gate.options),
    approvers: JSON.stringify(gate.approvers),
    exclude_requester: gate.excludeRequester,
    requester_id: run.principalId,
    default_decision: gate.default,
    output: shown?.text ?? text,
    due_in_ms: gate.timeoutMs,
  });
  writer.addWait(attempt, { kind: "gate", key: id, dueInMs: gate.timeoutMs });
  writer.onCommit(() => execution.deps.fault("engine.after-gate"));
  const due = gate.timeoutMs;
  if (due !== null) writer.onCommit(() => execution.deps.onTimer(due));
  state.gated = { output: output.value, standsFor };
  execution.held(state, "gate", id);
  if (into) await writer.flush();
}
