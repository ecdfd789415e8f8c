import {
  array,
  literal,
  looseObject,
  number,
  type output,
  record,
  strictObject,
  string,
  unknown,
  type ZodType,
} from "zod";
import type { FieldProblem, Json } from "#platform/kernel";
import { type Demand, defaultWeights, rankWarehouses, type Score, type Weights } from "./score-formula.ts";
import { defineTransform, failure, failureOf, success, type TransformResult } from "./transform.ts";

const weight = number().min(0).max(1);
const config = strictObject({
  item: unknown(),
  warehouses: unknown(),
  weights: strictObject({ stock: weight, distance: weight, sla: weight, cost: weight })
    .refine(
      (w) => Math.abs(w.stock + w.distance + w.sla + w.cost - 1) < 1e-9,
      "the four weights must add up to 1",
    )
    .optional(),
});

const lat = number().min(-90).max(90).nullish();
const lon = number().min(-180).max(180).nullish();
const line = looseObject({ sku: string().min(1), quantity: number().positive() });
const itemShape = looseObject({
  itemId: string().min(1),
  sku: string().min(1),
  quantity: number().positive(),
  /** An order of several lines: all of them must be on hand. */
  lines: array(line).max(10_000).nullish(),
  destination: looseObject({ lat, lon }),
});
const warehouseShape = looseObject({
  id: string().min(1),
  name: string(),
  location: looseObject({ lat, lon }),
  slaHours: number().min(0),
  stock: record(string(), number()),
  costPerUnit: number().min(0),
  status: literal(["active", "inactive", "maintenance"]),
});

/**
 * `score`: ranks the active warehouses for an item. Output: `chosen`, `alternatives` (the next three, with
 * reasons) and `scores` of all. Fails with SCORE_NO_ACTIVE_WAREHOUSE, SCORE_ITEM_INVALID,
 * SCORE_WAREHOUSE_INVALID (all problems as details), INPUT_TYPE.
 */
export const score = defineTransform({
  name: "score",
  config,
  run({ item, warehouses, weights = defaultWeights }) {
    const wanted = check(itemShape, item, "item", "SCORE_ITEM_INVALID");
    if ("ok" in wanted) return wanted;
    const offered = check(
      array(warehouseShape).max(10_000),
      warehouses,
      "warehouses",
      "SCORE_WAREHOUSE_INVALID",
    );
    if ("ok" in offered) return offered;
    const rows = offered.value.map((w) => ({
      ...w,
      location: { lat: w.location.lat ?? undefined, lon: w.location.lon ?? undefined },
    }));
    const ids = new Set<string>();
    const twice = rows.find(({ id }) => ids.size === ids.add(id).size);
    if (twice !== undefined)
      return failure("SCORE_WAREHOUSE_INVALID", `Two warehouses have the id ${twice.id}.`, {
        path: "warehouses",
      });
    const ranked = rankWarehouses(demandOf(wanted.value), rows, weights);
    const [chosen, ...others] = ranked;
    if (chosen === undefined) {
      const states = rows
        .map((w) => `${w.id} is ${w.status}`)
        .slice(0, 10)
        .join(", ");
      const message = `No warehouse is active${states === "" ? ": the list is empty" : ` (${states})`}.`;
      return failure("SCORE_NO_ACTIVE_WAREHOUSE", message, { path: "warehouses" });
    }
    return success({
      chosen: toJson(chosen),
      alternatives: others
        .slice(0, 3)
        .map((other) => ({ ...toJson(other), behind: behind(chosen, other, weights) })),
      scores: ranked.map(({ id, score: value }) => ({ id, score: value })),
    });
  },
});

type Item = output<typeof itemShape>;

function demandOf(item: Item): Demand {
  const { lat: itemLat, lon: itemLon } = item.destination;
  const known = typeof itemLat === "number" && typeof itemLon === "number";
  return {
    lines: item.lines ?? [{ sku: item.sku, quantity: item.quantity }],
    destination: known ? { lat: itemLat, lon: itemLon } : undefined,
  };
}

const toJson = (of: Score): { [key: string]: Json } => ({
  ...of,
  parts: { ...of.parts },
  reasons: [...of.reasons],
});

/** Why `other` lost: its weighted points behind the chosen one, the largest loss first. */
function behind(chosen: Score, other: Score, weights: Weights): string {
  const losses = (["stock", "distance", "sla", "cost"] as const)
    .map((part) => ({ part, points: weights[part] * (chosen.parts[part] - other.parts[part]) }))
    .filter(({ points }) => points > 0.005)
    .sort((a, b) => b.points - a.points)
    .map(({ part, points }) => `${points.toFixed(2)} for ${part === "sla" ? "SLA" : part}`);
  const total = (chosen.score - other.score).toFixed(2);
  return losses.length === 0
    ? `level with ${chosen.id}`
    : `${total} points behind ${chosen.id}: ${losses.join(", ")}`;
}

function check<Shape extends ZodType>(
  shape: Shape,
  value: unknown,
  name: string,
  code: string,
): { value: output<Shape> } | TransformResult {
  if (typeof value !== "object" || value === null) {
    return failure(
      "INPUT_TYPE",
      `score needs \`${name}\`; it is ${value === undefined ? "missing" : typeof value}.`,
      { path: name },
    );
  }
  const parsed = shape.safeParse(value);
  if (parsed.success) return { value: parsed.data };
  const [first, ...rest] = parsed.error.issues.map((issue): FieldProblem => {
    const path = [name, ...issue.path.map(String)].join(".");
    return { path, code, message: `${path}: ${issue.message}.` };
  });
  return first === undefined ? failure(code, `${name} does not fit.`) : failureOf([first, ...rest]);
}
