import { describe, expect, it } from "vitest";
import type { Bundle } from "./domain.ts";
import { createEngine } from "./engine.ts";
import { createEvaluator } from "./evaluate.ts";
import { bundleFrom, manyPolicies, sampleRequest } from "./samples.ts";
import { createSlots } from "./slots.ts";

const engine = createEngine();

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
