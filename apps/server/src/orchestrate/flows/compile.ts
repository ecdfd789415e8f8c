/** From a checked definition to what the engine runs. */
import type { FlowDefinition, FlowStep } from "@oars/contract";
import { digestOf, OarsError } from "#platform/kernel";
import { compileOnError, compileStepParts, millis } from "./compile-step.ts";
import type { CompiledFlow, CompiledStep, CompiledWebhook } from "./compiled-flow.ts";
import { buildGraph, type Edge } from "./graph.ts";
import { didYouMean } from "./near-names.ts";
import { type CheckedParams, fillParams } from "./param-values.ts";
import type { StepKindCatalogue } from "./step-kinds.ts";
import { compileTemplate, compileText } from "./template.ts";

const defaults = {
  parallel: 4,
  timeoutMs: 86_400_000,
  respondMs: 10_000,
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
      ...compileStepParts(name, step),
      onError: compileOnError(name, step, at),
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
    maxRuns: definition.limits?.runs ?? null,
    priority: definition.priority ?? 0,
    labels: definition.labels ?? {},
    concurrency: concurrencyOf(definition),
    signals: signalsOf(steps, definition),
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

function concurrencyOf({ concurrency }: FlowDefinition): CompiledFlow["concurrency"] {
  if (concurrency === undefined) return null;
  return {
    key: compileText(concurrency.key, ["concurrency", "key"]),
    limit: concurrency.limit ?? 1,
    mode: concurrency.mode ?? "queue",
  };
}

function signalsOf(
  steps: readonly CompiledStep[],
  { steps: written }: FlowDefinition,
): CompiledFlow["signals"] {
  const signals = new Map<string, unknown[]>();
  for (const { kind, name } of steps) {
    const { signal, schema = null } = written[name]?.with ?? {};
    if (kind !== "wait" || typeof signal !== "string") continue;
    signals.set(signal, [...(signals.get(signal) ?? []), schema]);
  }
  return signals;
}

function webhooksOf({ triggers }: FlowDefinition): CompiledWebhook[] {
  return (triggers ?? []).map(({ webhook }, index) => ({
    slug: webhook.slug,
    secret: webhook.auth.hmac.secret.slice("vault:".length),
    params:
      webhook.params === undefined
        ? null
        : compileTemplate(webhook.params, ["triggers", index, "webhook", "params"]).template,
    respond: {
      mode: webhook.respond?.mode ?? "accepted",
      timeoutMs:
        webhook.respond?.timeout === undefined ? defaults.respondMs : millis(webhook.respond.timeout),
    },
  }));
}
