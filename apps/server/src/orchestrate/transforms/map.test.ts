import fc from "fast-check";
import jsonata from "jsonata";
import { describe, expect, it } from "vitest";
import { createExpressions } from "./expression.ts";
import { createMap } from "./map.ts";

const map = createMap();
const run = async (input: unknown, mapping: unknown) => map.run({ input, mapping });
const output = async (input: unknown, mapping: unknown) => {
  const result = await run(input, mapping);
  if (!result.ok) throw new Error(`${result.error.code}: ${result.error.message}`);
  return result.output;
};
const refusal = async (input: unknown, mapping: unknown) => {
  const result = await run(input, mapping);
  if (result.ok) throw new Error(`accepted: ${JSON.stringify(result.output).slice(0, 200)}`);
  return result.error;
};

const order = {
  Header: { Id: "D-1", Note: "" },
  Items: {
    Item: [
      { Sku: "007", Qty: "2", Price: "150" },
      { Sku: "008", Qty: "1", Price: "5" },
    ],
  },
  One: { Item: { Sku: "009" } },
};

describe("map", () => {
  it("computes fields, constants, nested objects and typed fields", async () => {
    const mapping = {
      id: "Header.Id",
      kind: "'order'",
      version: 2,
      open: true,
      parent: null,
      first: { sku: "Items.Item[0].Sku", qty: { from: "Items.Item[0].Qty", type: "integer" } },
      total: { from: "$sum(Items.Item.($number(Qty) * $number(Price)))", type: "integer" },
    };
    expect(await output(order, mapping)).toEqual({
      id: "D-1",
      kind: "order",
      version: 2,
      open: true,
      parent: null,
      first: { sku: "007", qty: 2 },
      total: 305,
    });
  });

  it("takes one expression for the whole", async () => {
    expect(await output(order, 'Items.Item.{"sku": Sku}')).toEqual([{ sku: "007" }, { sku: "008" }]);
    expect(await output([1, 2, 3], "$sum($)")).toBe(6);
  });

  it("leaves out optional fields, fills defaults, and does so for null and blank numbers too", async () => {
    const mapping = {
      a: { from: "nope", optional: true },
      b: { from: "nope", default: { x: [1] } },
      c: { from: "Header.Note", type: "number", optional: true },
      d: { from: "Header.Note", type: "integer", default: 0 },
      e: { from: "null", type: "string", default: "none" },
      f: "Header.Note",
    };
    expect(await output(order, mapping)).toEqual({ b: { x: [1] }, d: 0, e: "none", f: "" });
  });

  it.each([
    ["many", "Items.Item.Sku", ["007", "008"]],
    ["one", "One.Item.Sku", ["009"]],
    ["one of many", "Items.Item[Sku='008'].Sku", ["008"]],
    ["none", "Items.Item[Sku='nope'].Sku", []],
    ["a missing path", "No.Where", []],
  ])("gives an array for %s where an array is wanted", async (_, from, expected) => {
    expect(await output(order, { skus: { from, type: "array" } })).toEqual({ skus: expected });
  });

  it("leaves an empty array out, or takes its default, where the field says so", async () => {
    const spec = { from: "No.Where", type: "array" };
    expect(await output(order, { a: { ...spec, optional: true }, b: { ...spec, default: ["x"] } })).toEqual({
      b: ["x"],
    });
  });

  it("reports every faulty field at once, each with its path", async () => {
    const error = await refusal(order, {
      good: "Header.Id",
      missing: "Header.Nope",
      deep: { qty: { from: "Header.Id", type: "integer" }, raised: "$number(Header.Id)" },
    });
    expect(error).toMatchObject({ code: "MAP_FIELD_MISSING", path: "missing" });
    expect(error.message).toContain("and 2 more");
    expect(error.details).toMatchObject([
      { path: "missing", code: "MAP_FIELD_MISSING" },
      { path: "deep.qty", code: "MAP_TYPE", message: 'deep.qty: "D-1" is not an integer (wanted: integer).' },
      { path: "deep.raised", code: "MAP_EXPRESSION" },
    ]);
  });

  it.each([
    ["a syntax error", { a: "Header.[" }, "MAP_EXPRESSION", "mapping.a"],
    ["an empty expression", { a: " " }, "MAP_EXPRESSION", "mapping.a"],
    ["a function that does not exist", { a: { b: "$nope(1)" } }, "MAP_EXPRESSION", "mapping.a.b"],
    ["$eval", { a: "$eval(Header.Id)" }, "MAP_EXPRESSION", "mapping.a"],
    ["the clock", { a: "$now()" }, "MAP_EXPRESSION", "mapping.a"],
    ["chance", { a: "$random()" }, "MAP_EXPRESSION", "mapping.a"],
    ["an array", { a: ["x"] }, "MAP_MAPPING", "mapping.a"],
    ["a type that does not exist", { a: { from: "x", type: "int" } }, "MAP_MAPPING", "mapping.a"],
    ["a misspelt option", { a: { from: "x", typ: "integer" } }, "MAP_MAPPING", "mapping.a.typ"],
    ["a from that is no expression", { a: { from: 7 } }, "MAP_MAPPING", "mapping.a"],
    ["nothing", undefined, "MAP_MAPPING", "mapping"],
    ["a prototype as key", JSON.parse('{"a":{"__proto__":"x"}}'), "MAP_KEY_FORBIDDEN", "mapping.a.__proto__"],
    ["a constructor as key", { constructor: "x" }, "MAP_KEY_FORBIDDEN", "mapping.constructor"],
  ])("refuses a mapping with %s before anything runs", async (_, mapping, code, path) => {
    expect(await refusal(order, mapping)).toMatchObject({ code, path });
    expect(map.config.safeParse({ input: "{{ steps.x.output }}", mapping }).success).toBe(false);
  });

  it("refuses config fields it does not know", async () => {
    expect(await map.run({ input: 1, mapping: "$", strict: true })).toMatchObject({
      ok: false,
      error: { code: "CONFIG_INVALID" },
    });
  });
});

