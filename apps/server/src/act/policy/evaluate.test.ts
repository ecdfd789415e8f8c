import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Bundle, DecisionRequest } from "./domain.ts";
import { createEngine } from "./engine.ts";
import { createEvaluator } from "./evaluate.ts";
import { bundleFrom, manyPolicies, sampleFacts, sampleRequest } from "./samples.ts";
import { createSlots } from "./slots.ts";

const engine = createEngine();
const evaluator = createEvaluator(engine);
const decide = (cedar: string, patch: Parameters<typeof sampleRequest>[0] = {}) =>
  evaluator.decide(bundleFrom(engine, cedar), sampleRequest(patch));

const permitAll = '@id("all") permit (principal, action, resource);';
const payTwo = `@id("pay-2") @require_approval("finance:2") @ttl("PT15M") @step_up("webauthn")
  forbid (principal, action == Oars::Action::"pay", resource) unless { context.approvals.count >= 2 };`;
const hardLimit = `@id("hard") forbid (principal, action == Oars::Action::"pay", resource)
  when { context.args has amount && context.args.amount > 10000 };`;
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
    const cedar =
      `@id("x") permit (principal is Oars::Agent in Oars::Role::"payer", action == Oars::Action::"pay",
      resource in Oars::Environment::"production") when {
        principal.owner == Oars::User::"prn_01j0000000e008000000000002" && context.env == "production" &&
        resource.connection == "bank" && context.args has amount && context.args.amount == 1200 &&
        context.dataTypes.containsAll(["financial"]) && context.delegation.user == principal.owner
      };`
        .replace("principal.owner ==", "principal has owner && principal.owner ==")
        .replace("context.delegation.user ==", "context.delegation has user && context.delegation.user ==");
    const owner = "01900000-0000-7000-8000-000000000002";
    const request = {
      principal: { roles: ["payer", "agent"], ownerId: owner },
      delegation: { userId: owner, depth: 1 },
      tool: { environment: "Production" },
    };
    expect(decide(cedar.replaceAll("prn_01j0000000e008000000000002", typeId(owner)), request).effect).toBe(
      "allow",
    );
    expect(decide(cedar.replaceAll("prn_01j0000000e008000000000002", typeId(owner))).effect).toBe("deny");
  });
});

const typeId = (uuid: string): string => {
  const { envelope } = decide(permitAll, { principal: { id: uuid } });
  return envelope?.principal.id ?? "";
};

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

describe("[D4] approvals", () => {
  it("are asked for when the votes would turn the answer into allow", () => {
    const decision = decide(`${permitAll} ${payTwo}`);
    expect(decision).toMatchObject({
      effect: "require_approval",
      reasons: ["pay-2"],
      approval: { requirements: [{ role: "finance", quorum: 2 }], ttlMs: 900_000, stepUp: "webauthn" },
    });
    expect(decision.message).toBe(
      "Held by policy pay-2: it needs 2 approvals by finance within 15 minutes, confirmed with webauthn, and goes on by itself once they are given.",
    );
  });

  it("once given allow, and fewer do not", () => {
    const cedar = `${permitAll} ${payTwo}`;
    expect(decide(cedar, { approvals: { count: 1, roles: ["finance"] } }).effect).toBe("require_approval");
    expect(decide(cedar, { approvals: { count: 2, roles: ["finance"] } })).toMatchObject({
      effect: "allow",
      reasons: ["all"],
    });
  });

  it("are not asked for when a hard limit is broken too", () => {
    const cedar = `${permitAll} ${payTwo} ${hardLimit}`;
    const broken = { facts: { amount: 20_000 } };
    expect(decide(cedar, broken)).toMatchObject({
      effect: "deny",
      reasons: ["hard", "pay-2"],
      approval: null,
    });
    expect(decide(cedar, { ...broken, approvals: { count: 2, roles: ["finance"] } })).toMatchObject({
      effect: "deny",
      reasons: ["hard"],
    });
    expect(decide(cedar).effect).toBe("require_approval");
  });

  it("are not asked for when no permit would remain", () => {
    const decision = decide(payTwo);
    expect(decision).toMatchObject({ effect: "deny", approval: null });
    expect(decision.message).toContain("approvals would not change that");
  });

  it("are the union over all determining policies", () => {
    const legal = `@id("legal") @require_approval("legal:1, finance:3") @ttl("PT5M")
      forbid (principal, action, resource) unless { context.approvals.roles.contains("legal") };`;
    expect(decide(`${permitAll} ${payTwo} ${legal}`)).toMatchObject({
      effect: "require_approval",
      reasons: ["legal", "pay-2"],
      approval: {
        requirements: [
          { role: "finance", quorum: 3 },
          { role: "legal", quorum: 1 },
        ],
        ttlMs: 300_000,
        stepUp: "webauthn",
      },
    });
  });

  it("are not asked for when the votes themselves would be forbidden", () => {
    const crowd = `@id("crowd") forbid (principal, action, resource) when { context.approvals.count > 1 };`;
    expect(decide(`${permitAll} ${payTwo} ${crowd}`)).toMatchObject({ effect: "deny", approval: null });
  });

  it("do not lift a quarantine", () => {
    const quarantine =
      '@id("q") @quarantine forbid (principal, action, resource) when { context.risk > 30 };';
    const decision = decide(`${permitAll} ${payTwo} ${quarantine}`);
    expect(decision).toMatchObject({ effect: "quarantine", reasons: ["pay-2", "q"], approval: null });
    expect(decision.message).toContain("ask an administrator to look at it");
  });
});

