/** Part: the outside system. Takes any order, answers at once, and knows how many it has taken. */
import { createServer } from "node:http";
import { bodyOf, listen } from "./http.ts";
import { answerCalls } from "./part.ts";

function createPart() {
  let received = 0;
  const answer = JSON.stringify({ shipmentId: "S-1", status: "accepted", carrier: "example" });
  const server = createServer(async (request, response) => {
    await bodyOf(request);
    received++;
    response.writeHead(201, { "content-type": "application/json" }).end(answer);
  });
  const calls = {
    open: (): Promise<string> => listen(server),
    count: async (): Promise<number> => received,
  };
  return { calls, close: async () => void server.close() };
}

const part = createPart();
export type ActionReceiver = typeof part.calls;
answerCalls(part.calls, part.close);
