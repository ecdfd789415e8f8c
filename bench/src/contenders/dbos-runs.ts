/** Part: DBOS Transact, workflows of no-op steps, called in process; what it offers to be fast by default. */
import { DBOS } from "@dbos-inc/dbos-sdk";
import pg from "pg";
import { closedLoop } from "../closed-loop.ts";
import { answerCalls } from "../part.ts";
import { createTally, type RunCounts, type RunsCalls, type Shape, shapes } from "./runs.ts";

/** Its default. Measured on two cores at 64 and 256 at once: 10 and 20 are the fastest, 50 and 100 a quarter slower. */
const poolSize = 10;

process.noDeprecation = true; // it queries while a query is under way, which pg warns of

const noop = async (): Promise<null> => null;
const inTurn = DBOS.registerWorkflow(
  async (steps: number) => {
    for (let i = 0; i < steps; i++) await DBOS.runStep(noop, { name: "noop" });
  },
  { name: "in-turn" },
);
const allAtOnce = DBOS.registerWorkflow(
  async (steps: number) => {
    await Promise.all(Array.from({ length: steps }, () => DBOS.runStep(noop, { name: "noop" })));
  },
  { name: "all-at-once" },
);

function createPart(): { calls: RunsCalls; close: () => Promise<void> } {
  const tally = createTally();
  let url = "";
  const calls: RunsCalls = {
    open: async (databaseUrl) => {
      if (databaseUrl === null) throw new Error("DBOS needs a server");
      url = databaseUrl;
      const sizes = { systemDatabasePoolSize: poolSize };
      DBOS.setConfig({ name: "bench", systemDatabaseUrl: url, logLevel: "error", ...sizes });
      await DBOS.launch();
      return { pool: String(poolSize) };
    },
    cell: (shape: Shape, cell) =>
      closedLoop(cell, async () => {
        const steps = shapes[shape];
        await (shape === "fan" ? allAtOnce(steps) : inTurn(steps));
        tally.add(steps);
      }),
    totals: async () => ({ ended: tally.ended, steps: tally.steps, ...(await count(url)) }),
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
answerCalls(part.calls, part.close);
