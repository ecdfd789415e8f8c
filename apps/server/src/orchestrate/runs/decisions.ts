/**
 * Whether an order on a run can be carried out, and on which of its steps. Pure: every refusal is an OarsError that
 * says how the run stands. A step that waits, for whatever, is `waiting`; one that the journal does not know, `pending`.
 */
import { type Head, isEnded, type RunStatus, type TakenRun } from "#orchestrate/engine";
import type { CompiledFlow, CompiledStep } from "#orchestrate/flows";
import { formatId, OarsError } from "#platform/kernel";
import { currentOf } from "./etag.ts";

export interface Situation {
  readonly run: TakenRun;
  readonly flow: CompiledFlow;
  readonly heads: readonly Head[];
  /** Actions of the run whose end nobody knows yet. */
  readonly openActions: readonly { readonly id: string; readonly step: string; readonly state: string }[];
}

type Moving = Parameters<typeof currentOf>[0];

export interface Target {
  readonly step: CompiledStep;
  readonly attempt: number;
}

export type Standing = "pending" | "waiting" | "completed" | "failed" | "skipped";

export function standingOf({ heads }: Pick<Situation, "heads">, step: CompiledStep): Standing {
  const head = heads.find((h) => h.step === step.name);
  if (!head) return "pending";
  const { event } = head;
  return event === "waiting" || event === "retrying" || event === "gated" ? "waiting" : event;
}

const toTarget = ({ heads }: Situation, step: CompiledStep): Target => ({
  step,
  attempt: heads.find((h) => h.step === step.name)?.attempt ?? 1,
});

/** Throws RUN_ENDED where nothing can be ordered any more, RUN_STATE_CONFLICT where the order fits another state. */
export function requireStatus(
  { run }: { readonly run: Moving },
  command: string,
  ...needed: RunStatus[]
): void {
  if (needed.includes(run.status)) return;
  const current = currentOf(run);
  if (isEnded(run.status)) throw new OarsError("RUN_ENDED", { state: run.status }, { current });
  const state = run.pausedAt ? "paused" : run.status;
  const wanted = needed.join(" or ");
  throw new OarsError("RUN_STATE_CONFLICT", { state, command, needed: wanted }, { current });
}

/** The end of a sub-run has been told to its parent, which goes on by itself. */
function requireNoParent({ run }: Situation): void {
  if (run.status !== "failed" || run.parentRunId === null) return;
  const parent = formatId("run", run.parentRunId);
  throw new OarsError("RUN_HAS_PARENT", { parent }, { current: { ...currentOf(run), parent } });
}

function stepNamed({ flow }: Situation, name: string): CompiledStep {
  const step = flow.steps.find((s) => s.name === name);
  if (!step) throw new OarsError("STEP_NOT_FOUND", { step: name });
  return step;
}

function refuseStep(
  { run }: Situation,
  step: CompiledStep,
  state: Standing,
  command: string,
  needed: string,
): never {
  const current = { ...currentOf(run), step: { name: step.name, status: state } };
  throw new OarsError("STEP_STATE_CONFLICT", { step: step.name, state, command, needed }, { current });
}

/** What runs because of the step: its dependents, and where its failure leads. */
const followers = (flow: CompiledFlow, step: CompiledStep): CompiledStep[] =>
  flow.steps.filter(
    (s) => step.dependents.includes(s.index) || (step.onError.do === "goto" && step.onError.step === s.index),
  );

/** Nothing has begun with what the step gave. */
function requireUnused(situation: Situation, step: CompiledStep): void {
  const used = followers(situation.flow, step).find((s) => standingOf(situation, s) !== "pending");
  if (!used) return;
  const current = currentOf(situation.run);
  throw new OarsError("STEP_IN_USE", { step: step.name, dependent: used.name }, { current });
}

/** No effect of the step is under way, or in doubt. */
function requireSettled(situation: Situation, step: CompiledStep): void {
  const open = situation.openActions.find((a) => a.step === step.name);
  if (!open) return;
  const action = formatId("action", open.id);
  const current = { ...currentOf(situation.run), action: { id: action, state: open.state } };
  throw new OarsError("STEP_ACTION_OPEN", { step: step.name, action, state: open.state }, { current });
}

/** Steps whose failure nothing handles: those that the run failed with. */
const fatal = (situation: Situation): CompiledStep[] =>
  situation.flow.steps.filter(
    (s) => standingOf(situation, s) === "failed" && s.onError.do !== "continue" && s.onError.do !== "goto",
  );

/** Steps to run again; none for a run that failed by itself, as for want of time. */
export function decideRetry(situation: Situation, name: string | undefined): Target[] {
  requireStatus(situation, "retry a step", "failed", "waiting");
  requireNoParent(situation);
  if (name === undefined) {
    const steps = fatal(situation);
    if (steps.length === 0) requireStatus(situation, "retry what failed", "failed");
    return steps.map((step) => toTarget(situation, step));
  }
  const step = stepNamed(situation, name);
  const standing = standingOf(situation, step);
  if (standing !== "failed") refuseStep(situation, step, standing, "retry it", "failed");
  requireUnused(situation, step);
  requireSettled(situation, step);
  return [toTarget(situation, step)];
}

export function decideSkip(situation: Situation, name: string | undefined): Target[] {
  requireStatus(situation, "skip a step", "failed", "waiting");
  requireNoParent(situation);
  const steps = name === undefined ? fatal(situation) : [stepNamed(situation, name)];
  if (steps.length === 0) {
    const state = situation.run.pausedAt ? "paused" : situation.run.status;
    const needed = "one with a failed step, or the step must be named";
    const current = currentOf(situation.run);
    throw new OarsError("RUN_STATE_CONFLICT", { state, command: "skip a step", needed }, { current });
  }
  for (const step of steps) {
    const standing = standingOf(situation, step);
    if (standing === "completed" || standing === "skipped")
      refuseStep(situation, step, standing, "skip it", "failed, waiting or pending");
    if (!step.skippable)
      throw new OarsError("STEP_NOT_SKIPPABLE", { step: step.name }, { current: currentOf(situation.run) });
    requireUnused(situation, step);
    requireSettled(situation, step);
  }
  return steps.map((step) => toTarget(situation, step));
}

export function decideEdit(situation: Situation, name: string): Target {
  requireStatus(situation, "edit an output", "failed", "waiting");
  const step = stepNamed(situation, name);
  const standing = standingOf(situation, step);
  if (standing !== "completed") refuseStep(situation, step, standing, "edit its output", "completed");
  requireUnused(situation, step);
  return toTarget(situation, step);
}

export const decideAbort = (situation: Pick<Situation, "run">): void =>
  requireStatus(situation, "abort", "queued", "running", "waiting", "failed");

export function decidePause({ run }: Pick<Situation, "run">): void {
  requireStatus({ run }, "pause", "queued", "running", "waiting");
  if (!run.pausedAt) return;
  const params = { state: "paused", command: "pause", needed: "queued, running or waiting" };
  throw new OarsError("RUN_STATE_CONFLICT", params, { current: currentOf(run) });
}

export function decideResume({ run }: Pick<Situation, "run">): void {
  if (run.pausedAt && run.status === "waiting") return;
  if (isEnded(run.status)) requireStatus({ run }, "resume");
  const params = { state: run.status, command: "resume", needed: "paused" };
  throw new OarsError("RUN_STATE_CONFLICT", params, { current: currentOf(run) });
}
