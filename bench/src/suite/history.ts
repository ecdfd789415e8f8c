/** B8: claims and lists beside a million runs that have ended, against a table that is nearly empty. */
import type { HistoryCalls, ListTimes } from "../contenders/oars-history.ts";
import type { Store } from "../options.ts";
import type { Part } from "../part.ts";
import type { Bench, SuitePart } from "./bench.ts";
import { atMost, type Figure, type Floor, figure, type Line, type Outcome, quantile } from "./outcome.ts";

/** So that its lists have full pages, too. */
const few = 10_000;
const lists = ["newest", "failed", "flow"] as const;

interface Sized {
  readonly size: number;
  readonly part: Part<HistoryCalls>;
  readonly claims: number[];
  readonly lists: Record<keyof ListTimes, number[]>;
}

export const historyPart: SuitePart = {
  id: "B8",
  title: "a million runs that have ended: claims and lists",
  limitSeconds: 480,
  run: measure,
};

async function measure(bench: Bench): Promise<Outcome> {
  const lines: Line[] = [];
  const floors: Floor[] = [];
  for (const store of bench.stores) {
    const sizes = [few, bench.size(1_000_000, 50_000)];
    const both = await Promise.all(sizes.map((size) => prepare(bench, store, size)));
    for (let round = 1; round <= bench.rounds; round++) {
      for (const one of both) {
        bench.say(`${store}, ${one.size} ended runs, round ${round} of ${bench.rounds}`);
        await measureRound(bench, one);
      }
    }
    lines.push(...both.map((one) => lineOf(store, one)));
    floors.push(...floorsOf(store, both));
    for (const { part } of both) await part[Symbol.asyncDispose]();
  }
  return {
    lines,
    floors,
    notes: [
      "A claim is timed at its caller, while a worker of 16 slots runs one-step runs from the queue. Lists are pages of 50.",
    ],
    problems: [],
  };
}

async function prepare(bench: Bench, store: Store, size: number): Promise<Sized> {
  const name = `b8_${size}`;
  const part = bench.start<HistoryCalls>("oars-history");
  const url = await bench.place(store, name);
  await part.call("open", url);
  bench.say(`${store}: ${size} ended runs are made`);
  await part.call("fill", size);
  await part.call("tidy");
  await part.call("claims", 200);
  return { size, part, claims: [], lists: { newest: [], failed: [], flow: [] } };
}

/** Adds the quantile of this round to each of the figures. */
async function measureRound(bench: Bench, one: Sized): Promise<void> {
  one.claims.push(quantile(await one.part.call("claims", bench.size(3_000, 500)), 0.99));
  const times = await one.part.call("lists", bench.size(200, 50));
  for (const list of lists) one.lists[list].push(quantile(times[list], 0.95));
}

const nameOf = (store: Store): string => `OARS on ${store === "postgres" ? "PostgreSQL" : "PGlite"}`;

function lineOf(store: Store, { size, claims, lists: times }: Sized): Line {
  const ms = (values: readonly number[]): Figure => figure("ms", values);
  return {
    who: nameOf(store),
    figures: {
      "ended runs": figure("count", [size]),
      "claim p99 ms": ms(claims),
      "newest list p95 ms": ms(times.newest),
      "failed list p95 ms": ms(times.failed),
      "flow list p95 ms": ms(times.flow),
    },
  };
}

function floorsOf(store: Store, [empty, full]: readonly Sized[]): Floor[] {
  if (!empty || !full) return [];
  const ratio = (pick: (one: Sized) => readonly number[]): number =>
    figure("x", pick(full)).median / figure("x", pick(empty)).median;
  return [
    atMost(
      `claim p99 beside ${full.size} to ${empty.size}, ${nameOf(store)}`,
      "x",
      ratio((one) => one.claims),
      1.2,
    ),
    ...lists.map((list) =>
      atMost(
        `${list} list p95 beside ${full.size} to ${empty.size}, ${nameOf(store)}`,
        "x",
        ratio((one) => one.lists[list]),
        1.2,
      ),
    ),
  ];
}
