/** The parts of a step, compiled: templates, and every default that the author has not written. */
import { durationMs, type FlowStep } from "@oars/contract";
import type { CompiledStep } from "./compiled-flow.ts";
import { splitPlaceholders } from "./placeholders.ts";
import { lookUp, parsePlainPath, unsure } from "./plain-path.ts";
import { quoteStepNames } from "./step-quoting.ts";
import { compileTemplate, compileText, isTrue, type Scope, type Template } from "./template.ts";

const defaults = {
  attempts: 3,
  initialMs: 1_000,
  maxMs: 60_000,
  itemsAtOnce: 10,
  cacheMs: 600_000,
} as const;

type Place = readonly [string, string];

/** Everything of a step that names no other step. */
export function compileStepParts(
  name: string,
  step: FlowStep,
): Pick<CompiledStep, "when" | "forEach" | "input" | "retry" | "timeoutMs" | "cache" | "gate" | "skippable"> {
  const place: Place = ["steps", name];
  return {
    when: whenOf(place, step),
    forEach: forEachOf(place, step),
    input: compileTemplate(step.with ?? {}, [...place, "with"]).template,
    retry: retryOf(step),
    timeoutMs: step.timeout === undefined ? null : millis(step.timeout),
    cache: cacheOf(step),
    gate: gateOf(place, step),
    skippable: step.skippable ?? false,
  };
}

export function compileOnError(
  name: string,
  { onError }: FlowStep,
  at: (name: string) => number,
): CompiledStep["onError"] {
  if (onError === undefined || typeof onError === "string") return { do: onError ?? "fail" };
  if ("goto" in onError) return { do: "goto", step: at(onError.goto) };
  return {
    do: "fallback",
    output: compileTemplate(onError.fallback, ["steps", name, "onError", "fallback"]).template,
  };
}

function whenOf(place: Place, { when }: FlowStep): Template | null {
  if (when === undefined || when === true) return null;
  const { refs, render } = compileTemplate(when, [...place, "when"]).template;
  return {
    refs,
    render(scope) {
      const value = render(scope);
      return value instanceof Promise ? value.then(isTrue) : isTrue(value);
    },
  };
}

function forEachOf(place: Place, { forEach }: FlowStep): CompiledStep["forEach"] {
  if (forEach === undefined) return null;
  const path = [...place, "forEach"];
  return {
    items: listOf(compileTemplate(forEach.items, [...path, "items"]).template, isComputed(forEach.items)),
    concurrency: forEach.concurrency ?? defaults.itemsAtOnce,
    key: forEach.key === undefined ? null : compileText(forEach.key, [...path, "key"]),
    onItemError: forEach.onItemError ?? "fail",
  };
}

/**
 * What the evaluator gives becomes a list: to JSONata one value and a list of one are the same, and nothing
 * is a list of none. What stands at a plain path is passed on as it is.
 */
const listOf = ({ refs, render }: Template, computed: (scope: Scope) => boolean): Template => ({
  refs,
  render(scope) {
    const value = render(scope);
    if (value instanceof Promise) return value.then(toList);
    return computed(scope) ? toList(value) : value;
  },
});

const toList = (value: unknown): readonly unknown[] =>
  Array.isArray(value) ? value : value === undefined ? [] : [value];

/** Whether the value of this placeholder comes from the evaluator, and not from where it stands. */
function isComputed(written: unknown): (scope: Scope) => boolean {
  const split = typeof written === "string" ? splitPlaceholders(written) : undefined;
  const [only, ...others] = split?.ok ? split.parts : [];
  if (only?.kind !== "expression" || others.length > 0) return () => false;
  const plain = parsePlainPath(quoteStepNames(only.source).source);
  return plain === null ? () => true : (scope) => lookUp(scope, plain) === unsure;
}

function retryOf({ retry }: FlowStep): CompiledStep["retry"] {
  const initialMs = retry?.initial === undefined ? defaults.initialMs : millis(retry.initial);
  return {
    attempts: retry === undefined ? 1 : (retry.attempts ?? defaults.attempts),
    backoff: retry?.backoff ?? "exponential",
    initialMs,
    maxMs: retry?.max === undefined ? Math.max(defaults.maxMs, initialMs) : millis(retry.max),
  };
}

function cacheOf({ cache }: FlowStep): CompiledStep["cache"] {
  if (cache === undefined) return null;
  const ttlMs = cache.ttl === undefined ? defaults.cacheMs : millis(cache.ttl);
  return { ttlMs, scope: cache.scope ?? "principal" };
}

function gateOf(place: Place, { gate }: FlowStep): CompiledStep["gate"] {
  if (gate === undefined) return null;
  return {
    question: compileText(gate.question, [...place, "gate", "question"]),
    options: gate.options ?? ["continue", "retry", "abort"],
    approvers: gate.approvers ?? ["approver"],
    excludeRequester: gate.excludeRequester ?? true,
    timeoutMs: gate.timeout === undefined ? null : millis(gate.timeout),
    default: gate.default ?? null,
  };
}

/** Milliseconds of a duration that the schema has accepted. */
export function millis(duration: string): number {
  const ms = durationMs(duration);
  if (ms === undefined) throw new Error(`${duration} is not a duration`);
  return ms;
}
