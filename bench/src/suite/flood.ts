/** B7: one tenant floods the queue, another starts ten runs at a time: how long these take, against an empty queue. */
import type { Flood, FloodCalls, FloodRound } from "../contenders/oars-flood.ts";
import type { Store } from "../options.ts";
import type { Bench, SuitePart } from "./bench.ts";
import { atMost, type Floor, figure, type Line, type Outcome, quantile } from "./outcome.ts";

const floods: readonly { readonly kind: Flood; readonly title: string }[] = [
  { kind: "busy", title: "ten no-op steps each" },
  { kind: "slow", title: "a call of 100 ms each, 64 slots" },
];

export const floodPart: SuitePart = {
  id: "B7",
  title: "one tenant floods 10,000 runs, another starts 10 at a time",
  limitSeconds: 300,
  run: measure,
};

async function measure(bench: Bench): Promise<Outcome> {
  const lines: Line[] = [];
  const floors: Floor[] = [];
  for (const store of bench.stores) {
    const part = bench.start<FloodCalls>("oars-flood");
    await part.call("open", await bench.place(store, "b7_oars"));
    for (const { kind, title } of floods) {
      const rounds: FloodRound[] = [];
      for (let round = 1; round <= bench.rounds; round++) {
        bench.say(`${store}, flood of ${title}, round ${round} of ${bench.rounds}`);
        rounds.push(await part.call("round", kind, bench.size(10_000, 1_000), bench.size(3, 1)));
      }
      const { line, floor } = found(store, title, rounds);
      lines.push(line);
      floors.push(floor);
    }
    await part[Symbol.asyncDispose]();
  }
  return {
    lines,
    floors,
    notes: [
      "A wait is from the start of a one-step run to its durable end; all runs of the flood are queued before the worker starts. Begun ahead: runs of the flood that were begun while one waited.",
    ],
    problems: [],
  };
}

function found(store: Store, title: string, rounds: readonly FloodRound[]): { line: Line; floor: Floor } {
  const p95 = (pick: (round: FloodRound) => readonly number[]): number[] =>
    rounds.map((round) => quantile(pick(round), 0.95));
  const p50 = (pick: (round: FloodRound) => readonly number[]): number[] =>
    rounds.map((round) => quantile(pick(round), 0.5));
  const who = `OARS on ${store === "postgres" ? "PostgreSQL" : "PGlite"}`;
  const ratio = figure(
    "x",
    rounds.map(({ alone, beside }) => quantile(beside, 0.95) / quantile(alone, 0.95)),
  );
  const line: Line = {
    who,
    figures: {
      flood: title,
      "flood runs/s": figure(
        "/s",
        rounds.map(({ flooded, seconds }) => flooded / seconds),
      ),
      "alone p50 ms": figure(
        "ms",
        p50(({ alone }) => alone),
      ),
      "alone p95 ms": figure(
        "ms",
        p95(({ alone }) => alone),
      ),
      "beside p50 ms": figure(
        "ms",
        p50(({ beside }) => beside),
      ),
      "beside p95 ms": figure(
        "ms",
        p95(({ beside }) => beside),
      ),
      "begun ahead p95": figure(
        "count",
        rounds.map(({ ahead }) => quantile(ahead, 0.95)),
      ),
      "p95 to alone": ratio,
    },
  };
  return { line, floor: atMost(`p95 beside the flood (${title}) to alone, ${who}`, "x", ratio.median, 2) };
}
