/**
 * The decision. Deny by default, forbid wins, and anything that goes wrong denies:
 * [D1] an error of any policy denies, whatever the others say (Cedar skips a policy that errs, so a forbid
 *      that errs would let through what it was written to stop);
 * [D2] an exception of the engine denies;
 * [D3] a request that does not fit is denied before the policies see it;
 * [D4] a human is asked only if their votes would turn the answer into allow: every determining forbid can be
 *      lifted by approval, and with exactly the votes it asks for nothing else denies;
 * [D5] of an agent that acts for a person, both are asked about, and the narrower answer counts.
 */
import { digestOf } from "#platform/kernel";
import type { Bundle, Decision, DecisionRequest, Duties, Effect, EntityRef, Envelope } from "./domain.ts";
import { combineDuties } from "./duties.ts";
import { type Engine, EngineCrash } from "./engine.ts";
import { errorMessage, messageOf } from "./message.ts";
import { type Question, questionOf, requestErrors } from "./request.ts";
import { schemaDigest } from "./schema.ts";
import { createSlicer, type Slice, type Slicer } from "./slice.ts";
import { createSlots, type Slots } from "./slots.ts";

export interface Evaluator {
  readonly engine: string;
  decide(bundle: Bundle, q: DecisionRequest): Decision;
}

interface Verdict {
  readonly allowed: boolean;
  readonly reasons: readonly string[];
  readonly errors: readonly string[];
  /** Some link of the chain is denied because nothing permits it, whatever the reasons of another link. */
  readonly undecided?: boolean;
}

export function createEvaluator(engine: Engine, slots: Slots = createSlots(engine)): Evaluator {
  const slicers = new WeakMap<Bundle, Slicer>();
  const crashed = new WeakMap<Bundle, Set<string>>();
  const slicerOf = (bundle: Bundle): Slicer => {
    const slicer = slicers.get(bundle) ?? createSlicer(bundle);
    slicers.set(bundle, slicer);
    return slicer;
  };
  const releases = new WeakMap<Bundle, Bundle>();
  /** The same without the policies that quarantine: what they stopped was looked at. */
  const unquarantined = (bundle: Bundle): Bundle => {
    const known = releases.get(bundle);
    if (known) return known;
    const policies = bundle.policies.filter(({ duties }) => !duties.quarantine);
    const made = { ...bundle, digest: `${bundle.digest} released`, policies };
    releases.set(bundle, made);
    return made;
  };
  const ask = (bundle: Bundle, slice: Slice, envelope: Envelope): Verdict => {
    if (crashed.get(bundle)?.has(slice.key))
      return refused("these policies are too complex to evaluate; split them");
    try {
      return verdictOf(engine, slots.ensure(bundle.digest, slice.key, slice.texts), prune(envelope, slice));
    } catch (cause) {
      if (cause instanceof EngineCrash)
        crashed.set(bundle, (crashed.get(bundle) ?? new Set()).add(slice.key));
      return refused(cause instanceof Error ? cause.message : String(cause));
    }
  };
  return {
    engine: engine.version,
    decide(bundle, q) {
      try {
        const wrong = requestErrors(q, bundle);
        if (wrong.length > 0) return denied(bundle, engine.version, wrong);
        const asked = bundle.delegation === "agent" ? { ...q, onBehalfOf: null } : q;
        const question = questionOf(asked, bundle);
        const counted = q.released ? unquarantined(bundle) : bundle;
        const slice = slicerOf(counted).slice(q.tool.verb, question.envelope.resource, question.parents);
        const answer = conclude(slice, q, question, (envelope) =>
          everyLink(question.links, (principal) => ask(counted, slice, { ...envelope, principal })),
        );
        return { ...denied(bundle, engine.version, []), ...answer };
      } catch (cause) {
        return denied(bundle, engine.version, [cause instanceof Error ? cause.message : String(cause)]);
      }
    },
  };
}

