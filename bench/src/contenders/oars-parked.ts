/** Part: runs of ours that wait for a signal, and one durable step after it. */
import type { CompiledFlow } from "../../../apps/server/src/orchestrate/flows/index.ts";
import { sql } from "../../../apps/server/src/platform/db/index.ts";
import { closedLoop } from "../closed-loop.ts";
import { answerCalls } from "../part.ts";
import { countEmbeddedStatements } from "./embedded-statements.ts";
import { memoryNow } from "./memory.ts";
import { type OarsApp, openOars } from "./oars-app.ts";
import { type ParkedCalls, startMany } from "./parked.ts";

const flowText = `
flow: parked
version: 1.0.0
limits: { timeout: 1d }
steps:
  go: { use: wait, with: { signal: go, timeout: 12h } }
  after: { use: noop, durable: true, needs: [go] }
`;

interface Opened {
  readonly oars: OarsApp;
  readonly flow: CompiledFlow;
}

const waitMs = 60_000;

function createPart(): { calls: ParkedCalls; close: () => Promise<void> } {
  const embedded = countEmbeddedStatements();
  const parked: string[] = [];
  let onServer = false;
  let opened: Opened | undefined;
  let ended = 0;
  const required = (): Opened => {
    if (!opened) throw new Error("open comes first");
    return opened;
  };
  const calls: ParkedCalls = {
    open: async (url) => {
      onServer = url !== null;
      const oars = await openOars({ url });
      opened = { oars, flow: await oars.publish(flowText) };
      return oars.facts;
    },
    statements: async () => (onServer ? null : embedded()),
    memory: memoryNow,
    park: async (count, limitSeconds) => {
      const { oars, flow } = required();
      await startMany(count, limitSeconds, async () => parked.push(await oars.start(flow)));
      const deadline = performance.now() + waitMs;
      for (;;) {
        const waiting = await statusCount(oars, "waiting");
        if (waiting === parked.length) return waiting;
        if (performance.now() > deadline) throw new Error(`${waiting} of ${parked.length} runs wait`);
        await new Promise((done) => setTimeout(done, 100));
      }
    },
    resume: (cell) =>
      closedLoop(cell, async () => {
        const { app, admin } = required().oars;
        const id = parked.pop();
        if (id === undefined) throw new Error("no run is left to be resumed");
        const expected = app.engine.expectEnd(id);
        try {
          await app.runs.signal(admin, id, { name: "go", payload: { n: 1 } });
          const { status } = await expected.end;
          if (status !== "completed") throw new Error(`a resumed run ${status}`);
          ended++;
        } finally {
          expected.release();
        }
      }),
    totals: async () => ({ ended, completed: await statusCount(required().oars, "completed") }),
  };
  return { calls, close: async () => opened?.oars.app.stop() };
}

async function statusCount({ app }: OarsApp, status: string): Promise<number> {
  const [row] = await app.db.system.query<{ n: number }>(
    sql`select count(*) as n from run where status = ${status}`,
  );
  return row?.n ?? 0;
}

const part = createPart();
answerCalls(part.calls, part.close);
