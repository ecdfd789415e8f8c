/** Runs, gates and signals as the API shows them, and filters as the services take them. */
import type { runMatch } from "@oars/contract";
import type { z } from "zod";
import type { GateView, RunMatch, RunView, RunWithSteps, SignalView, StepView } from "#orchestrate/runs";
import { parseId } from "#platform/kernel";
import { idOrUndefined, shown, shownOrNull } from "./wire-id.ts";

const itemOf = (iteration: number | null): number | null =>
  iteration === null || iteration === 0 ? null : iteration - 1;

export function toRun({ parentRunId, parentStep, parentIteration, originRunId, ...r }: RunView) {
  const parent =
    parentRunId === null
      ? null
      : { runId: shown("run", parentRunId), step: parentStep ?? "", item: itemOf(parentIteration) };
  return {
    ...r,
    id: shown("run", r.id),
    startedBy: shown("principal", r.startedBy),
    parent,
    origin: shownOrNull("run", originRunId),
  };
}

function toStep({ operator, ...step }: StepView) {
  if (operator === null) return { ...step, operator };
  const { command, principalId, reason, fromRunId } = operator;
  return {
    ...step,
    operator: {
      command,
      ...(principalId ? { principalId: shown("principal", principalId) } : {}),
      ...(reason ? { reason } : {}),
      ...(fromRunId ? { fromRunId: shown("run", fromRunId) } : {}),
    },
  };
}

export const toRunWithSteps = ({ steps, progress, gates, children, ...r }: RunWithSteps) => ({
  ...toRun(r),
  steps: steps.map(toStep),
  progress,
  gates: gates.map(toGate),
  children: children.map((child) => ({ ...child, id: shown("run", child.id) })),
});

export function toGate({ iteration, hasEditedOutput, editedOutput, ...g }: GateView) {
  return {
    ...g,
    id: shown("gate", g.id),
    runId: shown("run", g.runId),
    item: itemOf(iteration),
    requestedBy: shown("principal", g.requestedBy),
    answeredBy: shownOrNull("principal", g.answeredBy),
    ...(hasEditedOutput && editedOutput !== undefined ? { editedOutput } : {}),
  };
}

export const toSignal = ({ iteration, ...s }: SignalView) => ({
  ...s,
  id: shown("signal", s.id),
  runId: shown("run", s.runId),
  sentBy: shown("principal", s.sentBy),
  item: itemOf(iteration),
});

/** The first `=` parts a label's name from its value. */
function labelOf(text: string): readonly [string, string] {
  const at = text.indexOf("=");
  return [text.slice(0, at), text.slice(at + 1)];
}

/** The filter of a list, or of a command over many runs. */
export function toMatch(m: z.output<typeof runMatch>): RunMatch {
  const { status, flow, label, search } = m;
  return {
    status,
    flow,
    labels: label?.map((text) => labelOf(text)),
    parent: idOrUndefined("run", m.parent),
    origin: idOrUndefined("run", m.origin),
    startedAfter: m.startedAfter === undefined ? undefined : new Date(m.startedAfter),
    startedBefore: m.startedBefore === undefined ? undefined : new Date(m.startedBefore),
    search,
    searchId: search === undefined ? undefined : parseId("run", search.toLowerCase()),
  };
}
