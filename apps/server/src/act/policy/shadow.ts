/**
 * The candidate beside the version in force. [S1] It decides nothing: whatever goes wrong with it is noted as its
 * error. [S2] It costs at most `share` percent of the decisions, and of each second of this process at most
 * `budgetMs`; what does not fit is not asked.
 */
import type { Decision, DecisionRequest, ShadowVerdict } from "./domain.ts";
import type { Evaluator } from "./evaluate.ts";
import type { Candidate } from "./force.ts";

const budgetMs = 150;

export interface Shadow {
  /** What the candidate says, or undefined when it is not asked this time. Never throws. */
  ask(candidate: Candidate | null, q: DecisionRequest, decided: Decision): ShadowVerdict | undefined;
}

export function createShadow(evaluator: Evaluator): Shadow {
  let second = 0;
  let spent = 0;
  let turn = 0;
  return {
    ask(candidate, q, decided) {
      if (candidate === null) return undefined;
      turn = (turn + 37) % 100; // every hundredth once in a hundred, spread
      if (turn >= candidate.share) return undefined;
      const started = performance.now();
      const now = Math.floor(started / 1000);
      if (now !== second) [second, spent] = [now, 0];
      if (spent >= budgetMs) return undefined;
      const verdict = verdictOf(evaluator, candidate, q, decided);
      spent += performance.now() - started;
      return verdict;
    },
  };
}

function verdictOf(
  evaluator: Evaluator,
  { policyId, bundle }: Candidate,
  q: DecisionRequest,
  decided: Decision,
): ShadowVerdict {
  const about = {
    policyId,
    version: bundle.version ?? 0,
    bundle: bundle.digest,
    schema: bundle.schema,
  };
  try {
    const { effect, reasons, errors } = evaluator.decide(bundle, q);
    return { ...about, effect, reasons, errors, differs: effect !== decided.effect };
  } catch (cause) {
    const error = cause instanceof Error ? cause.message : String(cause);
    return { ...about, effect: "deny", reasons: [], errors: [error], differs: decided.effect !== "deny" };
  }
}
