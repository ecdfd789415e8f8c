/** [D1] The direct evaluator beside the interpreter, on made-up expressions over made-up data. */
import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import jsonata from "jsonata";
import { describe, expect, it } from "vitest";
import type { AstNode } from "./jsonata-ast.ts";
import { bailed, compileDirect } from "./jsonata-direct.ts";
import { toJson } from "./jsonata-result.ts";

const limits = { items: 100_000, chars: 100_000 };

/**
 * What the interpreter gives, or that it fails. Undefined where it has changed its own input: it adds an item to an
 * empty list that is grouped, and whatever reads that list afterwards finds it.
 */
async function interpreted(source: string, input: unknown): Promise<string | undefined> {
  const data = structuredClone(input);
  const before = structuredClone(input);
  try {
    const result = JSON.stringify(toJson(await jsonata(source).evaluate(data), limits)) ?? "nothing";
    return isDeepStrictEqual(data, before) ? result : undefined;
  } catch {
    return "a failure";
  }
}

/** What the direct evaluator gives; undefined where it leaves the expression to the interpreter. */
function direct(source: string, input: unknown): string | undefined {
  const evaluate = compileDirect(jsonata(source).ast() as unknown as AstNode, []);
  const value = evaluate ? evaluate(input, {}) : bailed;
  return value === bailed ? undefined : (JSON.stringify(toJson(value, limits)) ?? "nothing");
}

const names = ["a", "b", "c", "id"];
const leaf = fc.oneof(
  fc.constantFrom(...names),
  fc.constantFrom("1", "0", "2.5", "-1", '"x"', '""', "true", "null", "$", "$$"),
);
const calls1 =
  "sum count max min average round floor ceil abs number string length uppercase lowercase trim boolean not exists merge";
const calls2 = "append join round contains substring substringBefore substringAfter";
const operators = "+ - * / % = != < <= > >= & and or in";

const { expression } = fc.letrec<{ expression: string }>((tie) => {
  const inner = tie("expression");
  const named = fc.constantFrom(...names);
  const of = (...parts: fc.Arbitrary<string>[]) => fc.tuple(...parts);
  return {
    expression: fc.oneof(
      { maxDepth: 4, depthIdentifier: "jsonata" },
      { weight: 3, arbitrary: leaf },
      { weight: 4, arbitrary: of(named, inner).map(([a, b]) => `${a}.(${b})`) },
      { weight: 4, arbitrary: of(named, named, named).map(([a, b, c]) => `${a}.${b}.${c}`) },
      { weight: 2, arbitrary: of(named, inner, named).map(([a, b, c]) => `${a}[${b}].${c}`) },
      { weight: 1, arbitrary: of(inner, inner).map(([a, b]) => `(${a})[${b}]`) },
      {
        weight: 3,
        arbitrary: of(inner, fc.constantFrom(...operators.split(" ")), inner).map(
          ([a, o, b]) => `(${a}) ${o} (${b})`,
        ),
      },
      { weight: 1, arbitrary: of(inner).map(([a]) => `-(${a})`) },
      { weight: 2, arbitrary: of(inner, inner, inner).map(([a, b, c]) => `(${a}) ? (${b}) : (${c})`) },
      { weight: 2, arbitrary: of(inner, inner).map(([a, b]) => `[${a}, ${b}]`) },
      { weight: 2, arbitrary: of(inner, inner).map(([a, b]) => `{"k": ${a}, "l": ${b}}`) },
      { weight: 2, arbitrary: of(named, named, inner).map(([a, b, c]) => `${a}{$string(${b}): ${c}}`) },
      { weight: 2, arbitrary: of(named, inner).map(([a, b]) => `${a}.{"k": ${b}}`) },
      {
        weight: 3,
        arbitrary: of(fc.constantFrom(...calls1.split(" ")), inner).map(([f, a]) => `$${f}(${a})`),
      },
      {
        weight: 2,
        arbitrary: of(fc.constantFrom(...calls2.split(" ")), inner, inner).map(
          ([f, a, b]) => `$${f}(${a}, ${b})`,
        ),
      },
      { weight: 1, arbitrary: of(named).map(([a]) => `${a}.$uppercase()`) },
      { weight: 1, arbitrary: of(inner, inner).map(([a, b]) => `(${a}) ?? (${b})`) },
    ),
  };
});

