import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { canonicalJson } from "./canonical.ts";
import { FormatError } from "./format-error.ts";

interface Published {
  readonly cases: readonly { readonly name: string; readonly input: string; readonly output: string }[];
  readonly numbers: readonly (readonly [bits: string, text: string])[];
}
const published = JSON.parse(
  readFileSync(new URL("./vectors/rfc8785.json", import.meta.url), "utf8"),
) as Published; // our own file

describe("canonical JSON (RFC 8785)", () => {
  it.each(published.cases)("gives the published text of $name", ({ input, output }) => {
    expect(canonicalJson(JSON.parse(input))).toBe(output);
  });

  it.each(published.numbers)("prints the IEEE 754 number %s as %s", (bits, text) => {
    const view = new DataView(new ArrayBuffer(8));
    view.setBigUint64(0, BigInt(`0x${bits}`));
    expect(canonicalJson(view.getFloat64(0))).toBe(text);
  });

  it("refuses what I-JSON cannot hold", () => {
    for (const value of [
      Number.NaN,
      Number.POSITIVE_INFINITY,
      "\ud800",
      { "\udc00": 1 },
      1n,
      () => 1,
      [undefined],
    ])
      expect(() => canonicalJson(value)).toThrow(FormatError);
  });

  it("refuses nesting that would exhaust the stack", () => {
    const deep = JSON.parse(`${"[".repeat(50_000)}${"]".repeat(50_000)}`);
    expect(() => canonicalJson(deep)).toThrow(FormatError);
  });

  it("does not depend on the order of members and is stable when read back", () => {
    fc.assert(
      fc.property(fc.jsonValue({ noUnicodeString: false }), (value) => {
        const text = canonicalJson(value);
        expect(canonicalJson(JSON.parse(text))).toBe(text);
        expect(canonicalJson(reversed(value))).toBe(text);
      }),
    );
  });
});

function reversed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reversed);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([name, member]) => [name, reversed(member)]),
  );
}
