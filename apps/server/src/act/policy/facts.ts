/** Facts: the values of an action's arguments that a tenant's connections declare for policies to read. */
import type { FieldProblem } from "#platform/kernel";

/** `integer` is a whole number within ±(2^53 - 1): money in minor units. Decimal amounts are strings. */
export interface FactSpec {
  readonly name: string;
  readonly type: "string" | "integer" | "boolean";
}

const factLimit = 200;
// Names that begin with two underscores are Cedar's escapes (__entity, __extn) and JavaScript's (__proto__).
const nameShape = /^(?!__)[A-Za-z_][A-Za-z0-9_]{0,63}$/;
const cedarTypes: Record<FactSpec["type"], string> = {
  string: "__cedar::String",
  integer: "__cedar::Long",
  boolean: "__cedar::Bool",
};

export const cedarTypeOf = (spec: FactSpec): string => cedarTypes[spec.type];

/** Problems of a list of declared facts: hostile names, unknown types, one name with two types. */
export function factProblems(facts: readonly FactSpec[]): FieldProblem[] {
  const problems: FieldProblem[] = [];
  const types = new Map<string, string>();
  if (facts.length > factLimit)
    problems.push({
      path: "facts",
      code: "FACT_LIMIT",
      message: `At most ${factLimit} facts; there are ${facts.length}.`,
    });
  for (const [index, fact] of facts.entries()) {
    const path = `facts.${index}`;
    if (!nameShape.test(fact.name))
      problems.push({
        path: `${path}.name`,
        code: "FACT_NAME",
        message: `Fact name ${JSON.stringify(fact.name)} must be letters, digits and underscores, at most 64, not starting with a digit or "__".`,
      });
    if (!Object.hasOwn(cedarTypes, fact.type))
      problems.push({
        path: `${path}.type`,
        code: "FACT_TYPE",
        message: `Fact type ${JSON.stringify(fact.type)} must be string, integer or boolean.`,
      });
    const before = types.get(fact.name);
    if (before !== undefined && before !== fact.type)
      problems.push({
        path: `${path}.type`,
        code: "FACT_CONFLICT",
        message: `Fact ${fact.name} is declared as ${before} and as ${fact.type}; connections must agree.`,
      });
    types.set(fact.name, fact.type);
  }
  return problems;
}

/** The facts once each, sorted by name: the form that is stored with a version. */
export function canonicalFacts(facts: readonly FactSpec[]): FactSpec[] {
  const byName = new Map(facts.map((fact) => [fact.name, { name: fact.name, type: fact.type }]));
  return [...byName.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** The declarations behind values, as a connection holds them: the type of a fact is the type of its value. */
export const factSpecsOf = (values: Readonly<Record<string, string | number | boolean>>): FactSpec[] =>
  Object.entries(values).map(([name, value]) => ({
    name,
    type: typeof value === "number" ? "integer" : typeof value === "boolean" ? "boolean" : "string",
  }));
