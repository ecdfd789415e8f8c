import fc from "fast-check";
import { expect, it } from "vitest";
import { findJsonFault } from "./json-fault.ts";

it.each([
  ['{\n  "a": }', 2, 8, "a value must stand here"],
  ['{"a": 1,}', 1, 9, "a name in double quotes must stand here"],
  ["[1 2]", 1, 4, "a comma or ] must stand here"],
  ['{"a" 1}', 1, 6, "a colon must stand here"],
  ["[01]", 1, 2, "a value must stand here"],
  ["{'a': 1}", 1, 2, "a name in double quotes must stand here"],
  ['["a\n"]', 1, 2, "this text is not closed, or has a character that must be escaped"],
  ["{} x", 1, 4, "nothing may follow the value"],
  ["[1,", 1, 4, "the text ends, and a value must stand here"],
  ["", 1, 1, "the text ends, and a value must stand here"],
])("%j breaks at line %i, column %i: %s", (text, line, column, message) => {
  expect(findJsonFault(text)).toEqual({ line, column, message });
});

it("finds a fault in exactly the texts that the engine's parser refuses", () => {
  const refused = (text: string): boolean => {
    try {
      JSON.parse(text);
      return false;
    } catch {
      return true;
    }
  };
  const piece = fc.constantFrom(
    ...'{}[]:,"\\ \n\u007f\u00e9\u0001-+.e01u'.split(""),
    "true",
    "null",
    '"a"',
    '"\\u00e9"',
    "1.5e-3",
  );
  const mutated = fc
    .tuple(fc.json(), fc.nat(), piece, fc.nat(2))
    .map(
      ([json, at, text, cut]) =>
        json.slice(0, at % (json.length + 1)) + text + json.slice((at % (json.length + 1)) + cut),
    );
  fc.assert(
    fc.property(
      fc.oneof(
        fc.json(),
        mutated,
        fc.array(piece).map((all) => all.join("")),
      ),
      (text) => {
        expect(findJsonFault(text) !== undefined).toBe(refused(text));
      },
    ),
    { numRuns: 3_000 },
  );
});
