/**
 * Where bundles are checked, tried and compared. Small ones between other work in this thread, large ones in a
 * thread of their own: a check takes about 0.7 ms per policy, a thread half a second to begin.
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import { type FieldProblem, OarsError } from "#platform/kernel";
import { createBundleThread } from "./bundle-thread.ts";
import { demandProblems } from "./demands.ts";
import type { Bundle, BundleSource, DecisionRequest } from "./domain.ts";
import type { Explanation } from "./explain.ts";
import type { FactSpec } from "./facts.ts";
import { createWorkbench, type Examined, type Subject, type Verdict } from "./workbench.ts";

export interface Workshop {
  readonly engine: string;
  /** Every problem of a bundle, golden cases included; empty when it can be published. */
  examine(source: BundleSource, facts: readonly FactSpec[]): Promise<FieldProblem[]>;
  /** The bundle, checked. Throws POLICY_INVALID or POLICY_CASES_FAILED with every problem. */
  accept(source: BundleSource, facts: readonly FactSpec[]): Promise<Bundle>;
  /** What the subject says to each request. Throws POLICY_INVALID. */
  judge(subject: Subject, asked: readonly DecisionRequest[]): Promise<readonly Verdict[]>;
  explain(subject: Subject, q: DecisionRequest): Promise<Explanation>;
  /** Ends the thread. What is under way fails. */
  close(): Promise<void>;
}

/** What takes longer than some tens of milliseconds is done elsewhere. */
const smallText = 8 * 1024;
const smallCases = 50;
const smallBatch = 50;

const isSmall = (source: BundleSource): boolean =>
  source.cedar.length <= smallText && (source.cases?.length ?? 0) <= smallCases;

export function createWorkshop(): Workshop {
  const here = createWorkbench();
  const thread = createBundleThread();
  const examine = async (source: BundleSource, facts: readonly FactSpec[]): Promise<Examined> => {
    const found = isSmall(source)
      ? await drainFairly(here.examine(source, facts))
      : await thread.run("examine", [source, facts]);
    const unmet = found.bundle === undefined ? [] : demandProblems(found.bundle);
    return unmet.length > 0 ? { invalid: unmet, failed: [] } : found;
  };
  return {
    engine: here.engine,
    async examine(source, facts) {
      const { invalid, failed } = await examine(source, facts);
      return [...invalid, ...failed];
    },
    async accept(source, facts) {
      const { invalid, failed, bundle } = await examine(source, facts);
      if (bundle === undefined) throw new OarsError("POLICY_INVALID", {}, { errors: invalid });
      if (failed.length > 0) throw new OarsError("POLICY_CASES_FAILED", {}, { errors: failed });
      return bundle;
    },
    judge: (subject, asked) =>
      isSmall(subject.source) && asked.length <= smallBatch
        ? drainFairly(here.judge(subject, asked))
        : thread.run("judge", [subject, asked]),
    explain: (subject, q) =>
      isSmall(subject.source) ? drainFairly(here.explain(subject, q)) : thread.run("explain", [subject, q]),
    close: thread.close,
  };
}

async function drainFairly<T>(steps: Generator<void, T>): Promise<T> {
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
    await nextTurn();
  }
}
