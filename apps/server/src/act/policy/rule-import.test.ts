import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Effect } from "./domain.ts";
import {
  policyIdOf,
  type Rule,
  type RuleMatch,
  readRules,
  riskTiers,
  ruleDecisions,
  tierFloors,
} from "./rule-form.ts";
import { importRules } from "./rule-import.ts";
import { bundleFrom, sampleDecider, sampleRequest } from "./samples.ts";

const { engine, evaluator } = sampleDecider();
const options = { unmatched: "allow", approverRole: "approver" } as const;

interface Asked {
  readonly tool: string;
  readonly target: string;
  readonly environment: string;
  readonly risk: number;
  readonly dataTypes: readonly string[];
  readonly hour: number;
}

/** The rule form as its specification says: the oracle. */
function decideByRules(rules: readonly Rule[], asked: Asked, unmatched: "allow" | "deny"): Effect {
  const first = rules.toSorted((a, b) => b.priority - a.priority).find(({ match }) => matches(match, asked));
  const effects = {
    allow: "allow",
    deny: "deny",
    approve: "require_approval",
    quarantine: "quarantine",
  } as const;
  return first === undefined ? unmatched : effects[first.decision];
}

function matches(match: RuleMatch, asked: Asked): boolean {
  const { startHour = 0, endHour = 0 } = match.timeWindowUtc ?? {};
  const inside =
    startHour < endHour
      ? asked.hour >= startHour && asked.hour < endHour
      : asked.hour >= startHour || asked.hour < endHour;
  const tier = riskTiers.findLast((one) => asked.risk >= tierFloors[one]) ?? "low";
  return (
    (match.toolIds?.includes(asked.tool) ?? true) &&
    (match.operations?.includes(asked.tool.split("/")[1] ?? "") ?? true) &&
    (match.targetContains === undefined || asked.target.includes(match.targetContains)) &&
    (match.riskTiers?.includes(tier) ?? true) &&
    (match.environments?.includes(asked.environment) ?? true) &&
    (match.requiredDataTypes?.every((type) => asked.dataTypes.includes(type)) ?? true) &&
    (match.timeWindowUtc === undefined || inside)
  );
}

const ask = (asked: Asked) =>
  sampleRequest({
    target: asked.target,
    now: new Date(Date.UTC(2026, 10, 20, asked.hour, 30)),
    tool: {
      name: asked.tool,
      operation: asked.tool.split("/")[1] ?? "",
      environment: asked.environment,
      risk: asked.risk,
      dataTypes: asked.dataTypes,
    },
  });

const some = <T>(...values: T[]) =>
  fc.uniqueArray(fc.constantFrom(...values), { minLength: 1, maxLength: 2 });
const optional = <T>(what: fc.Arbitrary<T>) => fc.option(what, { nil: undefined, freq: 2 });
const match = fc
  .record({
    toolIds: optional(some("a/x.get", "b/y.put")),
    operations: optional(some("x.get", "y.put")),
    targetContains: optional(fc.constantFrom("prod", "*", 'a"b')),
    riskTiers: optional(some(...riskTiers)),
    environments: optional(some("production", "test")),
    requiredDataTypes: optional(some("pii", "card")),
    timeWindowUtc: optional(fc.constantFrom({ startHour: 22, endHour: 6 }, { startHour: 9, endHour: 17 })),
  })
  .map((fields) => JSON.parse(JSON.stringify(fields)) as RuleMatch); // without the fields that are not there
const rules = fc
  .array(fc.record({ priority: fc.nat(3), match, decision: fc.constantFrom(...ruleDecisions) }), {
    minLength: 1,
    maxLength: 5,
  })
  .map((list): Rule[] => list.map((rule, index) => ({ ...rule, id: `r${index}` })));
