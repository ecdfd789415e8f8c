/** Part: DBOS Transact, a workflow of five no-op steps, called in process; what it offers to be fast by default. */
import { DBOS } from "@dbos-inc/dbos-sdk";
import pg from "pg";
import { type Cell, closedLoop, type Measured } from "./closed-loop.ts";
import { answerCalls } from "./part.ts";
import { type RunCounts, type RunTotals, stepsPerRun } from "./run-contender.ts";

/** Its default. Measured on two cores at 64 and 256 at once: 10 and 20 are the fastest, 50 and 100 a quarter slower. */
const poolSize = 10;

process.noDeprecation = true; // it queries while a query is under way, which pg warns of

const noop = async (): Promise<null> => null;
const fiveSteps = DBOS.registerWorkflow(
  async () => {
    for (let i = 0; i < stepsPerRun; i++) await DBOS.runStep(noop, { name: "noop" });
  },
  { name: "five-steps" },
);

function createPart() {
  let url = "";
  let ended = 0;
  const calls = {
    open: async (databaseUrl: string): Promise<void> => {
      url = databaseUrl;
      const sizes = { systemDatabasePoolSize: poolSize };
      DBOS.setConfig({ name: "bench", systemDatabaseUrl: url, logLevel: "error", ...sizes });
      await DBOS.launch();
    },
    cell: (cell: Cell): Promise<Measured> =>
      closedLoop(cell, async () => {
        await fiveSteps();
        ended++;
      }),
    totals: async (): Promise<RunTotals> => ({ ended, ...(await count(url)) }),
  };
  return { calls, close: () => DBOS.shutdown() };
}

async function count(url: string): Promise<RunCounts> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query<Record<keyof RunCounts, string>>(
      `select count(*) as runs, count(*) filter (where status = 'SUCCESS') as completed,
         (select count(*) from dbos.operation_outputs) as records from dbos.workflow_status`,
    );
    const [row] = rows;
    return { runs: Number(row?.runs), completed: Number(row?.completed), records: Number(row?.records) };
  } finally {
    await client.end();
  }
}

const part = createPart();
export type DbosRuns = typeof part.calls;
answerCalls(part.calls, part.close);
