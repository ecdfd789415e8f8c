/** Part: the callers. Each client has one connection and sends its next request when the answer is there. */
import { Client } from "undici";
import { type Cell, closedLoop, type Measured } from "./closed-loop.ts";
import { answerCalls } from "./part.ts";

export interface Target {
  /** One for each server; the clients take them in turn. */
  readonly urls: readonly string[];
  readonly headers: Readonly<Record<string, string>>;
  /** What stands between the places of a number that is another one in each call. */
  readonly body: readonly string[];
  readonly status: number;
  /** What every answer holds. */
  readonly holds: string;
}

/** Numbers of six digits, one after the other. */
function createNumbers(): () => string {
  let next = 0;
  return () => String(100_000 + (next++ % 900_000));
}
const numbers = createNumbers();

const calls = {
  /** Throws at the first answer that is not as it should be. */
  cell: async (cell: Cell, target: Target): Promise<Measured> => {
    const urls = target.urls.map((url) => new URL(url));
    const clients = Array.from({ length: cell.clients }, (_, i) => {
      const url = urls[i % urls.length] as URL; // there is at least one
      return { url, client: new Client(url.origin, { pipelining: 1 }) };
    });
    const request = { method: "POST", headers: target.headers } as const;
    try {
      return await closedLoop(cell, async (index) => {
        const { url, client } = clients[index] as (typeof clients)[number]; // one for each index
        const body = target.body.join(numbers());
        const answer = await client.request({ ...request, path: url.pathname, body });
        const text = await answer.body.text();
        if (answer.statusCode !== target.status || !text.includes(target.holds))
          throw new Error(`${url} answered ${answer.statusCode}: ${text}`);
      });
    } finally {
      await Promise.all(clients.map(({ client }) => client.close()));
    }
  },
};
export type ActionLoad = typeof calls;

answerCalls(calls, async () => {});
