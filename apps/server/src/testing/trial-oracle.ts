/**
 * What a run of a plan must come to, said without an engine: step by step in the order of the plan, each from what
 * came before it. What chance decides (which of two races is first, what another run came to) is asked of `facts`.
 */
import { type Plan, type StepPlan, shaped } from "./trial-plan.ts";

/** What happened to one run that the plan alone cannot tell. */
export interface Facts {
  /** The parameter of the run. */
  readonly v: string;
  /** The receiver was mended for these steps before an operator had them run again. */
  readonly repaired: ReadonlySet<string>;
  /** An operator's edits mended the input. */
  readonly mended: ReadonlySet<string>;
  /** Texts that operators gave in place of steps, or of their outputs. */
  readonly skipped: ReadonlyMap<string, string>;
  readonly edited: ReadonlyMap<string, string>;
  /** The run had failed at some time: what was about to be tried again may have been given up. */
  readonly hasFailed: boolean;
  /** The signal came before the timeout. */
  heard(step: string): boolean;
  /** What the journal says of the step, where chance decided. */
  actual(step: string): StepEnd;
  /** The newest sub-run of the step, or of its item from 1: its output, null for one that did not complete. */
  child(step: string, iteration: number): { readonly output: string | null } | undefined;
}

export interface StepEnd {
  readonly status: "completed" | "failed" | "skipped" | "unreached";
  readonly output: unknown;
}

export interface Foretold {
  readonly steps: ReadonlyMap<string, StepEnd>;
  /** Steps whose failure ends the run. */
  readonly fatal: readonly string[];
  /** A gate ends it. */
  readonly aborted: boolean;
  readonly output: string;
}

type Given = { readonly ok: true; readonly output: unknown } | { readonly ok: false };

const unreached: StepEnd = { status: "unreached", output: null };

export function foretell(plan: Plan, facts: Facts): Foretold {
  const steps = new Map<string, StepEnd>();
  const diverted = new Set<string>();
  const fatal: string[] = [];
  let aborted = false;
  for (const step of plan.steps) {
    const ready = readiness(step, steps, diverted, fatal);
    const skippedBy = facts.skipped.get(step.name);
    if (skippedBy !== undefined) {
      steps.set(step.name, { status: "skipped", output: shaped(step, skippedBy) });
      continue;
    }
    if (ready !== "run" || step.when === false) {
      steps.set(step.name, ready === "blocked" ? unreached : { status: "skipped", output: null });
      continue;
    }
    const end = endOf(plan, step, facts, steps);
    steps.set(step.name, end.result);
    if (end.diverted) diverted.add(step.name);
    if (end.fatal) fatal.push(step.name);
    aborted ||= end.aborted;
    if (end.aborted) steps.set(step.name, unreached);
  }
  const output = plan.steps.map((s) => `${s.name}:${textOf(s, steps.get(s.name))}`).join(";");
  return { steps, fatal, aborted, output };
}

function readiness(
  step: StepPlan,
  steps: ReadonlyMap<string, StepEnd>,
  diverted: ReadonlySet<string>,
  fatal: readonly string[],
): "run" | "skip" | "blocked" {
  const over = (name: string): boolean => steps.get(name)?.status !== "unreached" && !fatal.includes(name);
  if (step.handles) {
    if (diverted.has(step.handles)) return "run";
    return over(step.handles) || fatal.includes(step.handles) ? "skip" : "blocked";
  }
  if (step.needs.length === 0) return "run";
  if (!step.needs.every(over)) return "blocked";
  const gives = (name: string): boolean => {
    const end = steps.get(name);
    if (end?.status === "skipped") return end.output !== null;
    return end?.status === "completed" || (end?.status === "failed" && !diverted.has(name));
  };
  return step.needs.some(gives) ? "run" : "skip";
}

/** How the expressions of plan.ts read a step. */
export function textOf(step: StepPlan, end: StepEnd = unreached): string {
  const sends = step.work.do === "send" || step.work.do === "hold";
  const r = (value: unknown): unknown => (value as { body?: { r?: unknown } } | null)?.body?.r; // of the receiver
  if (!sends) return `${end.status}=${asText(end.output)}`;
  if (!step.each) return `${end.status}=${asText(r(end.output))}`;
  const items = Array.isArray(end.output) ? end.output.map(r).filter((t) => t !== undefined) : [];
  return `${end.status}=${asText(items)}`;
}

