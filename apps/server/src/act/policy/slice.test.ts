import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Bundle } from "./domain.ts";
import { bundleFrom, manyPolicies, sampleDecider, sampleRequest } from "./samples.ts";
import { guardReads, guards } from "./schema.ts";
import { createSlicer } from "./slice.ts";
import { attributesRead } from "./tree.ts";

const { engine, evaluator } = sampleDecider();
const permitAll = '@id("all") permit (principal, action, resource);';
const payTwo = `@id("pay-2") @require_approval("finance:2") @ttl("PT15M") @step_up("webauthn")
  forbid (principal, action == Oars::Action::"pay", resource) unless { context.approvals.count >= 2 };`;

describe("slices", () => {
  it("decide as the whole bundle does", () => {
    const cedar = `${manyPolicies(40)} ${payTwo}
      @id("w") permit (principal, action == Oars::Action::"write", resource in Oars::Connector::"http");
      @id("e") forbid (principal, action, resource in Oars::Environment::"test");
      @id("o") permit (principal, action, resource) when { principal has owner && context.args has urgent };
      @id("i") permit (principal, action == Oars::Action::"read", resource is Oars::Tool in Oars::Connector::"http");`;
    const bundle = bundleFrom(engine, cedar);
    const whole: Bundle = {
      ...bundle,
      digest: "sha256:whole",
      policies: bundle.policies.map((policy) => ({ ...policy, verbs: null, resource: null, reads: null })),
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

describe("slices of a large bundle", () => {
  it("are shared by tools that differ in a few policies", () => {
    const wide = Array.from({ length: 300 }, (_, n) => `@id("w${n}") permit (principal, action, resource);`);
    const slicer = createSlicer(bundleFrom(engine, `${wide.join("\n")} ${manyPolicies(40)}`));
    const keyOf = (id: string) => slicer.slice("read", { type: "Oars::Tool", id }, []).key;
    expect(keyOf("c0/http.request")).toBe(keyOf("c1/http.request"));
    const narrow = createSlicer(bundleFrom(engine, manyPolicies(1_000)));
    const idsOf = (id: string) => narrow.slice("pay", { type: "Oars::Tool", id }, []).ids;
    expect(idsOf("c1/http.request")).toEqual(["p4", "p5", "p6", "p7"]);
  });
});

describe("the attributes that a policy reads", () => {
  const readsOf = (condition: string) => {
    const text = `permit (principal, action, resource) when { ${condition} };`;
    const answer = engine.use((cedar) => cedar.policyToJson(text));
    if (answer.type === "failure") throw new Error(answer.errors[0]?.message);
    return attributesRead(answer.json.conditions);
  };

  it("are found wherever they stand", () => {
    expect(
      readsOf('principal has a.b && resource["c d"] == 1 && (if context has e then context.f.g else false)'),
    ).toEqual(["a", "b", "c d", "e", "f", "g"]);
  });

  it("are all of them when the context is taken as a whole", () => {
    expect(readsOf("context == {a: 1}")).toBeNull();
    expect(readsOf("[context].contains(context.a)")).toBeNull();
  });

  it("are known of the guards", () => {
    const read = Object.values(guards).flatMap((text) => {
      const answer = engine.use((cedar) => cedar.policyToJson(text));
      return answer.type === "success" ? (attributesRead(answer.json.conditions) ?? []) : [];
    });
    expect(new Set(read)).toEqual(new Set(guardReads));
  });
});
