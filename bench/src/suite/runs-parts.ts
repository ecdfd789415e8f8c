/** B0 to B4: the same chains and fans of no-op steps by everyone, from one run at a time to many. */
import type { Measured } from "../closed-loop.ts";
import { problemsOf, type RunsCalls, type Shape, shapes } from "../contenders/runs.ts";
import type { Part } from "../part.ts";
import type { Bench, SuitePart } from "./bench.ts";
import { atLeast, atMost, type Figure, type Floor, figure, type Line, type Outcome } from "./outcome.ts";

type Who = "oars-postgres" | "oars-pglite" | "dbos" | "restate" | "graphile" | "raw";

const names: Readonly<Record<Who, string>> = {
  "oars-postgres": "OARS on PostgreSQL",
  "oars-pglite": "OARS on PGlite",
  dbos: "DBOS Transact 5.3 on PostgreSQL",
  restate: "Restate 1.7",
  raw: "the same rows by a bare driver",
  graphile: "graphile-worker 0.18 (queue only)",
};

interface Level {
  readonly clients: number;
  readonly rounds: ReadonlyMap<Who, Measured[]>;
}

interface RunsPart {
  readonly id: string;
  readonly title: string;
  readonly shape: Shape;
  readonly clients: readonly number[];
  readonly seconds: number;
  readonly peers: readonly Who[];
  floors(levels: readonly Level[]): readonly Floor[];
}

const specs: readonly RunsPart[] = [
  {
    id: "B0",
    title: "five barrier steps per run, one after the other",
    shape: "five",
    clients: [1, 256],
    seconds: 3,
    peers: ["dbos", "restate", "raw"],
    floors: (levels) => [
      ...ratioFloors(levels, 256, "oars-postgres", "raw", 0.6),
      ...ratioFloors(levels, 256, "oars-postgres", "dbos", 20),
      ...ratioFloors(levels, 256, "oars-postgres", "restate", 20),
      ...ratioFloors(levels, 256, "oars-pglite", "dbos", 10),
      ...loneFloors(levels, "oars-postgres", "dbos", 0.5),
    ],
  },
  {
    id: "B1",
    title: "lone run of one step",
    shape: "one",
    clients: [1],
    seconds: 2,
    peers: ["dbos", "restate", "graphile"],
    floors: () => [],
  },
  {
    id: "B2",
    title: "lone run of ten steps, one after the other",
    shape: "ten",
    clients: [1],
    seconds: 2,
    peers: ["dbos", "restate"],
    floors: (levels) => perStepFloors(levels, "oars-postgres"),
  },
  {
    id: "B3",
    title: "lone run of 100 steps at once (forEach) and a join",
    shape: "fan",
    clients: [1],
    seconds: 2,
    peers: ["dbos", "restate"],
    floors: (levels) => [
      ...p50Floors(levels, "oars-postgres", 100),
      ...p50Floors(levels, "oars-pglite", 100),
    ],
  },
  {
    id: "B4",
    title: "10, 50 and 200 runs at once of ten steps each",
    shape: "ten",
    clients: [10, 50, 200],
    seconds: 2,
    peers: ["dbos", "restate", "graphile"],
    floors: (levels) => stepsFloors(levels, 10, "oars-postgres", 2000),
  },
];

export const runsParts: readonly SuitePart[] = specs.map((spec) => ({
  id: spec.id,
  title: spec.title,
  limitSeconds: 300,
  run: (bench) => measure(spec, bench),
}));

async function measure(spec: RunsPart, bench: Bench): Promise<Outcome> {
  const { contenders, problems } = await openAll(spec, bench);
  const levels: Level[] = [];
  for (const clients of spec.clients) {
    const rounds = new Map<Who, Measured[]>();
    const warm = { clients, seconds: bench.size(0.5, 0.2) };
    const cell = { clients, seconds: bench.size(spec.seconds, 0.3) };
    for (let round = 1; round <= bench.rounds; round++) {
      for (const [who, part] of contenders) {
        bench.say(`${clients} at once, round ${round} of ${bench.rounds}, ${names[who]}`);
        await part.call("cell", spec.shape, warm);
        rounds.set(who, [...(rounds.get(who) ?? []), await part.call("cell", spec.shape, cell)]);
      }
    }
    levels.push({ clients, rounds });
  }
  for (const [who, part] of contenders) problems.push(...problemsOf(names[who], await part.call("totals")));
  return {
    lines: levels.flatMap((level) => linesOf(spec, level)),
    floors: spec.floors(levels),
    notes: [],
    problems,
  };
}

