/** Warehouse scoring: 0.50 stock + 0.25 distance + 0.15 SLA + 0.10 cost, each 0 to 100 by default. */
export interface Weights {
  readonly stock: number;
  readonly distance: number;
  readonly sla: number;
  readonly cost: number;
}

export interface Coordinates {
  readonly lat: number;
  readonly lon: number;
}

export interface Warehouse {
  readonly id: string;
  readonly name: string;
  readonly location: { readonly lat?: number | undefined; readonly lon?: number | undefined };
  readonly slaHours: number;
  readonly stock: Readonly<Record<string, number>>;
  readonly costPerUnit: number;
  readonly status: "active" | "inactive" | "maintenance";
}

export interface Demand {
  readonly lines: readonly { readonly sku: string; readonly quantity: number }[];
  readonly destination: Coordinates | undefined;
}

export interface Score {
  readonly id: string;
  readonly name: string;
  /** Weighted sum, rounded to four decimals like its parts; ranking uses the unrounded value. */
  readonly score: number;
  readonly parts: Weights;
  readonly distanceKm: number;
  readonly distanceAssumed: boolean;
  readonly inStock: boolean;
  readonly reasons: readonly string[];
}

export const defaultWeights: Weights = { stock: 0.5, distance: 0.25, sla: 0.15, cost: 0.1 };
const earthRadiusKm = 6371;
/** Taken when the destination or the warehouse has no coordinates. */
export const assumedKm = 1000;

/** Great-circle distance by the haversine formula. */
export function distanceKm(a: Coordinates, b: Coordinates): number {
  const radians = (degrees: number): number => (degrees * Math.PI) / 180;
  const h =
    Math.sin(radians(b.lat - a.lat) / 2) ** 2 +
    Math.cos(radians(a.lat)) * Math.cos(radians(b.lat)) * Math.sin(radians(b.lon - a.lon) / 2) ** 2;
  return 2 * earthRadiusKm * Math.asin(Math.min(1, Math.sqrt(h)));
}

/** Active warehouses, best first. Equal scores: the nearer one first, then by id. */
export function rankWarehouses(demand: Demand, warehouses: readonly Warehouse[], weights: Weights): Score[] {
  return warehouses
    .filter((warehouse) => warehouse.status === "active")
    .map((warehouse) => scoreWarehouse(demand, warehouse, weights))
    .sort(
      (a, b) =>
        b.exact - a.exact || a.score.distanceKm - b.score.distanceKm || (a.score.id < b.score.id ? -1 : 1),
    )
    .map(({ score }) => score);
}

function scoreWarehouse(
  demand: Demand,
  warehouse: Warehouse,
  weights: Weights,
): { score: Score; exact: number } {
  const onHand = (sku: string): number =>
    Object.hasOwn(warehouse.stock, sku) ? (warehouse.stock[sku] ?? 0) : 0;
  const short = demand.lines.filter(({ sku, quantity }) => onHand(sku) < quantity);
  const { lat, lon } = warehouse.location;
  const known = demand.destination !== undefined && lat !== undefined && lon !== undefined;
  const km = known && demand.destination ? distanceKm(demand.destination, { lat, lon }) : assumedKm;
  const parts: Weights = {
    stock: short.length === 0 ? 100 : 0,
    distance: Math.max(0, 100 - km / 10),
    sla: Math.max(0, 100 - warehouse.slaHours),
    cost: Math.max(0, 100 - 10 * warehouse.costPerUnit),
  };
  const exact =
    weights.stock * parts.stock +
    weights.distance * parts.distance +
    weights.sla * parts.sla +
    weights.cost * parts.cost;
  const missing = short.map(({ sku, quantity }) => `has ${onHand(sku)} of ${quantity} ${sku}`);
  const score: Score = {
    id: warehouse.id,
    name: warehouse.name,
    score: round(exact),
    parts: {
      stock: parts.stock,
      distance: round(parts.distance),
      sla: round(parts.sla),
      cost: round(parts.cost),
    },
    distanceKm: round(km),
    distanceAssumed: !known,
    inStock: short.length === 0,
    reasons: [
      ...(missing.length === 0 ? ["has everything in stock"] : missing),
      known ? `${km.toFixed(1)} km away` : `${assumedKm} km away (assumed, as coordinates are missing)`,
      `ships within ${warehouse.slaHours} h`,
      `costs ${warehouse.costPerUnit} per unit`,
    ],
  };
  return { score, exact };
}

const round = (value: number): number => Math.round(value * 10_000) / 10_000;
