/**
 * Part: senders of signed webhooks (Standard Webhooks, HMAC-SHA256). Each has one connection and sends its next
 * order when the answer is there, which must be the right one.
 */
import { createHmac, randomUUID } from "node:crypto";
import { Client } from "undici";
import { type Cell, closedLoop, type Measured } from "../closed-loop.ts";
import { answerCalls } from "../part.ts";
import { answerOf, orderText, path, secret } from "./webhook-flow.ts";

function signed(body: string): Record<string, string> {
  const id = `msg_${randomUUID()}`;
  const timestamp = Math.floor(Date.now() / 1000);
  const mac = createHmac("sha256", secret).update(`${id}.${timestamp}.${body}`).digest("base64");
  return {
    "content-type": "application/json",
    "webhook-id": id,
    "webhook-timestamp": String(timestamp),
    "webhook-signature": `v1,${mac}`,
  };
}

let next = 0; // numbers of orders, over all cells of this process

const calls = {
  cell: async (cell: Cell, url: string): Promise<Measured> => {
    const clients = Array.from({ length: cell.clients }, () => new Client(url, { pipelining: 1 }));
    try {
      return await closedLoop(cell, async (index) => {
        const n = next++;
        const body = orderText(n);
        const answer = await clients[index]?.request({ method: "POST", path, headers: signed(body), body });
        const text = (await answer?.body.text()) ?? "";
        if (answer?.statusCode !== 200 || text !== answerOf(n))
          throw new Error(`${url} answered ${answer?.statusCode}: ${text}`);
      });
    } finally {
      await Promise.all(clients.map((client) => client.close()));
    }
  },
};
export type WebhookLoad = typeof calls;

answerCalls(calls, async () => {});
