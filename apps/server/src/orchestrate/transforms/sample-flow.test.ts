import { readFileSync } from "node:fs";
import { flowDefinition } from "@oars/contract";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { transforms } from "./index.ts";
import type { TransformResult } from "./transform.ts";

const folder = new URL("../../../../../examples/order-to-warehouse/", import.meta.url);
const read = (name: string): string => readFileSync(new URL(name, folder), "utf8");

interface SampleStep {
  readonly use: string;
  readonly with: Record<string, unknown>;
}
const flow = parse(read("flow.yaml")) as { steps: Record<string, SampleStep> }; // the file under test
const warehouses = JSON.parse(read("warehouses.json")) as { id: string; status: string }[]; // the file under test

const at = (scope: unknown, path: string): unknown =>
  path
    .split(".")
    .reduce<unknown>((value, key) => (value as Record<string, unknown> | undefined)?.[key], scope);

/** Fills lone `{{ plain.path }}` placeholders, the only kind that the sample uses. */
function fill(value: unknown, scope: unknown): unknown {
  if (typeof value === "string") {
    const path = /^\{\{ ([\w.]+) \}\}$/.exec(value)?.[1];
    return path === undefined ? value : at(scope, path);
  }
  if (Array.isArray(value)) return value.map((item) => fill(item, scope));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, fill(member, scope)]));
}

/** Runs the pure steps in order, then gives the body that `ship` would send. Stops at the first failure. */
async function runSample(name: string) {
  const scope = {
    params: { xml: read(`documents/${name}`) },
    steps: {} as Record<string, { output: unknown }>,
  };
  for (const [step, { use, with: config }] of Object.entries(flow.steps)) {
    const transform = transforms.find((candidate) => candidate.name === use);
    if (transform === undefined)
      return { step: "ship", ok: true, sent: at(fill(config, scope), "body"), scope } as const;
    const result: TransformResult = await transform.run(fill(config, scope));
    if (!result.ok) return { step, ok: false, error: result.error } as const;
    scope.steps[step] = { output: result.output };
  }
  throw new Error("the sample has no effect step");
}

async function sent(name: string) {
  const run = await runSample(name);
  if (!run.ok) throw new Error(`${run.step}: ${run.error.message}`);
  return { body: run.sent, item: run.scope.steps.item?.output, route: run.scope.steps.route?.output };
}

describe("the sample flow order-to-warehouse", () => {
  it("sends the small order to San Francisco, with accents, CDATA and leading zeros whole", async () => {
    const { body, item, route } = await sent("01-small.xml");
    expect(body).toMatchObject({
      documentId: "IFD-2026-000417",
      warehouseId: "WH-SF-001",
      orderValueMinor: 148_466,
      currency: "USD",
      lines: [
        { sku: "00731-ESP", quantity: 3, unitPriceMinor: 39_900 },
        { sku: "00118-CUP", quantity: 4, unitPriceMinor: 5_450 },
        { sku: "00902-FLT", quantity: 9, unitPriceMinor: 774 },
      ],
    });
    expect(item).toMatchObject({
      itemId: "ITM-0001",
      description: 'Espresso grinder 64 mm <burrs>, 110–240 V & "crema" dial',
      quantity: 3,
      weight: 7.4,
      dimensions: { length: 24, width: 18.5, height: 42 },
      destination: { city: "San José", zipCode: "95113", lat: 37.3318, lon: -121.8863 },
      metadata: { customer: "Café Ñandú & Söhne" },
    });
    const { alternatives, scores } = route as { alternatives: { id: string }[]; scores: { id: string }[] };
    expect(alternatives.map(({ id }) => id)).toEqual(["WH-LA-002", "WH-DEN-003", "WH-NJ-004"]);
    expect(scores.map(({ id }) => id)).not.toContain("WH-OAK-005"); // inactive, though near and cheap
    expect(scores.map(({ id }) => id)).not.toContain("WH-SJ-006"); // in maintenance
  });

  it("reads prefixed elements like plain ones", async () => {
    const { body, item } = await sent("02-namespaced.xml");
    expect(body).toMatchObject({ warehouseId: "WH-SF-001", orderValueMinor: 10_900 });
    expect(item).toMatchObject({ weight: 1.9, destination: { city: "Portland", lat: 45.5236 } });
    expect(item).not.toHaveProperty("dimensions");
  });

  it("computes a value above the approval limit of 500,000 minor units", async () => {
    const { body } = await sent("03-large-value.xml");
    expect(body).toMatchObject({ warehouseId: "WH-SF-001", orderValueMinor: 1_468_200 });
    expect(read("policy.cedar")).toContain("orderValueMinor > 500000");
  });

  it("stops at the malformed document and says where it is broken", async () => {
    const run = await runSample("04-malformed.xml");
    expect(run).toMatchObject({
      step: "parse",
      ok: false,
      error: { code: "XML_MALFORMED", line: 13, column: 41 },
    });
    if (!run.ok) expect(run.error.message).toContain("Expected </Description>");
  });

  it("assumes 1000 km where the destination has no coordinates", async () => {
    const { item, route } = await sent("05-no-coordinates.xml");
    expect(at(item, "destination")).not.toHaveProperty("lat");
    expect(at(item, "destination.state")).toBe("");
    expect(at(route, "chosen")).toMatchObject({ id: "WH-SF-001", distanceKm: 1000, distanceAssumed: true });
    expect(JSON.stringify(at(route, "chosen.reasons"))).toContain("assumed");
  });

  it("is a flow by the published schema", () => {
    expect(flowDefinition.safeParse(flow)).toMatchObject({ success: true });
  });

  it("ranks the warehouses of warehouses.json", () => {
    expect(flow.steps.route?.with.warehouses).toEqual(warehouses);
    expect(new Set(warehouses.map(({ status }) => status))).toEqual(
      new Set(["active", "inactive", "maintenance"]),
    );
  });

  it("has a connection whose fact is the field that the flow sends", () => {
    const connection = JSON.parse(read("connection.json")) as {
      config: { facts: { name: string; path: string }[] };
    }; // the file under test
    const { facts } = connection.config;
    for (const { path } of facts) expect(at(flow.steps.ship?.with, path)).toBeDefined();
    expect(facts.map(({ name }) => name)).toEqual(["orderValueMinor"]);
  });
});
