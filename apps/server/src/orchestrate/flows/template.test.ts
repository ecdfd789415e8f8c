import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ExpressionError } from "./expression.ts";
import { compileJsonata } from "./jsonata.ts";
import { splitPlaceholders } from "./placeholders.ts";
import { lookUp, parsePlainPath, unsure } from "./plain-path.ts";
import { quoteStepNames } from "./step-quoting.ts";
import { compileTemplate, isTrue, type Scope } from "./template.ts";

const scope: Scope = {
  params: {
    text: "hi",
    n: 3,
    yes: true,
    list: [1, [2]],
    object: { a: null, "b c": 1 },
    rows: [{ id: 1 }, { id: 2 }],
  },
  steps: {
    parse: { output: { items: [{ price: 2 }, { price: 3 }] }, status: "completed" },
    "fetch-order": { output: [7], status: "completed" },
  },
  run: { id: "run_1", flow: "orders", version: "1.0.0", startedAt: "2026-01-05T09:30:00.000Z" },
  trigger: {},
};

function render(value: unknown): unknown {
  const { template, problems } = compileTemplate(value, ["output"]);
  expect(problems).toEqual([]);
  return template.render(scope);
}

describe("templates", () => {
  it.each([
    ["{{ params.n }}", 3],
    ["{{params.yes}}", true],
    ["{{ params.list }}", [1, [2]]],
    ["{{ params.list[0] }}", 1],
    ["{{ params.object.`b c` }}", 1],
    ["{{ params.object.a }}", null],
    ["{{ params.missing.deeper }}", undefined],
    ["{{ steps.fetch-order.output }}", [7]],
    [
      "n={{ params.n }}, {{ params.object }} {{ params.missing }}{{ params.object.a }}{{ params.list }}",
      'n=3, {"a":null,"b c":1} [1,[2]]',
    ],
    ["no placeholder }} { }", "no placeholder }} { }"],
    [
      { a: ["{{ params.n }}", 1], b: { c: "{{ params.text }}" }, d: "{{ params.missing }}" },
      { a: [3, 1], b: { c: "hi" } },
    ],
    [["{{ params.missing }}"], [null]],
    [null, null],
  ])("renders %j at once", (value, expected) => {
    const rendered = render(value);
    expect(rendered).not.toBeInstanceOf(Promise);
    expect(rendered).toStrictEqual(expected);
  });

  it.each([
    ["{{ $sum(steps.parse.output.items.price) }}", 5],
    ["{{ params.rows.id }}", [1, 2]],
    ["{{ params.rows[id = 2].id }}", 2],
    ["{{ {'a': {'b': params.n}} }}", { a: { b: 3 } }],
    ["{{{'a': params.n}}}", { a: 3 }],
    ["total {{ params.n + 1 }} of {{ params.rows.id }}", "total 4 of [1,2]"],
    ["{{ '}}' & \"{{\" }}", "}}{{"],
    ["{{ /* }} */ params.n - 1 }}", 2],
    ["{{ steps.fetch-order.output[0] - 1 }}", 6],
    [
      { a: "{{ params.n * 2 }}", b: "{{ params.text }}", c: "{{ nothing.`x` ?? params.none }}" },
      { a: 6, b: "hi" },
    ],
  ])("renders %j through the evaluator", async (value, expected) => {
    if (typeof value === "object") {
      expect(await compileTemplate(value, []).template.render(scope)).toStrictEqual(expected);
    } else expect(await render(value)).toStrictEqual(expected);
  });

  it("shares what is constant and never reaches a prototype", () => {
    const constant = { deep: [1, 2] };
    expect(render(constant)).toBe(constant);
    for (const path of [
      "params.constructor",
      "params.__proto__",
      "params.text.length",
      "params.list.length",
      "steps.toString.output",
    ]) {
      expect(compileTemplate(`{{ ${path} }}`, []).template.render(scope), path).not.toBeInstanceOf(Function);
    }
    const rendered = compileTemplate(JSON.parse('{"__proto__": "{{ params.n }}"}'), []).template.render(
      scope,
    ) as object;
    expect(Object.hasOwn(rendered, "__proto__") && Object.getPrototypeOf(rendered) === Object.prototype).toBe(
      true,
    );
  });

  it("fails with the place of the expression in the definition", async () => {
    const { template } = compileTemplate({ a: ["{{ 1 + params.text }}"] }, ["steps", "s", "with"]);
    await expect(template.render(scope)).rejects.toMatchObject({
      code: "EXPRESSION_FAILED",
      path: "steps.s.with.a[0]",
    });
    await expect(template.render(scope)).rejects.toBeInstanceOf(ExpressionError);
  });

  it("knows the steps that it reads", () => {
    const value = [
      "{{ steps.a.output }}",
      "{{ $map(steps.b.output, function($v){ $v + $$.steps.c-d.output }) }}",
      "{{ params.steps.e }}",
    ];
    expect(compileTemplate(value, []).template.refs).toEqual(["a", "b", "c-d"]);
  });

  it("agrees with JSONata wherever a plain path is looked up directly", async () => {
    const name = fc.constantFrom("a", "b", "c");
    const { json } = fc.letrec<{ json: unknown }>((tie) => ({
      json: fc.oneof(
        { maxDepth: 4, depthSize: "small" },
        fc.constantFrom(null, true, 0, 1, "", "x"),
        fc.array(tie("json"), { maxLength: 3 }),
        fc.dictionary(name, tie("json"), { maxKeys: 3 }),
      ),
    }));
    const segment = fc.oneof(
      name.map((n) => `.${n}`),
      fc.nat(2).map((i) => `[${i}]`),
    );
    let direct = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.dictionary(name, json),
        name,
        fc.array(segment, { maxLength: 4 }),
        async (data, first, rest) => {
          const source = first + rest.join("");
          const path = parsePlainPath(source);
          const value = path === null ? unsure : lookUp(data, path);
          if (value === unsure) return;
          direct += 1;
          const compiled = compileJsonata(source);
          const result = compiled.ok ? await compiled.expression.evaluate(data) : compiled;
          expect(result).toEqual({ ok: true, value });
        },
      ),
      { numRuns: 1_500 },
    );
    expect(direct).toBeGreaterThan(300);
  });

  it.each([
    [undefined, false],
    [null, false],
    [0, false],
    ["", false],
    [[], false],
    [[0, ""], false],
    [{}, false],
    [true, true],
    ["false", true],
    [[0, 1], true],
    [{ a: false }, true],
  ])("holds %j for %s as JSONata does", async (value, expected) => {
    expect(isTrue(value)).toBe(expected);
    const compiled = compileJsonata("$boolean(v)");
    const result = compiled.ok ? await compiled.expression.evaluate({ v: value }) : compiled;
    expect(result).toEqual({ ok: true, value: value === undefined ? undefined : expected });
  });
});