const asked = fc.record({
  tool: fc.constantFrom("a/x.get", "b/y.put", "c/z.run"),
  target: fc.constantFrom("prod.example", 'a"b', "x*y", "other"),
  environment: fc.constantFrom("production", "test", ""),
  risk: fc.constantFrom(0, 39, 40, 69, 70, 90, 100),
  dataTypes: fc.constantFrom([], ["pii"], ["pii", "card"]),
  hour: fc.constantFrom(0, 5, 6, 9, 16, 17, 22, 23),
});

describe("imported rules", () => {
  it("[M1] decide as the first that matches by priority, whatever the rules", () => {
    fc.assert(
      fc.property(
        rules,
        fc.array(asked, { minLength: 4, maxLength: 8 }),
        fc.constantFrom("allow" as const, "deny" as const),
        (list, requests, unmatched) => {
          const { cedar } = importRules(list, { ...options, unmatched });
          if (cedar.trim() === "") return;
          const bundle = bundleFrom(engine, cedar, []);
          for (const one of requests)
            expect(
              evaluator.decide(bundle, { ...ask(one), facts: {} }).effect,
              `${JSON.stringify(one)}\n${cedar}`,
            ).toBe(decideByRules(list, one, unmatched));
        },
      ),
      { numRuns: 60 },
    );
  });

  it("hold windows over midnight, environments and data types in and out of match", () => {
    const list = readRules([
      {
        id: "night freeze",
        priority: 10,
        match: {
          environments: ["Production"],
          requiredDataTypes: ["pii"],
          timeWindowUtc: { startHour: 22, endHour: 6 },
        },
        decision: "deny",
      },
    ]);
    if ("problems" in list) throw new Error("the rules are good");
    const bundle = bundleFrom(engine, importRules(list.rules, options).cedar, []);
    const base = {
      tool: "a/x.get",
      target: "t",
      environment: "production",
      risk: 0,
      dataTypes: ["pii"],
      hour: 23,
    };
    const effect = (more: Partial<Asked>) =>
      evaluator.decide(bundle, { ...ask({ ...base, ...more }), facts: {} }).effect;
    expect(effect({})).toBe("deny");
    expect(effect({ environment: "PRODUCTION" }), "letter case evades nothing").toBe("deny");
    expect(effect({ hour: 5 })).toBe("deny");
    for (const other of [{ hour: 6 }, { hour: 21 }, { environment: "test" }, { dataTypes: [] }])
      expect(effect(other), JSON.stringify(other)).toBe("allow");
  });

  it("tell the author what cannot be the same", () => {
    const list = readRules([
      { id: "all", priority: 9, match: {}, decision: "allow" },
      { id: "late", priority: 1, match: { targetContains: "prod", toolIds: ["wms"] }, decision: "approve" },
    ]);
    if ("problems" in list) throw new Error("the rules are good");
    const { divergences } = importRules(list.rules, { unmatched: "deny", approverRole: "approver" });
    const said = divergences.map(({ rule, message }) => `${rule}: ${message}`).join("\n");
    for (const part of [
      "null: The rule form allows",
      "late: never decides",
      "late: toolIds",
      "late: targetContains",
      "late: approve asks",
    ])
      expect(said).toContain(part);
  });

  it("are refused with every problem, also where two ids would become one", () => {
    const bad = readRules([
      { id: "a b", priority: 1, match: { timeWindowUtc: { startHour: 3, endHour: 3 } }, decision: "allow" },
      { id: "a-b", priority: -1, match: { tools: ["x"] }, decision: "maybe" },
    ]);
    expect("problems" in bad && bad.problems.length).toBeGreaterThanOrEqual(4);
    const twice = readRules(["a b", "a-b"].map((id) => ({ id, priority: 1, match: {}, decision: "allow" })));
    expect(twice).toMatchObject({ problems: [{ path: "rules.1.id", code: "POLICY_ID_DUPLICATE" }] });
    expect(["1x", "guard-x", "ok"].map(policyIdOf)).toEqual(["rule-1x", "rule-guard-x", "ok"]);
  });
});
