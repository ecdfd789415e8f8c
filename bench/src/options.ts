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
  readonly json: boolean;
  readonly cpuProf: boolean;
}

export interface Suites {
  readonly full: { readonly clients: readonly number[]; readonly seconds: number; readonly rounds: number };
  readonly quick: { readonly clients: readonly number[]; readonly seconds: number; readonly rounds: number };
}

const help = `Options:
  --suite full|quick        which numbers of clients, how long (full)
  --seconds N               per cell
  --rounds N                how often the contenders take turns; medians are shown
  --clients N,N             instead of the suite's
  --rate N                  actions offered each second when latency is measured (300)
  --only postgres|pglite    one store of ours
  --cpu-prof                CPU profiles of our server in bench/profiles, with the costliest functions
  --json                    one JSON document instead of tables
`;

/** Ends the process after --help, or with 2 when the arguments cannot be read. */
export function readOptions(suites: Suites): Options {
  try {
    return parse(suites);
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${help}`);
    process.exit(2);
  }
}

function parse(suites: Suites): Options {
  const { values } = parseArgs({
    options: {
      suite: { type: "string", default: "full" },
      seconds: { type: "string" },
      rounds: { type: "string" },
      clients: { type: "string" },
      rate: { type: "string" },
      only: { type: "string" },
      "cpu-prof": { type: "boolean", default: false },
      json: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) {
    process.stdout.write(help);
    process.exit(0);
  }
  if (values.suite !== "full" && values.suite !== "quick") throw new Error("--suite is full or quick");
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
    json: values.json,
    cpuProf: values["cpu-prof"],
  };
}

function positive(name: string, text: string | undefined, otherwise: number): number {
  const value = text === undefined ? otherwise : Number(text);
  if (!(value > 0)) throw new Error(`--${name} is a positive number`);
  return value;
}
