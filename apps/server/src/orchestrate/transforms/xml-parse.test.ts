import fc from "fast-check";
import { XMLBuilder, XMLValidator } from "fast-xml-parser";
import { describe, expect, it } from "vitest";
import { xmlParse } from "./xml-parse.ts";
import { scanXml } from "./xml-scan.ts";

const run = async (text: unknown, options: object = {}) => xmlParse.run({ text, ...options });
const output = async (text: string, options: object = {}) => {
  const result = await run(text, options);
  if (!result.ok) throw new Error(`${result.error.code}: ${result.error.message}`);
  return result.output;
};

describe("xml.parse reads", () => {
  it.each([
    ["text only", "<a>x</a>", { a: "x" }],
    ["an empty element as empty text", "<a/>", { a: "" }],
    [
      "leading zeros, hex and exponents as text",
      "<a><b>007</b><c>0x1F</c><d>1e3</d></a>",
      { a: { b: "007", c: "0x1F", d: "1e3" } },
    ],
    ["attributes beside text", '<a u="kg">7</a>', { a: { "@u": "kg", "#text": "7" } }],
    ["repeated elements as an array", "<a><b>1</b><b>2</b></a>", { a: { b: ["1", "2"] } }],
    [
      "repeated elements that are apart as one array",
      "<a><b>1</b><c/><b>2</b></a>",
      { a: { b: ["1", "2"], c: "" } },
    ],
    ["CDATA as text, unescaped", "<a><![CDATA[<b> & ]] > &amp;]]></a>", { a: "<b> & ]] > &amp;" }],
    [
      "text, CDATA and references joined with their spaces",
      "<a>x <![CDATA[& y]]> &lt;z</a>",
      { a: "x & y <z" },
    ],
    ["comments as nothing", "<a>x<!-- <b> & -->y</a>", { a: "xy" }],
    ["numeric references", "<a>&#233;&#xE9;&#x1F600;</a>", { a: "éé😀" }],
    ["references decoded once", "<a>&amp;lt;</a>", { a: "&lt;" }],
    ["references in attributes", `<a b="&quot;x&apos; >"/>`, { a: { "@b": `"x' >` } }],
    ["> and quotes in attributes", `<a b='">"' c="/"/>`, { a: { "@b": '">"', "@c": "/" } }],
    ["a byte order mark and a declaration", '\uFEFF<?xml version="1.0"?>\n<a>x</a>\n', { a: "x" }],
    [
      "names that objects inherit",
      "<a><toString>1</toString><hasOwnProperty>2</hasOwnProperty></a>",
      { a: { toString: "1", hasOwnProperty: "2" } },
    ],
    ["CRLF as LF", "<a>x\r\ny</a>", { a: "x\ny" }],
    [
      "prefixed names without their prefix",
      '<n:a xmlns:n="u" n:v="1"><n:b>2</n:b></n:a>',
      { a: { "@v": "1", b: "2" } },
    ],
  ])("%s", async (_, text, expected) => {
    expect(await output(text)).toEqual(expected);
  });

  it("keeps prefixes and their declarations when asked to", async () => {
    const text = '<n:a xmlns:n="u"><n:b>2</n:b></n:a>';
    expect(await output(text, { removeNamespaces: false })).toEqual({
      "n:a": { "@xmlns:n": "u", "n:b": "2" },
    });
  });

  it("gives arrays for the names and paths that are always lists", async () => {
    const text = "<o><items><item>1</item></items><note><item>2</item></note><tag/></o>";
    expect(await output(text, { arrays: ["o/items/item", "tag"] })).toEqual({
      o: { items: { item: ["1"] }, note: { item: "2" }, tag: [""] },
    });
  });

  it("keeps white space around text when trim is off, and drops it between elements always", async () => {
    const text = "<a>\n  <b> x </b>\n</a>";
    expect(await output(text)).toEqual({ a: { b: "x" } });
    expect(await output(text, { trim: false })).toEqual({ a: { b: " x " } });
  });

  it("uses the attribute prefix it is given, and refuses one that could be a name", async () => {
    expect(await output('<a b="1"/>', { attributePrefix: "$" })).toEqual({ a: { $b: "1" } });
    expect(await run("<a/>", { attributePrefix: "x" })).toMatchObject({
      ok: false,
      error: { code: "CONFIG_INVALID" },
    });
  });
});

