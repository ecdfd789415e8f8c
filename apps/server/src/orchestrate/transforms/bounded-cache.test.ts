import { describe, expect, it } from "vitest";
import { BoundedCache } from "./bounded-cache.ts";

describe("BoundedCache", () => {
  it("keeps no more than its size, dropping what was used longest ago", () => {
    const cache = new BoundedCache<string, string>(2);
    const made: string[] = [];
    const make = (key: string): string => {
      made.push(key);
      return key.toUpperCase();
    };
    const get = (key: string) => cache.get(key, () => make(key));
    expect([get("a"), get("b"), get("a"), get("c"), get("a"), get("b")]).toEqual([
      "A",
      "B",
      "A",
      "C",
      "A",
      "B",
    ]);
    expect(made).toEqual(["a", "b", "c", "b"]);
    expect(cache.count).toBe(2);
  });

  it("keeps nothing that could not be made", () => {
    const cache = new BoundedCache<string, number>(2);
    expect(() =>
      cache.get("a", () => {
        throw new Error("no");
      }),
    ).toThrow("no");
    expect(cache.get("a", () => 7)).toBe(7);
  });
});
