/** Checks of what stands around the work of a step: repetition, question, cache. */
import { roleNames } from "#platform/access";
import { type Draft, type DraftStep, kindName } from "./draft.ts";
import { didYouMean } from "./near-names.ts";
import { typeTexts } from "./param-values.ts";
import { splitPlaceholders } from "./placeholders.ts";
import type { Problem } from "./problems.ts";
import { typeOfText } from "./scope-types.ts";

/** Kinds whose result is something that happens, not something that could be kept. */
const happenings = new Set(["wait", "flow"]);

export function checkCache(step: DraftStep): Problem[] {
  const kind = kindName(step);
  if (step.cache === null || kind === null || !happenings.has(kind)) return [];
  const message = `${kind} waits for something to happen, so there is no output to use again; remove cache`;
  return [{ path: ["steps", step.name, "cache"], code: "CACHE_UNAVAILABLE", message, on: "key" }];
}

export function checkForEach(draft: Draft, { name, forEach }: DraftStep): Problem[] {
  const problems: Problem[] = [];
  const path = ["steps", name, "forEach"];
  const known = typeof forEach?.items === "string" ? typeOfText(draft, forEach.items, "run") : undefined;
  if (known !== undefined && known.source !== null && known.type !== "array") {
    const message = `must be a list; ${known.source} is ${typeTexts[known.type]}`;
    problems.push({ path: [...path, "items"], code: "REFERENCE_TYPE", message });
  }
  if (typeof forEach?.items === "string" && !isLone(forEach.items)) {
    const message = 'must be one expression that gives a list, as in "{{ params.orders }}", or a list';
    problems.push({ path: [...path, "items"], code: "FOREACH_NOT_A_LIST", message });
  }
  if (typeof forEach?.key === "string" && !/\b(?:item|index)\b/.test(forEach.key)) {
    const message = 'every item would have the same key; read the item, as in "{{ item.id }}"';
    problems.push({ path: [...path, "key"], code: "FOREACH_KEY_CONSTANT", message });
  }
  return problems;
}

/** Nothing but one placeholder; text whose placeholder never ends is told elsewhere. */
function isLone(text: string): boolean {
  const split = splitPlaceholders(text);
  return !split.ok || (split.parts.length === 1 && split.parts[0]?.kind === "expression");
}

export function checkGate(step: DraftStep): Problem[] {
  const { gate, name } = step;
  if (gate === null) return [];
  const problems: Problem[] = [];
  const path = ["steps", name, "gate"];
  const options: unknown[] = Array.isArray(gate.options) ? gate.options : ["continue", "retry", "abort"];
  for (const [index, option] of options.entries()) {
    if (options.indexOf(option) === index) continue;
    const message = `"${option}" stands here twice`;
    problems.push({ path: [...path, "options", index], code: "GATE_OPTION_TWICE", message });
  }
  if (gate.default !== undefined && !options.includes(gate.default)) {
    const message = `must be one of the options: ${options.join(", ")}`;
    problems.push({ path: [...path, "default"], code: "GATE_DEFAULT_OPTION", message });
  }
  if (gate.default !== undefined && gate.timeout === undefined) {
    const message = "without a timeout the default is never taken; add timeout";
    problems.push({ path: [...path, "default"], code: "GATE_DEFAULT_TIMEOUT", message, on: "key" });
  }
  for (const [index, role] of (Array.isArray(gate.approvers) ? gate.approvers : []).entries()) {
    if (typeof role !== "string" || isRoleName(role)) continue;
    const near = didYouMean(role, roleNames);
    const message = `There is no role "${role}".${near || ` There are: ${roleNames.join(", ")}.`}`;
    problems.push({ path: [...path, "approvers", index], code: "GATE_ROLE_UNKNOWN", message });
  }
  if (step.skippable) {
    const message =
      "a step with a gate cannot be skipped: the question would not be asked; remove one of both";
    problems.push({ path: ["steps", name, "skippable"], code: "GATE_SKIPPABLE", message, on: "key" });
  }
  return problems;
}

const isRoleName = (name: string): boolean => roleNames.some((role) => role === name);
