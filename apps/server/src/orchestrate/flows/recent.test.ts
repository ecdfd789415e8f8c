import { describe, expect, it } from "vitest";
import { createRecent } from "./recent.ts";

describe("createRecent", () => {
  it("keeps what was asked for last and forgets what was not", async () => {
    const loads: string[] = [];
    const recent = createRecent<string>(2);
    const get = (key: string) =>
      recent.get(key, async () => {
        loads.push(key);
        return key;
      });
    for (const key of ["a", "b", "a", "c", "a", "b"]) await get(key);
    expect(loads).toEqual(["a", "b", "c", "b"]);
    expect(recent.size).toBe(2);
  });

  it("loads once for all who ask at the same time, and again after a failure", async () => {
    let loads = 0;
    const recent = createRecent<number>(2);
    const load = async () => {
      loads += 1;
      if (loads === 1) throw new Error("first");
      return loads;
    };
    const both = await Promise.allSettled([recent.get("a", load), recent.get("a", load)]);
    expect(both.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    expect(await Promise.all([recent.get("a", load), recent.get("a", load)])).toEqual([2, 2]);
  });
});
