import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { score } from "./score.ts";
import { distanceKm } from "./score-formula.ts";

const item = {
  itemId: "I-1",
  sku: "A",
  quantity: 2,
  destination: { city: "San José", lat: 37.3318, lon: -121.8863 },
};
const warehouse = (id: string, more: object = {}) => ({
  id,
  name: id,
  location: { lat: 37.7749, lon: -122.4194 },
  slaHours: 24,
  stock: { A: 10 },
  costPerUnit: 3.5,
  capacity: 100,
  status: "active",
  ...more,
});
interface Ranked {
  id: string;
  score: number;
  distanceKm: number;
  distanceAssumed: boolean;
  inStock: boolean;
  parts: Record<string, number>;
  reasons: string[];
  behind?: string;
}
const run = async (config: object) => score.run({ item, ...config });
const output = async (config: object) => {
  const result = await run(config);
  if (!result.ok) throw new Error(`${result.error.code}: ${result.error.message}`);
  return result.output as unknown as {
    chosen: Ranked;
    alternatives: Ranked[];
    scores: { id: string; score: number }[];
  };
};

describe("score", () => {
  it("is 0.50 stock + 0.25 distance + 0.15 SLA + 0.10 cost", async () => {
    const { chosen } = await output({ warehouses: [warehouse("W")] });
    const km = distanceKm(item.destination, { lat: 37.7749, lon: -122.4194 });
    const expected = 0.5 * 100 + 0.25 * (100 - km / 10) + 0.15 * (100 - 24) + 0.1 * (100 - 35);
    expect(chosen.score).toBeCloseTo(expected, 4);
    expect(chosen.parts).toEqual({
      stock: 100,
      distance: expect.closeTo(100 - km / 10, 4),
      sla: 76,
      cost: 65,
    });
    expect(chosen.reasons).toEqual([
      "has everything in stock",
      `${km.toFixed(1)} km away`,
      "ships within 24 h",
      "costs 3.5 per unit",
    ]);
  });

  it.each([
    ["San Francisco to New York", { lat: 37.7749, lon: -122.4194 }, { lat: 40.7128, lon: -74.006 }, 4129],
    ["across the date line", { lat: 0, lon: 179.5 }, { lat: 0, lon: -179.5 }, 111],
    ["pole to pole", { lat: 90, lon: 0 }, { lat: -90, lon: 0 }, 20015],
    ["nowhere", { lat: 5, lon: 5 }, { lat: 5, lon: 5 }, 0],
  ])("measures the great circle: %s", (_, a, b, km) => {
    expect(Math.abs(distanceKm(a, b) - km)).toBeLessThan(1);
  });

  it.each([
    ["stock", { stock: { A: 1 } }, 0],
    ["distance beyond 1000 km", { location: { lat: 40.7, lon: -74 } }, 0],
    ["SLA beyond 100 h", { slaHours: 240 }, 0],
    ["cost beyond 10", { costPerUnit: 12 }, 0],
  ])("gives no points, and never negative ones, for %s", async (part, more, points) => {
    const { chosen } = await output({ warehouses: [warehouse("W", more)] });
    expect(chosen.parts[part.split(" ")[0]?.toLowerCase() ?? ""]).toBe(points);
  });

  it("assumes 1000 km where either side has no coordinates", async () => {
    const nowhere = { ...item, destination: { city: "Keflavík" } };
    const away = await output({ item: nowhere, warehouses: [warehouse("W")] });
    expect(away.chosen).toMatchObject({ distanceKm: 1000, distanceAssumed: true, parts: { distance: 0 } });
    const unplaced = await output({ warehouses: [warehouse("W", { location: { city: "X" } })] });
    expect(unplaced.chosen).toMatchObject({ distanceKm: 1000, distanceAssumed: true });
    expect(unplaced.chosen.reasons.join()).toContain("assumed");
  });

  it("chooses the best and tells what the next three lack", async () => {
    const { chosen, alternatives, scores } = await output({
      warehouses: [
        warehouse("far", { location: { lat: 39.7, lon: -105 } }),
        warehouse("best"),
        warehouse("slow", { slaHours: 48 }),
        warehouse("dear", { costPerUnit: 9 }),
        warehouse("empty", { stock: {} }),
        warehouse("idle", { status: "inactive", slaHours: 0 }),
        warehouse("closed", { status: "maintenance", slaHours: 0 }),
      ],
    });
    expect(chosen.id).toBe("best");
    expect(alternatives.map(({ id }) => id)).toEqual(["slow", "dear", "far"]);
    expect(alternatives[0]?.behind).toBe("3.60 points behind best: 3.60 for SLA");
    expect(scores.map(({ id }) => id)).toEqual(
      ["best", "slow", "dear", "far", "empty"].sort((a, b) => rank(scores, a) - rank(scores, b)),
    );
    expect(scores).toHaveLength(5);
  });

  it("needs every line of an order on hand", async () => {
    const lines = [
      { sku: "A", quantity: 2 },
      { sku: "B", quantity: 1 },
    ];
    const { chosen, alternatives } = await output({
      item: { ...item, lines },
      warehouses: [warehouse("half"), warehouse("whole", { stock: { A: 2, B: 1 } })],
    });
    expect(chosen).toMatchObject({ id: "whole", inStock: true });
    expect(alternatives[0]?.reasons[0]).toBe("has 0 of 1 B");
  });

  it("breaks a tie by distance, then by id, whatever the order of the list", async () => {
    const pair = [warehouse("b"), warehouse("a")];
    expect((await output({ warehouses: pair })).chosen.id).toBe("a");
    expect((await output({ warehouses: [...pair].reverse() })).chosen.id).toBe("a");
  });

  it("takes other weights, which must add up to 1", async () => {
    const warehouses = [
      warehouse("near"),
      warehouse("cheap", { costPerUnit: 0, location: { lat: 40.7, lon: -74 } }),
    ];
    expect((await output({ warehouses })).chosen.id).toBe("near");
    const weights = { stock: 0, distance: 0, sla: 0, cost: 1 };
    expect((await output({ warehouses, weights })).chosen.id).toBe("cheap");
    for (const wrong of [{ ...weights, cost: 0.9 }, { cost: 1 }, { ...weights, luck: 0 }]) {
      expect(await run({ warehouses, weights: wrong })).toMatchObject({
        ok: false,
        error: { code: "CONFIG_INVALID" },
      });
    }
  });

  it("fails when no warehouse is active, and says what they are", async () => {
    const warehouses = [warehouse("x", { status: "inactive" }), warehouse("y", { status: "maintenance" })];
    const result = await run({ warehouses });
    expect(result).toMatchObject({ ok: false, error: { code: "SCORE_NO_ACTIVE_WAREHOUSE" } });
    expect(JSON.stringify(result)).toContain("x is inactive, y is maintenance");
    expect(await run({ warehouses: [] })).toMatchObject({
      ok: false,
      error: { code: "SCORE_NO_ACTIVE_WAREHOUSE" },
    });
  });

  it.each([
    ["an item without id", { item: { ...item, itemId: undefined } }, "SCORE_ITEM_INVALID"],
    ["an item without destination", { item: { ...item, destination: undefined } }, "SCORE_ITEM_INVALID"],
    ["a quantity that is text", { item: { ...item, quantity: "2" } }, "SCORE_ITEM_INVALID"],
    [
      "a latitude off the globe",
      { item: { ...item, destination: { lat: 91, lon: 0 } } },
      "SCORE_ITEM_INVALID",
    ],
    ["no item", { item: undefined }, "INPUT_TYPE"],
    ["no list of warehouses", { warehouses: "all" }, "INPUT_TYPE"],
    [
      "a warehouse without status",
      { warehouses: [warehouse("x", { status: "open" })] },
      "SCORE_WAREHOUSE_INVALID",
    ],
    ["two warehouses of one id", { warehouses: [warehouse("x"), warehouse("x")] }, "SCORE_WAREHOUSE_INVALID"],
    ["an unknown field of the config", { weight: 1 }, "CONFIG_INVALID"],
  ])("refuses %s", async (_, config, code) => {
    expect(await run({ warehouses: [warehouse("x")], ...config })).toMatchObject({
      ok: false,
      error: { code },
    });
  });

  it("counts own stock only", async () => {
    const { chosen } = await output({ item: { ...item, sku: "constructor" }, warehouses: [warehouse("x")] });
    expect(chosen.inStock).toBe(false);
  });

  it("keeps every score between 0 and 100 and in falling order", async () => {
    const any = fc.record({
      lat: fc.double({ min: -90, max: 90, noNaN: true }),
      lon: fc.double({ min: -180, max: 180, noNaN: true }),
      slaHours: fc.nat(500),
      costPerUnit: fc.double({ min: 0, max: 50, noNaN: true }),
      onHand: fc.nat(4),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(any, { minLength: 1, maxLength: 12 }), async (list) => {
        const warehouses = list.map(({ lat, lon, onHand, ...rest }, i) =>
          warehouse(`W${i}`, { ...rest, location: { lat, lon }, stock: { A: onHand } }),
        );
        const { chosen, scores, alternatives } = await output({ warehouses });
        const values = scores.map(({ score: value }) => value);
        expect(values.every((v) => v >= 0 && v <= 100)).toBe(true);
        expect(values).toEqual([...values].sort((a, b) => b - a));
        expect(chosen.score).toBe(values[0]);
        expect(alternatives).toHaveLength(Math.min(3, list.length - 1));
      }),
      { numRuns: 100 },
    );
  });
});

const rank = (scores: readonly { id: string; score: number }[], id: string): number =>
  -(scores.find((entry) => entry.id === id)?.score ?? 0);
