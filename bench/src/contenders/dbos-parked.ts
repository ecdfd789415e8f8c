/**
 * Part: DBOS workflows that wait for a message, and one step after it. With one queue, as an executor has that
 * takes work from others; all intervals are its defaults.
 */
import { DBOS } from "@dbos-inc/dbos-sdk";
import pg from "pg";
import { closedLoop } from "../closed-loop.ts";
import { answerCalls } from "../part.ts";
import { memoryNow } from "./memory.ts";
import { type ParkedCalls, startMany } from "./parked.ts";

process.noDeprecation = true; // it queries while a query is under way, which pg warns of

let waiting = 0; // the workflow function is registered once for the process
const parkedWorkflow = DBOS.registerWorkflow(
  async () => {
    waiting++;
    await DBOS.recv("go", 43_200);
    await DBOS.runStep(async () => null, { name: "after" });
  },
  { name: "parked" },
);

function createPart(): { calls: ParkedCalls; close: () => Promise<void> } {
  const parked: { readonly id: string; readonly end: Promise<unknown> }[] = [];
  let url = "";
  let ended = 0;
  const calls: ParkedCalls = {
    open: async (databaseUrl) => {
      if (databaseUrl === null) throw new Error("DBOS needs a server");
      url = databaseUrl;
      DBOS.setConfig({ name: "bench", systemDatabaseUrl: url, logLevel: "error" });
      await DBOS.launch();
      await DBOS.registerQueue("bench");
      return {};
    },
    statements: async () => null,
    memory: memoryNow,
    park: async (count, limitSeconds) => {
      await startMany(count, limitSeconds, async () => {
        const handle = await DBOS.startWorkflow(parkedWorkflow)();
        const end = handle.getResult();
        end.catch(() => {}); // those that still wait when this ends
        parked.push({ id: handle.workflowID, end });
      });
      while (waiting < parked.length) await new Promise((done) => setTimeout(done, 50));
      return parked.length;
    },
    resume: (cell) =>
      closedLoop(cell, async () => {
        const run = parked.pop();
        if (!run) throw new Error("no workflow is left to be resumed");
        await DBOS.send(run.id, { n: 1 }, "go");
        await run.end;
        ended++;
      }),
    totals: async () => ({ ended, completed: await count(url) }),
  };
  return { calls, close: async () => {} }; // thousands of promises still wait: the process ends with them
}

async function count(url: string): Promise<number> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query<{ n: string }>(
      "select count(*) as n from dbos.workflow_status where status = 'SUCCESS'",
    );
    return Number(rows[0]?.n);
  } finally {
    await client.end();
  }
}

const part = createPart();
answerCalls(part.calls, part.close);
