import {
  isEnded,
  type JournalEntry,
  type RunStatus,
  type StepError,
  type StepStatus,
} from "#orchestrate/engine";
import type { CompiledFlow } from "#orchestrate/flows";

export interface StepView {
  readonly name: string;
  readonly kind: string;
  readonly status: StepStatus | "aborted";
  readonly attempt: number;
  readonly output: unknown;
  readonly error: StepError | null;
  readonly startedAt: Date | null;
  readonly endedAt: Date | null;
}

/** Every step of the flow with where it stands, in the order of the flow. */
export function toSteps(flow: CompiledFlow, journal: readonly JournalEntry[], run: RunStatus): StepView[] {
  return flow.steps.map((step) => {
    const last = journal.findLast((e) => e.step === step.name);
    const kind = `${step.kind}@${step.kindVersion}`;
    if (!last) {
      const status = run === "aborted" ? "aborted" : isEnded(run) ? "skipped" : "pending";
      return {
        name: step.name,
        kind,
        status,
        attempt: 0,
        output: null,
        error: null,
        startedAt: null,
        endedAt: null,
      };
    }
    const waiting = last.event === "waiting" || last.event === "retrying";
    return {
      name: step.name,
      kind,
      status: waiting
        ? isEnded(run)
          ? "aborted"
          : "waiting"
        : (last.event as "completed" | "failed" | "skipped"), // the two others are handled
      attempt: last.attempt,
      output: last.output,
      error: last.error,
      startedAt: new Date(last.at.getTime() - last.ms),
      endedAt: waiting ? null : last.at,
    };
  });
}
