/**
 * Part: graphile-worker, a queue without records of steps: the bound of what a queue in PostgreSQL costs. A run
 * is a chain of jobs, each adding the next; it has ended when its last job is gone from the queue.
 */
import { EventEmitter } from "node:events";
import { Logger, type Runner, run, type WorkerEvents } from "graphile-worker";
import pg from "pg";
import { closedLoop } from "../closed-loop.ts";
import { answerCalls } from "../part.ts";
import { createTally, type RunsCalls, type Shape, shapes } from "./runs.ts";

/**
 * By its documentation's rules of thumb. Measured on two cores with chains of jobs: 8 and 10 jobs at once are the
 * fastest, 24 half as fast. Jobs wake it by NOTIFY; the poll is its default.
 */
const settings = { concurrentJobs: 10, maxPoolSize: 12, pollInterval: 2000, localQueue: { size: 11 } };

interface Step {
  readonly key: number;
  readonly left: number;
}

function createPart(): { calls: RunsCalls; close: () => Promise<void> } {
  const tally = createTally();
  const waiting = new Map<number, () => void>();
  let runner: Runner | undefined;
  let url = "";
  let jobs = 0;
  let next = 0;
  const events: WorkerEvents = new EventEmitter();
  events.on("job:complete", ({ job, error }) => {
    if (error) return;
    jobs++;
    const { key, left } = job.payload as Step; // as it was added
    if (left > 1) return;
    waiting.get(key)?.();
    waiting.delete(key);
  });
  const calls: RunsCalls = {
    open: async (databaseUrl) => {
      if (databaseUrl === null) throw new Error("graphile-worker needs a server");
      url = databaseUrl;
      runner = await run({
        preset: { worker: { connectionString: url, ...settings } },
        noHandleSignals: true,
        logger: new Logger(() => () => {}),
        events,
        taskList: {
          step: async (payload, { addJob }) => {
            const { key, left } = payload as Step; // as it was added
            if (left > 1) await addJob("step", { key, left: left - 1 });
          },
        },
      });
      return { jobs: String(settings.concurrentJobs), pool: String(settings.maxPoolSize) };
    },
    cell: (shape: Shape, cell) =>
      closedLoop(cell, async () => {
        const key = next++;
        const ended = new Promise<void>((resolve) => waiting.set(key, resolve));
        await runner?.addJob("step", { key, left: shapes[shape] } satisfies Step);
        await ended;
        tally.add(shapes[shape]);
      }),
    /** It keeps nothing of what has ended: what is told of is what it told, and the queue must be empty. */
    totals: async () => {
      const left = await count(url);
      return {
        ended: tally.ended,
        steps: tally.steps,
        runs: tally.ended + left,
        completed: tally.ended,
        records: jobs,
      };
    },
  };
  return { calls, close: async () => runner?.stop() };
}

async function count(url: string): Promise<number> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query<{ n: string }>("select count(*) as n from graphile_worker.jobs");
    return Number(rows[0]?.n);
  } finally {
    await client.end();
  }
}

const part = createPart();
answerCalls(part.calls, part.close);
