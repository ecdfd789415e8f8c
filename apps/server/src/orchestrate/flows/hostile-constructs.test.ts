import { Ajv2020 } from "ajv/dist/2020.js";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { shelved } from "./child-cases.ts";
import { compileFlow } from "./compile.ts";
import { editorSchema } from "./editor-schema.ts";
import { type FlowShelf, shelfOf } from "./flow-shelf.ts";
import { sampleKinds } from "./sample-kinds.ts";
import { validateDefinition } from "./validate.ts";

const junk = fc.oneof(
  fc.jsonValue(),
  fc.constantFrom(
    "{{ item }}",
    "{{ params.n }}",
    "{{",
    "{{ }}",
    "continue",
    "abort",
    "1d",
    "flow",
    "wait",
    "child",
    "__proto__",
    "constructor",
  ),
);
const part = (...names: string[]) =>
  fc.oneof(junk, fc.record(Object.fromEntries(names.map((name) => [name, junk])), { requiredKeys: [] }));

const definition = fc.record(
  {
    flow: fc.constant("orders"),
    version: fc.constantFrom("1.0.0", "x"),
    priority: junk,
    labels: junk,
    concurrency: part("key", "limit", "mode"),
    limits: part("runs", "parallel"),
    params: fc.constantFrom({ n: { type: "integer" }, s: { type: "string", secret: true } }, {}, 5),
    triggers: fc.array(fc.record({ webhook: part("slug", "params", "respond") }), { maxLength: 2 }),
    steps: fc.dictionary(
      fc.constantFrom("a", "b", "item", "toString"),
      fc.record(
        {
          use: fc.constantFrom("map", "wait", "flow", "flow@1", "http.request", "", "constructor"),
          with: part("value", "flow", "version", "params", "for", "signal", "schema", "path"),
          when: junk,
          forEach: part("items", "key", "concurrency", "onItemError"),
          gate: part("question", "options", "approvers", "default", "timeout"),
          cache: part("ttl", "scope"),
          skippable: junk,
          needs: fc.constantFrom([], ["a"], ["b", "item"]),
        },
        { requiredKeys: [] },
      ),
    ),
  },
  { requiredKeys: ["flow", "version", "steps"] },
);

/** One step of constructs that are right by themselves; together they may still be wrong. */
const rightParts = fc.record(
  {
    use: fc.constant("map"),
    with: fc.constantFrom({ value: 1 }, { value: "{{ params.n }}" }, { value: "{{ item }}", mode: "loose" }),
    forEach: fc.constantFrom({ items: [1, 2] }, { items: "{{ params.l }}", key: "{{ index }}" }),
    gate: fc.constantFrom({ question: "a" }, { question: "{{ output }}", timeout: "1d", default: "abort" }),
    cache: fc.constantFrom({}, { ttl: "5m", scope: "tenant" }),
    skippable: fc.boolean(),
    when: fc.constantFrom(true, "{{ params.n > 1 }}"),
  },
  { requiredKeys: ["use", "with"] },
);

describe("hostile definitions", () => {
  const forEditors = new Ajv2020({ strict: false }).compile(editorSchema(sampleKinds));

  it("are told what is wrong with them, and never throw, whatever their constructs hold", () => {
    fc.assert(
      fc.property(definition, (source) => {
        const { valid, problems } = validateDefinition(source, sampleKinds, shelfOf(shelved));
        expect(valid).toBe(problems.length === 0);
        for (const { code, path, message } of problems) expect(code && message && typeof path).toBeTruthy();
      }),
      { numRuns: 500 },
    );
  });

  it("can be compiled and pass in editors where they are accepted", () => {
    let accepted = 0;
    fc.assert(
      fc.property(fc.array(rightParts, { minLength: 1, maxLength: 3 }), (parts) => {
        const steps = Object.fromEntries(parts.map((step, i) => [`s${i}`, step]));
        const params = { n: { type: "integer" }, l: { type: "array" } };
        const result = validateDefinition({ flow: "a", version: "1.0.0", params, steps }, sampleKinds);
        if (!result.valid) return;
        accepted += 1;
        expect(compileFlow(result.definition, sampleKinds).steps).toHaveLength(parts.length);
        expect(forEditors(result.definition)).toBe(true);
      }),
      { numRuns: 500 },
    );
    expect(accepted).toBeGreaterThan(20);
  });

  it("cannot make the check of what they run go on without end", () => {
    // two flows of another time that run each other: they are told, not followed
    const knot: FlowShelf = shelfOf([
      { name: "x", version: "1.0.0", isLatest: true, params: {}, calls: [{ flow: "y", version: null }] },
      { name: "y", version: "1.0.0", isLatest: true, params: {}, calls: [{ flow: "x", version: null }] },
    ]);
    const source = { flow: "a", version: "1.0.0", steps: { s: { use: "flow", with: { flow: "x" } } } };
    expect(validateDefinition(source, sampleKinds, knot).problems).toEqual([
      expect.objectContaining({ code: "FLOW_RECURSION" }),
    ]);
  });

  it("take nothing from prototypes: a flow, parameter or step by such a name is not there", () => {
    const run = (config: object) =>
      validateDefinition(
        { flow: "a", version: "1.0.0", steps: { s: { use: "flow", with: config } } },
        sampleKinds,
        shelfOf(shelved),
      ).problems.map(({ code }) => code);
    expect(run({ flow: "constructor" })).toEqual(["CHILD_UNKNOWN"]);
    expect(run({ flow: "child", params: { id: "a", constructor: 1 } })).toEqual(["CHILD_PARAM_UNKNOWN"]);
    const read = (expression: string) =>
      validateDefinition(
        { flow: "a", version: "1.0.0", steps: { s: { use: "map", with: { value: `{{ ${expression} }}` } } } },
        sampleKinds,
      ).problems.map(({ code }) => code);
    expect(read("constructor")).toEqual(["REFERENCE_UNKNOWN"]);
    expect(read("toString.x")).toEqual(["REFERENCE_UNKNOWN"]);
    expect(read("params.constructor")).toEqual(["REFERENCE_UNKNOWN"]);
  });

  it("are checked in linear time: 1,000 gates and 1,000 sub-flows", () => {
    const steps = (body: (i: number) => object) =>
      Object.fromEntries(Array.from({ length: 1_000 }, (_, i) => [`s${i}`, body(i)]));
    const started = performance.now();
    for (const body of [
      () => ({ use: "map", with: { value: 1 }, gate: { question: "{{ output }}?" } }),
      () => ({ use: "flow", with: { flow: "child", params: { id: "a" } } }),
    ]) {
      const source = { flow: "a", version: "1.0.0", steps: steps(body) };
      expect(validateDefinition(source, sampleKinds, shelfOf(shelved)).problems).toEqual([]);
    }
    expect(performance.now() - started).toBeLessThan(10_000);
  });
});
