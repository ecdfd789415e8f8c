/**
 * The check of a whole bundle: everything that can be wrong is reported at once, with its place.
 * A generator, because a large bundle takes most of a second: `drain` runs it in one go, and whoever has other
 * work takes it in slices of a few milliseconds.
 */
import { digestOf, type FieldProblem } from "#platform/kernel";
import { type Compiled, compilePolicy, engineProblems } from "./compile.ts";
import type { Bundle, BundleSource, CompiledPolicy, CompiledTemplate } from "./domain.ts";
import { type Engine, EngineCrash } from "./engine.ts";
import { canonicalFacts, type FactSpec, factProblems } from "./facts.ts";
import { schemaDigest, schemaText } from "./schema.ts";
import { counterProblems, sourceProblems } from "./source.ts";
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
  const read: Read[] = [];
  for (const [index, policy] of cut.policies.entries()) {
    const compiled: Compiled = compilePolicy(engine, policy, place);
    problems.push(...compiled.problems);
    const { policy: made, template } = compiled;
    if (made ?? template) read.push({ source: policy, policy: made, template });
    if (index % chunk === chunk - 1) yield;
  }
  if (cut.policies.length === 0 && problems.length === 0)
    problems.push({ path: "cedar", code: "POLICY_EMPTY", message: "The bundle holds no policy." });
  problems.push(...duplicateProblems(read, place));

  problems.push(...counterProblems(source, facts));
  const schema = schemaText(canonicalFacts(facts), source.counters);
  for (let first = 0; first < read.length; first += chunk) {
    problems.push(...typeProblems(engine, schema, read.slice(first, first + chunk), place));
    yield;
  }
  if (problems.length === 0) problems.push(...readingProblems(engine, source.cedar, cut.policies));
  if (problems.length > 0) return { problems };
  return { problems, bundle: bundleOf(source, canonicalFacts(facts), read) };
}

export function drain<T>(steps: Generator<void, T>): T {
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}

/** A bundle's name by content: the RFC 8785 form of what the tenant wrote. */
export const sourceDigest = (source: BundleSource): string => digestOf(source);

/** What a source says besides its policies, in the form that decisions need. */
export const partsOf = (source: BundleSource): Pick<Bundle, "entities" | "counters" | "delegation"> => ({
  entities: source.entities ?? {},
  counters: source.counters ?? [],
  delegation: source.delegation ?? "every_link",
});

const bundleOf = (source: BundleSource, facts: readonly FactSpec[], read: readonly Read[]): Bundle => ({
  id: null,
  version: null,
  digest: sourceDigest(source),
  schema: schemaDigest(facts, source.counters),
  facts,
  policies: read.flatMap(({ policy }) => policy ?? []),
  templates: read.flatMap(({ template }) => template ?? []),
  ...partsOf(source),
});

type Place = ReturnType<typeof placesIn>;
interface Read {
  readonly source: PolicyText;
  readonly policy: CompiledPolicy | undefined;
  readonly template: CompiledTemplate | undefined;
}

function duplicateProblems(read: readonly Read[], place: Place): FieldProblem[] {
  const first = new Map<string, number>();
  const problems: FieldProblem[] = [];
  for (const { source, policy, template } of read) {
    const at = place(source.start);
    const id = (policy ?? template)?.id ?? "";
    const line = first.get(id);
    if (id !== "" && line !== undefined)
      problems.push({
        path: "cedar",
        code: "POLICY_ID_DUPLICATE",
        message: `The id ${id} is used on line ${line} already.`,
        ...at,
      });
    else first.set(id, at.line);
  }
  return problems;
}

/** Strict validation against the schema. A warning counts: a policy that can never apply guards nothing. */
function typeProblems(engine: Engine, schema: string, read: readonly Read[], place: Place): FieldProblem[] {
  const texts = read.map(({ source, template }, index) => ({ index, template, text: source.text }));
  const named = (holes: boolean): Record<string, string> =>
    Object.fromEntries(
      texts.filter((one) => (one.template !== undefined) === holes).map((one) => [one.index, one.text]),
    );
  try {
    const answer = engine.use((cedar) =>
      cedar.validate({
        schema,
        policies: { staticPolicies: named(false), templates: named(true) },
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
    answer.policies.length + answer.policy_templates.length === cut.length &&
    [...answer.policies, ...answer.policy_templates].toSorted().join("\0") ===
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
