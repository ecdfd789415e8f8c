import { describe, expect, it } from "vitest";
import { runCases } from "./cases.ts";
import { drain } from "./check.ts";
import type { GoldenCase } from "./domain.ts";
import { createEngine } from "./engine.ts";
import { createEvaluator } from "./evaluate.ts";
import { bundleFrom, sampleFacts } from "./samples.ts";

const engine = createEngine();
const evaluator = createEvaluator(engine);
const cedar = `@id("read") permit (principal, action == Oars::Action::"read", resource);
  @id("pay") permit (principal in Oars::Role::"payer", action == Oars::Action::"pay", resource);
  @id("pay-big") @require_approval("finance:1") forbid (principal, action == Oars::Action::"pay", resource)
    when { context.args has amount && context.args.amount > 1000 } unless { context.approvals.count >= 1 };`;
const run = (...cases: GoldenCase[]) =>
  drain(runCases(evaluator, bundleFrom(engine, cedar, sampleFacts, cases), { cedar, cases }));

const agent = { kind: "agent" as const, roles: ["payer"] };

describe("golden cases", () => {
  it("that hold are silent", () => {
    const pay = { principal: agent, action: "pay" as const, tool: "bank/http.request" };
    expect(
      run(
        { name: "reads", request: { ...pay, action: "read" }, expect: "allow" },
        { name: "small", request: { ...pay, args: { amount: 1 } }, expect: "allow" },
        { name: "big", request: { ...pay, args: { amount: 5000 } }, expect: "require_approval" },
        {
          name: "big and approved",
          request: { ...pay, args: { amount: 5000 }, approvals: { count: 1, roles: ["finance"] } },
          expect: "allow",
        },
        { name: "stranger", request: { ...pay, principal: { kind: "service" } }, expect: "deny" },
      ),
    ).toEqual([]);
  });

  it("that do not hold say what decided", () => {
    const request = { principal: agent, action: "delete" as const, tool: "bank/http.request" };
    expect(run({ name: "deletes", request, expect: "allow" })).toEqual([
      {
        path: "cases.0.expect",
        code: "POLICY_CASE_FAILED",
        message:
          'Case "deletes" expects allow and got deny: Denied because no policy permits this agent to delete with bank/http.request; ask a policy administrator for a permit policy.',
      },
    ]);
  });

  it("that give a fact nobody declares are refused, since they would prove nothing", () => {
    const request = { principal: agent, action: "pay" as const, tool: "a/b", args: { amonut: 5000 } };
    expect(run({ name: "typo", request, expect: "allow" })).toMatchObject([
      { path: "cases.0.request.args.amonut", code: "POLICY_CASE_FACT" },
    ]);
  });
});
