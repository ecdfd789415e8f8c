import { describe, expect, it } from "vitest";
import { formatId } from "#platform/kernel";
import type { Bundle, DecisionRequest } from "./domain.ts";
import { createEngine } from "./engine.ts";
import { createEvaluator } from "./evaluate.ts";
import { bundleFrom, sampleDecider, sampleFacts, sampleRequest } from "./samples.ts";

const { engine, evaluator, decide } = sampleDecider();

const permitAll = '@id("all") permit (principal, action, resource);';
const payTwo = `@id("pay-2") @require_approval("finance:2") @ttl("PT15M") @step_up("webauthn")
  forbid (principal, action == Oars::Action::"pay", resource) unless { context.approvals.count >= 2 };`;
/** Errs for every risk above 1: the product does not fit 64 bits. */
const overflow = "context.risk * 9223372036854775807 > 0";

describe("a decision", () => {
  it("denies by default and says whom to ask", () => {
    const decision = decide('@id("r") permit (principal, action == Oars::Action::"read", resource);');
    expect(decision).toMatchObject({ effect: "deny", reasons: [], errors: [], approval: null });
    expect(decision.message).toBe(
      "Denied because no policy permits this agent to pay with bank/http.request; ask a policy administrator for a permit policy.",
    );
  });

  it("allows by a permit and names it, the bundle, the schema and the engine", () => {
    const bundle = bundleFrom(engine, permitAll);
    const decision = evaluator.decide({ ...bundle, version: 7 }, sampleRequest());
    expect(decision).toMatchObject({
      effect: "allow",
      reasons: ["all"],
      message: "Allowed by policy all.",
      mode: "enforce",
      policy: { bundle: bundle.digest, version: "7", engine: "cedar-wasm/4.13.0", schema: bundle.schema },
    });
  });

  it("lets a forbid win over any number of permits, with its description in the message", () => {
    const decision = decide(
      `${permitAll} @id("no") @description("Nobody pays on Fridays.") forbid (principal, action, resource);`,
    );
    expect(decision).toMatchObject({ effect: "deny", reasons: ["no"] });
    expect(decision.message).toContain("policy no (Nobody pays on Fridays)");
  });

  it("gives sorted reasons whatever the order of the policies", () => {
    const two = ["b", "a", "c"].map((id) => `@id("${id}") permit (principal, action, resource);`);
    expect(decide(two.join("\n")).reasons).toEqual(["a", "b", "c"]);
    expect(decide(two.toReversed().join("\n")).reasons).toEqual(["a", "b", "c"]);
  });

  it("sees principal, tool, environment and facts as they are in our catalogue", () => {
    const owner = "01900000-0000-7000-8000-000000000002";
    const cedar = `@id("x") permit (principal is Oars::Agent in Oars::Role::"payer", action == Oars::Action::"pay",
      resource in Oars::Environment::"production") when {
        principal has owner && principal.owner == Oars::User::"${formatId("principal", owner)}" &&
        context.env == "production" && resource.connection == "bank" &&
        context.args has amount && context.args.amount == 1200 && context.dataTypes.containsAll(["financial"]) &&
        context.delegation has user && context.delegation.user == principal.owner };`;
    const request = {
      principal: { roles: ["payer", "agent"], ownerId: owner },
      delegation: { userId: owner, depth: 1 },
      tool: { environment: "Production" },
    };
    expect(decide(cedar, request).effect).toBe("allow");
    expect(decide(cedar, { ...request, facts: { amount: 1201 } }).effect).toBe("deny");
    expect(decide(cedar, { ...request, principal: { roles: ["payer"] } }).effect).toBe("deny");
  });
});

describe("[D1] errors", () => {
  it("of a forbid deny, though Cedar itself answers allow", () => {
    const forbid = `@id("f") forbid (principal, action, resource) when { ${overflow} };`;
    const bundle = bundleFrom(engine, `${permitAll} ${forbid}`);
    const raw = rawAnswer(bundle, sampleRequest());
    expect(raw).toMatchObject({ decision: "allow", diagnostics: { reason: ["all"] } });

    const decision = evaluator.decide(bundle, sampleRequest());
    expect(decision).toMatchObject({ effect: "deny", approval: null });
    expect(decision.errors).toEqual([expect.stringMatching(/^policy f: integer overflow/)]);
    expect(decision.message).toMatch(/^Denied because the policies could not be evaluated: policy f/);
  });

  it("of a permit do not allow, not even beside another permit", () => {
    const permit = `@id("p") permit (principal, action, resource) when { ${overflow} };`;
    expect(decide(permit)).toMatchObject({ effect: "deny", errors: [expect.stringContaining("policy p")] });
    expect(decide(`${permit} ${permitAll}`)).toMatchObject({ effect: "deny" });
  });

  it("that only the second pass meets deny too", () => {
    const late = `@id("late") forbid (principal, action, resource)
      when { context.approvals.count * 9223372036854775807 > 0 };`;
    const decision = decide(`${permitAll} ${payTwo} ${late}`);
    expect(decision).toMatchObject({
      effect: "deny",
      approval: null,
      errors: [expect.stringContaining("late")],
    });
  });

  it("of a policy outside the slice do not disturb others", () => {
    const elsewhere = `@id("p") forbid (principal, action, resource == Oars::Tool::"x/y") when { ${overflow} };`;
    expect(decide(`${permitAll} ${elsewhere}`).effect).toBe("allow");
  });
});

