/** Checks of single steps: kind, input, retry, condition, durability. */
import { durationMs } from "@oars/contract";
import type { Draft, DraftStep } from "./draft.ts";
import { didYouMean } from "./near-names.ts";
import { hasPlaceholder } from "./placeholders.ts";
import type { Path, Problem } from "./problems.ts";
import { schemaProblems, valueAt } from "./schema-problems.ts";
import { isSecretField } from "./schema-walk.ts";
import type { StepKindCatalogue, StepKindInfo } from "./step-kinds.ts";

export function checkSteps(draft: Draft, kinds: StepKindCatalogue): Problem[] {
  return [...draft.steps.values()].flatMap((step) => {
    const kind = step.use === null ? undefined : kinds.find(step.use);
    return [
      ...(step.use !== null && kind === undefined ? [unknownKind(step.name, step.use, kinds)] : []),
      ...(kind === undefined ? [] : [...checkConfig(step, kind), ...checkDurable(step, kind)]),
      ...checkRetry(step),
      ...checkWhen(step),
    ];
  });
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

/** An expression may render to anything, so only what is written out is held against the kind's schema. */
function checkConfig(step: DraftStep, kind: StepKindInfo): Problem[] {
  const config = step.config === undefined ? {} : step.config;
  if (typeof config !== "object" || config === null || Array.isArray(config)) return []; // the flow's own schema tells it
  const base = ["steps", step.name, "with"];
  const result = kind.config.safeParse(config);
  const issues = result.success
    ? []
    : schemaProblems({ schema: kind.config, data: config, base }, result.error.issues);
  const told = issues.filter(
    ({ path, code }) => code === "FIELD_UNKNOWN" || !isRendered(config, path.slice(base.length)),
  );
  return [...told, ...clearSecrets(config, kind, base, [])];
}

/** True when the value at the path, or a part of it, comes from an expression. */
function isRendered(config: object, path: Path): boolean {
  const value = valueAt(config, path);
  if (value !== undefined) return holdsPlaceholder(value);
  // a missing part of something that is rendered as a whole
  return path.length > 0 && typeof valueAt(config, path.slice(0, -1)) === "string";
}

const holdsPlaceholder = (value: unknown): boolean => {
  if (typeof value === "string") return hasPlaceholder(value);
  return typeof value === "object" && value !== null && Object.values(value).some(holdsPlaceholder);
};

function clearSecrets(value: unknown, kind: StepKindInfo, base: Path, path: Path): Problem[] {
  if (typeof value === "string") {
    if (hasPlaceholder(value) || value.startsWith("vault:") || !isSecretField(kind.config, path)) return [];
    const message = "a secret stands here in clear; store it and write vault:NAME";
    return [{ path: [...base, ...path], code: "SECRET_IN_CLEAR", message }];
  }
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, part]) =>
    clearSecrets(part, kind, base, [...path, Array.isArray(value) ? Number(key) : key]),
  );
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
