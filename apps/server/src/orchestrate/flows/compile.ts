/** From a checked definition to what the engine runs: indexes instead of names, milliseconds, templates. */
import { durationMs, type FlowDefinition, type FlowStep } from "@oars/contract";
import { digestOf, OarsError } from "#platform/kernel";
import { buildGraph, type Edge } from "./graph.ts";
import { didYouMean } from "./near-names.ts";
import { type CheckedParams, fillParams } from "./param-values.ts";
import type { StepKindCatalogue } from "./step-kinds.ts";
import { compileTemplate, isTrue, type Template } from "./template.ts";

export interface CompiledFlow {
  readonly name: string;
  readonly version: string;
  readonly hash: string;
  readonly definition: FlowDefinition;
  /** Topological: every step stands behind what it needs and behind what goes to it. */
  readonly steps: readonly CompiledStep[];
  readonly parallel: number;
  readonly timeoutMs: number;
  readonly webhooks: readonly CompiledWebhook[];
  readonly output: Template | null;
}

export interface CompiledStep {
  readonly index: number;
  readonly name: string;
  readonly kind: string;
  readonly kindVersion: number;
  readonly pure: boolean;
  /** The step's result is on disk before anything that follows from it happens. True for every impure kind. */
  readonly durable: boolean;
  /** A goto target: it runs only when a step goes to it, and has no needs. */
  readonly handler: boolean;
  readonly needs: readonly number[];
  readonly dependents: readonly number[];
  /** Renders to true or false. */
  readonly when: Template | null;
  /** Renders to the input of the kind, to be parsed by the kind's schema. */
  readonly input: Template;
  readonly retry: {
    readonly attempts: number;
    readonly backoff: "fixed" | "exponential";
    readonly initialMs: number;
    readonly maxMs: number;
  };
  readonly timeoutMs: number | null;
  readonly onError:
    | { readonly do: "fail" | "continue" }
    | { readonly do: "goto"; readonly step: number }
    | { readonly do: "fallback"; readonly output: Template };
}

export interface CompiledWebhook {
  readonly slug: string;
  /** Name of the vault's secret that signs requests. */
  readonly secret: string;
  /** Reads `trigger` alone; null when the request's JSON object is the parameters. */
  readonly params: Template | null;
}

const defaults = {
  parallel: 4,
  timeoutMs: 86_400_000,
  attempts: 3,
  initialMs: 1_000,
  maxMs: 60_000,
} as const;

/**
 * Compiles a definition that `validateDefinition` has accepted. Pure: equal content gives equal results,
 * whatever the order of its keys. `defaultParallel` is for flows that set no limit. Throws FLOW_INVALID when a step kind is no longer there.
 */
export function compileFlow(
  definition: FlowDefinition,
  kinds: StepKindCatalogue,
  defaultParallel: number = defaults.parallel,
): CompiledFlow {
  const entries = Object.entries(definition.steps);
  const gotoOf = (step: FlowStep): string | null =>
    typeof step.onError === "object" && "goto" in step.onError ? step.onError.goto : null;
  const edges = entries.flatMap(([to, step]): Edge[] => {
    const target = gotoOf(step);
    const needs = [...new Set(step.needs ?? [])].map((from): Edge => ({ from, to, kind: "needs" }));
    return target === null ? needs : [...needs, { from: to, to: target, kind: "goto" }];
  });
  const { order } = buildGraph(
    entries.map(([name]) => name),
    edges,
  );
  const indexOf = new Map(order.map((name, index) => [name, index]));
  const at = (name: string): number => {
    const index = indexOf.get(name);
    if (index === undefined) throw new Error(`step ${name} has no place in the order of its flow`);
    return index;
  };
  const targets = new Set(entries.map(([, step]) => gotoOf(step)));
  const needEdges = edges.filter(({ kind }) => kind === "needs");
  const needsOf = Map.groupBy(needEdges, ({ to }) => to);
  const dependentsOf = Map.groupBy(needEdges, ({ from }) => from);
  const steps = order.map((name, index): CompiledStep => {
    const step = definition.steps[name] as FlowStep; // `order` holds the names of the steps
    const needs = (needsOf.get(name) ?? []).map(({ from }) => at(from));
    return {
      index,
      name,
      ...kindOf(name, step, kinds),
      handler: targets.has(name),
      needs: needs.sort((a, b) => a - b),
      dependents: (dependentsOf.get(name) ?? []).map(({ to }) => at(to)).sort((a, b) => a - b),
      ...templatesOf(name, step),
      retry: retryOf(step),
      timeoutMs: step.timeout === undefined ? null : millis(step.timeout),
      onError: onErrorOf(name, step, at),
    };
  });
  return {
    name: definition.flow,
    version: definition.version,
    hash: digestOf(definition),
    definition,
    steps,
    parallel: definition.limits?.parallel ?? defaultParallel,
    timeoutMs:
      definition.limits?.timeout === undefined ? defaults.timeoutMs : millis(definition.limits.timeout),
    webhooks: webhooksOf(definition),
    output: definition.output === undefined ? null : compileTemplate(definition.output, ["output"]).template,
  };
}

/** The parameters that a run of this flow starts with, or everything that is wrong with those given. */
export const checkParams = (flow: CompiledFlow, params: unknown): CheckedParams =>
  fillParams(flow.definition.params ?? {}, params);

function kindOf(name: string, step: FlowStep, kinds: StepKindCatalogue) {
  const kind = kinds.find(step.use);
  if (kind === undefined) {
    const message = `There is no step kind "${step.use}".${didYouMean(step.use, kinds.names())}`;
    throw new OarsError(
      "FLOW_INVALID",
      {},
      { errors: [{ path: `steps.${name}.use`, code: "KIND_UNKNOWN", message }] },
    );
  }
  return {
    kind: kind.name,
    kindVersion: kind.version,
    pure: kind.pure,
    durable: !kind.pure || step.durable === true,
  };
}

function templatesOf(
  name: string,
  step: FlowStep,
): { readonly when: Template | null; readonly input: Template } {
  const input = compileTemplate(step.with ?? {}, ["steps", name, "with"]).template;
  if (step.when === undefined || step.when === true) return { when: null, input };
  const { refs, render } = compileTemplate(step.when, ["steps", name, "when"]).template;
  const condition = (scope: Parameters<typeof render>[0]): boolean | Promise<boolean> => {
    const value = render(scope);
    return value instanceof Promise ? value.then(isTrue) : isTrue(value);
  };
  return { when: { refs, render: condition }, input };
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

function onErrorOf(
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

function webhooksOf({ triggers }: FlowDefinition): CompiledWebhook[] {
  return (triggers ?? []).map(({ webhook }, index) => ({
    slug: webhook.slug,
    secret: webhook.auth.hmac.secret.slice("vault:".length),
    params:
      webhook.params === undefined
        ? null
        : compileTemplate(webhook.params, ["triggers", index, "webhook", "params"]).template,
  }));
}

function millis(duration: string): number {
  const ms = durationMs(duration);
  if (ms === undefined) throw new Error(`${duration} is not a duration`);
  return ms;
}
