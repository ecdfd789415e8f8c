/** What must be true after the crash, counted on both sides: in OARS and in the warehouse system. */
import type { Run } from "@oars/sdk";
import type { Delivered } from "./flood.ts";
import type { Order } from "./orders.ts";
import { allOf } from "./runs.ts";
import type { Play } from "./stage.ts";

export interface Aftermath {
  readonly orders: readonly Order[];
  readonly delivered: readonly Delivered[];
  /** Every run that the server has. */
  readonly runs: readonly Run[];
  readonly runsBefore: number;
  /** By the clock of this machine, which is the server's too. */
  readonly killedAt: number;
}

export async function tally(play: Play, aftermath: Aftermath): Promise<void> {
  const { checks, print } = play;
  const { delivered, orders, runs, runsBefore } = aftermath;
  const ids = new Set(delivered.map((d) => d.runId));
  const own = runs.filter((run) => ids.has(run.id));
  const completed = own.filter((run) => run.status === "completed");
  const outside = await atTheWarehouse(play, aftermath, ids);
  const sentAgain = delivered.filter((d) => d.sent > 1);
  print.figures([
    ["orders posted", orders.length],
    ["  answered by the server that was killed", delivered.filter((d) => d.early && d.sent === 1).length],
    ["  got no answer, sent again with the same webhook-id", sentAgain.length],
    ["    of these, kept before the kill all the same", sentAgain.filter((d) => d.duplicate).length],
    ["  first posted after the restart", delivered.filter((d) => !d.early && d.sent === 1).length],
    ["runs under way at the kill, taken up again", underWay(own, aftermath.killedAt)],
    ["runs completed", completed.length],
    ["idempotency keys seen by the warehouse system", outside.keys],
    ["  seen more than once", outside.repeated],
    ["  with different bodies", outside.differing],
    ["shipments made", outside.shipments],
    ["orders with more or less than one shipment", outside.notOne],
  ]);
  const count = orders.length;
  checks.that(
    ids.size === count && runs.length === runsBefore + count,
    `${count} orders are ${count} runs: none lost, none doubled`,
    { runIds: ids.size, runs: runs.length - runsBefore },
  );
  checks.that(
    completed.length === count,
    "every run completed",
    own.find((r) => r.status !== "completed"),
  );
  checks.that(
    outside.keys === count && outside.missing === 0,
    "every idempotency key reached the warehouse system",
    outside,
  );
  checks.that(outside.differing === 0, "no key came with two different bodies", outside);
  checks.that(outside.notOne === 0, "every order has exactly one shipment", outside);
}

const underWay = (runs: readonly Run[], at: number): number =>
  runs.filter((run) => Date.parse(run.createdAt) <= at && Date.parse(run.endedAt ?? "") > at).length;

/** OARS says which keys it used for these runs; the warehouse system says what came under each. */
async function atTheWarehouse(play: Play, aftermath: Aftermath, runIds: ReadonlySet<string>) {
  const { warehouse } = play.stage;
  const actions = (await allOf(play.admin.actions.list({ limit: 200 }))).filter(
    (a) => a.runId !== null && runIds.has(a.runId),
  );
  const keys = actions.map((action) => action.effectKey);
  const seen = keys.flatMap((key) => warehouse.seen.get(key) ?? []);
  const perOrder = new Map(aftermath.orders.map((order) => [order.orderId, 0]));
  for (const { orderId } of warehouse.shipments) {
    const count = perOrder.get(orderId);
    if (count !== undefined) perOrder.set(orderId, count + 1);
  }
  const counts = [...perOrder.values()];
  return {
    keys: seen.length,
    missing: keys.length - seen.length,
    repeated: seen.filter((s) => s.requests > 1).length,
    differing: seen.filter((s) => s.bodies.size > 1).length,
    shipments: counts.reduce((sum, n) => sum + n, 0),
    notOne: counts.filter((n) => n !== 1).length,
  };
}
