import type { Run } from "@oars/sdk";
import { until } from "./check.ts";
import { type Delivered, flood } from "./flood.ts";
import { readExample, variantsOf } from "./orders.ts";
import { seconds } from "./print.ts";
import { allOf } from "./runs.ts";
import type { Play } from "./stage.ts";
import { tally } from "./tally.ts";

const orderCount = 300;
const senders = 24;
const killAfter = 140;
const completeWithinMs = 60_000;
/** Slow enough that a kill meets requests on their way. */
const warehouseTakesMs = 25;

/** A flood of orders, the server killed in the middle of it, and every order shipped exactly once. */
export async function killedInTheMiddle(play: Play): Promise<Play> {
  const { admin, print, shop, stage } = play;
  print.step(`${orderCount} orders, and the server is killed in the middle of them`);
  const orders = variantsOf(await readExample("documents/01-small.xml"), orderCount);
  const runsBefore = (await allOf(admin.runs.list(wide))).length;
  stage.warehouse.answerAfter(warehouseTakesMs);
  let { server } = play;
  let killedAt = Number.POSITIVE_INFINITY;
  const began = performance.now();
  const delivered = await flood(shop, {
    orders,
    senders,
    interruptAfter: killAfter,
    interrupt: async () => {
      killedAt = Date.now();
      await server.kill();
      print.say(`SIGKILL to pid ${server.pid} after ${killAfter} answers; starting it again ...`);
      server = await stage.start();
      print.say(`ready again after ${seconds(server.ms)}, pid ${server.pid}, on the same data directory`);
    },
    onAnswer: (answered) => print.progress(`${answered} of ${orderCount} orders answered`),
  });
  const runs = await untilAllEnded({ ...play, server }, delivered);
  stage.warehouse.answerAfter(0);
  await tally({ ...play, server }, { orders, delivered, runs, runsBefore, killedAt });
  print.say(`from the first order to the last shipment: ${seconds(performance.now() - began)}`);
  return { ...play, server };
}

const wide = { limit: 200 };
const live = ["queued", "running", "waiting"] as const;

async function untilAllEnded(play: Play, delivered: readonly Delivered[]): Promise<Run[]> {
  const { admin, print } = play;
  await until(`the end of ${delivered.length} runs`, completeWithinMs, async () => {
    const open = (await Promise.all(live.map((status) => allOf(admin.runs.list({ status, ...wide }))))).flat()
      .length;
    print.progress(`${open} runs under way`);
    return open === 0 ? true : undefined;
  });
  return allOf(admin.runs.list(wide));
}