describe("placeholders", () => {
  it("puts every text back together", () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom("{{", "}}", "{", "}", "a", " ", "'", '"', "/", "`", "\\", "*"), {
          maxLength: 20,
        }),
        (parts) => {
          const text = parts.join("");
          const split = splitPlaceholders(text);
          if (!split.ok) {
            expect(text.startsWith("{{", split.offset)).toBe(true);
            return;
          }
          const joined = split.parts
            .map((part) => (part.kind === "text" ? part.text : `{{${part.source}}}`))
            .join("");
          expect(joined).toBe(text);
          for (const part of split.parts)
            if (part.kind === "expression") expect(text.startsWith(part.source, part.start)).toBe(true);
        },
      ),
      { numRuns: 2_000 },
    );
  });
});

describe("step names with dashes", () => {
  it.each([
    ["steps.a-b.output", "steps.`a-b`.output"],
    ["$$.steps.a-b.output - 1", "$$.steps.`a-b`.output - 1"],
    ["'steps.a-b' & steps.a-b-c.x", "'steps.a-b' & steps.`a-b-c`.x"],
    ["steps.`a-b`.output", "steps.`a-b`.output"],
    ["params.steps.a-b", "params.steps.a-b"],
    ["steps.a.output-1", "steps.a.output-1"],
  ])("quotes %s as %s and keeps the places", (original, quoted) => {
    const { source, originalOffset } = quoteStepNames(original);
    expect(source).toBe(quoted);
    expect(originalOffset(source.length)).toBe(original.length);
  });
});
