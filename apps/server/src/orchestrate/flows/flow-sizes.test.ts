/** Shapes of graphs that are published as they are written: orders that hold, sizes up to the limits. */
import { describe, expect, it } from "vitest";
import { drivers, useDatabase } from "#testing";
import { authorOf } from "./sample-author.ts";
import { sampleKinds } from "./sample-kinds.ts";
import { createFlows } from "./service.ts";

const step = (needs: readonly string[] = []) => ({ use: "map", with: { value: 1 }, needs });
const names = (count: number) => Array.from({ length: count }, (_, i) => `s${String(i).padStart(3, "0")}`);

const shapes: readonly [string, Record<string, { needs: readonly string[] }>, readonly string[]][] = [
  [
    "a chain, written from its end",
    Object.fromEntries(
      names(100)
        .map((name, i, all) => [name, step(all.slice(Math.max(0, i - 1), i))] as const)
        .toReversed(),
    ),
    names(100),
  ],
  [
    "a diamond",
    { end: step(["right", "left"]), left: step(["start"]), right: step(["start"]), start: step() },
    ["start", "left", "right", "end"],
  ],
  [
    "a fan-in of 100 steps",
    { all: step(names(100)), ...Object.fromEntries(names(100).map((name) => [name, step()])) },
    [...names(100), "all"],
  ],
  [
    "a fan-out and join of 998",
    {
      join: step(names(998)),
      ...Object.fromEntries(names(998).map((name) => [name, step(["first"])])),
      first: step(),
    },
    ["first", ...names(998), "join"],
  ],
];

describe.each(drivers)("flows of many steps on %s", (driver) => {
  const db = useDatabase(driver);

  it.each(shapes)(
    "[L2] publishes %s in an order in which every step comes behind its needs",
    async (_what, steps, order) => {
      const flows = createFlows({ db: db(), kinds: sampleKinds });
      const author = authorOf();
      const { hash } = await flows.publish(author, { flow: "shape", version: "1.0.0", steps });
      const flow = await flows.compiled(author.tenantId, hash);
      expect(flow.steps.map(({ name }) => name)).toEqual(order);
      for (const { index, name, needs } of flow.steps) {
        expect(needs.every((need) => need < index)).toBe(true);
        expect(new Set(needs.map((need) => flow.steps[need]?.name))).toEqual(new Set(steps[name]?.needs));
      }
    },
  );

  it("refuses each wrong graph with a code of its own, and publishes nothing of it", async () => {
    const flows = createFlows({ db: db(), kinds: sampleKinds });
    const author = authorOf();
    const codeOf = async (source: object | string) =>
      flows.publish(author, source).then(
        () => "published",
        (error) => error.errors?.[0]?.code ?? error.code,
      );
    const of = (steps: object) => ({ flow: "wrong", version: "1.0.0", steps });
    const codes = [
      await codeOf(of({})),
      await codeOf(
        `flow: wrong\nversion: 1.0.0\nsteps:\n  a: { use: map, with: { value: 1 } }\n  a: { use: map, with: { value: 2 } }\n`,
      ),
      await codeOf(of({ a: step(["zz"]) })),
      await codeOf(of({ a: step(["a"]) })),
      await codeOf(of({ a: step(["b"]), b: step(["a"]) })),
      await codeOf(of({ a: { use: "mapp" } })),
      await codeOf(of({ a: { ...step(), retry: { backoff: "slow" } } })),
      await codeOf(of({ a: { use: "flow", with: { flow: "missing" } } })),
    ];
    expect(codes).toEqual([
      "FLOW_STEPS",
      "SOURCE_DUPLICATE_KEY",
      "NEEDS_UNKNOWN",
      "NEEDS_SELF",
      "FLOW_CYCLE",
      "KIND_UNKNOWN",
      "FIELD_VALUE",
      "CHILD_UNKNOWN",
    ]);
    await expect(flows.resolve(author.tenantId, "wrong")).rejects.toMatchObject({ code: "FLOW_NOT_FOUND" });
  });
});
