/** B5: runs that wait for a signal: what they cost while they wait, and how soon they go on. */

import type { Measured } from "../closed-loop.ts";
import type { ParkedCalls } from "../contenders/parked.ts";
import type { Part } from "../part.ts";
import type { Bench, SuitePart } from "./bench.ts";
import { atMost, type Figure, type Floor, figure, type Line, type Outcome } from "./outcome.ts";
import { type StatementCount, statementRates, statementsOf } from "./statement-rate.ts";

interface Contender {
  readonly who: string;
  readonly part: Part<ParkedCalls>;
  readonly statements: StatementCount;
}

interface Found {
  readonly line: Line;
  readonly floors: readonly Floor[];
  readonly problems: readonly string[];
}

/** Nobody may take longer to park them all: then fewer are parked. */
const parkSeconds = 75;
const resumeRate = 100;
const settleSeconds = 5;
const mebi = 2 ** 20;

export const parkedPart: SuitePart = {
  id: "B5",
  title: "10,000 runs that wait for a signal",
  limitSeconds: 420,
  run: measure,
};

async function measure(bench: Bench): Promise<Outcome> {
  const contenders = await openAll(bench);
  await new Promise((done) => setTimeout(done, bench.size(settleSeconds, 1) * 1000));
  bench.say(`nothing parked, ${bench.rounds} times ${windowSeconds(bench)} s`);
  const counts = new Map(contenders.map(({ who, statements }) => [who, statements]));
  const idle = await statementRates(counts, bench.rounds, windowSeconds(bench));
  const found: Found[] = [];
  for (const contender of contenders) {
    found.push(await measureOne(bench, contender, idle.get(contender.who)));
    await contender.part[Symbol.asyncDispose]();
  }
  return {
    lines: found.map(({ line }) => line),
    floors: found.flatMap(({ floors }) => floors),
    notes: [
      "Signals are sent at 100 a second, or as many as are answered; a resumption is from the sending to the run's durable end.",
    ],
    problems: found.flatMap(({ problems }) => problems),
  };
}

const windowSeconds = (bench: Bench): number => bench.size(4, 1);

async function openAll(bench: Bench): Promise<Contender[]> {
  const { databases } = bench;
  const open = async (who: string, module: string, name: string, url: string | null): Promise<Contender> => {
    const part = bench.start<ParkedCalls>(module);
    await part.call("open", url);
    return { who, part, statements: statementsOf(databases, name, () => part.call("statements")) };
  };
  const contenders: Contender[] = [];
  for (const store of bench.stores) {
    const url = await bench.place(store, "b5_oars");
    if (url !== null) await databases.count("b5_oars");
    const who = store === "postgres" ? "OARS on PostgreSQL" : "OARS on PGlite";
    contenders.push(await open(who, "oars-parked", "b5_oars", url));
  }
  const url = await databases.create("b5_dbos");
  await databases.count("b5_dbos");
  contenders.push(await open("DBOS Transact 5.3", "dbos-parked", "b5_dbos", url));
  return contenders;
}

async function measureOne(bench: Bench, contender: Contender, idle: Figure | undefined): Promise<Found> {
  const { who, part, statements } = contender;
  const cell = { clients: 32, seconds: bench.size(5, 1), rate: resumeRate };
  bench.say(`${who}: warm`);
  await part.call("park", 100, parkSeconds);
  await part.call("resume", { clients: 8, seconds: 0.5, rate: resumeRate });
  const before = await part.call("memory");
  bench.say(`${who}: park`);
  const started = performance.now();
  const parked = await part.call("park", bench.size(10_000, 1_000), parkSeconds);
  const parkMs = performance.now() - started;
  const after = await part.call("memory");
  bench.say(`${who}: ${parked} parked, ${bench.rounds} times ${windowSeconds(bench)} s`);
  const rates = await statementRates(new Map([[who, statements]]), bench.rounds, windowSeconds(bench));
  const rounds: Measured[] = [];
  for (let round = 1; round <= bench.rounds; round++) {
    bench.say(`${who}: resume, round ${round} of ${bench.rounds}`);
    rounds.push(await part.call("resume", cell));
  }
  const { ended, completed } = await part.call("totals");
  const heapMiB = (after.heap - before.heap) / mebi;
  const rate = rates.get(who)?.median ?? Number.NaN;
  const extra = rate - (idle?.median ?? Number.NaN);
  const p99 = figure(
    "ms",
    rounds.map((round) => round.p99),
  );
  return {
    line: {
      who,
      figures: {
        parked: figure("count", [parked]),
        "parked/s": figure("/s", [(parked * 1000) / parkMs]),
        "statements/s idle": idle ?? "",
        "statements/s parked": rates.get(who) ?? "",
        "heap MiB more": figure("MiB", [heapMiB]),
        "resident MiB more": figure("MiB", [(after.resident - before.resident) / mebi]),
        "resumed/s": figure(
          "/s",
          rounds.map((round) => round.perSecond),
        ),
        "resume p50 ms": figure(
          "ms",
          rounds.map((round) => round.p50),
        ),
        "resume p99 ms": p99,
      },
    },
    floors: who.startsWith("OARS")
      ? [
          atMost(`statements/s more than idle, ${who}`, "/s", extra, 2),
          atMost(`heap for the parked runs, ${who}`, "MiB", heapMiB, 10),
          atMost(`resume p99, ${who}`, "ms", p99.median, 50),
        ]
      : [],
    problems: ended === completed ? [] : [`${who}: ${ended} runs were told to have ended, ${completed} have`],
  };
}
