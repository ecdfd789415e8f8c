/** Checks of single steps: kind, input, retry, condition, durability and what stands around it. */
import { durationMs } from "@oars/contract";
import { checkConfig } from "./config-checks.ts";
import type { Draft, DraftStep } from "./draft.ts";
import { checkCache, checkForEach, checkGate } from "./gate-checks.ts";
import { didYouMean } from "./near-names.ts";
import { type Problem, pathText } from "./problems.ts";
import type { StepKindCatalogue, StepKindInfo } from "./step-kinds.ts";
import { checkWait } from "./wait-checks.ts";

export function checkSteps(draft: Draft, kinds: StepKindCatalogue): Problem[] {
  return [...draft.steps.values()].flatMap((step) => {
    const kind = step.use === null ? undefined : kinds.find(step.use);
    const config = kind === undefined ? [] : checkConfig(draft, step, kind);
    return [
      ...(step.use !== null && kind === undefined ? [unknownKind(step.name, step.use, kinds)] : []),
      ...withoutRepeats(checkWait(step), config),
      ...(kind === undefined ? [] : checkDurable(step, kind)),
      ...checkRetry(step),
      ...checkWhen(step),
      ...checkForEach(draft, step),
      ...checkGate(step),
      ...checkCache(step),
    ];
  });
}

/** Where a check of the language and the kind's own schema find fault with one place, the first tells it. */
function withoutRepeats(own: readonly Problem[], ofSchema: readonly Problem[]): Problem[] {
  const told = new Set(own.map(({ path }) => pathText(path)));
  return [
    ...own,
    ...ofSchema.filter(({ path, code }) => code !== "FIELD_VALUE" || !told.has(pathText(path))),
  ];
}

function unknownKind(name: string, use: string, kinds: StepKindCatalogue): Problem {
  const path = ["steps", name, "use"];
  const [bare = "", version] = use.split("@");
  if (version !== undefined && kinds.find(bare) !== undefined) {
    const message = `There is no version ${version} of ${bare}; this server has ${bare}@${kinds.find(bare)?.version}`;
    return { path, code: "KIND_VERSION_UNKNOWN", message };
  }
  const names = kinds.names();
  const near = didYouMean(bare, names);
  const hint = near === "" ? ` This server has: ${[...names].sort().join(", ")}.` : near;
  return { path, code: "KIND_UNKNOWN", message: `There is no step kind "${use}".${hint}` };
}

function checkDurable(step: DraftStep, kind: StepKindInfo): Problem[] {
  if (step.durable !== false || kind.pure) return [];
  const message = `${kind.name} reaches outside, so it is always durable; remove this line`;
  return [{ path: ["steps", step.name, "durable"], code: "STEP_DURABLE", message }];
}

function checkRetry(step: DraftStep): Problem[] {
  const initial = durationOf(step.retry?.initial) ?? 1_000;
  const max = durationOf(step.retry?.max) ?? Math.max(60_000, initial);
  if (step.retry === null || initial <= max) return [];
  const message = "the first wait is longer than the longest one; raise max or lower initial";
  return [{ path: ["steps", step.name, "retry", "max"], code: "RETRY_BOUNDS", message }];
}

const durationOf = (value: unknown): number | undefined =>
  typeof value === "string" ? durationMs(value) : undefined;

function checkWhen(step: DraftStep): Problem[] {
  const path = ["steps", step.name, "when"];
  const { when } = step;
  if (when === false || (typeof when === "string" && /^\{\{\s*false\s*\}\}$/.test(when))) {
    const message = "the step can never run; give it a condition or remove it";
    return [{ path, code: "STEP_UNREACHABLE", message }];
  }
  if (typeof when !== "string" || /^\{\{[\s\S]*\}\}$/.test(when)) return [];
  const message = `must be one expression: "{{ ${when.replace(/\{\{|\}\}/g, "").trim() || "params.x"} }}"`;
  return [{ path, code: "WHEN_NOT_EXPRESSION", message }];
}