interface Opened {
  readonly contenders: Map<Who, Part<RunsCalls>>;
  /** Peers that could not be started: the others are measured without them. */
  readonly problems: string[];
}

async function openAll(spec: RunsPart, bench: Bench): Promise<Opened> {
  const open = async (module: string, url: string | null): Promise<Part<RunsCalls>> => {
    const part = bench.start<RunsCalls>(module);
    await part.call("open", url);
    await part.call("cell", spec.shape, { clients: 8, seconds: bench.size(1, 0.2) });
    return part;
  };
  const contenders = new Map<Who, Part<RunsCalls>>();
  const problems: string[] = [];
  for (const store of bench.stores) {
    const url = await bench.place(store, `${spec.id}_oars`);
    contenders.set(`oars-${store}`, await open("oars-runs", url));
  }
  for (const peer of spec.peers) {
    const url = peer === "restate" ? null : await bench.databases.create(`${spec.id}_${peer}`);
    try {
      contenders.set(peer, await open(`${peer}-runs`, url));
    } catch (error) {
      problems.push(`${names[peer]} takes no part: ${error instanceof Error ? error.message : error}`);
    }
  }
  return { contenders, problems };
}

function linesOf({ shape, clients: all }: RunsPart, { clients, rounds }: Level): Line[] {
  return [...rounds].map(([who, cells]) => {
    const of = (unit: Figure["unit"], pick: (cell: Measured) => number): Figure =>
      figure(unit, cells.map(pick));
    return {
      who: names[who],
      figures: {
        ...(all.length > 1 && { "at once": String(clients) }),
        "runs/s": of("/s", ({ perSecond }) => perSecond),
        "steps/s": of("/s", ({ perSecond }) => perSecond * shapes[shape]),
        "p50 ms": of("ms", ({ p50 }) => p50),
        "p99 ms": of("ms", ({ p99 }) => p99),
      },
    };
  });
}

/** The median of the rounds; undefined where the contender did not take part. */
function middle(
  levels: readonly Level[],
  clients: number,
  who: Who,
  pick: (cell: Measured) => number,
): number | undefined {
  const cells = levels.find((level) => level.clients === clients)?.rounds.get(who);
  return cells && figure("x", cells.map(pick)).median;
}

function ratioFloors(levels: readonly Level[], clients: number, who: Who, peer: Who, bound: number): Floor[] {
  const [ours, theirs] = [who, peer].map((one) => middle(levels, clients, one, (cell) => cell.perSecond));
  if (ours === undefined || theirs === undefined) return [];
  return [
    atLeast(`runs/s of ${names[who]} to ${names[peer]}, ${clients} at once`, "x", ours / theirs, bound),
  ];
}

function loneFloors(levels: readonly Level[], who: Who, peer: Who, bound: number): Floor[] {
  const [ours, theirs] = [who, peer].map((one) => middle(levels, 1, one, (cell) => cell.p50));
  if (ours === undefined || theirs === undefined) return [];
  return [atMost(`p50 of a lone run, ${names[who]} to ${names[peer]}`, "x", ours / theirs, bound)];
}

function p50Floors(levels: readonly Level[], who: Who, boundMs: number): Floor[] {
  const ours = middle(levels, 1, who, (cell) => cell.p50);
  return ours === undefined ? [] : [atMost(`p50 of ${names[who]}`, "ms", ours, boundMs)];
}

function stepsFloors(levels: readonly Level[], clients: number, who: Who, bound: number): Floor[] {
  const ours = middle(levels, clients, who, (cell) => cell.perSecond * shapes.ten);
  return ours === undefined
    ? []
    : [atLeast(`steps/s of ${names[who]}, ${clients} at once`, "/s", ours, bound)];
}

function perStepFloors(levels: readonly Level[], who: Who): Floor[] {
  const p50 = middle(levels, 1, who, (cell) => cell.p50 / shapes.ten);
  const p99 = middle(levels, 1, who, (cell) => cell.p99 / shapes.ten);
  if (p50 === undefined || p99 === undefined) return [];
  return [
    atMost(`a step of ${names[who]}, p50 of the run by ten`, "ms", p50, 2),
    atMost(`a step of ${names[who]}, p99 of the run by ten`, "ms", p99, 15),
  ];
}
