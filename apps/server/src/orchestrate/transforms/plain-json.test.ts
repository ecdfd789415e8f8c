import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { toPlainJson } from "./plain-json.ts";
import { limits } from "./transform.ts";

describe("toPlainJson", () => {
  it("copies every JSON value, sharing nothing", () => {
    const values = fc
      .jsonValue({ stringUnit: "grapheme" })
      .filter((v) => !/__proto__|\\u0000/.test(JSON.stringify(v)));
    fc.assert(
      fc.property(values, (value) => {
        const plain = toPlainJson(value);
        expect(plain).toEqual({ ok: true, value });
        if (plain.ok && typeof value === "object" && value !== null) expect(plain.value).not.toBe(value);
      }),
    );
  });

  it("leaves out members that are undefined", () => {
    expect(toPlainJson({ a: undefined, b: 1 })).toEqual({ ok: true, value: { b: 1 } });
  });

  it.each([
    ["a function", { a: () => 1 }, "VALUE", "/a"],
    ["undefined in an array", [undefined], "VALUE", "/0"],
    ["a bigint", { a: 1n }, "VALUE", "/a"],
    ["NaN", { a: [Number.NaN] }, "NUMBER", "/a/0"],
    ["a date", { a: new Date(0) }, "KEY_FORBIDDEN", "/a"],
    ["a foreign prototype", { a: Object.create({ x: 1 }) }, "KEY_FORBIDDEN", "/a"],
    ["an own __proto__", JSON.parse('{"a":{"__proto__":1}}'), "KEY_FORBIDDEN", "/a/__proto__"],
    ["NUL", { "a/b": "\0" }, "CHARACTER", "/a~1b"],
    ["NUL in a key", { "\0": 1 }, "CHARACTER", "/\0"],
    ["half a surrogate pair", ["\udc00"], "CHARACTER", "/0"],
  ])("refuses %s with its path", (_, value, kind, path) => {
    expect(toPlainJson(value)).toMatchObject({ ok: false, kind, path });
  });

  it("refuses cycles, depth and shared parts that grow without bound", () => {
    const cycle: unknown[] = [];
    cycle.push(cycle);
    expect(toPlainJson(cycle)).toMatchObject({ ok: false, kind: "TOO_DEEP" });
    let shared: unknown = "x";
    for (let i = 0; i < 100; i++) shared = [shared, shared];
    expect(toPlainJson(shared)).toMatchObject({ ok: false, kind: "TOO_LARGE" });
    const text = "x".repeat(limits.chars / 2 + 1);
    expect(toPlainJson([text, text])).toMatchObject({ ok: false, kind: "TOO_LARGE", path: "/1" });
  });
});
