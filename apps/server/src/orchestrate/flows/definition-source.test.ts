import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readText, readValue } from "./definition-source.ts";
import { sampleKinds } from "./sample-kinds.ts";
import { validateDefinition } from "./validate.ts";

const codesOf = (source: string) => validateDefinition(source, sampleKinds).problems.map(({ code }) => code);

/** Ten levels of ten aliases each: ten thousand million values when written out. */
const bomb = (): string => {
  const levels = Array.from(
    { length: 9 },
    (_, i) => `x${i + 1}: &x${i + 1} [${Array(10).fill(`*x${i}`).join(", ")}]`,
  );
  return `x0: &x0 [a, a, a, a, a, a, a, a, a, a]\n${levels.join("\n")}\n`;
};

describe("hostile text", () => {
  it.each([
    ["an alias bomb", bomb(), "SOURCE_ALIAS"],
    ["an anchor inside of itself", "output: &a [*a, *a]\n", "FLOW_TOO_DEEP"],
    ["10 MB of text", "a".repeat(10_000_000), "FLOW_TOO_LARGE"],
    ["10 MB of characters of three bytes", "€".repeat(100_000), "FLOW_TOO_LARGE"],
    ["100,000 open lists", "[".repeat(100_000), "FLOW_TOO_DEEP"],
    ["lists in lists, all closed", `${"[".repeat(2_000)}${"]".repeat(2_000)}`, "FLOW_TOO_DEEP"],
    [
      "mappings in mappings",
      Array.from({ length: 500 }, (_, i) => `${" ".repeat(i)}a:`).join("\n"),
      "FLOW_TOO_DEEP",
    ],
    ["60,000 dashes", "- ".repeat(60_000), "FLOW_TOO_DEEP"],
    ["60,000 question marks", "? ".repeat(60_000), "FLOW_TOO_DEEP"],
    ["100,000 quotes", '"'.repeat(100_000), "SOURCE_SYNTAX"],
    ["60,000 values", `output: [${"1,".repeat(60_000)}]`, "FLOW_TOO_LARGE"],
    ["__proto__ keys", '{"__proto__": {"flow": "x"}}', "SOURCE_KEY"],
    ["__proto__ keys deep inside", "output: { a: [ { __proto__: { b: 1 } } ] }\n", "SOURCE_KEY"],
    ["keys written twice", "a: 1\na: 2\n", "SOURCE_DUPLICATE_KEY"],
    ["tabs", "a:\n\tb: 1\n", "SOURCE_TAB"],
    ["YAML 1.1 merge keys", "flow: a\n<<: { version: 1.0.0 }\n", "FIELD_UNKNOWN"],
    ["an empty text", "", "FIELD_TYPE"],
  ])("refuses %s within seconds", (_what, source, code) => {
    const started = performance.now();
    expect(codesOf(source)).toContain(code);
    expect(performance.now() - started).toBeLessThan(6_000);
    expect(({} as { flow?: string }).flow).toBeUndefined();
  });

  it("reads 20,000 different keys in linear time", () => {
    const source = Array.from({ length: 20_000 }, (_, i) => `k${i}: 1`).join("\n");
    const started = performance.now();
    expect(codesOf(source)).toContain("FIELD_UNKNOWN");
    expect(performance.now() - started).toBeLessThan(6_000);
  });

  it("never throws, whatever the text", () => {
    const piece = fc.constantFrom(
      "flow: a\n",
      "steps:\n",
      "  a: ",
      "{",
      "}",
      "[",
      "]",
      "{{ ",
      " }}",
      "&a ",
      "*a ",
      "!!x ",
      "- ",
      "? ",
      ": ",
      "'",
      '"',
      "|\n",
      "\t",
      "\n",
      "$now(",
      "params.x",
      "__proto__: ",
      "#",
      "%YAML 1.1\n",
      "---\n",
    );
    fc.assert(
      fc.property(fc.array(fc.oneof(piece, fc.string()), { maxLength: 30 }), (pieces) => {
        expect(typeof validateDefinition(pieces.join(""), sampleKinds).valid).toBe("boolean");
      }),
      { numRuns: 500 },
    );
  });

  it("never throws on any JSON value", () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (steps, params) => {
        const source = { flow: "a", version: "1.0.0", steps, params } as object;
        expect(typeof validateDefinition(source, sampleKinds).valid).toBe("boolean");
      }),
    );
  });
});

describe("YAML and JSON", () => {
  it("reads JSON text as JSON.parse does", () => {
    const value = fc
      .jsonValue({ maxDepth: 5, noUnicodeString: false })
      .filter((v) => readValue({ v }).problems.length === 0);
    fc.assert(
      fc.property(value, fc.constantFrom(undefined, 2, "\t"), (json, indent) => {
        const { data, problems } = readText(JSON.stringify(json, null, indent));
        expect(problems).toEqual([]);
        expect(JSON.stringify(data)).toBe(JSON.stringify(json));
      }),
      { numRuns: 500 },
    );
  });

  it("[V1] gives the same hash for the same content, whatever its form and the order of its keys", () => {
    const yaml = `
# comments do not count
version: 1.0.0
flow: orders
x: &body { value: [1, 2.50, "three"] }
steps:
  b: { with: *body, needs: [a], use: map }
  a:
    use: map
    with:
      value: |
        text
`
      .replace(/x: &body (.*)\n/, "")
      .replace("*body", '{ value: [1, 2.50, "three"] }');
    const json = {
      steps: {
        a: { use: "map", with: { value: "text\n" } },
        b: { use: "map", needs: ["a"], with: { value: [1, 2.5, "three"] } },
      },
      flow: "orders",
      version: "1.0.0",
    };
    const hashes = [yaml, json, JSON.stringify(json), JSON.stringify(json, null, "\t")].map((source) => {
      const result = validateDefinition(source, sampleKinds);
      return result.valid ? result.hash : result.problems;
    });
    expect(new Set(hashes).size).toBe(1);
    expect(hashes[0]).toMatch(/^sha256:[0-9a-f]{64}$/);
  });

  it("[V1] hashes what was written, without defaults", () => {
    const hashOf = (extra: object) => {
      const result = validateDefinition(
        { flow: "a", version: "1.0.0", steps: { a: { use: "map", with: { value: 1 } } }, ...extra },
        sampleKinds,
      );
      return result.valid ? result.hash : result.problems;
    };
    expect(hashOf({ limits: { parallel: 4 } })).not.toBe(hashOf({}));
    expect(hashOf({ description: undefined })).toBe(hashOf({}));
  });

  it("writes aliases out", () => {
    const source = `flow: a\nversion: 1.0.0\nsteps:\n  a: { use: map, with: &w { value: 1 } }\n  b: { use: map, with: *w }\n`;
    const result = validateDefinition(source, sampleKinds);
    expect(result.valid && result.definition.steps.b?.with).toEqual({ value: 1 });
  });
});
