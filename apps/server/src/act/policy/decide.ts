/** The decision as the gate asks for it: with the person behind an agent, the counters, and the candidate. */
import type { Counters } from "./counters.ts";
import type { Bundle, ChainLink, Decision, DecisionRequest } from "./domain.ts";
import { deniedBefore, type Evaluator } from "./evaluate.ts";
import type { Force } from "./force.ts";
import { noPolicyMessage } from "./message.ts";
import type { Shadow } from "./shadow.ts";

export interface DecideDeps {
  readonly force: Force;
  readonly evaluator: Evaluator;
  readonly counters: Counters;
  readonly shadow: Shadow;
  /** Somebody who may act, from memory where it can be; undefined: nobody, or disabled. */
  readonly person: (tenantId: string, principalId: string) => Promise<ChainLink | undefined>;
}

/** Throws when the store does not answer, and then nothing was decided. */
export async function decide(deps: DecideDeps, given: DecisionRequest): Promise<Decision> {
  const { evaluator, counters } = deps;
  const { bundle, errors, shadow } = await deps.force.get(given.tenantId);
  if (bundle === null)
    return deniedBefore(evaluator.engine, errors, errors.length > 0 ? undefined : noPolicyMessage);
  const onBehalfOf = await personBehind(deps, bundle, given);
  if (onBehalfOf === undefined) return deniedBefore(evaluator.engine, [nobodyBehind]);
  const specs = shadow === null ? bundle.counters : [...bundle.counters, ...othersOf(shadow.bundle, bundle)];
  if (specs.length > 0) await counters.ready(given.tenantId, specs);
  // from here to the count nothing waits, so that no other decision comes in between [Q1]
  const counted = specs.length > 0 ? { counters: counters.values(given, specs) } : {};
  const asked: DecisionRequest = { ...given, onBehalfOf, ...counted };
  const decision = evaluator.decide(bundle, asked);
  const { effect } = decision;
  if (specs.length > 0 && (effect === "allow" || effect === "require_approval")) counters.count(asked);
  const beside = deps.shadow.ask(shadow, asked, decision);
  return { ...decision, asked, facts: bundle.facts, ...(beside === undefined ? {} : { shadow: beside }) };
}

const nobodyBehind = "the person on whose behalf this agent acts may not act any more";

const othersOf = (candidate: Bundle, bundle: Bundle) =>
  candidate.counters.filter(({ name }) => !bundle.counters.some((counter) => counter.name === name));

/** Null: nobody is behind the one who acts. Undefined: somebody who may not act. */
async function personBehind(
  deps: DecideDeps,
  bundle: Bundle,
  { tenantId, principal, onBehalfOf }: DecisionRequest,
): Promise<ChainLink | null | undefined> {
  if (onBehalfOf !== undefined) return onBehalfOf;
  if (bundle.delegation === "agent" || principal.kind === "user" || principal.ownerId === null) return null;
  return deps.person(tenantId, principal.ownerId);
}