describe("xml.parse refuses, with code, line and column", () => {
  it.each([
    ["a wrong closing tag", "<a>\n  <b>\n  </c>\n</a>", "XML_MALFORMED", 3, 3],
    ["a text that was cut off", "<a>\n <b>\n  <c>", "XML_MALFORMED", 3, 3],
    ["a closing tag too many", "<a/>\n</b>", "XML_MALFORMED", 2, 1],
    ["a second root", "<a/>\n<b/>", "XML_MALFORMED", 2, 1],
    ["text before the root", "x<a/>", "XML_MALFORMED", 1, 1],
    ["text after the root", "<a/>\r\n x", "XML_MALFORMED", 2, 2],
    ["no element at all", "<!-- x -->", "XML_MALFORMED", 1, 11],
    ["an attribute without quotes", "<a>\n<b c=1/></a>", "XML_MALFORMED", 2, 3],
    ["an attribute that is never closed", '<a>\n<b c="1/></a>', "XML_MALFORMED", 2, 3],
    ["a repeated attribute", '<a b="1" b="2"/>', "XML_ATTRIBUTE_REPEATED", 1, 10],
    ["attributes that become one without prefixes", '<a n:b="1" m:b="2"/>', "XML_ATTRIBUTE_REPEATED", 1, 12],
    ["a lone ampersand", "<a>R & D</a>", "XML_MALFORMED", 1, 6],
    ["a lone less-than", "<a>1 < 2</a>", "XML_MALFORMED", 1, 6],
    ["an entity that XML does not know", "<a>&nbsp;</a>", "XML_ENTITY_UNKNOWN", 1, 4],
    ["a reference to NUL", "<a>&#0;</a>", "XML_CHARACTER", 1, 4],
    ["a NUL character", "<a>\n\0</a>", "XML_CHARACTER", 2, 1],
    ["half a surrogate pair", "<a>\uD800</a>", "XML_CHARACTER", 1, 4],
    ["an unclosed comment", "<a>\n<!-- </a>", "XML_MALFORMED", 2, 1],
    ["unclosed CDATA", "<a><![CDATA[x]]</a>", "XML_MALFORMED", 1, 4],
    ["a late declaration", '\n<?xml version="1.0"?><a/>', "XML_MALFORMED", 2, 1],
    [
      "a document type",
      '<?xml version="1.0"?>\n<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>',
      "XML_DOCTYPE_FORBIDDEN",
      2,
      1,
    ],
    [
      "an external entity",
      '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>',
      "XML_DOCTYPE_FORBIDDEN",
      1,
      1,
    ],
    [
      "a name that would be a prototype",
      "<a>\n<__proto__><x>1</x></__proto__></a>",
      "XML_NAME_FORBIDDEN",
      2,
      1,
    ],
    ["a prefixed name that would be a prototype", "<a><n:constructor/></a>", "XML_NAME_FORBIDDEN", 1, 4],
    ["an empty text", "", "XML_EMPTY", 1, 1],
    ["white space only", " \n ", "XML_EMPTY", 1, 1],
  ])("%s", async (_, text, code, line, column) => {
    expect(await run(text)).toMatchObject({ ok: false, error: { code, line, column } });
  });

  it.each([[undefined], [null], [7], [{ a: 1 }], [["<a/>"]]])("input that is no text: %j", async (text) => {
    expect(await run(text)).toMatchObject({ ok: false, error: { code: "INPUT_TYPE", path: "text" } });
  });

  it("names both ends of a wrong pair", async () => {
    const result = await run("<a>\n  <b>\n  </c>\n</a>");
    if (result.ok) throw new Error("accepted");
    expect(result.error.message).toBe(
      "Expected </b> for the element opened at line 2, column 3, found </c> (line 3, column 3).",
    );
  });

  it("options it does not know", async () => {
    expect(await run("<a/>", { arays: ["b"] })).toMatchObject({
      ok: false,
      error: { code: "CONFIG_INVALID" },
    });
  });
});

describe("xml.parse against hostile text", () => {
  it("refuses deep nesting before it builds anything", async () => {
    const text = "<a>".repeat(1_000_000);
    expect(await run(text)).toMatchObject({
      ok: false,
      error: { code: "XML_TOO_DEEP", column: 128 * 3 + 1 },
    });
    expect(await run("<a>".repeat(128) + "</a>".repeat(128))).toMatchObject({ ok: true });
  });

  it("reads 5 MB in work that grows with the size, also where patterns could backtrack", async () => {
    const filler = "x".repeat(5_000_000);
    const spaces = " ".repeat(5_000_000);
    expect(await output(`<a>${filler}</a>`)).toEqual({ a: filler });
    expect(await output(`<a b="${filler}"/>`)).toEqual({ a: { "@b": filler } });
    expect(await run(`<a${spaces}`)).toMatchObject({ ok: false });
    expect(await run(`<a>${"&".repeat(5_000_000)}</a>`)).toMatchObject({ ok: false });
    expect(await output(`<a>${"&amp;".repeat(1_000_000)}</a>`)).toEqual({ a: "&".repeat(1_000_000) });
    expect(await output(`<a>${"<b>1</b>".repeat(500_000)}</a>`)).toMatchObject({
      a: { b: { length: 500_000 } },
    });
  });

  it("never swallows elements after a processing instruction with quotes", async () => {
    const result = await run("<a><?pi it's ?><b>it's</b></a>");
    expect(result).toMatchObject({ ok: false, error: { code: "XML_UNSUPPORTED" } });
  });

  it("leaves the prototype of objects alone", async () => {
    await run('<a __proto__="1"><b __proto__="2"/></a>');
    expect(Object.keys(Object.prototype)).toEqual([]);
  });
});

const name = fc
  .stringMatching(/^[A-Za-z][A-Za-z0-9._-]{0,8}$/)
  .filter((n) => !["constructor", "prototype"].includes(n));
const value = fc
  .string({ unit: "grapheme", maxLength: 20 })
  .map((s) => s.replace(/[^\p{L}\p{N} <>&"']/gu, "").trim());

describe("xml.parse properties", () => {
  it("gives back the values that a builder wrote", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(fc.tuple(name, value), { selector: ([n]) => n, minLength: 1, maxLength: 8 }),
        async (pairs) => {
          const document = { root: Object.fromEntries(pairs) };
          expect(await output(new XMLBuilder({}).build(document))).toEqual(document);
        },
      ),
      { numRuns: 200 },
    );
  });

  it("accepts nothing that another validator calls malformed", () => {
    const piece = fc.constantFrom(
      "<a>",
      "</a>",
      "<b/>",
      '<c d="e">',
      "</c>",
      "x",
      "&amp;",
      "&",
      "<",
      ">",
      "]]>",
      "<!-- ",
      " -->",
      "<![CDATA[",
      '"',
      "\n",
      "=",
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        const text = pieces.join("");
        if (scanXml(text, true).ok) expect(XMLValidator.validate(text)).toBe(true);
      }),
      { numRuns: 3_000 },
    );
  });
});
