/** Where bundles are checked: an engine apart from the one that decides, since tenants' text may end it. */
import { type FieldProblem, OarsError } from "#platform/kernel";
import { runCases } from "./cases.ts";
import { checkBundle, drain, drainFairly } from "./check.ts";
import type { Bundle, BundleSource, Decision, DecisionRequest } from "./domain.ts";
import { createEngine } from "./engine.ts";
import { createEvaluator } from "./evaluate.ts";
import type { FactSpec } from "./facts.ts";
import { createSlots } from "./slots.ts";
import { normalSource } from "./source.ts";

export interface Workshop {
  readonly engine: string;
  /** Every problem of a bundle, golden cases included; empty when it can be published. Blocks while it runs. */
  problems(source: BundleSource, facts: readonly FactSpec[]): FieldProblem[];
  /** The same with other work in between. */
  examine(source: BundleSource, facts: readonly FactSpec[]): Promise<FieldProblem[]>;
  /** The bundle, checked with other work in between. Throws POLICY_INVALID or POLICY_CASES_FAILED. */
  accept(source: BundleSource, facts: readonly FactSpec[]): Promise<Bundle>;
  decide(bundle: Bundle, q: DecisionRequest): Decision;
}

interface Examined {
  readonly invalid: readonly FieldProblem[];
  readonly failed: readonly FieldProblem[];
  readonly bundle?: Bundle;
}

/** `demands` names what a bundle asks that this server cannot do. */
export function createWorkshop(demands: (bundle: Bundle) => readonly FieldProblem[] = () => []): Workshop {
  const engine = createEngine();
  const evaluator = createEvaluator(engine, createSlots(engine, { maxSlots: 64, maxPolicies: 8_000 }));
  function* examine(source: BundleSource, facts: readonly FactSpec[]): Generator<void, Examined> {
    const { problems: invalid, bundle } = yield* checkBundle(engine, normalSource(source), facts);
    if (bundle === undefined) return { invalid, failed: [] };
    const unmet = demands(bundle);
    if (unmet.length > 0) return { invalid: unmet, failed: [] };
    const failed = yield* runCases(evaluator, bundle, source);
    return { invalid, failed, bundle };
  }
  return {
    engine: engine.version,
    problems(source, facts) {
      const { invalid, failed } = drain(examine(source, facts));
      return [...invalid, ...failed];
    },
    async examine(source, facts) {
      const { invalid, failed } = await drainFairly(examine(source, facts));
      return [...invalid, ...failed];
    },
    decide: evaluator.decide,
    async accept(source, facts) {
      const { invalid, failed, bundle } = await drainFairly(examine(source, facts));
      if (bundle === undefined) throw new OarsError("POLICY_INVALID", {}, { errors: invalid });
      if (failed.length > 0) throw new OarsError("POLICY_CASES_FAILED", {}, { errors: failed });
      return bundle;
    },
  };
}