/** The two passes. The second asks what exactly the demanded votes would change. */
function conclude(
  slice: Slice,
  q: DecisionRequest,
  { envelope }: Question,
  ask: (envelope: Envelope) => Verdict,
): Partial<Decision> & Pick<Decision, "effect"> {
  const entitiesDigest = digestOf(envelope.entities);
  const contextDigest = digestOf(envelope.context);
  const dutiesOf = (id: string): Duties => slice.policies.get(id)?.duties ?? {};
  const first = ask(envelope);
  const say = (effect: Effect, blockers: readonly string[], more: Partial<Decision> = {}) => {
    const { reasons } = first;
    const approval = more.approval ?? null;
    const message = messageOf({ effect, reasons, blockers, approval, dutiesOf, q });
    return { effect, reasons, entitiesDigest, contextDigest, envelope, message, ...more };
  };
  const broken = (errors: readonly string[]) =>
    say("deny", [], { errors, message: errorMessage(errors, first.reasons) });

  if (first.errors.length > 0) return broken(first.errors);
  if (first.allowed) return say("allow", []);
  const duties = first.reasons.map(dutiesOf);
  if (first.undecided) return say("deny", []);
  if (duties.some((duty) => duty.quarantine)) return say("quarantine", first.reasons);
  if (duties.length === 0 || !duties.every((duty) => duty.approval)) return say("deny", first.reasons);

  const approval = combineDuties(duties);
  const asked = approval.requirements.reduce((sum, { quorum }) => sum + quorum, 0);
  const votes = asked + (approval.workflows.length > 0 ? 1 : 0); // a workflow has one person at the least
  const roles = [...q.approvals.roles, ...approval.requirements.map(({ role }) => role)];
  const approvals = {
    count: Math.max(q.approvals.count, votes),
    roles: [...new Set(roles)].sort(),
    workflows: [...new Set([...(q.approvals.workflows ?? []), ...approval.workflows])].sort(),
  };
  const second = ask({ ...envelope, context: { ...envelope.context, approvals } });
  if (second.errors.length > 0) return broken(second.errors);
  return second.allowed ? say("require_approval", [], { approval }) : say("deny", second.reasons);
}

/** [D5] Allowed is what every link of the chain is allowed: an agent has no right that its person lacks. */
function everyLink(links: readonly EntityRef[], ask: (link: EntityRef) => Verdict): Verdict {
  const [only] = links;
  if (links.length === 1 && only) return ask(only);
  const verdicts = links.map(ask);
  const allowed = verdicts.every((verdict) => verdict.allowed);
  const telling = verdicts.filter((verdict) => verdict.allowed === allowed);
  const united = (of: (verdict: Verdict) => readonly string[], all: readonly Verdict[]): string[] =>
    [...new Set(all.flatMap(of))].sort();
  return {
    allowed,
    reasons: united((verdict) => verdict.reasons, telling),
    errors: united((verdict) => verdict.errors, verdicts),
    undecided: telling.some((verdict) => !allowed && verdict.reasons.length === 0),
  };
}

function verdictOf(engine: Engine, preparsedPolicySetId: string, envelope: Envelope): Verdict {
  const { principal, action, resource, context, entities } = envelope;
  const answer = engine.use((cedar) =>
    cedar.statefulIsAuthorized({
      principal,
      action,
      resource,
      context: context as Parameters<typeof cedar.statefulIsAuthorized>[0]["context"], // built in request.ts
      entities: entities as Parameters<typeof cedar.statefulIsAuthorized>[0]["entities"], // built in request.ts
      preparsedPolicySetId,
    }),
  );
  if (answer.type === "failure") return refused(...answer.errors.map((error) => error.message));
  const { decision, diagnostics } = answer.response;
  return {
    allowed: decision === "allow",
    reasons: diagnostics.reason.toSorted(),
    errors: diagnostics.errors.map(({ policyId, error }) => `policy ${policyId}: ${error.message}`).sort(),
  };
}

/** Only what these policies read: most of a decision's time is the passing of values into the engine. */
function prune(envelope: Envelope, { reads, kinds }: Slice): Envelope {
  if (reads === null) return envelope;
  const kept = (record: Readonly<Record<string, unknown>>): Record<string, unknown> =>
    Object.fromEntries(Object.entries(record).filter(([name]) => reads.has(name)));
  const [who, tool, behind] = envelope.entities;
  const other =
    behind && (envelope.principal.id === behind.uid.id || reads.has("owner") || reads.has("user"));
  const entities = (other ? [who, tool, behind] : [who, tool])
    .filter((entity) => entity !== undefined)
    .map(({ uid, attrs, parents }) => ({
      uid,
      attrs: kept(attrs),
      parents: parents.filter(({ type }) => kinds.has(type)),
    }));
  return { ...envelope, context: kept(envelope.context), entities };
}

const refused = (...errors: string[]): Verdict => ({ allowed: false, reasons: [], errors });

const nothing = { entities: digestOf([]), context: digestOf({}) };

/** A denial that no policy took part in; what else is known is laid over it. */
function denied(
  bundle: Bundle | null,
  engine: string,
  errors: readonly string[],
  message: string = errorMessage(errors, []),
): Decision {
  return {
    effect: "deny",
    reasons: [],
    errors,
    approval: null,
    policy: {
      bundle: bundle?.digest ?? null,
      version: bundle?.version == null ? null : String(bundle.version),
      engine,
      schema: bundle?.schema ?? schemaDigest([]),
    },
    entitiesDigest: nothing.entities,
    contextDigest: nothing.context,
    mode: "enforce",
    message,
    envelope: null,
  };
}

/** The answer where there is no bundle to ask. */
export const deniedBefore = (engine: string, errors: readonly string[], message?: string): Decision =>
  denied(null, engine, errors, message);
