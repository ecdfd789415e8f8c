import { describe, expect, it } from "vitest";
import { backtrackDegree, createPattern, PatternTimeout } from "./bounded-regexp.ts";

describe("createPattern", () => {
  it.each([
    ["^[0-9]{5}-[A-Z]{3}$", "00731-ESP", true],
    ["^[0-9]{5}-[A-Z]{3}$", "731-ESP", false],
    ["^(ab)+$", "ababab", true],
    ["^(?=.*[0-9]).{3,}$", "ab", false],
    ["^\\p{Lu}\\p{Ll}*$", "Éa", true],
  ])("%s on %s is %s, as with RegExp", (source, text, expected) => {
    expect(createPattern(source, "u").test(text)).toBe(expected);
    expect(new RegExp(source, "u").test(text)).toBe(expected);
  });

  it.each([
    ["a repeated group", "^(a+)+$"],
    ["alternatives that overlap", "^(a|a)*$"],
    ["a back reference", "^(a*)*\\1$"],
    ["a named back reference", "^(?<x>a*)*\\k<x>$"],
    ["many open ends", "^a*a*a*a*a*a*a*a*a*a*a*a*$"],
  ])("stops %s", (_, source) => {
    expect(() => createPattern(source, "u", 50).test(`${"a".repeat(2_000)}!`)).toThrow(PatternTimeout);
  });

  it("is of use again after it was stopped", () => {
    const pattern = createPattern("^(a+)+$", "u", 50);
    expect(() => pattern.test(`${"a".repeat(60)}!`)).toThrow(PatternTimeout);
    expect(pattern.test("aaa")).toBe(true);
    expect(pattern.test("b")).toBe(false);
  });

  it.each([
    ["^[0-9]{5}$", 0],
    ["[0-9]{5}", 1],
    ["^a+b*$", 2],
    ["^a|b+$", 2],
    ["^[a+*]\\+$", 0],
    ["^(ab)+$", Number.POSITIVE_INFINITY],
    ["(?<=a)b", Number.POSITIVE_INFINITY],
  ])("knows the growth of %s", (source, degree) => {
    expect(backtrackDegree(source)).toBe(degree);
  });
});
