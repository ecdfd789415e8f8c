/** Requests and bundles for this room's tests and for the benchmark. */
import type { Caller } from "#platform/access";
import { newId } from "#platform/kernel";
import { checkBundle, drain } from "./check.ts";
import type { Bundle, BundleSource, Decision, DecisionRequest } from "./domain.ts";
import { createEngine, type Engine } from "./engine.ts";
import { createEvaluator } from "./evaluate.ts";
import type { FactSpec } from "./facts.ts";

export const sampleFacts: readonly FactSpec[] = [
  { name: "amount", type: "integer" },
  { name: "currency", type: "string" },
  { name: "urgent", type: "boolean" },
];

type Patch = Partial<Omit<DecisionRequest, "principal" | "tool" | "delegation">> & {
  readonly principal?: Partial<DecisionRequest["principal"]>;
  readonly tool?: Partial<DecisionRequest["tool"]>;
  readonly delegation?: Partial<DecisionRequest["delegation"]>;
};

/** An agent that pays with a known tool in production; `patch` says what is different. */
export function sampleRequest(patch: Patch = {}): DecisionRequest {
  return {
    tenantId: "01900000-0000-7000-8000-000000000001",
    target: "https://bank.example/payments",
    facts: { amount: 1200, currency: "EUR" },
    approvals: { count: 0, roles: [] },
    now: new Date("2026-11-20T10:00:00Z"),
    ...patch,
    principal: {
      id: "01900000-0000-7000-8000-00000000000a",
      kind: "agent",
      roles: ["agent"],
      ownerId: null,
      ...patch.principal,
    },
    delegation: { userId: null, depth: 0, ...patch.delegation },
    tool: {
      name: "bank/http.request",
      connector: "http",
      operation: "http.request",
      verb: "pay",
      risk: 40,
      dataTypes: ["financial"],
      environment: "production",
      ...patch.tool,
    },
  };
}

/** A checked bundle. Throws with the problems when there are any. */
export function bundleFrom(
  engine: Engine,
  cedar: string,
  facts: readonly FactSpec[] = sampleFacts,
  cases: BundleSource["cases"] = undefined,
): Bundle {
  const source: BundleSource = cases === undefined ? { cedar } : { cedar, cases };
  const { bundle, problems } = drain(checkBundle(engine, source, facts));
  if (bundle === undefined) throw new Error(JSON.stringify(problems, null, 1));
  return bundle;
}

/** An engine with an evaluator, and a decision about a sample request by policies given as text. */
export function sampleDecider() {
  const engine = createEngine();
  const evaluator = createEvaluator(engine);
  const decide = (cedar: string, patch: Patch = {}): Decision =>
    evaluator.decide(bundleFrom(engine, cedar), sampleRequest(patch));
  return { engine, evaluator, decide };
}

/** Somebody of that tenant who may do these things with policies. */
export const sampleCaller = (
  tenantId: string,
  permissions = ["read", "write", "publish"] as const,
): Caller => ({
  tenantId,
  principalId: newId(),
  principalKind: "user",
  principalName: "ada",
  ownerId: null,
  roles: ["admin"],
  permissions: new Set(permissions.map((name) => `policies:${name}` as const)),
  credential: { kind: "internal", id: newId() },
});

/** `count` policies of which four can fit any one tool: the shape of a bundle that has grown over years. */
export function manyPolicies(count: number): string {
  const one = (index: number): string => {
    const tool = `c${Math.floor(index / 4)}/http.request`;
    const texts = [
      `permit (principal in Oars::Role::"agent", action in [Oars::Action::"read", Oars::Action::"pay"], resource == Oars::Tool::"${tool}") when { context.risk < 90 };`,
      `forbid (principal, action, resource == Oars::Tool::"${tool}") when { context.dataTypes.contains("health") && context.env == "production" };`,
      `forbid (principal, action == Oars::Action::"pay", resource == Oars::Tool::"${tool}") when { context.args has amount && context.args.amount > 500000 };`,
      `forbid (principal, action in [Oars::Action::"pay", Oars::Action::"delete"], resource == Oars::Tool::"${tool}") when { context.delegation.depth > 2 };`,
    ];
    return `@id("p${index}") ${texts[index % 4]}`;
  };
  return Array.from({ length: count }, (_, index) => one(index)).join("\n");
}
