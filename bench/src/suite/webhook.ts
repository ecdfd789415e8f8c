/** B11: a signed webhook in, three JSONata steps, the output as the answer, beside Node-RED, which keeps nothing. */
import { type Measured, medianOf } from "../closed-loop.ts";
import type { WebhookCalls } from "../contenders/webhook.ts";
import type { WebhookLoad } from "../contenders/webhook-load.ts";
import type { Part } from "../part.ts";
import type { Bench, SuitePart } from "./bench.ts";
import { atLeast, figure, type Line, type Outcome } from "./outcome.ts";

interface Contender {
  readonly who: string;
  readonly part: Part<WebhookCalls>;
  readonly url: string;
  readonly rounds: Measured[];
  sent: number;
}

const clients = 32;

export const webhookPart: SuitePart = {
  id: "B11",
  title: "signed webhook in, three JSONata steps, the answer out, 32 clients",
  limitSeconds: 240,
  run: measure,
};

async function measure(bench: Bench): Promise<Outcome> {
  const load = bench.start<WebhookLoad>("webhook-load");
  const contenders = await openAll(bench);
  const cell = async (one: Contender, seconds: number): Promise<Measured> => {
    const before = await one.part.call("cpu");
    const measured = await load.call("cell", { clients, seconds }, one.url);
    one.sent += measured.count;
    return { ...measured, cpuUs: ((await one.part.call("cpu")) - before) / measured.count };
  };
  for (const one of contenders) await cell(one, bench.size(3, 0.5));
  for (let round = 1; round <= bench.rounds; round++) {
    for (const one of contenders) {
      bench.say(`round ${round} of ${bench.rounds}, ${one.who}`);
      await cell(one, bench.size(0.5, 0.2));
      one.rounds.push(await cell(one, bench.size(4, 0.5)));
    }
  }
  const problems: string[] = [];
  for (const { who, part, sent } of contenders) {
    const kept = await part.call("kept");
    if (kept !== null && kept !== sent) problems.push(`${who}: ${sent} orders answered, ${kept} runs kept`);
  }
  const peer = contenders.at(-1);
  return {
    lines: contenders.map(lineOf),
    floors: contenders.slice(0, -1).map(({ who, rounds }) => {
      const ratio = medianOf(rounds).perSecond / medianOf(peer?.rounds ?? []).perSecond;
      return atLeast(`answers/s of ${who} to Node-RED 5`, "x", ratio, 1);
    }),
    notes: [
      "Node-RED is sent the same signed requests, checks no signature and keeps nothing; we keep every run.",
    ],
    problems,
  };
}

async function openAll(bench: Bench): Promise<Contender[]> {
  const open = async (who: string, module: string, databaseUrl: string | null): Promise<Contender> => {
    const part = bench.start<WebhookCalls>(module);
    return { who, part, url: await part.call("open", databaseUrl), rounds: [], sent: 0 };
  };
  const contenders: Contender[] = [];
  for (const store of bench.stores) {
    const who = store === "postgres" ? "OARS on PostgreSQL" : "OARS on PGlite";
    contenders.push(await open(who, "oars-webhook", await bench.place(store, "b11_oars")));
  }
  contenders.push(await open("Node-RED 5", "node-red", null));
  return contenders;
}

const lineOf = ({ who, rounds }: Contender): Line => ({
  who,
  figures: {
    "answers/s": figure(
      "/s",
      rounds.map(({ perSecond }) => perSecond),
    ),
    "p50 ms": figure(
      "ms",
      rounds.map(({ p50 }) => p50),
    ),
    "p99 ms": figure(
      "ms",
      rounds.map(({ p99 }) => p99),
    ),
    "server CPU us": figure(
      "count",
      rounds.map(({ cpuUs }) => cpuUs),
    ),
  },
});
