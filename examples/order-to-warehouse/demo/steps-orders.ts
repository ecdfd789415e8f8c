import type { RunWithSteps } from "@oars/sdk";
import { present } from "./check.ts";
import { readExample } from "./orders.ts";
import { money } from "./print.ts";
import { type Item, outputOf, type Routed, type Shipped, untilRun } from "./runs.ts";
import type { Play } from "./stage.ts";

/** One small order, step by step: parse, map, validate, score, ship. */
export async function smallOrder(play: Play): Promise<void> {
  const { admin, checks, print, shop, stage } = play;
  print.step("A small order: 01-small.xml");
  const { runId } = await shop.send(await readExample("documents/01-small.xml"));
  print.say(`202 ${runId}: kept before the shop had its answer`);
  const run = await untilRun(admin, runId, "completed");
  const item = outputOf<Item>(run, "item");
  const { chosen, alternatives } = outputOf<Routed>(run, "route");
  const shipped = outputOf<Shipped>(run, "ship");
  const made: Readonly<Record<string, string>> = {
    parse: `${item.metadata.documentId}, order ${item.metadata.orderId}`,
    item: `${item.lines.length} lines, ${money(item.orderValueMinor)} ${item.currency}`,
    check: "fits the schema",
    route: `${chosen.id}, ${chosen.name}`,
    ship: `${shipped.status} ${shipped.body.shipmentId}`,
  };
  print.table([
    ["step", "kind", "result", "ms"],
    ...run.steps.map((s) => [s.name, s.kind, made[s.name] ?? "", msOf(s)]),
  ]);
  print.say("Warehouses by score:");
  print.table([
    ["rank", "warehouse", "score", "km", "why not"],
    ...[chosen, ...alternatives].map((w, i) => [
      String(i + 1),
      w.id,
      w.score.toFixed(2),
      w.distanceKm.toFixed(0),
      "behind" in w ? String(w.behind) : "",
    ]),
  ]);
  checks.that(chosen.id === "WH-SF-001", "WH-SF-001 is chosen", chosen.id);
  const [shipment, ...others] = stage.warehouse.shipments;
  checks.that(
    shipment?.orderId === "SO-88120" && shipment.warehouseId === "WH-SF-001" && others.length === 0,
    "the warehouse system has one shipment, from WH-SF-001",
    stage.warehouse.shipments,
  );
}

const msOf = (step: RunWithSteps["steps"][number]): number =>
  Date.parse(step.endedAt ?? "") - Date.parse(step.startedAt ?? "");

/** The same flow reads other spellings, and goes on without coordinates. */
export async function otherDocuments(play: Play): Promise<void> {
  const { admin, checks, print, shop } = play;
  print.step("Other documents: 02-namespaced.xml, 05-no-coordinates.xml");
  const namespaced = await shop.send(await readExample("documents/02-namespaced.xml"));
  const coordless = await shop.send(await readExample("documents/05-no-coordinates.xml"));
  const first = outputOf<Routed>(await untilRun(admin, namespaced.runId, "completed"), "route").chosen;
  const second = outputOf<Routed>(await untilRun(admin, coordless.runId, "completed"), "route").chosen;
  print.table([
    ["document", "warehouse", "score", "km", ""],
    ["02-namespaced.xml", first.id, first.score.toFixed(2), first.distanceKm.toFixed(0), ""],
    ["05-no-coordinates.xml", second.id, second.score.toFixed(2), second.distanceKm.toFixed(0), "assumed"],
  ]);
  checks.that(first.id === "WH-SF-001", "namespaces and prefixes make no difference", first);
  checks.that(
    second.distanceAssumed && second.distanceKm === 1000,
    "without coordinates 1,000 km to every warehouse are assumed",
    second,
  );
}

/** What must not become a shipment, and what must not become two. */
export async function badDeliveries(play: Play): Promise<void> {
  const { admin, checks, print, shop, stage } = play;
  const { warehouse } = stage;
  print.step("A broken document, and the same delivery twice");
  const keysBefore = warehouse.seen.size;
  const { runId } = await shop.send(await readExample("documents/04-malformed.xml"));
  const run = await untilRun(admin, runId, "failed");
  const error = present(run.error, "the error of the failed run");
  print.fields([
    ["04-malformed.xml", `${run.status}, ${error.code} at line ${error.line}, column ${error.column}`],
    ["", error.message],
  ]);
  checks.that(
    error.code === "XML_MALFORMED" && error.line === 13 && error.column === 41,
    "the run failed with the place of the fault",
    error,
  );
  checks.that(warehouse.seen.size === keysBefore, "the warehouse system saw nothing of it");

  const again = await readExample("documents/02-namespaced.xml");
  const webhookId = "msg_delivered-twice";
  const answers = await Promise.all([shop.send(again, webhookId), shop.send(again, webhookId)]);
  const third = await shop.send(again, webhookId);
  await untilRun(admin, third.runId, "completed");
  const runIds = new Set([...answers, third].map((a) => a.runId));
  const repeats = [...answers, third].filter((a) => a.duplicate).length;
  checks.that(
    runIds.size === 1 && repeats === 2 && warehouse.seen.size === keysBefore + 1,
    "one delivery sent three times, twice at once, is one run and one shipment",
    { runIds: [...runIds], repeats },
  );
}
