import type { Run, RunWithSteps, StepError } from "@oars/sdk";
import { block, clip, fields, table } from "./text.ts";
import { took, when } from "./time.ts";

export const runTable = (runs: readonly Run[], now: Date): string =>
  table([
    ["run", "flow", "version", "status", "created", "took"],
    ...runs.map((run) => [
      run.id,
      run.flow,
      run.version,
      run.status,
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
    ["status", run.status],
    ["error", run.error ? renderError(run.error) : null],
    ["labels", labels.join(", ")],
    ["started by", run.startedBy],
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
      step.status,
      step.attempt === 0 ? "" : String(step.attempt),
      took(step.startedAt, step.endedAt),
      step.error ? clip(renderError(step.error), 120) : "",
    ]),
  ]);
  return `${head}\n${steps}${block("output", run.output)}`;
}
