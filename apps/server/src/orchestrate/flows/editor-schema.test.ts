import { Ajv2020 } from "ajv/dist/2020.js";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { childSources } from "./child-cases.ts";
import { editorSchema } from "./editor-schema.ts";
import { sampleKinds } from "./sample-kinds.ts";

const check = new Ajv2020({ strict: false }).compile(editorSchema(sampleKinds));
const step = (body: object) => check({ flow: "a", version: "1.0.0", steps: { a: body } });
const http = (config: object) =>
  step({ use: "http.request", with: { connection: "w", path: "/x", ...config } });

describe("the JSON Schema of definitions", () => {
  it("knows the fields of the input by the step kind, with its version or without", () => {
    expect(http({ method: "POST", headers: { a: "b" }, retries: 3 })).toBe(true);
    expect(http({ methd: "POST" })).toBe(false);
    expect(http({ method: "PUT" })).toBe(false);
    expect(http({ headers: { a: 1 } })).toBe(false);
    expect(step({ use: "http.request@2", with: { path: "/x" } })).toBe(false);
    expect(step({ use: "map@1", with: { value: { any: ["thing"] } } })).toBe(true);
    expect(step({ use: "mapp", with: {} })).toBe(false);
  });

  it("lets an expression stand in place of every part of the input, but not of all of it", () => {
    const expression = "{{ params.x }}";
    expect(http({ method: expression, headers: expression, retries: expression })).toBe(true);
    expect(http({ headers: { a: expression }, retries: `1${expression}` })).toBe(true);
    expect(http({ retries: "many" })).toBe(false);
    expect(step({ use: "map", with: expression })).toBe(false);
    expect(step({ use: "flow", with: { flow: "x", params: { a: { b: [expression, 1] } } } })).toBe(true);
  });

  it("accepts what publishing accepts", () => {
    for (const source of childSources.right) expect(check(parse(source)), source).toBe(true);
    expect(
      step({
        use: "wait",
        with: { signal: "paid", schema: { type: "object" } },
        forEach: { items: "{{ params.x }}", key: "{{ item }}", onItemError: "continue" },
        gate: { question: "a", options: ["retry"], timeout: "1d", default: "retry" },
      }),
    ).toBe(true);
  });

  it("has no reference that leads nowhere", () => {
    const schema = editorSchema(sampleKinds);
    const names = [...JSON.stringify(schema).matchAll(/"\$ref":"#\/\$defs\/([^"]+)"/g)].map(
      ([, name = ""]) => name,
    );
    expect(names.length).toBeGreaterThan(10);
    for (const name of names) expect(schema.$defs).toHaveProperty([decodeURIComponent(name)]);
  });
});
