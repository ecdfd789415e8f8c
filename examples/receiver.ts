/**
 * Plays an outside system while you try things: prints what it is sent and answers 201. A key that it has seen
 * gets the first answer again. `npx node examples/receiver.ts [port]`, 9090 when absent; on this machine alone.
 */
import { createServer } from "node:http";
import { text } from "node:stream/consumers";

const answers = new Map<string, string>();

const server = createServer(async (request, response) => {
  const body = await text(request);
  const key = String(request.headers["idempotency-key"] ?? "");
  const known = answers.get(key);
  const answer = known ?? JSON.stringify({ shipmentId: `S-${answers.size + 1}` });
  if (key !== "") answers.set(key, answer);
  console.log(`${request.method} ${request.url}${known === undefined ? "" : " (seen before)"} ${body}`);
  response.writeHead(201, { "content-type": "application/json" }).end(answer);
});

const port = Number(process.argv[2] ?? 9090);
server.listen(port, "127.0.0.1", () => console.log(`listening on http://127.0.0.1:${port}`));
