import type { Run, RunItem, RunStep, RunWithSteps, StepError } from "@oars/sdk";
import { block, clip, fields, printable, table } from "./text.ts";
import { took, when } from "./time.ts";

export const runTable = (runs: readonly Run[], now: Date): string =>
  table([
    ["run", "flow", "version", "status", "created", "took"],
    ...runs.map((run) => [
      run.id,
      run.flow,
      run.version,
      stateOf(run),
      when(run.createdAt, now) ?? "",
      took(run.startedAt, run.endedAt),
    ]),
  ]);

/** `XML_MALFORMED in step parse at line 13, column 41: message`. */
export function renderError(error: StepError): string {
  const { code, message, step, line, column, path } = error;
  const place =
    line === undefined ? "" : ` at line ${line}${column === undefined ? "" : `, column ${column}`}`;
  return `${code}${step ? ` in step ${step}` : ""}${place}${path ? ` (${path})` : ""}: ${message}`;
}

export function renderRun(run: RunWithSteps, now: Date): string {
  const labels = Object.entries(run.labels).map(([name, value]) => `${name}=${value}`);
  const head = fields([
    ["run", run.id],
    ["flow", `${run.flow} ${run.version}`],
    ["status", stateOf(run)],
    [
      "done",
      run.progress
        ? `${run.progress.completed} of ${run.progress.total} steps, ${run.progress.percent} %`
        : null,
    ],
    ["error", run.error ? renderError(run.error) : null],
    ["labels", labels.join(", ")],
    ["started by", run.startedBy],
    ["sub-run of", run.parent ? `${run.parent.runId}, step ${run.parent.step}` : null],
    ["repeats", run.origin],
    ["created", when(run.createdAt, now)],
    ["started", when(run.startedAt, now)],
    ["ended", when(run.endedAt, now)],
    ["took", took(run.startedAt, run.endedAt)],
  ]);
  const steps = table([
    ["step", "kind", "status", "attempt", "took", "error"],
    ...run.steps.map((step) => [
      step.name,
      step.kind,
      stepState(step),
      step.attempt === 0 ? "" : String(step.attempt),
      took(step.startedAt, step.endedAt),
      step.error ? clip(renderError(step.error), 120) : "",
    ]),
  ]);
  const children = (run.children ?? []).map((c) => [c.id, `${c.flow} ${c.version}`, c.status, c.step]);
  const below =
    children.length === 0 ? "" : `\n${table([["sub-run", "flow", "status", "of step"], ...children])}`;
  const asks = (run.gates ?? []).map(
    (g) => `\n${g.question}\nAnswer: oars gate answer ${g.id} ${g.options.join("|")}\n`,
  );
  return `${head}\n${steps}${below}${block("output", run.output)}${asks.map((ask) => printable(ask, true)).join("")}`;
}

/** Its status, or what keeps it from going on. */
const stateOf = (run: Run): string => (run.pausedAt ? "paused" : run.blocked ? "blocked" : run.status);

function stepState({ status, items, operator }: RunStep): string {
  const of = items
    ? ` (${items.completed} of ${items.total ?? "?"} items${items.failed > 0 ? `, ${items.failed} failed` : ""})`
    : "";
  return `${status}${of}${operator && operator.command !== "cache" ? ` by ${operator.command}` : ""}`;
}

export const itemTable = (items: readonly RunItem[]): string =>
  table([
    ["item", "status", "attempt", "took", "output or error"],
    ...items.map((item) => [
      String(item.index),
      item.status,
      String(item.attempt),
      took(item.startedAt, item.endedAt),
      clip(item.error ? renderError(item.error) : (JSON.stringify(item.output) ?? ""), 100),
    ]),
  ]);
