/** `wait`: for a time, until an instant, or for a signal that somebody sends to the run. */
import { durationMs } from "@oars/contract";
import { WriteSet } from "#platform/db";
import type { StepWait } from "./domain.ts";
import type { WaitConfig } from "./kinds.ts";
import { type Attempt, completeStep, failStep } from "./step-end.ts";
import { closeWait, deliverSignal } from "./writes.ts";

export function waitStep(attempt: Attempt, config: WaitConfig): void {
  const { execution, state } = attempt;
  execution.writer.journalWaiting(attempt);
  if (config.signal === undefined) {
    const ms =
      config.until === undefined ? durationMs(config.for ?? "0ms") : Date.parse(config.until) - Date.now();
    execution.wait(attempt, "timer", Math.max(0, ms ?? 0));
    return;
  }
  const dueInMs = config.timeout === undefined ? null : (durationMs(config.timeout) ?? null);
  execution.writer.addWait(attempt, { kind: "signal", key: config.signal, dueInMs });
  if (dueInMs !== null) execution.writer.onCommit(() => execution.deps.onTimer(dueInMs));
  execution.held(state, "signal", config.signal);
  if (execution.writer.born) execution.lookAgain(); // one may have come early; nobody knows of a run that is not there yet
}

/** [R8] The signal's delivery and the step's completion are one commit. */
export async function followSignal(attempt: Attempt, wait: StepWait): Promise<void> {
  const { execution, step, iteration, state } = attempt;
  if (!wait.signal) {
    const message = `No signal "${wait.key}" came in time.`;
    return failStep(attempt, { error: { code: "WAIT_TIMEOUT", message } });
  }
  const { tenantId, id } = execution.run;
  const place = { tenant_id: tenantId, run_id: id, step: step.name, iteration };
  const into = new WriteSet()
    .add(deliverSignal, { ...place, id: wait.signal.id })
    .add(closeWait, { ...place, attempt: state.attempt })
    .onCommit(() => execution.deps.fault("engine.after-signal"));
  return completeStep(attempt, wait.signal.payload, { into });
}
