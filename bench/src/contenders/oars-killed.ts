/** Part: one of two of our workers. Runs call an outside system three times, with a durable step in between. */
import type { CompiledFlow } from "../../../apps/server/src/orchestrate/flows/index.ts";
import { sql } from "../../../apps/server/src/platform/db/index.ts";
import { answerCalls } from "../part.ts";
import { callsPerRun, type KilledCalls, type Progress } from "./killed.ts";
import { allowAll, type OarsApp, openOars } from "./oars-app.ts";

const step = (n: number): string => `
  call${n}: { use: http.request, ${n > 0 ? `needs: [note${n - 1}],` : ""} with: { connection: outside, path: /, method: POST, body: { run: "{{ run.id }}", n: ${n} } } }
  note${n}: { use: noop, durable: true, needs: [call${n}] }`;
const flowText = `
flow: calls
version: 1.0.0
steps:${Array.from({ length: callsPerRun }, (_, n) => step(n)).join("")}
`;

function createPart(): { calls: KilledCalls; close: () => Promise<void> } {
  let opened: { readonly oars: OarsApp; readonly flow: CompiledFlow } | undefined;
  const required = () => {
    if (!opened) throw new Error("open comes first");
    return opened;
  };
  const calls: KilledCalls = {
    open: async ({ url, dir, first, receiverUrl, deadAfterMs }) => {
      const env = { OARS_EGRESS_ALLOW: "127.0.0.1/32", OARS_WORKER_DEAD_AFTER_MS: String(deadAfterMs) };
      const oars = await openOars({ url, dataDir: dir, env });
      if (first) {
        await allowAll(oars);
        await oars.app.connectors.put(oars.admin, {
          name: "outside",
          connector: "http",
          config: { baseUrl: receiverUrl, idempotencyHeader: "Idempotency-Key" },
          environment: "bench",
          risk: 0,
        });
      }
      opened = { oars, flow: await oars.publish(flowText) };
    },
    start: async (count) => {
      const { oars, flow } = required();
      await Promise.all(Array.from({ length: count }, () => oars.start(flow)));
    },
    progress: async () => {
      const [row] = await required().oars.app.db.system.query<Progress>(sql`
        select (select count(*) from run) as runs, (select count(*) from run where status = 'completed') as completed,
          count(*) as steps, count(*) - count(distinct (run_id, step, iteration)) as "doubleRecords"
        from journal where event = 'completed'`);
      if (!row) throw new Error("a count has a row");
      return row;
    },
  };
  return { calls, close: async () => opened?.oars.app.stop() };
}

const part = createPart();
answerCalls(part.calls, part.close);
