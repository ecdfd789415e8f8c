/** Part: this repository's engine. Flows of durable no-op steps, published through the flows room. */
import type { CompiledFlow } from "../../../apps/server/src/orchestrate/flows/index.ts";
import { sql } from "../../../apps/server/src/platform/db/index.ts";
import { closedLoop } from "../closed-loop.ts";
import { answerCalls } from "../part.ts";
import { type OarsApp, openOars } from "./oars-app.ts";
import { createTally, type RunCounts, type RunsCalls, type Shape, shapes } from "./runs.ts";

const flowText = (shape: Shape): string => `
flow: ${shape}-barriers
version: 1.0.0
${shape === "fan" ? fanOut : inTurn(shapes[shape])}`;

const inTurn = (count: number): string => {
  const names = Array.from({ length: count }, (_, i) => `s${i + 1}`);
  const step = (name: string, i: number): string =>
    `  ${name}: { use: noop, durable: true${i > 0 ? `, needs: [${names[i - 1]}]` : ""} }`;
  return `steps:\n${names.map(step).join("\n")}\n`;
};

const fanOut = `params: { list: { type: array, required: true } }
steps:
  each: { use: noop, durable: true, forEach: { items: "{{ params.list }}", concurrency: ${shapes.fan} } }
`;
const hundred = { list: Array.from({ length: shapes.fan }, (_, i) => i) };

interface Opened {
  readonly oars: OarsApp;
  readonly flows: Map<Shape, CompiledFlow>;
}

function createPart(): { calls: RunsCalls; close: () => Promise<void> } {
  const tally = createTally();
  let opened: Opened | undefined;
  const required = (): Opened => {
    if (!opened) throw new Error("open comes first");
    return opened;
  };
  const calls: RunsCalls = {
    open: async (url) => {
      opened = { oars: await openOars({ url }), flows: new Map() };
      return opened.oars.facts;
    },
    cell: async (shape, cell) => {
      const { oars, flows } = required();
      const flow = flows.get(shape) ?? (await oars.publish(flowText(shape)));
      flows.set(shape, flow);
      return closedLoop(cell, async () => {
        const status = await oars.finish(flow, shape === "fan" ? hundred : {});
        if (status !== "completed") throw new Error(`a run ${status}`);
        tally.add(shape === "fan" ? shapes.fan + 1 : shapes[shape]); // the step itself beside its items
      });
    },
    totals: async () => ({ ended: tally.ended, steps: tally.steps, ...(await count(required().oars)) }),
  };
  return { calls, close: async () => opened?.oars.app.stop() };
}

async function count({ app }: OarsApp): Promise<RunCounts> {
  const [counts] = await app.db.system.query<RunCounts>(sql`
    select (select count(*) from run) as runs, (select count(*) from run where status = 'completed') as completed,
      (select count(*) from journal where event = 'completed') as records`);
  if (!counts) throw new Error("a count has a row");
  return counts;
}

const part = createPart();
answerCalls(part.calls, part.close);