describe("guards", () => {
  const other = "01900000-0000-7000-8000-0000000000ff";
  it.each([
    ["a principal of another tenant", { principal: { tenantId: other } }, "guard-cross-tenant"],
    ["a tool of another tenant", { tool: { tenantId: other } }, "guard-cross-tenant"],
    ["a chain of six delegations", { delegation: { depth: 6 } }, "guard-delegation-depth"],
    ["a tool that the catalogue does not hold", { tool: { known: false } }, "guard-unknown-tool"],
    ["a tool without connector", { tool: { connector: "" } }, "guard-unknown-tool"],
    ["a tool without operation", { tool: { operation: "" } }, "guard-unknown-tool"],
  ])("stop %s whatever the tenant permits", (_, patch, guard) => {
    expect(decide(permitAll, patch)).toMatchObject({ effect: "deny", reasons: [guard] });
  });

  it("let five delegations pass", () => {
    expect(decide(permitAll, { delegation: { depth: 5 } }).effect).toBe("allow");
  });

  it("cannot be lifted by votes", () => {
    expect(decide(`${permitAll} ${payTwo}`, { tool: { known: false } })).toMatchObject({
      effect: "deny",
      reasons: ["guard-unknown-tool", "pay-2"],
    });
  });
});

describe("slices", () => {
  it("decide as the whole bundle does", () => {
    const cedar = `${manyPolicies(40)} ${payTwo}
      @id("w") permit (principal, action == Oars::Action::"write", resource in Oars::Connector::"http");
      @id("e") forbid (principal, action, resource in Oars::Environment::"test");
      @id("i") permit (principal, action == Oars::Action::"read", resource is Oars::Tool in Oars::Connector::"http");`;
    const bundle = bundleFrom(engine, cedar);
    const whole: Bundle = {
      ...bundle,
      digest: "sha256:whole",
      policies: bundle.policies.map((policy) => ({ ...policy, verbs: null, resource: null })),
    };
    const request = fc.record({
      verb: fc.constantFrom("read" as const, "write" as const, "delete" as const, "pay" as const),
      name: fc.constantFrom("c0/http.request", "c3/http.request", "c9/http.request", "zz/mail.send"),
      connector: fc.constantFrom("http", "mail"),
      environment: fc.constantFrom("production", "test", ""),
      risk: fc.constantFrom(1, 95),
      depth: fc.constantFrom(0, 3),
      amount: fc.constantFrom(1, 600_000),
    });
    fc.assert(
      fc.property(request, ({ depth, amount, ...tool }) => {
        const q = sampleRequest({ tool, delegation: { depth }, facts: { amount } });
        const { policy: _a, ...sliced } = evaluator.decide(bundle, q);
        const { policy: _b, ...all } = evaluator.decide(whole, q);
        expect(sliced).toEqual(all);
      }),
      { numRuns: 150 },
    );
  });

  it("stand for the same request with the same digests, whatever the order of its lists", () => {
    const bundle = bundleFrom(engine, permitAll);
    const one = evaluator.decide(bundle, sampleRequest({ tool: { dataTypes: ["b", "a"] } }));
    const two = evaluator.decide(bundle, sampleRequest({ tool: { dataTypes: ["a", "b", "a"] } }));
    expect(one).toEqual(two);
    expect(one.contextDigest).toMatch(/^sha256:/);
    expect(evaluator.decide(bundle, sampleRequest({ target: "else" })).contextDigest).not.toBe(
      one.contextDigest,
    );
  });
});

describe("slots", () => {
  it("stay within their bounds and still answer rightly under many bundles and tools", () => {
    const own = createEngine();
    const slots = createSlots(own, { maxSlots: 8, maxPolicies: 60 });
    const deciding = createEvaluator(own, slots);
    const bundles = [0, 1, 2, 3].map((n) =>
      bundleFrom(engine, `@id("only-${n}") permit (principal, action, resource); ${manyPolicies(40)}`),
    );
    for (let round = 0; round < 200; round++) {
      const n = round % bundles.length;
      const name = `c${round % 10}/http.request`;
      const decision = deciding.decide(
        bundles[n] as Bundle, // n < bundles.length
        sampleRequest({ tool: { name, verb: "read" } }),
      );
      expect(decision.reasons).toContain(`only-${n}`);
      expect(slots.size).toBeLessThanOrEqual(8);
    }
  });

  it("leave the other bundles in place when one has many tools", () => {
    const own = createEngine();
    const slots = createSlots(own, { maxSlots: 16, maxPolicies: 1_000 });
    let parsed = 0;
    const set = () => {
      parsed += 1;
      return { a: "permit (principal, action, resource);" };
    };
    slots.ensure("quiet", "slice", set);
    for (let tool = 0; tool < 100; tool++) slots.ensure("busy", `slice-${tool}`, set);
    const before = parsed;
    slots.ensure("quiet", "slice", set);
    expect(parsed).toBe(before);
    expect(slots.size).toBe(5);
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
