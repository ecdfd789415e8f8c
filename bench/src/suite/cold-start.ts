/** B10: from the start of a program to its first completed run, on nothing and on what it left. */
import type { OarsProgram, Started } from "../contenders/oars-program.ts";
import type { RunsCalls } from "../contenders/runs.ts";
import type { Store } from "../options.ts";
import { temporaryDirectory } from "../temporary.ts";
import type { Bench, SuitePart } from "./bench.ts";
import { atMost, type Figure, type Floor, figure, type Outcome } from "./outcome.ts";

type Times = Pick<Started, "readyMs" | "firstMs">;

export const coldStartPart: SuitePart = {
  id: "B10",
  title: "cold start to the first completed run",
  limitSeconds: 240,
  run: measure,
};

async function measure(bench: Bench): Promise<Outcome> {
  const found = new Map<string, Times[]>();
  const note = (who: string, times: Times): void => {
    found.set(who, [...(found.get(who) ?? []), times]);
  };
  for (let round = 1; round <= bench.rounds; round++) {
    bench.say(`round ${round} of ${bench.rounds}`);
    for (const store of bench.stores) await startTwice(bench, store, round, note);
    const url = await bench.databases.create(`b10_dbos_${round}`);
    note("DBOS Transact 5.3, new database", await peer(bench, "dbos-runs", url));
    note("Restate 1.7 and its endpoint, new data", await peer(bench, "restate-runs", null));
  }
  const seconds = (pick: (times: Times) => number, times: readonly Times[]): Figure =>
    figure(
      "s",
      times.map((one) => pick(one) / 1000),
    );
  return {
    lines: [...found].map(([who, times]) => ({
      who,
      figures: {
        "ready after s": seconds(({ readyMs }) => readyMs, times),
        "first run done after s": seconds(({ firstMs }) => firstMs, times),
      },
    })),
    floors: floorsOf(found),
    notes: [
      "Ours is the whole server as a program, asked over HTTP to publish a flow (on new data) and for a run. The peers are programs that run one function; the PostgreSQL server runs already.",
    ],
    problems: [],
  };
}

const nameOf = (store: Store, data: "new" | "existing"): string =>
  `OARS on ${store === "postgres" ? "PostgreSQL" : "PGlite"}, ${data} data`;

async function startTwice(
  bench: Bench,
  store: Store,
  round: number,
  note: (who: string, times: Times) => void,
): Promise<void> {
  const part = bench.start<OarsProgram>("oars-program");
  const url = await bench.place(store, `b10_oars_${round}`);
  const dir = await temporaryDirectory("program");
  const first = await part.call("start", url, dir, null);
  note(nameOf(store, "new"), first);
  await part.call("stop");
  note(nameOf(store, "existing"), await part.call("start", url, dir, first.adminKey));
  await part[Symbol.asyncDispose]();
}

async function peer(bench: Bench, module: string, url: string | null): Promise<Times> {
  const started = performance.now();
  const part = bench.start<RunsCalls>(module);
  await part.call("open", url);
  const readyMs = performance.now() - started;
  await part.call("cell", "one", { clients: 1, seconds: 0.001 });
  const firstMs = performance.now() - started;
  await part[Symbol.asyncDispose]();
  return { readyMs, firstMs };
}

function floorsOf(found: ReadonlyMap<string, readonly Times[]>): Floor[] {
  const who = nameOf("pglite", "existing");
  const times = found.get(who);
  if (!times) return [];
  const ready = figure(
    "s",
    times.map(({ readyMs }) => readyMs / 1000),
  ).median;
  return [atMost(`ready, ${who}`, "s", ready, 3)];
}
