import { describe, expect, it } from "vitest";
import { createValidate } from "./validate.ts";

const validate = createValidate();
const run = async (input: unknown, schema: unknown) => validate.run({ input, schema });
const refusal = async (input: unknown, schema: unknown) => {
  const result = await run(input, schema);
  if (result.ok) throw new Error("accepted");
  return result.error;
};

const item = {
  type: "object",
  required: ["sku", "qty"],
  additionalProperties: false,
  properties: {
    sku: { type: "string", pattern: "^[0-9]{5}$" },
    qty: { type: "integer", minimum: 1 },
    unit: { enum: ["kg", "pc"] },
  },
};

describe("validate", () => {
  it("gives valid input on, unchanged and uncoerced", async () => {
    const input = { sku: "00731", qty: 2 };
    const result = await run(input, item);
    expect(result).toEqual({ ok: true, output: input });
    expect(await run("7", { type: "string", default: "x" })).toEqual({ ok: true, output: "7" });
  });

  it("lists every problem with its path and keyword", async () => {
    const error = await refusal([{ sku: "731", qty: "2", colour: "red" }, { unit: "lb" }], {
      type: "array",
      items: item,
    });
    expect(error.code).toBe("SCHEMA_MISMATCH");
    expect(error.message).toContain("6 problems");
    expect(error.details).toEqual(
      expect.arrayContaining([
        { path: "/0", code: "additionalProperties", message: "/0 must not have the property colour" },
        { path: "/0/sku", code: "pattern", message: '/0/sku must match pattern "^[0-9]{5}$"' },
        { path: "/0/qty", code: "type", message: "/0/qty must be integer" },
        { path: "/1", code: "required", message: "/1 must have the property sku" },
        { path: "/1", code: "required", message: "/1 must have the property qty" },
        { path: "/1/unit", code: "enum", message: '/1/unit must be one of ["kg","pc"]' },
      ]),
    );
  });

  it("lists 100 problems at most and counts them all", async () => {
    const error = await refusal(
      Array.from({ length: 250 }, () => 1),
      { items: { type: "string" } },
    );
    expect(error.message).toContain("250 problems");
    expect(error.details).toHaveLength(100);
  });

  it("follows 2020-12 by default and draft-07 where $schema names it", async () => {
    const tuple = (keyword: object) => ({ type: "array", ...keyword });
    expect(
      await run(["a", 1], tuple({ prefixItems: [{ type: "string" }], items: { type: "number" } })),
    ).toMatchObject({ ok: true });
    const seven = {
      $schema: "http://json-schema.org/draft-07/schema#",
      items: [{ type: "string" }],
      additionalItems: { type: "number" },
    };
    expect(await run(["a", 1], seven)).toMatchObject({ ok: true });
    expect(await run(["a", "b"], seven)).toMatchObject({
      ok: false,
      error: { code: "SCHEMA_MISMATCH", path: "/1" },
    });
    expect(await run({ a: 1, b: 2 }, { properties: { a: {} }, unevaluatedProperties: false })).toMatchObject({
      ok: false,
    });
  });

  it("checks formats", async () => {
    expect(await run("2026-03-14T09:26:53Z", { format: "date-time" })).toMatchObject({ ok: true });
    expect(await refusal("yesterday", { format: "date-time" })).toMatchObject({ code: "SCHEMA_MISMATCH" });
  });

  it("accepts true, refuses everything under false", async () => {
    expect(await run({ a: 1 }, true)).toMatchObject({ ok: true });
    expect(await refusal({ a: 1 }, false)).toMatchObject({ code: "SCHEMA_MISMATCH" });
  });

  it.each([
    ["a misspelt keyword", { requried: ["a"] }],
    ["a wrong keyword value", { type: "strnig" }],
    ["an unknown format", { format: "sku" }],
    ["a reference to nowhere", { $ref: "#/$defs/nope" }],
    ["a reference to the network", { $ref: "https://example.com/schema.json" }],
    ["another dialect", { $schema: "http://json-schema.org/draft-04/schema#" }],
    ["asynchronous validation", { $async: true, type: "string" }],
    ["a broken pattern", { pattern: "(" }],
    ["no object", "string"],
    ["nothing", undefined],
  ])("refuses a schema with %s before anything runs", async (_, schema) => {
    expect(await refusal({}, schema)).toMatchObject({ code: "SCHEMA_INVALID", path: "schema" });
    expect(validate.config.safeParse({ input: "{{ steps.x.output }}", schema }).success).toBe(false);
  });

  it("stops a pattern that backtracks for years", async () => {
    expect(await refusal(`${"a".repeat(60)}!`, { pattern: "^(a+)+$" })).toMatchObject({
      code: "SCHEMA_TIMEOUT",
    });
    expect(await run("aaaa", { pattern: "^(a+)+$" })).toMatchObject({ ok: true });
  });

  it("refuses deep and recursive input without a stack overflow", async () => {
    let deep: unknown = [];
    for (let i = 0; i < 100_000; i++) deep = [deep];
    expect(await refusal(deep, { items: { $ref: "#" } })).toMatchObject({ code: "SCHEMA_TOO_DEEP" });
    expect(await refusal({}, { $ref: "#" })).toMatchObject({ code: "SCHEMA_TOO_DEEP" });
  });

  it("keeps the patterns of one schema apart", async () => {
    const schema = { properties: { a: { pattern: "^[0-9]+$" }, b: { pattern: "^[a-z]+$" } } };
    expect(await run({ a: "1", b: "x" }, schema)).toMatchObject({ ok: true });
    expect(await refusal({ a: "x", b: "1" }, schema)).toMatchObject({
      details: [{ path: "/a" }, { path: "/b" }],
    });
  });

  it("looks at own properties only", async () => {
    expect(await refusal({}, { required: ["constructor"] })).toMatchObject({ code: "SCHEMA_MISMATCH" });
    expect(await refusal(JSON.parse('{"__proto__":1}'), true)).toMatchObject({
      code: "SCHEMA_KEY_FORBIDDEN",
    });
    expect(await refusal({ a: "\0" }, true)).toMatchObject({ code: "SCHEMA_CHARACTER", path: "/a" });
  });

  it("never changes the input nor the schema", async () => {
    const input = Object.freeze({ sku: "00731", qty: 2 });
    const schema = Object.freeze({ ...item, default: Object.freeze({}) });
    expect(await run(input, schema)).toMatchObject({ ok: true });
  });
});
