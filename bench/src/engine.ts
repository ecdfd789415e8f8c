/**
 * `npm run bench:engine`: five barrier no-op steps per run at several numbers of concurrent runs. Beside our
 * engine, in the same run and in turns: DBOS Transact on the same PostgreSQL server, and the bare database
 * writing the same rows. Ends with 1 when a run or a step record is missing or double.
 */
import { mkdir, readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { type Cell, type Measured, medianOf } from "./closed-loop.ts";
import { type Databases, startDatabases } from "./databases.ts";
import type { DbosRuns } from "./dbos-runs.ts";
import { engineJson, engineTable, type Level, type StoreResult } from "./engine-report.ts";
import type { OarsRuns } from "./oars-runs.ts";
import { type Options, readOptions, type Store } from "./options.ts";
import { type Part, startPart } from "./part.ts";
import { type ProfileSummary, summarize } from "./profiler.ts";
import type { RawRuns } from "./raw-runs.ts";
import { caution, machineFacts, renderFacts } from "./report.ts";
import { problemsOf } from "./run-contender.ts";

interface Contenders {
  readonly dbos: Part<DbosRuns>;
  readonly oars: Part<OarsRuns>;
  readonly raw: Part<RawRuns>;
}

const warmUp = { seconds: 0.5, clients: 64 };
const profiles = fileURLToPath(new URL("../profiles/", import.meta.url));

async function measureLevel(
  { dbos, oars, raw }: Contenders,
  clients: number,
  options: Options,
  profileTo: string | undefined,
): Promise<Level> {
  const cell: Cell = { clients, seconds: options.seconds };
  const warm: Cell = { seconds: warmUp.seconds, clients: Math.min(clients, warmUp.clients) };
  const rounds: { dbos: Measured; oars: Measured; raw: Measured; rawOnce: Measured }[] = [];
  for (let round = 1; round <= options.rounds; round++) {
    await dbos.call("cell", warm);
    const peer = await dbos.call("cell", cell);
    await oars.call("cell", { ...warm, clients });
    const profiled = profileTo !== undefined && round === options.rounds;
    if (profiled) await oars.startProfile();
    const ours = await oars.call("cell", cell);
    if (profiled) await oars.stopProfile(profileTo);
    await raw.call("cell", { ...warm, clients, oneCommit: false });
    const bare = await raw.call("cell", { ...cell, oneCommit: false });
    const once = await raw.call("cell", { ...cell, oneCommit: true });
    rounds.push({ dbos: peer, oars: ours, raw: bare, rawOnce: once });
  }
  return {
    clients,
    dbos: medianOf(rounds.map((round) => round.dbos)),
    oars: medianOf(rounds.map((round) => round.oars)),
    raw: medianOf(rounds.map((round) => round.raw)),
    rawOnce: medianOf(rounds.map((round) => round.rawOnce)),
  };
}

async function measureStore(
  store: Store,
  databases: Databases,
  options: Options,
  say: (text: string) => void,
): Promise<StoreResult> {
  await using dbos = startPart<DbosRuns>("dbos-runs");
  await using oars = startPart<OarsRuns>("oars-runs");
  await using raw = startPart<RawRuns>("raw-runs");
  await dbos.call("open", await databases.create(`dbos_${store}`));
  const facts = await oars.call("open", store === "postgres" ? await databases.create("oars") : null);
  await raw.call("open", store === "postgres" ? await databases.create("raw") : null);
  const levels: Level[] = [];
  const summaries: ProfileSummary[] = [];
  for (const clients of options.clients) {
    say(`${store}, ${clients} concurrent runs ...`);
    const path = options.cpuProf ? `${profiles}engine-${store}-${clients}.cpuprofile` : undefined;
    levels.push(await measureLevel({ dbos, oars, raw }, clients, options, path));
    if (path) summaries.push(summarize(JSON.parse(await readFile(path, "utf8")), 30));
  }
  const problems = [
    ...problemsOf(`DBOS beside ${store}`, await dbos.call("totals")),
    ...problemsOf(`OARS on ${store}`, await oars.call("totals")),
    ...problemsOf(`raw on ${store}`, await raw.call("totals")),
  ];
  return { store, facts, levels, summaries, problems };
}

async function main(): Promise<number> {
  const options = readOptions({
    full: { clients: [1, 64, 256, 1024], seconds: 5, rounds: 3 },
    quick: { clients: [1, 256], seconds: 2, rounds: 3 },
  });
  const say = (text: string): void => void process.stderr.write(`${text}\n`);
  const machine = machineFacts();
  if (options.cpuProf) await mkdir(profiles, { recursive: true });
  await using databases = await startDatabases();
  const postgres = await databases.facts();
  const results: StoreResult[] = [];
  for (const store of options.stores) results.push(await measureStore(store, databases, options, say));
  if (options.json) {
    process.stdout.write(`${JSON.stringify(engineJson({ machine, postgres }, results), null, 2)}\n`);
  } else {
    const head = [`machine: ${renderFacts(machine)}`, `PostgreSQL: ${renderFacts(postgres)}`, caution];
    process.stdout.write(`${[...head, ...results.map(engineTable)].join("\n\n")}\n`);
  }
  const problems = results.flatMap((result) => result.problems);
  for (const problem of problems) say(problem);
  return problems.length > 0 ? 1 : 0;
}

process.exitCode = await main();
