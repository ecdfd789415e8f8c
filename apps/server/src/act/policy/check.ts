/**
 * The check of a whole bundle: everything that can be wrong is reported at once, with its place.
 * A generator, because a large bundle takes most of a second: `drain` runs it in one go, `drainFairly` lets
 * other work in between its slices of a few milliseconds.
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import { digestOf, type FieldProblem } from "#platform/kernel";
import { type Compiled, compilePolicy, engineProblems } from "./compile.ts";
import type { Bundle, BundleSource, CompiledPolicy } from "./domain.ts";
import { type Engine, EngineCrash } from "./engine.ts";
import { canonicalFacts, type FactSpec, factProblems } from "./facts.ts";
import { schemaDigest, schemaText } from "./schema.ts";
import { sourceProblems } from "./source.ts";
import { cutPolicies, type PolicyText, placesIn } from "./text.ts";

export interface Checked {
  readonly problems: readonly FieldProblem[];
  /** Present when there are no problems. */
  readonly bundle?: Bundle;
}

type Step = Generator<void, Checked>;
const chunk = 25;

export function* checkBundle(engine: Engine, source: BundleSource, facts: readonly FactSpec[]): Step {
  const problems: FieldProblem[] = [...factProblems(facts), ...sourceProblems(source)];
  if (problems.some((problem) => problem.path.startsWith("facts") || problem.path === "cedar"))
    return { problems };
  const cut = cutPolicies(source.cedar);
  problems.push(...cut.problems);
  const place = placesIn(source.cedar);
  const read: { source: PolicyText; policy: CompiledPolicy }[] = [];
  for (const [index, policy] of cut.policies.entries()) {
    const compiled: Compiled = compilePolicy(engine, policy, place);
    problems.push(...compiled.problems);
    if (compiled.policy) read.push({ source: policy, policy: compiled.policy });
    if (index % chunk === chunk - 1) yield;
  }
  if (cut.policies.length === 0 && problems.length === 0)
    problems.push({ path: "cedar", code: "POLICY_EMPTY", message: "The bundle holds no policy." });
  problems.push(...duplicateProblems(read, place));

  const schema = schemaText(canonicalFacts(facts));
  for (let first = 0; first < read.length; first += chunk) {
    problems.push(...typeProblems(engine, schema, read.slice(first, first + chunk), place));
    yield;
  }
  if (problems.length === 0) problems.push(...readingProblems(engine, source.cedar, cut.policies));
  if (problems.length > 0) return { problems };
  return { problems, bundle: bundleOf(source, canonicalFacts(facts), policiesOf(read)) };
}

export function drain<T>(steps: Generator<void, T>): T {
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}

export async function drainFairly<T>(steps: Generator<void, T>): Promise<T> {
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
    await nextTurn();
  }
}

/** A bundle's name by content: the RFC 8785 form of what the tenant wrote. */
export const sourceDigest = (source: BundleSource): string => digestOf(source);

export const bundleOf = (
  source: BundleSource,
  facts: readonly FactSpec[],
  policies: readonly CompiledPolicy[],
): Bundle => ({
  id: null,
  version: null,
  digest: sourceDigest(source),
  schema: schemaDigest(facts),
  facts,
  policies,
});

const policiesOf = (read: readonly { policy: CompiledPolicy }[]): CompiledPolicy[] =>
  read.map(({ policy }) => policy);

type Place = ReturnType<typeof placesIn>;
type Read = readonly { source: PolicyText; policy: CompiledPolicy }[];

function duplicateProblems(read: Read, place: Place): FieldProblem[] {
  const first = new Map<string, number>();
  const problems: FieldProblem[] = [];
  for (const { source, policy } of read) {
    const at = place(source.start);
    const line = first.get(policy.id);
    if (policy.id !== "" && line !== undefined)
      problems.push({
        path: "cedar",
        code: "POLICY_ID_DUPLICATE",
        message: `The id ${policy.id} is used on line ${line} already.`,
        ...at,
      });
    else first.set(policy.id, at.line);
  }
  return problems;
}

/** Strict validation against the schema. A warning counts: a policy that can never apply guards nothing. */
function typeProblems(engine: Engine, schema: string, read: Read, place: Place): FieldProblem[] {
  const policies = Object.fromEntries(read.map(({ source }, index) => [String(index), source.text]));
  try {
    const answer = engine.use((cedar) =>
      cedar.validate({
        schema,
        policies: { staticPolicies: policies },
        validationSettings: { mode: "strict" },
      }),
    );
    if (answer.type === "failure")
      return answer.errors.map(({ message }) => ({ path: "cedar", code: "POLICY_TYPE", message }));
    const wrong = new Set(answer.validationErrors.map((error) => error.policyId));
    const doubtful = answer.validationWarnings.filter((warning) => !wrong.has(warning.policyId));
    const found = [...answer.validationErrors, ...doubtful].flatMap(({ policyId, error }) => {
      const source = read[Number(policyId)]?.source;
      return source === undefined ? [] : engineProblems("POLICY_TYPE", error, source, place);
    });
    return once(found);
  } catch (cause) {
    if (!(cause instanceof EngineCrash)) throw cause;
    if (read.length > 1) return read.flatMap((one) => typeProblems(engine, schema, [one], place));
    const message = "The policy is too complex for the engine; split it.";
    return [{ path: "cedar", code: "POLICY_DEPTH", message, ...place(read[0]?.source.start ?? 0) }];
  }
}

/** The validator says the same thing once per action that a policy applies to. */
const once = (problems: readonly FieldProblem[]): FieldProblem[] => [
  ...new Map(problems.map((problem) => [JSON.stringify(problem), problem])).values(),
];

/** The engine must read the whole text as exactly the policies that were cut from it. */
function readingProblems(engine: Engine, text: string, cut: readonly PolicyText[]): FieldProblem[] {
  const answer = engine.use((cedar) => cedar.policySetTextToParts(text));
  const same =
    answer.type === "success" &&
    answer.policies.length === cut.length &&
    answer.policies.toSorted().join("\0") ===
      cut
        .map((policy) => policy.text)
        .toSorted()
        .join("\0");
  if (same) return [];
  return [
    {
      path: "cedar",
      code: "POLICY_SYNTAX",
      message: "The text cannot be cut into its policies in one way only; check quotes and semicolons.",
    },
  ];
}
