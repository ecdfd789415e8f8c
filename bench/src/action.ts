/**
 * `npm run bench:action`: one governed HTTP action (100 Cedar policies, two durable receipts) against the
 * same call through the same server process ungoverned. Callers, server and receiver are processes of their
 * own. Ends with 1 when an action, a receipt, a leaf of the log or a call is missing or double.
 */
import { randomBytes } from "node:crypto";
import { mkdir, readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import type { ActionLoad, Target } from "./action-load.ts";
import type { ActionReceiver } from "./action-receiver.ts";
import { type ActionLevel, type ActionResult, actionJson, actionTable, problemsOf } from "./action-report.ts";
import type { ActionServer, ServerFacts } from "./action-server.ts";
import { bodyWith, connection, type Setup, setUp } from "./action-setup.ts";
import { type Cell, type Measured, medianOf } from "./closed-loop.ts";
import { type Databases, startDatabases } from "./databases.ts";
import { type Options, readOptions, type Store } from "./options.ts";
import { type Part, startPart } from "./part.ts";
import { type ProfileSummary, summarize } from "./profiler.ts";
import { caution, machineFacts, print, renderFacts } from "./report.ts";

const profiles = fileURLToPath(new URL("../profiles/", import.meta.url));

/** Fewer clients cannot offer more than this each, however fast the answers come. */
const ratePerClient = 100;

const targets = (
  servers: readonly ServerFacts[],
  { agentKey }: Setup,
): { plain: Target; governed: Target } => ({
  plain: {
    urls: servers.map(({ plainUrl }) => `${plainUrl}/`),
    headers: { "content-type": "application/json" },
    body: bodyWith((order) => order),
    status: 201,
    holds: '"shipmentId":"S-1"',
  },
  governed: {
    urls: servers.map(({ url }) => `${url}/v1/actions`),
    headers: { "content-type": "application/json", authorization: `Bearer ${agentKey}` },
    body: bodyWith((body) => ({
      connection,
      operation: "http.request",
      input: { path: "/shipments", body },
    })),
    status: 200,
    holds: '"state":"completed"',
  },
});

interface Bench {
  readonly servers: readonly Part<ActionServer>[];
  readonly load: Part<ActionLoad>;
  readonly plain: Target;
  readonly governed: Target;
  /** How many calls of each kind there were, warm-ups included. */
  readonly sent: { plain: number; governed: number };
}

const cpuOf = async ({ servers }: Bench): Promise<number> =>
  (await Promise.all(servers.map((server) => server.call("cpu")))).reduce((sum, us) => sum + us, 0);

/** With the CPU time of the servers' processes in place of the callers'. */
async function measure(bench: Bench, kind: "plain" | "governed", cell: Cell): Promise<Measured> {
  const before = await cpuOf(bench);
  const measured = await bench.load.call("cell", cell, bench[kind]);
  bench.sent[kind] += measured.count;
  return { ...measured, cpuUs: ((await cpuOf(bench)) - before) / measured.count };
}

async function measureLevel(
  bench: Bench,
  clients: number,
  options: Options,
  profileTo: string | undefined,
): Promise<ActionLevel> {
  const cell: Cell = { clients, seconds: options.seconds };
  const paced: Cell = { ...cell, rate: Math.min(options.rate, clients * ratePerClient) };
  const warm: Cell = { clients, seconds: 0.5 };
  const plain: Measured[] = [];
  const governed: Measured[] = [];
  const pacedPlain: Measured[] = [];
  const pacedGoverned: Measured[] = [];
  for (let round = 1; round <= options.rounds; round++) {
    await measure(bench, "plain", warm);
    plain.push(await measure(bench, "plain", cell));
    pacedPlain.push(await measure(bench, "plain", paced));
    await measure(bench, "governed", warm);
    const profiled = profileTo !== undefined && round === options.rounds;
    if (profiled) await bench.servers[0]?.startProfile();
    governed.push(await measure(bench, "governed", cell));
    if (profiled) await bench.servers[0]?.stopProfile(profileTo);
    pacedGoverned.push(await measure(bench, "governed", paced));
  }
  return {
    clients,
    rate: paced.rate ?? 0,
    plain: medianOf(plain),
    governed: medianOf(governed),
    pacedPlain: medianOf(pacedPlain),
    pacedGoverned: medianOf(pacedGoverned),
  };
}

async function measureStore(
  store: Store,
  databases: Databases,
  options: Options,
  say: (text: string) => void,
): Promise<ActionResult> {
  await using receiver = startPart<ActionReceiver>("action-receiver");
  await using parts = new AsyncDisposableStack();
  const count = store === "postgres" ? options.processes : 1;
  const servers = Array.from({ length: count }, () => parts.use(startPart<ActionServer>("action-server")));
  const [server] = servers;
  if (!server) throw new Error("there is at least one server");
  await using load = startPart<ActionLoad>("action-load");
  const receiverUrl = await receiver.call("open");
  const database = store === "postgres" ? await databases.create("oars") : null;
  const keys = {
    OARS_DATA_ENCRYPTION_KEY: randomBytes(32).toString("base64"),
    OARS_JWT_SECRET: randomBytes(32).toString("base64"),
  };
  const facts = await server.call("open", database, receiverUrl, keys);
  if (facts.adminKey === undefined) throw new Error("the first start shows the administrator's key");
  const others = servers.slice(1).map((other) => other.call("open", database, receiverUrl, keys));
  const setup = await setUp(facts.url, facts.adminKey, receiverUrl);
  const all = [facts, ...(await Promise.all(others))];
  const bench = { servers, load, ...targets(all, setup), sent: { plain: 0, governed: 0 } };
  await measure(bench, "governed", { clients: 16, seconds: 3 });
  const levels: ActionLevel[] = [];
  const summaries: ProfileSummary[] = [];
  for (const clients of options.clients) {
    say(`${store}, ${clients} clients ...`);
    const path = options.cpuProf ? `${profiles}action-${store}-${clients}.cpuprofile` : undefined;
    levels.push(await measureLevel(bench, clients, options, path));
    if (path) summaries.push(summarize(JSON.parse(await readFile(path, "utf8")), 40));
  }
  const counts = await server.call("counts", setup.tenantId);
  const problems = problemsOf(bench.sent, counts, await receiver.call("count"));
  return { store, processes: count, facts: facts.store, levels, summaries, counts, problems };
}

async function main(): Promise<number> {
  const options = readOptions({
    default: { clients: [1, 16, 64], seconds: 5, rounds: 3 },
    quick: { clients: [1, 16], seconds: 2, rounds: 3 },
  });
  const say = (text: string): void => void process.stderr.write(`${text}\n`);
  const machine = machineFacts();
  if (options.cpuProf) await mkdir(profiles, { recursive: true });
  await using databases = await startDatabases();
  const postgres = await databases.facts();
  const results: ActionResult[] = [];
  for (const store of options.stores) results.push(await measureStore(store, databases, options, say));
  const head = [`machine: ${renderFacts(machine)}`, `PostgreSQL: ${renderFacts(postgres)}`, caution];
  await print(options.json, actionJson({ machine, postgres }, results), [
    ...head,
    ...results.map(actionTable),
  ]);
  const problems = results.flatMap((result) => result.problems);
  for (const problem of problems) say(problem);
  return problems.length > 0 ? 1 : 0;
}

process.exitCode = await main();
