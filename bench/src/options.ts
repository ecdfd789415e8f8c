import { parseArgs } from "node:util";

export const stores = ["postgres", "pglite"] as const;
export type Store = (typeof stores)[number];

export interface Options {
  /** Of each cell. */
  readonly seconds: number;
  readonly rounds: number;
  readonly clients: readonly number[];
  /** Calls offered each second where a benchmark paces itself. */
  readonly rate: number;
  readonly stores: readonly Store[];
  /** Where the figures go as one JSON document; "-" is standard output, in place of the tables. */
  readonly json: string | null;
  readonly cpuProf: boolean;
  /** Servers on one PostgreSQL that share the callers. */
  readonly processes: number;
}

interface Suite {
  readonly clients: readonly number[];
  readonly seconds: number;
  readonly rounds: number;
}

export interface Suites {
  readonly default: Suite;
  readonly quick: Suite;
}

const help = `Options:
  --suite default|quick     which numbers of clients, how long; engine also has full, see --suite full --help
  --seconds N               per cell
  --rounds N                how often the contenders take turns; medians are shown
  --clients N,N             instead of the suite's
  --rate N                  actions offered each second when latency is measured (300)
  --only postgres|pglite    one store of ours
  --processes N             servers on one PostgreSQL that share the callers (action; 1)
  --cpu-prof                CPU profiles of our server in bench/profiles, with the costliest functions
  --json FILE               the figures as JSON too; - for standard output instead of tables
`;

/** Ends the process after --help, or with 2 when the arguments cannot be read. */
export const readOptions = (suites: Suites): Options => orUsage(help, () => parse(suites));

/** What `parse` gives; what it throws ends the process with 2, and `undefined` is a question for help. */
export function orUsage<T>(help: string, parse: () => T | undefined): T {
  try {
    const options = parse();
    if (options !== undefined) return options;
    process.stdout.write(help);
    process.exit(0);
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${help}`);
    process.exit(2);
  }
}

function parse(suites: Suites): Options | undefined {
  const { values } = parseArgs({
    options: {
      suite: { type: "string", default: "default" },
      seconds: { type: "string" },
      rounds: { type: "string" },
      clients: { type: "string" },
      rate: { type: "string" },
      only: { type: "string" },
      processes: { type: "string" },
      "cpu-prof": { type: "boolean", default: false },
      json: { type: "string" },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) return undefined;
  if (values.suite !== "default" && values.suite !== "quick") throw new Error("--suite is default or quick");
  const suite = suites[values.suite];
  const chosen = values.only === undefined ? stores : stores.filter((store) => store === values.only);
  if (chosen.length === 0) throw new Error("--only is postgres or pglite");
  return {
    seconds: positive("seconds", values.seconds, suite.seconds),
    rounds: Math.ceil(positive("rounds", values.rounds, suite.rounds)),
    clients:
      values.clients?.split(",").map((text) => Math.ceil(positive("clients", text, 1))) ?? suite.clients,
    rate: positive("rate", values.rate, 300),
    stores: chosen,
    json: values.json ?? null,
    cpuProf: values["cpu-prof"],
    processes: Math.ceil(positive("processes", values.processes, 1)),
  };
}

export function positive(name: string, text: string | undefined, otherwise: number): number {
  const value = text === undefined ? otherwise : Number(text);
  if (!(value > 0)) throw new Error(`--${name} is a positive number`);
  return value;
}
