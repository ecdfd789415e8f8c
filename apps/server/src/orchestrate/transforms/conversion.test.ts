import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { convert, type ValueType } from "./conversion.ts";

const ok = (value: unknown) => ({ ok: true, value });

describe("convert", () => {
  it.each<[unknown, ValueType, unknown]>([
    ["12", "integer", 12],
    ["12.0", "integer", 12],
    ["-0", "integer", 0],
    [" 7 ", "number", 7],
    ["007", "number", 7],
    [".5", "number", 0.5],
    ["1e3", "number", 1000],
    ["+1.50", "number", 1.5],
    ["9007199254740991", "integer", 9007199254740991],
    ["0.1", "number", 0.1],
    ["true", "boolean", true],
    ["0", "boolean", false],
    ["FALSE", "boolean", false],
    [7, "string", "7"],
    [true, "string", "true"],
    ["", "string", ""],
    [{ a: 1 }, "object", { a: 1 }],
    [undefined, "array", []],
    [null, "array", []],
    ["x", "array", ["x"]],
    [["x"], "array", ["x"]],
    [[], "array", []],
  ])("%j as %s is %j", (value, type, expected) => {
    expect(convert(value, type)).toEqual(ok(expected));
  });

  it.each<[unknown, ValueType]>([
    ["12abc", "number"],
    ["12abc", "integer"],
    ["1,5", "number"],
    ["1 000", "number"],
    ["0x1F", "number"],
    ["0b1", "number"],
    ["NaN", "number"],
    ["Infinity", "number"],
    ["1e999", "number"],
    ["1e-999", "number"],
    ["--1", "number"],
    ["e5", "number"],
    [".", "number"],
    ["1.5", "integer"],
    ["9007199254740993", "integer"],
    ["9007199254740993", "number"],
    ["0.12345678901234567890123", "number"],
    ["1".repeat(400), "number"],
    [1.5, "integer"],
    [2 ** 53, "integer"],
    [Number.NaN, "number"],
    [true, "number"],
    [[1], "number"],
    [{}, "number"],
    ["yes", "boolean"],
    ["2", "boolean"],
    [2, "boolean"],
    [[true], "boolean"],
    [{ a: 1 }, "string"],
    [["x"], "string"],
    ["x", "object"],
    [[], "object"],
  ])("refuses %j as %s", (value, type) => {
    expect(convert(value, type)).toMatchObject({ ok: false, missing: false });
  });

  it.each<[unknown, ValueType]>([
    ["", "number"],
    [" ", "integer"],
    ["", "boolean"],
    [null, "string"],
    [undefined, "object"],
  ])("calls %j missing where %s is wanted", (value, type) => {
    expect(convert(value, type)).toEqual({ ok: false, missing: true });
  });

  it("gives back every finite number from its own text", () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (number) => {
        expect(convert(String(number), "number")).toEqual(ok(Object.is(number, -0) ? 0 : number));
      }),
    );
  });

  it("either refuses a decimal or keeps all of its digits", () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[1-9][0-9]{0,20}$/), (text) => {
        const converted = convert(text, "number");
        if (converted.ok) expect(BigInt(converted.value as number)).toBe(BigInt(text));
      }),
    );
  });
});
