import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { csvParse } from "./csv-parse.ts";

const run = async (text: unknown, options: object = {}) => csvParse.run({ text, ...options });

const stock = `sku,name,on hand,active
00731-ESP,"Grinder ""64"", black",40,true
00118-CUP,"Tasse
à café",,0
`;

describe("csv.parse", () => {
  it("reads records with quotes, doubled quotes and line ends; all values stay text", async () => {
    expect(await run(stock)).toEqual({
      ok: true,
      output: [
        { sku: "00731-ESP", name: 'Grinder "64", black', "on hand": "40", active: "true" },
        { sku: "00118-CUP", name: "Tasse\nà café", "on hand": "", active: "0" },
      ],
    });
  });

  it("converts the columns that have a type; an empty one is null", async () => {
    const result = await run(stock, { types: { "on hand": "integer", active: "boolean" } });
    expect(result).toMatchObject({
      ok: true,
      output: [
        { "on hand": 40, active: true },
        { "on hand": null, active: false },
      ],
    });
  });

  it("takes another delimiter and quote, a byte order mark, and names instead of a header", async () => {
    const result = await run("\uFEFF'a;b';1\r\nc;2\r\n", {
      header: false,
      columns: ["x", "y"],
      delimiter: ";",
      quote: "'",
    });
    expect(result).toEqual({
      ok: true,
      output: [
        { x: "a;b", y: "1" },
        { x: "c", y: "2" },
      ],
    });
  });

  it("replaces the header's names by the given ones", async () => {
    expect(await run("a,b\n1,2\n", { columns: ["x", "y"] })).toEqual({
      ok: true,
      output: [{ x: "1", y: "2" }],
    });
  });

  it("skips blank lines and trims outside quotes, unless told not to", async () => {
    expect(await run('a,b\n\n 1 ," 2 "\n\n')).toEqual({ ok: true, output: [{ a: "1", b: " 2 " }] });
    expect(await run("a,b\n 1 ,2\n", { trim: false })).toEqual({ ok: true, output: [{ a: " 1 ", b: "2" }] });
    expect(await run("a,b\n\n1,2\n", { skipEmptyLines: false })).toMatchObject({
      ok: false,
      error: { code: "CSV_RAGGED", line: 2 },
    });
  });

  it("gives no records for a header alone", async () => {
    expect(await run("a,b\n")).toEqual({ ok: true, output: [] });
  });

  it.each([
    ["a short record", "a,b\n1,2\n3\n", "CSV_RAGGED", 3],
    ["a long record", "a,b\n1,2,3\n", "CSV_RAGGED", 2],
    ["a short record after quoted line ends", 'a,b\r\n1,"x\r\ny\r\nz"\r\n\r\n3\r\n', "CSV_RAGGED", 6],
    ["a quote that is never closed", 'a,b\n1,2\n3,"x\n4,5\n6,7\n', "CSV_MALFORMED", 3],
    ["a quote inside a field", 'a,b\n1,x"y"\n', "CSV_MALFORMED", 2],
    ["text after a quoted field", 'a,b\n1,2\n"x"y,3\n', "CSV_MALFORMED", 3],
    ["a header name that is missing", "a,,c\n1,2,3\n", "CSV_HEADER", 1],
    ["a header name that is repeated", "a,b,a\n1,2,3\n", "CSV_HEADER", 1],
    ["a header that is a prototype", "a,__proto__\n1,2\n", "CSV_HEADER", 1],
    ["a NUL character", "a,b\n1,\0\n", "CSV_CHARACTER", 2],
    ["an empty text", "", "CSV_EMPTY", 1],
  ])("refuses %s, with the line", async (_, text, code, line) => {
    expect(await run(text)).toMatchObject({ ok: false, error: { code, line } });
  });

  it("refuses a value that is not of its column's type, with line and path", async () => {
    const result = await run("sku,qty\nA,1\nB,12abc\n", { types: { qty: "integer" } });
    expect(result).toEqual({
      ok: false,
      error: {
        code: "CSV_TYPE",
        line: 3,
        path: "/1/qty",
        message: 'Line 3, column qty: "12abc" is not an integer.',
      },
    });
  });

  it.each([
    ["no names at all", { header: false }],
    ["a delimiter of two characters", { delimiter: ",," }],
    ["a quote that is the delimiter", { delimiter: '"' }],
    ["an option that does not exist", { seperator: ";" }],
  ])("refuses a config with %s", async (_, options) => {
    expect(await run("a\n1\n", options)).toMatchObject({ ok: false, error: { code: "CONFIG_INVALID" } });
  });

  it("refuses a type for a column that is not there", async () => {
    expect(await run("a\n1\n", { types: { b: "integer" } })).toMatchObject({
      ok: false,
      error: { code: "CSV_COLUMN_UNKNOWN" },
    });
  });

  it("refuses input that is no text", async () => {
    expect(await run([["a"]])).toMatchObject({ ok: false, error: { code: "INPUT_TYPE" } });
  });

  it("reads 5 MB in one pass", async () => {
    const result = await run(`a,b\n${'1,"x y"\n'.repeat(600_000)}`);
    expect(result).toMatchObject({ ok: true, output: { length: 600_000 } });
  });

  it("gives back the records that were written, whatever they hold", async () => {
    const field = fc
      .string({ unit: "grapheme", maxLength: 12 })
      .filter((s) => !s.includes("\0") && s.isWellFormed());
    const quoted = (text: string): string => `"${text.replaceAll('"', '""')}"`;
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(field, field, field), { minLength: 1 }),
        fc.constantFrom("\n", "\r\n"),
        async (rows, end) => {
          const text = ["x,y,z", ...rows.map((row) => row.map(quoted).join(","))].join(end);
          const output = rows.map(([x, y, z]) => ({ x, y, z }));
          expect(await run(text)).toEqual({ ok: true, output });
        },
      ),
      { numRuns: 200 },
    );
  });
});
