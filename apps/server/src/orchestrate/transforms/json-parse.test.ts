import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { jsonParse } from "./json-parse.ts";
import { findJsonFault } from "./json-scan.ts";

const run = async (text: unknown, options: object = {}) => jsonParse.run({ text, ...options });

describe("json.parse", () => {
  it.each([
    ["an object", '{"a":[1,"x",null,true]}', { a: [1, "x", null, true] }],
    ["a scalar", "7", 7],
    ["a byte order mark", '\uFEFF{"a":1}', { a: 1 }],
    ["keys that objects inherit", '{"constructor":1,"toString":2}', { constructor: 1, toString: 2 }],
    ["an integer of 2^53 - 1", "9007199254740991", 9007199254740991],
  ])("reads %s", async (_, text, output) => {
    expect(await run(text)).toEqual({ ok: true, output });
  });

  it.each([
    ["a trailing comma", '{\n  "a": 1,\n}', "JSON_MALFORMED", 3, 1],
    ["a missing comma", '{"a": 1\n "b": 2}', "JSON_MALFORMED", 2, 2],
    ["single quotes", "{'a': 1}", "JSON_MALFORMED", 1, 2],
    ["a missing colon", '{"a" 1}', "JSON_MALFORMED", 1, 6],
    ["a text cut off", '{"a": [1,', "JSON_MALFORMED", 1, 10],
    ["a string never closed", '["a', "JSON_MALFORMED", 1, 2],
    ["a wrong escape", '["\\x"]', "JSON_MALFORMED", 1, 2],
    ["a line end in a string", '["a\nb"]', "JSON_MALFORMED", 1, 2],
    ["a comma too many", "[1,]", "JSON_MALFORMED", 1, 4],
    ["a leading zero", "[007]", "JSON_MALFORMED", 1, 3],
    ["NaN", "[NaN]", "JSON_MALFORMED", 1, 2],
    ["more text after the value", '{}\n{"a":1}', "JSON_MALFORMED", 2, 1],
    ["an empty text", "", "JSON_EMPTY", 1, 1],
    ["white space only", "\n", "JSON_EMPTY", 1, 1],
  ])("refuses %s, with line and column", async (_, text, code, line, column) => {
    expect(await run(text)).toMatchObject({ ok: false, error: { code, line, column } });
  });

  it.each([
    ["the key __proto__", '{"a":[{"__proto__":{"x":1}}]}', "JSON_KEY_FORBIDDEN", "/a/0"],
    ["the key __proto__ in escapes", '{"\\u005f_proto__":1}', "JSON_KEY_FORBIDDEN", ""],
    ["NUL in a text", '{"a":"x\\u0000"}', "JSON_CHARACTER", "/a"],
    ["half a surrogate pair", '["\\ud800"]', "JSON_CHARACTER", "/0"],
  ])("refuses %s, with its path", async (_, text, code, path) => {
    const result = await run(text);
    expect(result).toMatchObject({ ok: false, error: { code } });
    if (!result.ok) expect(result.error.path?.startsWith(path)).toBe(true);
  });

  it.each([["9007199254740993"], ["[12345678901234567890]"], ["1e400"], ['{"a":-1e999}']])(
    "refuses %s, which a double cannot hold, or keeps its digits as text",
    async (text) => {
      expect(await run(text)).toMatchObject({ ok: false, error: { code: "JSON_NUMBER" } });
      const kept = await run(text, { bigNumbers: "text" });
      expect(JSON.stringify(kept)).toContain(`"${/-?[0-9][0-9e]*/.exec(text)?.[0]}"`);
    },
  );

  it("refuses deep nesting with its place, without a stack", async () => {
    const code = "JSON_TOO_DEEP";
    expect(await run("[".repeat(129) + "]".repeat(129))).toMatchObject({
      ok: false,
      error: { code, column: 129 },
    });
    expect(await run("[".repeat(128) + "]".repeat(128))).toMatchObject({ ok: true });
    const unclosed = await run('{"a":'.repeat(1_000_000));
    expect(unclosed).toMatchObject({ ok: false, error: { code } });
  });

  it("reads and refuses 5 MB in work that grows with the size", async () => {
    const text = JSON.stringify("x".repeat(5_000_000));
    expect(await run(text)).toMatchObject({ ok: true });
    expect(await run(text.slice(0, -1))).toMatchObject({
      ok: false,
      error: { code: "JSON_MALFORMED", column: 1 },
    });
    expect(await run(`[${"1,".repeat(2_000_000)}`)).toMatchObject({
      ok: false,
      error: { code: "JSON_MALFORMED" },
    });
  });

  it("gives back every JSON value that was written", async () => {
    const plain = fc
      .jsonValue({ stringUnit: "grapheme" })
      .filter((v) => !/__proto__|\\u0000/.test(JSON.stringify(v)));
    await fc.assert(
      fc.asyncProperty(plain, async (value) => {
        const text = JSON.stringify(value);
        if (/[0-9]{16}/.test(text)) return; // digits beyond 2^53 have their own test
        expect(await run(text)).toEqual({ ok: true, output: JSON.parse(text) });
      }),
      { numRuns: 300 },
    );
  });

  it("finds a fault exactly where JSON.parse finds one", () => {
    const piece = fc.constantFrom(
      "{",
      "}",
      "[",
      "]",
      ",",
      ":",
      '"a"',
      "1",
      "-",
      "0",
      ".5",
      "e9",
      "true",
      "nul",
      " ",
      "\n",
      '"',
      "\\",
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 10 }), (pieces) => {
        const text = pieces.join("");
        let valid = true;
        try {
          JSON.parse(text);
        } catch {
          valid = false;
        }
        expect(findJsonFault(text) === undefined).toBe(valid);
      }),
      { numRuns: 5_000 },
    );
  });
});
