import fc from "fast-check";
import { expect, it } from "vitest";
import { editDistance, nearName } from "./near-name.ts";

it.each([
  ["", "abc", 3],
  ["kitten", "sitting", 3],
  ["prot", "port", 1],
  ["same", "same", 0],
])("%s is %s edits from %s", (a, b, distance) => {
  expect(editDistance(a, b)).toBe(distance);
});

it("a distance is symmetric, zero only for equal texts, and at most the longer length", () => {
  const word = fc.string({ maxLength: 12 });
  fc.assert(
    fc.property(word, word, (a, b) => {
      const distance = editDistance(a, b);
      expect(distance).toBe(editDistance(b, a));
      expect(distance === 0).toBe(a === b);
      expect(distance).toBeLessThanOrEqual(Math.max(a.length, b.length));
    }),
  );
});

it("suggests nothing when nothing is near", () => {
  expect(nearName("OARS_PROT", ["OARS_PORT", "OARS_HOST"])).toBe("OARS_PORT");
  expect(nearName("OARS_UNHEARD_OF", ["OARS_PORT"])).toBeUndefined();
});
