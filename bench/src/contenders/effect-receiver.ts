/**
 * Part: the outside system that runs call. It takes its time, and knows which call came under which key: a step
 * called under two keys is an effect that happened twice.
 */
import { createServer } from "node:http";
import { bodyOf, listen } from "../http.ts";
import { answerCalls } from "../part.ts";

export interface Received {
  readonly calls: number;
  /** Steps of runs that called. */
  readonly steps: number;
  /** Calls that repeated one under its own key, which tells the receiver that it is the same. */
  readonly repeated: number;
  /** Steps that called under more than one key. */
  readonly doubled: number;
}

export type EffectReceiver = {
  open(answerMs: number): Promise<string>;
  received(): Promise<Received>;
};

function createPart(): { calls: EffectReceiver; close: () => Promise<void> } {
  const keysOf = new Map<string, Set<string>>();
  let count = 0;
  let answerMs = 0;
  const server = createServer(async (request, response) => {
    const step = (await bodyOf(request)).toString();
    const key = String(request.headers["idempotency-key"]);
    count++;
    keysOf.set(step, (keysOf.get(step) ?? new Set()).add(key));
    setTimeout(() => response.writeHead(200, { "content-type": "application/json" }).end("{}"), answerMs);
  });
  const calls: EffectReceiver = {
    open: async (ms) => {
      answerMs = ms;
      return listen(server);
    },
    received: async () => {
      const keys = [...keysOf.values()];
      const distinct = keys.reduce((sum, set) => sum + set.size, 0);
      const doubled = keys.filter((set) => set.size > 1).length;
      return { calls: count, steps: keys.length, repeated: count - distinct, doubled };
    },
  };
  return { calls, close: async () => void server.closeAllConnections() };
}

const part = createPart();
answerCalls(part.calls, part.close);
