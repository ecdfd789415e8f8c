/**
 * Part: this repository's engine. The whole server without a door, a flow of five durable no-op steps
 * published through the flows room, runs started as triggers start them.
 */
import { type App, compose } from "../../apps/server/src/compose.ts";
import type { CompiledFlow } from "../../apps/server/src/orchestrate/flows/index.ts";
import type { Caller } from "../../apps/server/src/platform/access/index.ts";
import { loadConfig, loadOrCreateKeys } from "../../apps/server/src/platform/config/index.ts";
import { sql } from "../../apps/server/src/platform/db/index.ts";
import { createTelemetry } from "../../apps/server/src/platform/telemetry/index.ts";
import { type Cell, closedLoop, type Measured } from "./closed-loop.ts";
import { answerCalls } from "./part.ts";
import { type RunCounts, type RunTotals, stepsPerRun } from "./run-contender.ts";
import { temporaryDirectory } from "./temporary.ts";

const steps = ["one", "two", "three", "four", "five"];
const flowText = `
flow: five-barriers
version: 1.0.0
steps:
${steps.map((name, i) => `  ${name}: { use: noop, durable: true${i > 0 ? `, needs: [${steps[i - 1]}]` : ""} }`).join("\n")}
`;

interface Opened {
  readonly app: App;
  readonly admin: Caller;
  readonly flow: CompiledFlow;
}

function createPart() {
  let opened: Opened | undefined;
  let ended = 0;
  const required = (): Opened => {
    if (!opened) throw new Error("open comes first");
    return opened;
  };
  const calls = {
    /** On the PostgreSQL database of that URL, or embedded when there is none. Answers with facts of the store. */
    open: async (url: string | null): Promise<Record<string, string>> => {
      opened = await open(url);
      const [facts] = await opened.app.db.system.query<Record<string, string>>(
        sql`select current_setting('server_version') as version, current_setting('fsync') as fsync`,
      );
      return facts ?? {};
    },
    cell: (cell: Cell): Promise<Measured> =>
      closedLoop(cell, async () => {
        await oneRun(required());
        ended++;
      }),
    totals: async (): Promise<RunTotals> => ({ ended, ...(await count(required().app)) }),
  };
  return { calls, close: async () => opened?.app.stop() };
}

async function open(url: string | null): Promise<Opened> {
  const dataDir = await temporaryDirectory("oars");
  const config = loadConfig({
    OARS_DATA_DIR: dataDir,
    OARS_MAX_CONCURRENCY: "2048",
    ...(url === null ? { OARS_STORE: "pglite" } : { OARS_STORE: "postgres", OARS_POSTGRES_URL: url }),
  });
  const telemetry = createTelemetry({ level: "error", name: "bench" });
  const app = await compose({ config, keys: await loadOrCreateKeys(dataDir, config.keys), telemetry });
  const first = await app.access.bootstrap("Bench");
  if (!first.created) throw new Error("the database is not empty");
  const admin = await app.access.authenticate(`Bearer ${first.apiKey}`, undefined);
  await app.start();
  const { hash } = await app.flows.publish(admin, flowText);
  return { app, admin, flow: await app.flows.compiled(admin.tenantId, hash) };
}

/** Five steps tell of their entries five times: after each of four barriers, and with the end of the run. */
async function oneRun({ app, admin, flow }: Opened): Promise<void> {
  const { tenantId, principalId } = admin;
  const start = { tenantId, principalId, flow, params: {}, trigger: {}, startKey: null };
  const { runId } = await app.runs.startTriggered(start);
  await new Promise<void>((resolve) => {
    let left = stepsPerRun;
    const unwatch = app.engine.watch(runId, () => {
      if (--left > 0) return;
      unwatch();
      resolve();
    });
  });
}

async function count({ db }: App): Promise<RunCounts> {
  const [counts] = await db.system.query<RunCounts>(sql`
    select (select count(*) from run) as runs, (select count(*) from run where status = 'completed') as completed,
      (select count(*) from journal where event = 'completed') as records`);
  if (!counts) throw new Error("a count has a row");
  return counts;
}

const part = createPart();
export type OarsRuns = typeof part.calls;
answerCalls(part.calls, part.close);
