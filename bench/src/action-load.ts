/** Part: the callers. Each client has one connection and sends its next request when the answer is there. */
import { Client } from "undici";
import { type Cell, closedLoop, type Measured } from "./closed-loop.ts";
import { answerCalls } from "./part.ts";

export interface Target {
  readonly url: string;
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
    const { origin, pathname } = new URL(target.url);
    const clients = Array.from({ length: cell.clients }, () => new Client(origin, { pipelining: 1 }));
    const request = { method: "POST", path: pathname, headers: target.headers } as const;
    try {
      return await closedLoop(cell, async (index) => {
        const answer = await clients[index]?.request({ ...request, body: target.body.join(numbers()) });
        const text = (await answer?.body.text()) ?? "";
        if (answer?.statusCode !== target.status || !text.includes(target.holds))
          throw new Error(`${target.url} answered ${answer?.statusCode}: ${text}`);
      });
    } finally {
      await Promise.all(clients.map((client) => client.close()));
    }
  },
};
export type ActionLoad = typeof calls;

answerCalls(calls, async () => {});
