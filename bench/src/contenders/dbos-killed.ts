/** Part: one of two DBOS executors. Workflows call an outside system three times, each call and each note a step. */
import { DBOS } from "@dbos-inc/dbos-sdk";
import pg from "pg";
import { request } from "undici";
import { answerCalls } from "../part.ts";
import { callsPerRun, type KilledCalls, type Progress } from "./killed.ts";

process.noDeprecation = true; // it queries while a query is under way, which pg warns of

const calling = DBOS.registerWorkflow(
  async (url: string) => {
    const run = DBOS.workflowID;
    for (let n = 0; n < callsPerRun; n++) {
      const call = async (): Promise<void> => {
        const headers = { "idempotency-key": `${run} ${n}`, "content-type": "application/json" };
        const answer = await request(url, { method: "POST", headers, body: JSON.stringify({ run, n }) });
        await answer.body.text();
      };
      await DBOS.runStep(call, { name: `call${n}` });
      await DBOS.runStep(async () => null, { name: `note${n}` });
    }
  },
  { name: "calls" },
);

function createPart(): { calls: KilledCalls; close: () => Promise<void> } {
  let database = "";
  let outside = "";
  const calls: KilledCalls = {
    open: async ({ url, name, receiverUrl }) => {
      database = url;
      outside = receiverUrl;
      const common = { name: "bench", logLevel: "error", applicationVersion: "1" };
      DBOS.setConfig({ ...common, systemDatabaseUrl: url, executorID: name });
      await DBOS.launch(); // begins again what this executor had under way
    },
    start: async (count) => {
      await Promise.all(Array.from({ length: count }, () => DBOS.startWorkflow(calling)(outside)));
    },
    progress: () => progress(database),
  };
  return { calls, close: () => DBOS.shutdown() };
}

async function progress(url: string): Promise<Progress> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query<Record<keyof Progress, string>>(
      `select (select count(*) from dbos.workflow_status) as runs,
         (select count(*) from dbos.workflow_status where status = 'SUCCESS') as completed,
         count(*) as steps, count(*) - count(distinct (workflow_uuid, function_id)) as "doubleRecords"
       from dbos.operation_outputs`,
    );
    const { runs, completed, steps, doubleRecords } = rows[0] ?? {};
    return {
      runs: Number(runs),
      completed: Number(completed),
      steps: Number(steps),
      doubleRecords: Number(doubleRecords),
    };
  } finally {
    await client.end();
  }
}

const part = createPart();
answerCalls(part.calls, part.close);
