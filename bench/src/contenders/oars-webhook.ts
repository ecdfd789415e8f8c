/** Part: our whole server with a flow that a signed webhook starts and whose output is the answer. */
import { sql } from "../../../apps/server/src/platform/db/index.ts";
import type { Serving } from "../../../apps/server/src/serve.ts";
import { answerCalls } from "../part.ts";
import { startServer } from "../started-server.ts";
import type { WebhookCalls } from "./webhook.ts";
import { expressions, secret, secretName } from "./webhook-flow.ts";

const step = (index: number) => {
  const input = index === 0 ? "{{ params.order }}" : `{{ steps.s${index - 1}.output }}`;
  return {
    use: "map",
    ...(index > 0 && { needs: [`s${index - 1}`] }),
    with: { input: { payload: input }, mapping: expressions[index] },
  };
};
const flow = {
  flow: "orders",
  version: "1.0.0",
  params: { order: { type: "object", required: true } },
  triggers: [
    {
      webhook: {
        slug: "orders",
        auth: { hmac: { secret: `vault:${secretName}` } },
        params: { order: "{{ trigger.json }}" },
        respond: { mode: "sync" },
      },
    },
  ],
  steps: Object.fromEntries(expressions.map((_, index) => [`s${index}`, step(index)])),
  output: `{{ steps.s${expressions.length - 1}.output }}`,
};

function createPart(): { calls: WebhookCalls; close: () => Promise<void> } {
  let serving: Serving | undefined;
  const calls: WebhookCalls = {
    open: async (databaseUrl) => {
      const started = await startServer(databaseUrl);
      serving = started.serving;
      const ask = async (method: string, path: string, body: object): Promise<void> => {
        const headers = {
          authorization: `Bearer ${started.adminKey}`,
          "content-type": "application/json",
        };
        const answer = await fetch(`${serving?.url}${path}`, {
          ...{ method, headers },
          body: JSON.stringify(body),
        });
        if (!answer.ok) throw new Error(`${path} answered ${answer.status}: ${await answer.text()}`);
      };
      await ask("PUT", `/v1/secrets/${secretName}`, { value: secret });
      await ask("POST", "/v1/flows", flow);
      return serving.url;
    },
    cpu: async () => {
      const { user, system } = process.cpuUsage();
      return user + system;
    },
    kept: async () => {
      const rows = await serving?.app.db.system.query<{ n: number }>(
        sql`select count(*) as n from run where status = 'completed' and flow_name = 'orders'`,
      );
      return rows?.[0]?.n ?? 0;
    },
  };
  return { calls, close: async () => serving?.stop() };
}

const part = createPart();
answerCalls(part.calls, part.close);
