/**
 * Part: Restate, handlers of no-op `ctx.run`, in this process; called through its ingress, as all its callers do.
 * The endpoint logs errors only: with a line for each invocation it gives half.
 */
import * as restate from "@restatedev/restate-sdk";
import { Pool } from "undici";
import { closedLoop } from "../closed-loop.ts";
import { freePort } from "../http.ts";
import { answerCalls } from "../part.ts";
import { type RestateServer, startRestate } from "./restate-server.ts";
import { createTally, type RunCounts, type RunsCalls, type Shape, shapes } from "./runs.ts";

const noop = async (): Promise<null> => null;

const quiet: restate.LoggerTransport = ({ level }, ...words) => {
  if (level === "error") console.error(...words);
};

const inTurn = (steps: number) => async (ctx: restate.Context) => {
  for (let i = 0; i < steps; i++) await ctx.run("noop", noop);
};
const runs = restate.service({
  name: "runs",
  handlers: {
    one: inTurn(shapes.one),
    five: inTurn(shapes.five),
    ten: inTurn(shapes.ten),
    fan: async (ctx: restate.Context) => {
      await restate.RestatePromise.all(Array.from({ length: shapes.fan }, () => ctx.run("noop", noop)));
    },
  },
});

interface Opened {
  readonly server: RestateServer;
  readonly callers: Pool;
}

function createPart(): { calls: RunsCalls; close: () => Promise<void> } {
  const tally = createTally();
  let opened: Opened | undefined;
  const required = (): Opened => {
    if (!opened) throw new Error("open comes first");
    return opened;
  };
  const calls: RunsCalls = {
    open: async () => {
      const port = await freePort();
      await restate.serve({ services: [runs], port, logger: quiet });
      const server = await startRestate();
      await server.register(`http://127.0.0.1:${port}`);
      opened = { server, callers: new Pool(server.ingress, { connections: 1024, pipelining: 1 }) };
      return { partitions: "24", fsync: "on" };
    },
    cell: (shape: Shape, cell) =>
      closedLoop(cell, async () => {
        const answer = await required().callers.request({ method: "POST", path: `/runs/${shape}` });
        const text = await answer.body.text();
        if (answer.statusCode !== 200) throw new Error(`Restate answered ${answer.statusCode}: ${text}`);
        tally.add(shapes[shape]);
      }),
    totals: async () => ({ ended: tally.ended, steps: tally.steps, ...(await count(required().server)) }),
  };
  const close = async (): Promise<void> => {
    await opened?.callers.destroy();
    await opened?.server.stop();
  };
  return { calls, close };
}

async function count({ query }: RestateServer): Promise<RunCounts> {
  const [invocations] = await query<Pick<RunCounts, "runs" | "completed">>(
    `select count(*) as runs, count(*) filter (where status = 'completed') as completed from sys_invocation
     where target_service_name = 'runs'`,
  );
  const [journal] = await query<Pick<RunCounts, "records">>(
    "select count(*) as records from sys_journal where entry_type = 'Command: Run'",
  );
  if (!invocations || !journal) throw new Error("a count has a row");
  return { ...invocations, ...journal };
}

const part = createPart();
answerCalls(part.calls, part.close);
