/**
 * `npm run bench:engine`: five barrier no-op steps per run at several numbers of concurrent runs. Beside our
 * engine, in the same run and in turns: DBOS Transact on the same PostgreSQL server, Restate, and the bare
 * database writing the same rows. Ends with 1 when a run or a step record is missing or double.
 */
import { mkdir, readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { type Cell, type Measured, medianOf } from "./closed-loop.ts";
import type { RawRuns } from "./contenders/raw-runs.ts";
import { problemsOf, type RunsCalls } from "./contenders/runs.ts";
import { type Databases, startDatabases } from "./databases.ts";
import { engineJson, engineTable, type Level, type StoreResult } from "./five-steps-report.ts";
import { type Options, readOptions, type Store } from "./options.ts";
import { type Part, startPart } from "./part.ts";
import { type ProfileSummary, summarize } from "./profiler.ts";
import { caution, machineFacts, print, renderFacts } from "./report.ts";

interface Contenders {
  readonly dbos: Part<RunsCalls>;
  readonly restate: Part<RunsCalls>;
  readonly oars: Part<RunsCalls>;
  readonly raw: Part<RawRuns>;
}

type Round = Omit<Level, "clients">;

const warmUp = { seconds: 0.5, clients: 64 };
const profiles = fileURLToPath(new URL("../profiles/", import.meta.url));

async function measureLevel(
  { dbos, restate, oars, raw }: Contenders,
  clients: number,
  options: Options,
  profileTo: string | undefined,
): Promise<Level> {
  const cell: Cell = { clients, seconds: options.seconds };
  const warm: Cell = { seconds: warmUp.seconds, clients: Math.min(clients, warmUp.clients) };
  const rounds: Round[] = [];
  for (let round = 1; round <= options.rounds; round++) {
    await dbos.call("cell", "five", warm);
    const first = await dbos.call("cell", "five", cell);
    await restate.call("cell", "five", warm);
    const second = await restate.call("cell", "five", cell);
    await oars.call("cell", "five", { ...warm, clients });
    const profiled = profileTo !== undefined && round === options.rounds;
    if (profiled) await oars.startProfile();
    const ours = await oars.call("cell", "five", cell);
    if (profiled) await oars.stopProfile(profileTo);
    await raw.call("cell", "five", { ...warm, clients });
    const bare = await raw.call("cell", "five", cell);
    const once = await raw.call("once", cell);
    rounds.push({ dbos: first, restate: second, oars: ours, raw: bare, rawOnce: once });
  }
  const middle = (pick: (round: Round) => Measured): Measured => medianOf(rounds.map(pick));
  return {
    clients,
    dbos: middle((round) => round.dbos),
    restate: middle((round) => round.restate),
    oars: middle((round) => round.oars),
    raw: middle((round) => round.raw),
    rawOnce: middle((round) => round.rawOnce),
  };
}

async function measureStore(
  store: Store,
  databases: Databases,
  options: Options,
  say: (text: string) => void,
): Promise<StoreResult> {
  await using dbos = startPart<RunsCalls>("contenders/dbos-runs");
  await using restate = startPart<RunsCalls>("contenders/restate-runs");
  await using oars = startPart<RunsCalls>("contenders/oars-runs");
  await using raw = startPart<RawRuns>("contenders/raw-runs");
  await dbos.call("open", await databases.create(`dbos_${store}`));
  await restate.call("open", null);
  const facts = await oars.call("open", store === "postgres" ? await databases.create("oars") : null);
  await raw.call("open", store === "postgres" ? await databases.create("raw") : null);
  const levels: Level[] = [];
  const summaries: ProfileSummary[] = [];
  for (const clients of options.clients) {
    say(`${store}, ${clients} concurrent runs ...`);
    const path = options.cpuProf ? `${profiles}engine-${store}-${clients}.cpuprofile` : undefined;
    levels.push(await measureLevel({ dbos, restate, oars, raw }, clients, options, path));
    if (path) summaries.push(summarize(JSON.parse(await readFile(path, "utf8")), 30));
  }
  const problems = [
    ...problemsOf(`DBOS beside ${store}`, await dbos.call("totals")),
    ...problemsOf(`Restate beside ${store}`, await restate.call("totals")),
    ...problemsOf(`OARS on ${store}`, await oars.call("totals")),
    ...problemsOf(`raw on ${store}`, await raw.call("totals")),
  ];
  return { store, facts, levels, summaries, problems };
}

export async function measureFiveSteps(): Promise<number> {
  const options = readOptions({
    default: { clients: [1, 64, 256, 1024], seconds: 5, rounds: 3 },
    quick: { clients: [1, 256], seconds: 2, rounds: 3 },
  });
  const say = (text: string): void => void process.stderr.write(`${text}\n`);
  const machine = machineFacts();
  if (options.cpuProf) await mkdir(profiles, { recursive: true });
  await using databases = await startDatabases();
  const postgres = await databases.facts();
  const results: StoreResult[] = [];
  for (const store of options.stores) results.push(await measureStore(store, databases, options, say));
  const head = [`machine: ${renderFacts(machine)}`, `PostgreSQL: ${renderFacts(postgres)}`, caution];
  await print(options.json, engineJson({ machine, postgres }, results), [
    ...head,
    ...results.map(engineTable),
  ]);
  const problems = results.flatMap((result) => result.problems);
  for (const problem of problems) say(problem);
  return problems.length > 0 ? 1 : 0;
}
