import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { cutPolicies, limits, placesIn, unitsOf } from "./text.ts";

const permit = "permit (principal, action, resource);";

describe("cutting a text into policies", () => {
  it("cuts at semicolons outside strings and comments only", () => {
    const first =
      '@id("a;b") permit (principal, action, resource) when { context.target == "x;\\"y" } // ;\n;';
    const cut = cutPolicies(`// a; comment\n${first}\n\n${permit} // tail;`);
    expect(cut.problems).toEqual([]);
    expect(cut.policies.map((policy) => policy.text)).toEqual([first, permit]);
  });

  it("keeps a text without its last semicolon, so that the parser can say what is missing", () => {
    expect(cutPolicies("permit (principal, action").policies).toHaveLength(1);
  });

  it("reports brackets nested too deeply at their line and still cuts the rest", () => {
    const deep = `permit (principal, action, resource) when {\n ${"(".repeat(40)}true${")".repeat(40)} };`;
    const cut = cutPolicies(`${permit}\n${deep}\n${permit}`);
    expect(cut.policies).toHaveLength(2);
    expect(cut.problems).toMatchObject([{ code: "POLICY_DEPTH", line: 3, path: "cedar" }]);
  });

  it("refuses 10,000 policies without parsing them", () => {
    const started = performance.now();
    const cut = cutPolicies(`${permit}\n`.repeat(10_000));
    expect(cut.problems).toMatchObject([{ code: "POLICY_LIMIT" }]);
    expect(cut.policies).toEqual([]);
    expect(performance.now() - started).toBeLessThan(1_000);
  });

  it("refuses a text or a policy that is too long, NUL and half surrogates", () => {
    const codes = (text: string) => cutPolicies(text).problems.map((problem) => problem.code);
    expect(codes(" ".repeat(limits.bundleBytes + 1))).toEqual(["POLICY_TEXT_LIMIT"]);
    expect(codes(`permit (${"principal".repeat(2_000)});`)).toEqual(["POLICY_LENGTH"]);
    expect(codes(`${permit}\0`)).toEqual(["POLICY_TEXT_CHARACTERS"]);
    expect(codes(`${permit}\ud800`)).toEqual(["POLICY_TEXT_CHARACTERS"]);
  });

  it("takes linear time on texts made to make a scanner go back", () => {
    const started = performance.now();
    for (const text of ['"\\', '\\"', "((((", "/", '"a";', "//"]) {
      const many = text.repeat(Math.floor(limits.bundleBytes / text.length));
      cutPolicies(many);
      cutPolicies(`${many}\\`);
    }
    expect(performance.now() - started).toBeLessThan(10_000);
  });

  it("loses no character of a policy and invents none", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme", maxLength: 300 }), (text) => {
        for (const policy of cutPolicies(text).policies)
          expect(text.slice(policy.start, policy.start + policy.text.length)).toBe(policy.text);
      }),
    );
  });
});

describe("places", () => {
  it("counts lines and columns from 1, columns in UTF-16 units", () => {
    const place = placesIn("ab\ncd\n\ne");
    expect([0, 1, 3, 4, 6, 7].map(place)).toEqual([
      { line: 1, column: 1 },
      { line: 1, column: 2 },
      { line: 2, column: 1 },
      { line: 2, column: 2 },
      { line: 3, column: 1 },
      { line: 4, column: 1 },
    ]);
  });

  it("turns the engine's bytes into units", () => {
    expect(unitsOf("é😀x", 6)).toBe(3);
  });
});
