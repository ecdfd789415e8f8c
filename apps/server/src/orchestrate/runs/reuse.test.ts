/** What a repeated run uses again: by examples, and as a property of random flows. */
import type { FlowDefinition } from "@oars/contract";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type CompiledFlow, compileFlow } from "#orchestrate/flows";
import { reusable } from "./reuse.ts";

const kinds = {
  find: (use: string) => ({
    name: use,
    version: use === "new" ? 2 : 1,
    pure: true,
    config: undefined as never,
  }),
  names: () => ["noop"],
};
const compiled = (steps: FlowDefinition["steps"], version = "1.0.0"): CompiledFlow =>
  compileFlow({ flow: "f", version, steps }, kinds);
const all = (flow: CompiledFlow): Set<string> => new Set(flow.steps.map((s) => s.name));

describe("[O6] steps that are used again", () => {
  const steps: FlowDefinition["steps"] = {
    a: { use: "noop" },
    b: { use: "noop", needs: ["a"] },
    c: { use: "noop", needs: ["a"], onError: { goto: "h" } },
    h: { use: "noop" },
    d: { use: "noop", needs: ["b", "c"] },
  };
  const flow = compiled(steps);
  const again = (from: string, after = flow, ended = all(flow)) => reusable(flow, after, from, ended).sort();

  it.each([
    ["a", []],
    ["b", ["a", "c", "h"]],
    ["c", ["a", "b"]],
    ["d", ["a", "b", "c", "h"]],
    ["h", ["a", "b", "c", "d"]],
  ])("from %s on are %j", (from, expected) => {
    expect(again(from)).toEqual(expected);
  });

  it("are only those that ended", () => {
    expect(again("d", flow, new Set(["a", "b"]))).toEqual(["a", "b"]);
  });

  it("are not those that are written otherwise, of another kind's version, new, or behind such ones", () => {
    expect(again("d", compiled({ ...steps, b: { use: "noop", needs: ["a"], with: { x: 1 } } }))).toEqual([
      "a",
      "c",
      "h",
    ]);
    expect(again("d", compiled({ ...steps, a: { use: "new" } }))).toEqual([]);
    expect(again("d", compiled({ ...steps, e: { use: "noop" } }))).toEqual(["a", "b", "c", "h"]);
    expect(again("d", compiled({ ...steps, c: { use: "noop", needs: ["a"] } }))).toEqual(["a", "b"]);
  });
});

describe("[O6] in random flows", () => {
  const graph = fc
    .integer({ min: 1, max: 12 })
    .chain((n) =>
      fc.tuple(
        fc.array(fc.array(fc.nat(11), { maxLength: 3 }), { minLength: n, maxLength: n }),
        fc.nat(11),
        fc.nat(11),
      ),
    );
  const stepsOf = (needs: readonly (readonly number[])[]): FlowDefinition["steps"] =>
    Object.fromEntries(
      needs.map((list, i) => [
        `s${i}`,
        { use: "noop", needs: [...new Set(list)].filter((n) => n < i).map((n) => `s${n}`) },
      ]),
    );

  it("what is used again never follows from the first step, nor from one that was changed; all else is", () => {
    fc.assert(
      fc.property(graph, ([needs, fromAt, changedAt]) => {
        const n = needs.length;
        const [from, changed] = [`s${fromAt % n}`, `s${changedAt % n}`];
        const steps = stepsOf(needs);
        const before = compiled(steps);
        const after = compiled(
          { ...steps, [changed]: { ...steps[changed], use: "noop", with: { changed: true } } },
          "2.0.0",
        );
        const follows = (name: string): boolean =>
          name === from || name === changed || (steps[name]?.needs ?? []).some(follows);
        const expected = Object.keys(steps).filter((name) => !follows(name));
        expect(reusable(before, after, from, all(before)).sort()).toEqual(expected.sort());
      }),
      { numRuns: 300 },
    );
  });
});