const scalar = fc.oneof(
  fc.integer({ min: -3, max: 5 }),
  fc.constantFrom(0.5, 1.005, 2.5, 1e21, "x", "", " y  z ", "12", true, false, null),
);
const { value } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, depthIdentifier: "data" },
    { weight: 3, arbitrary: scalar },
    { weight: 3, arbitrary: fc.array(tie("value"), { maxLength: 3 }) },
    { weight: 5, arbitrary: fc.dictionary(fc.constantFrom(...names), tie("value"), { maxKeys: 4 }) },
  ),
}));

describe("the direct evaluator", () => {
  it("[D1] gives what the interpreter gives, wherever it gives anything", async () => {
    let compared = 0;
    await fc.assert(
      fc.asyncProperty(expression, value, async (source, input) => {
        const mine = direct(source, input);
        const theirs = mine === undefined ? undefined : await interpreted(source, input);
        if (mine === undefined || theirs === undefined) return;
        compared++;
        expect(mine, source).toBe(theirs);
      }),
      { numRuns: Number(process.env.RUNS ?? 3_000) },
    );
    expect(compared).toBeGreaterThan(500);
  });

  it.each([
    [
      'payload.lines.{ "sku": $uppercase(sku), "cents": quantity * price }',
      { payload: { lines: [{ sku: "a", quantity: 2, price: 3 }] } },
    ],
    [
      '$merge([payload, { "total": $sum(payload.lines.cents) }])',
      { payload: { lines: [{ cents: 1 }, { cents: 2 }] } },
    ],
    ['total > 100 ? "large" : "small"', { total: 101 }],
    [
      'rows[status = "open" and n >= 2][0].id',
      {
        rows: [
          { status: "open", n: 1, id: 1 },
          { status: "open", n: 2, id: 2 },
        ],
      },
    ],
    ['$join(rows.sku, ",") & "!"', { rows: [{ sku: "a" }, { sku: "b" }] }],
    [
      "rows{sku: $sum(n)}",
      {
        rows: [
          { sku: "a", n: 1 },
          { sku: "b", n: 5 },
          { sku: "a", n: 2 },
        ],
      },
    ],
  ])("takes %s itself", async (source, input) => {
    const mine = direct(source, input);
    expect(mine).toBeDefined();
    expect(mine).toBe(await interpreted(source, input));
  });

  it.each([
    ["a ~> $sum", "application"],
    ["a^(b)", "sorting"],
    ["a[]", "arrays that stay"],
    ["a@$x.b", "bindings"],
    ["($x := 1; $x)", "variables"],
    ["$map(a, function($i) { $i })", "functions as values"],
    ["a.%", "parents"],
    ["**.a", "descendants"],
    ["[1..9]", "ranges"],
    ["$match(a, /x/)", "regular expressions"],
  ])("[D2] leaves %s to the interpreter: %s", (source) => {
    expect(compileDirect(jsonata(source).ast() as unknown as AstNode, [])).toBeUndefined();
  });

  it.each([
    ["a + b", { a: 1, b: "x" }],
    ["a / 0", { a: 1 }],
    ["$sum(a)", { a: ["x"] }],
    ["a < b", { a: 1, b: "x" }],
    ["{ a: 1, b: 2 }", { a: "same", b: "same" }],
    ["a.b", { a: { _jsonata_lambda: true, b: 1 } }],
    ["a", [{ a: 1 }]],
    ["$$.a.($$.a.($$.a.($$.a.($$.a))))", { a: Array.from({ length: 20 }, (_, i) => i) }],
  ])("[D2] leaves %s over %j to the interpreter", (source, input) => {
    expect(direct(source, input)).toBeUndefined();
  });

  it("never changes its input", () => {
    const input = { rows: [], a: [{ b: [1] }] };
    const before = structuredClone(input);
    for (const source of ["rows{b: 1}", "[a, a]", "$append(a.b, 2)", "a.b[0]", "$merge(a)"])
      direct(source, input);
    expect(input).toEqual(before);
  });
});
