import {
  isEnded,
  type JournalEntry,
  type Operator,
  type RunStatus,
  type StepError,
  type StepStatus,
} from "#orchestrate/engine";
import type { CompiledFlow } from "#orchestrate/flows";
import type { ItemCount } from "./journal-store.ts";

export interface StepView {
  readonly name: string;
  readonly kind: string;
  readonly status: StepStatus | "aborted";
  readonly attempt: number;
  /** Absent for a step with forEach: its items have theirs. */
  readonly output?: unknown;
  readonly error: StepError | null;
  readonly startedAt: Date | null;
  readonly endedAt: Date | null;
  readonly operator: Operator | null;
  readonly items: ItemCounts | null;
}

export interface ItemCounts {
  /** Null until the step has ended. */
  readonly total: number | null;
  readonly completed: number;
  readonly failed: number;
  readonly skipped: number;
  readonly waiting: number;
}

export interface Progress {
  readonly total: number;
  readonly completed: number;
  readonly percent: number;
}

/** Every step of the flow with where it stands, in the order of the flow. `entries` holds the newest of each. */
export function toSteps(
  flow: CompiledFlow,
  entries: readonly JournalEntry[],
  counts: readonly ItemCount[],
  run: RunStatus,
): StepView[] {
  const byStep = new Map(entries.map((e) => [e.step, e]));
  return flow.steps.map((step) => {
    const last = byStep.get(step.name);
    const items = step.forEach
      ? toCounts(
          counts.filter((c) => c.step === step.name),
          last?.event,
        )
      : null;
    const kind = `${step.kind}@${step.kindVersion}`;
    if (!last) return { name: step.name, kind, ...untold(run, items), items };
    const { status, ...rest } = toEnd(last, run);
    const { output, ...entry } = rest;
    return { name: step.name, kind, status, ...entry, ...(step.forEach ? {} : { output }), items };
  });
}

/** A step that the journal does not know: it has not begun, or nothing of it is durable yet but some items. */
function untold(run: RunStatus, items: ItemCounts | null) {
  const begun = items !== null && items.completed + items.failed + items.skipped + items.waiting > 0;
  const status: StepView["status"] =
    run === "aborted" ? "aborted" : begun && !isEnded(run) ? "running" : "pending";
  return { status, attempt: 0, output: null, error: null, startedAt: null, endedAt: null, operator: null };
}

/** What an entry says of its step or item; one that waits when its run ends was cut off. */
export function toEnd(e: JournalEntry, run: RunStatus) {
  const waiting = e.event === "waiting" || e.event === "retrying" || e.event === "gated";
  const status: StepView["status"] = waiting
    ? isEnded(run)
      ? "aborted"
      : "waiting"
    : (e.event as "completed" | "failed" | "skipped"); // the others are handled
  return {
    status,
    attempt: e.attempt,
    output: e.output,
    error: e.error,
    startedAt: new Date(e.at.getTime() - e.ms),
    endedAt: waiting ? null : e.at,
    operator: e.operator,
  };
}

function toCounts(counts: readonly ItemCount[], end: JournalEntry["event"] | undefined): ItemCounts {
  const of = (...events: readonly string[]): number =>
    counts.filter((c) => events.includes(c.event)).reduce((sum, c) => sum + c.n, 0);
  const all = of("completed", "failed", "skipped", "waiting", "retrying", "gated");
  return {
    total: end === "completed" ? all : null,
    completed: of("completed"),
    failed: of("failed"),
    skipped: of("skipped"),
    waiting: of("waiting", "retrying", "gated"),
  };
}

/** Steps that completed or were skipped, of all. */
export function progressOf(steps: readonly Pick<StepView, "status">[]): Progress {
  const total = steps.length;
  const completed = steps.filter((s) => s.status === "completed" || s.status === "skipped").length;
  return { total, completed, percent: total === 0 ? 0 : Math.round((100 * completed) / total) };
}
