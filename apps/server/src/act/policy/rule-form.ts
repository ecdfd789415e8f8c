/** The simple rule form: rules by priority, the first that matches decides. Hostile input: all is checked. */
import { z } from "zod";
import type { FieldProblem } from "#platform/kernel";

const text = (max: number) =>
  z
    .string()
    .max(max)
    .refine((value) => value.isWellFormed() && !/\p{Cc}/u.test(value), "holds control characters");
const anyOf = z.array(text(200).min(1)).min(1).max(200);
const hour = z.int().min(0).max(23);

export const riskTiers = ["low", "medium", "high", "critical"] as const;
export type RiskTier = (typeof riskTiers)[number];

/** Risk from which a tier begins. */
export const tierFloors: Record<RiskTier, number> = { low: 0, medium: 40, high: 70, critical: 90 };

export const ruleDecisions = ["allow", "deny", "approve", "quarantine"] as const;

const matchSchema = z.strictObject({
  toolIds: anyOf.optional(),
  operations: anyOf.optional(),
  targetContains: text(500).min(1).optional(),
  riskTiers: z.array(z.enum(riskTiers)).min(1).max(4).optional(),
  environments: anyOf.optional(),
  requiredDataTypes: anyOf.optional(),
  timeWindowUtc: z
    .strictObject({ startHour: hour, endHour: hour })
    .refine(({ startHour, endHour }) => startHour !== endHour, "startHour and endHour must differ")
    .optional(),
});

const ruleSchema = z.strictObject({
  id: text(100).min(1),
  description: text(500).optional(),
  priority: z.int().min(0).max(1_000_000),
  match: matchSchema,
  decision: z.enum(ruleDecisions),
});

export const ruleSet = z.array(ruleSchema).min(1).max(100);

export type RuleMatch = z.output<typeof matchSchema>;
export type Rule = z.output<typeof ruleSchema>;

export function readRules(value: unknown): { rules: Rule[] } | { problems: FieldProblem[] } {
  const parsed = ruleSet.safeParse(value);
  if (!parsed.success)
    return {
      problems: parsed.error.issues.map((issue) => ({
        path: ["rules", ...issue.path].join("."),
        code: "POLICY_RULE",
        message: issue.message,
      })),
    };
  const seen = new Set<string>();
  const problems = parsed.data.flatMap(({ id }, index) => {
    const name = policyIdOf(id);
    if (!seen.has(name)) {
      seen.add(name);
      return [];
    }
    const message = `The id ${id} is used twice, or differs from another in signs alone; rename one.`;
    return [{ path: `rules.${index}.id`, code: "POLICY_ID_DUPLICATE", message }];
  });
  return problems.length > 0 ? { problems } : { rules: parsed.data };
}

/** The id of a policy that a rule becomes: its own where that is allowed. */
export function policyIdOf(id: string): string {
  const name = id.replaceAll(/[^A-Za-z0-9._-]/g, "-").slice(0, 80);
  return /^[A-Za-z]/.test(name) && !name.toLowerCase().startsWith("guard-") ? name : `rule-${name}`;
}
