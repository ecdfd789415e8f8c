import { describe, expect, it } from "vitest";
import { block, fields, printable, table } from "./text.ts";

describe("what is printed", () => {
  it("cannot steer the terminal, nor turn the direction of text", () => {
    expect(printable("a\u001b[31mb\u009b2Jc\u0007\r\nd\u202ee\u2066f")).toBe("a�[31mb�2Jc���d�e�f");
    expect(printable("a\nb\tc", true)).toBe("a\nb�c");
  });

  it("keeps letters of every language", () => {
    expect(printable("é ß 日本 עברית 😀 …")).toBe("é ß 日本 עברית 😀 …");
  });

  it("stands in columns as wide as their widest cell", () => {
    expect(
      table([
        ["a", "b"],
        ["ccc", "d"],
        ["\u001be", ""],
      ]),
    ).toBe("a    b\nccc  d\n�e\n");
  });

  it("leaves out fields without a value", () => {
    expect(
      fields([
        ["a", "1"],
        ["long", null],
        ["bb", "2"],
        ["c", undefined],
        ["d", ""],
      ]),
    ).toBe("a   1\nbb  2\n");
  });

  it("indents blocks and leaves out empty ones", () => {
    expect(block("t", { a: [1] })).toBe('\nt\n  {\n    "a": [\n      1\n    ]\n  }\n');
    expect(block("t", null)).toBe("");
    expect(block("t", 0)).toBe("\nt\n  0\n");
  });
});