describe("map against hostile expressions and input", () => {
  it.each([
    ["endless recursion", "($f := function($x) { $f($x) }; $f(1))"],
    ["deep recursion", "($f := function($x) { 1 + $f($x) }; $f(1))"],
    ["a pattern that backtracks for years", "$match(text, /^(a+)+$/)"],
    ["a range of a thousand million", "[1..1000000000]"],
    ["text that doubles without end", "($f := function($s) { $f($s & $s) }; $f('x'))"],
  ])("ends %s with a code", async (_, from) => {
    const error = await refusal({ text: `${"a".repeat(60)}!` }, { a: from, b: "text" });
    expect(["MAP_TIMEOUT", "MAP_LIMIT"]).toContain(error.code);
    expect(error.path).toBe("a");
  });

  it("reads own properties only, and never sets a prototype", async () => {
    expect(await refusal({}, { a: "constructor.name" })).toMatchObject({ code: "MAP_FIELD_MISSING" });
    expect(await refusal({}, { a: "toString" })).toMatchObject({ code: "MAP_FIELD_MISSING" });
    expect(await refusal({}, { a: '$lookup($, "__proto__")' })).toMatchObject({ code: "MAP_FIELD_MISSING" });
    await run({ k: "__proto__", v: { polluted: 1 } }, "{k: v}");
    await run({ v: { polluted: 1 } }, '$merge([{"__proto__": v}, {"constructor": {"prototype": v}}])');
    expect("polluted" in {}).toBe(false);
  });

  it("refuses output that cannot be kept: __proto__ keys, NUL, depth, functions", async () => {
    expect(await refusal(JSON.parse('{"a":{"__proto__":{"x":1}}}'), "a")).toMatchObject({
      code: "MAP_KEY_FORBIDDEN",
    });
    expect(await refusal({ a: "x\0y" }, { b: "a" })).toMatchObject({ code: "MAP_CHARACTER", path: "/b" });
    expect(await refusal({ a: "\ud800" }, { b: "a" })).toMatchObject({ code: "MAP_CHARACTER", path: "/b" });
    expect(await refusal({}, { a: "$sum" })).toMatchObject({ code: "MAP_FIELD_MISSING" });
    let deep: unknown = 1;
    for (let i = 0; i < 100_000; i++) deep = [deep];
    expect(await refusal({ deep }, { a: "deep" })).toMatchObject({
      code: expect.stringMatching(/^MAP_(TOO_DEEP|LIMIT)$/),
    });
  });

  it("maps 5 MB", async () => {
    const rows = Array.from({ length: 100_000 }, (_, i) => ({ sku: `SKU-${i}`, note: "x".repeat(30) }));
    expect(await output({ rows }, { n: "$count(rows)", last: "rows[-1].sku" })).toEqual({
      n: 100_000,
      last: "SKU-99999",
    });
  });
});

const deepFreeze = (value: unknown): void => {
  if (typeof value !== "object" || value === null) return;
  Object.freeze(value);
  Object.values(value).forEach(deepFreeze);
};
const key = fc.constantFrom("a", "b", "c");
const json = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: "small" },
    fc.constantFrom(null, 1, "x", true),
    fc.array(tie("value"), { maxLength: 3 }),
    fc.dictionary(key, tie("value"), { maxKeys: 3 }),
  ),
})).value;
const expression = fc.constantFrom(
  "a",
  "a.b",
  "a.b.c",
  "a[]",
  "a.b[]",
  "$.a",
  "a[0]",
  "a.*",
  "**.b",
  "$append(a, b)",
  "$merge([$, {'z': 1}])",
  "$ ~> |$|{'a': 9}|",
  "$sort([3,1])",
  "{'x': a, 'y': [a, b]}",
  "a{$string(b): c}",
);

describe("map properties", () => {
  it("never changes its input, nor shares parts with it", async () => {
    await fc.assert(
      fc.asyncProperty(json, expression, async (input, from) => {
        const before = JSON.stringify(input);
        deepFreeze(input);
        const result = await run(input, { out: { from, optional: true } });
        expect(JSON.stringify(input)).toBe(before);
        if (!result.ok) return;
        expect(result.output).toEqual(JSON.parse(JSON.stringify(result.output)));
        const out = (result.output as { out?: unknown }).out;
        if (typeof out === "object" && out !== null)
          expect(Object.isFrozen(out) && Object.keys(out).length > 0).toBe(false);
      }),
      { numRuns: 500 },
    );
  });

  it("looks plain paths up with the result that JSONata gives", async () => {
    const expressions = createExpressions();
    await fc.assert(
      fc.asyncProperty(
        json,
        fc.constantFrom("a", "a.b", "b.c", "a.b.c", "c.`a`.b", "a[0]", "a[1].b", "a.b[0].c", "c[0][1]"),
        async (input, source) => {
          const compiled = expressions.compile(source);
          if (!compiled.ok) throw new Error(compiled.message);
          const found = await compiled.expression.evaluate(input);
          const wanted: unknown = await jsonata(source).evaluate(structuredClone(input));
          const plain = (value: unknown): unknown =>
            value === undefined ? undefined : JSON.parse(JSON.stringify(value));
          expect(plain(found.ok ? found.value : found)).toEqual(plain(wanted));
        },
      ),
      { numRuns: 500 },
    );
  });
});