const asText = (value: unknown): string =>
  value === undefined ? "" : typeof value === "string" ? value : JSON.stringify(value);

interface End {
  readonly result: StepEnd;
  readonly fatal: boolean;
  readonly diverted: boolean;
  readonly aborted: boolean;
}

function endOf(plan: Plan, step: StepPlan, facts: Facts, steps: ReadonlyMap<string, StepEnd>): End {
  const end = (result: StepEnd, more: Partial<End> = {}): End => ({
    result,
    fatal: false,
    diverted: false,
    aborted: false,
    ...more,
  });
  const completed = (output: unknown): End => {
    const edit = facts.edited.get(step.name);
    return end({ status: "completed", output: edit === undefined ? output : shaped(step, edit) });
  };
  const failed = (): End => {
    if (step.onError === "fallback") return completed(shaped(step, `fallback-${step.name}`));
    const result = { status: "failed", output: null } as const;
    return end(result, { fatal: step.onError === "fail", diverted: step.onError === "goto" });
  };
  const taken = facts.actual(step.name);
  if (facts.hasFailed && mayBeGivenUp(step) && taken.status !== "unreached") {
    return taken.status === "failed" && step.onError !== "fallback" ? failed() : end(taken);
  }
  const given = workOf(plan, step, facts, steps);
  if (!given.ok && step.onError !== "fallback") return failed();
  const output = given.ok ? given.output : shaped(step, `fallback-${step.name}`);
  switch (step.gate && answerOf(step)) {
    case "abort":
      return end(unreached, { aborted: true });
    case "edit":
      return completed(shaped(step, `edited-${step.name}`));
    case "timeout":
      return failed();
    default:
      return completed(output);
  }
}

/** Tried again by itself, so that a failure of the run in between makes its failure final. */
const mayBeGivenUp = ({ work }: StepPlan): boolean => work.do === "send" && work.reply === "busy-once";

/** What the people say in the end. */
function answerOf({ gate }: StepPlan): "continue" | "edit" | "abort" | "timeout" {
  const answer = gate?.answers.find((a) => a !== "retry") ?? "continue";
  return answer === "silence" ? (gate?.default ?? "timeout") : answer;
}

function workOf(plan: Plan, step: StepPlan, facts: Facts, steps: ReadonlyMap<string, StepEnd>): Given {
  const sources = step.handles ? [step.handles] : step.needs;
  const texts = sources.map((n) => textOf(plan.steps.find((s) => s.name === n) as StepPlan, steps.get(n))); // of the plan
  const v = `${step.name}(${[facts.v, ...texts].join(",")})`;
  if (!step.each) return unitOf(step, facts, v, 0);
  const items = Array.from({ length: step.each.count }, (_, n) => unitOf(step, facts, `${v}#${n}`, n + 1));
  if (!step.each.lenient && items.some((i) => !i.ok)) return { ok: false };
  return { ok: true, output: items.map((i) => (i.ok ? i.output : null)) };
}

function unitOf(step: StepPlan, facts: Facts, v: string, iteration: number): Given {
  const { work, name } = step;
  switch (work.do) {
    case "give":
      return { ok: true, output: v };
    case "break":
      return facts.mended.has(name) ? { ok: true, output: "mended" } : { ok: false };
    case "send": {
      const refused = work.reply === "refuse" || work.reply === "busy" || step.bad.includes(iteration - 1);
      return refused && !facts.repaired.has(name) ? { ok: false } : sent(v);
    }
    case "hold":
      return work.vote === "approve" ? sent(v) : { ok: false };
    case "nap":
      return { ok: true, output: null };
    case "listen": {
      if (work.sent === 0) return { ok: false };
      if (!work.timeout) return { ok: true, output: `signal-${name}` };
      return facts.heard(name) ? { ok: true, output: `signal-${name}` } : { ok: false };
    }
    case "child": {
      const child = facts.child(name, iteration);
      if (!child) return { ok: false };
      return child.output === null ? { ok: false } : { ok: true, output: child.output };
    }
  }
}

const sent = (v: string): Given => ({ ok: true, output: { body: { r: v } } });