describe("[D2] exceptions of the engine", () => {
  it("deny, and the engine decides again for the others", () => {
    const own = createEngine();
    const deciding = createEvaluator(own);
    const chain = Array(1_500).fill("context.risk > 1").join(" || ");
    const good = bundleFrom(engine, permitAll);
    const bad: Bundle = {
      ...good,
      digest: "sha256:unchecked",
      policies: good.policies.map((policy) => ({
        ...policy,
        text: `permit (principal, action, resource) when { ${chain} };`,
      })),
    };
    expect(deciding.decide(good, sampleRequest()).effect).toBe("allow");
    for (let round = 0; round < 2; round++)
      expect(deciding.decide(bad, sampleRequest())).toMatchObject({
        effect: "deny",
        errors: [expect.stringMatching(/ran out of stack|too complex/)],
      });
    expect(own.generation()).toBe(1);
    expect(deciding.decide(good, sampleRequest()).effect).toBe("allow");
  });

  it("deny when the policies of a bundle cannot be read", () => {
    const good = bundleFrom(engine, permitAll);
    const broken = {
      ...good,
      digest: "sha256:x",
      policies: good.policies.map((p) => ({ ...p, text: "permit(" })),
    };
    const decision = evaluator.decide(broken, sampleRequest());
    expect(decision).toMatchObject({ effect: "deny", errors: [expect.stringContaining("cannot be read")] });
  });
});

describe("[D3] a request that does not fit", () => {
  it.each([
    [
      "a fraction as fact",
      { facts: { amount: 1.5 } },
      "fact amount is 1.5: policies know whole numbers only",
    ],
    ["a number that JavaScript rounds", { facts: { amount: 2 ** 53 } }, "fact amount is 9007199254740992"],
    ["NaN", { facts: { amount: Number.NaN } }, "fact amount is NaN"],
    [
      "text for a number",
      { facts: { amount: "12" } },
      "fact amount is declared as integer and came as string",
    ],
    [
      "a number for text",
      { facts: { currency: 7 } },
      "fact currency is declared as string and came as number",
    ],
    ["a fractional risk", { tool: { risk: 0.5 } }, "tool.risk is 0.5"],
    ["half a character", { target: "\ud800" }, "target is not well-formed Unicode"],
    ["a very long target", { target: "x".repeat(70_000) }, "target is longer than"],
    ["an unknown verb", { tool: { verb: "launch" as "pay" } }, "tool.verb launch is unknown"],
    ["an unknown kind", { principal: { kind: "robot" as "agent" } }, "principal.kind robot is unknown"],
    ["no date", { now: new Date(Number.NaN) }, "now must be a valid date"],
    ["too many roles", { principal: { roles: Array(1_001).fill("a") } }, "principal.roles has more than"],
  ])("is denied: %s", (_, patch, error) => {
    const decision = decide(permitAll, patch);
    expect(decision.effect).toBe("deny");
    expect(decision.errors.join()).toContain(error);
    expect(decision.message).toContain("correct it and try again");
  });

  it("leaves nulls out and does not read facts that nobody declared, whatever their names", () => {
    const facts = JSON.parse(
      '{"amount":null,"__proto__":{"amount":5},"constructor":1.5,"__entity":{"type":"x"}}',
    );
    const cedar = '@id("a") permit (principal, action, resource) unless { context.args has amount };';
    const decision = decide(cedar, { facts });
    expect(decision).toMatchObject({ effect: "allow", errors: [] });
    expect(decision.envelope?.context.args).toEqual({});
  });

  it("does not take a fact from a prototype", () => {
    const facts = Object.create({ amount: 5 }) as Record<string, number>;
    expect(decide(permitAll, { facts }).envelope?.context.args).toEqual({});
  });
});

/** What Cedar says without our rules, to show that they are needed. */
function rawAnswer(bundle: Bundle, q: DecisionRequest) {
  const { envelope } = evaluator.decide(bundle, q);
  if (envelope === null) throw new Error("the request never reached the policies");
  const staticPolicies = Object.fromEntries(bundle.policies.map(({ id, text }) => [id, text]));
  const answer = engine.use((cedar) => {
    cedar.preparsePolicySet("raw", { staticPolicies });
    return cedar.statefulIsAuthorized({
      ...(envelope as unknown as Parameters<typeof cedar.statefulIsAuthorized>[0]), // made for this very call
      preparsedPolicySetId: "raw",
    });
  });
  return answer.type === "success" ? answer.response : answer;
}

describe("facts in the schema", () => {
  it("of every type can be read", () => {
    const cedar = `@id("a") permit (principal, action, resource) when {
      context.args has amount && context.args.amount > 1 && context.args has currency && context.args.currency == "EUR"
      && context.args has urgent && context.args.urgent };`;
    expect(sampleFacts.map((fact) => fact.type)).toEqual(["integer", "string", "boolean"]);
    expect(decide(cedar, { facts: { amount: 2, currency: "EUR", urgent: true } }).effect).toBe("allow");
    expect(decide(cedar, { facts: { amount: 2, currency: "EUR", urgent: false } }).effect).toBe("deny");
  });
});
