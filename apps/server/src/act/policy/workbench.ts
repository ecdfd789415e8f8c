/**
 * What is done with bundles apart from deciding: checking them, asking a stored version, explaining. One engine
 * of its own, since tenants' text may end it. Everything is a generator, so that it can give way between slices
 * of a few milliseconds, or run to its end in a thread of its own.
 */
import { digestOf, type FieldProblem, OarsError } from "#platform/kernel";
import { runCases } from "./cases.ts";
import { checkBundle } from "./check.ts";
import type { Bundle, BundleSource, Decision, DecisionRequest } from "./domain.ts";
import { createEngine } from "./engine.ts";
import { createEvaluator } from "./evaluate.ts";
import { type Explanation, explainDecision } from "./explain.ts";
import type { FactSpec } from "./facts.ts";
import { type Grant, withGrants } from "./grant.ts";
import { createSlots } from "./slots.ts";
import { normalSource } from "./source.ts";

export interface Examined {
  readonly invalid: readonly FieldProblem[];
  readonly failed: readonly FieldProblem[];
  readonly bundle?: Bundle;
}

/** A stored version as it would stand if it were published now. */
export interface Subject {
  readonly source: BundleSource;
  readonly facts: readonly FactSpec[];
  readonly grants: readonly Grant[];
}

/** The part of a decision that comparisons need. */
export type Verdict = Pick<Decision, "effect" | "reasons" | "errors">;

export interface Workbench {
  readonly engine: string;
  examine(source: BundleSource, facts: readonly FactSpec[]): Generator<void, Examined>;
  /** Throws POLICY_INVALID when the source does not fit the facts of today. */
  judge(subject: Subject, asked: readonly DecisionRequest[]): Generator<void, Verdict[]>;
  explain(subject: Subject, q: DecisionRequest): Generator<void, Explanation>;
}

const kept = 8;
const chunk = 25;

export function createWorkbench(): Workbench {
  const engine = createEngine();
  const evaluator = createEvaluator(engine, createSlots(engine, { maxSlots: 64, maxPolicies: 8_000 }));
  const checked = new Map<string, Bundle>(); // the last few, oldest first

  function* examine(source: BundleSource, facts: readonly FactSpec[]): Generator<void, Examined> {
    const { problems: invalid, bundle } = yield* checkBundle(engine, normalSource(source), facts);
    if (bundle === undefined) return { invalid, failed: [] };
    return { invalid, failed: yield* runCases(evaluator, bundle, source), bundle };
  }
  function* bundleOf({ source, facts, grants }: Subject): Generator<void, Bundle> {
    const key = digestOf({ source, facts });
    const before = checked.get(key);
    if (before !== undefined) return withGrants(before, grants);
    const { problems, bundle } = yield* checkBundle(engine, source, facts);
    if (bundle === undefined) throw new OarsError("POLICY_INVALID", {}, { errors: problems });
    const [oldest] = checked.keys();
    if (checked.size >= kept && oldest !== undefined) checked.delete(oldest);
    checked.set(key, bundle);
    return withGrants(bundle, grants);
  }
  return {
    engine: engine.version,
    examine,
    *judge(subject, asked) {
      const bundle = yield* bundleOf(subject);
      const verdicts: Verdict[] = [];
      for (const [index, q] of asked.entries()) {
        const { effect, reasons, errors } = evaluator.decide(bundle, q);
        verdicts.push({ effect, reasons, errors });
        if (index % chunk === chunk - 1) yield;
      }
      return verdicts;
    },
    *explain(subject, q) {
      const bundle = yield* bundleOf(subject);
      return yield* explainDecision(engine, evaluator, bundle, q);
    },
  };
}
