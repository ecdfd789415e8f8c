import { afterEach, describe, expect, it } from "vitest";
import { type PlayedServer, playServer, type Reply } from "../testing/played-server.ts";
import { createClient, type OarsClient } from "./client.ts";

let server: PlayedServer | undefined;
afterEach(() => server?.close());

const run = { id: "run_1", status: "completed", output: { total: 1 } };

async function play(answer: (reply: Reply, turn: number) => void): Promise<OarsClient> {
  server = await playServer((_asked, reply, turn) => answer(reply, turn));
  return createClient({ baseUrl: server.url });
}

describe("a start that waits for its run", () => {
  it("prefers whole seconds, a minute at most, and asks for nothing without a wait", async () => {
    const client = await play((reply) => reply.send(200, run));
    expect(await client.runs.start({ flow: "f" }, { waitMs: 1_200 })).toEqual(run);
    await client.runs.start({ flow: "f" }, { waitMs: 86_400_000 });
    await client.runs.start({ flow: "f" });
    expect(server?.asked.map((a) => a.headers.prefer)).toEqual(["wait=2", "wait=60", undefined]);
  });

  it("comes again under the same key, not before the server said", async () => {
    const client = await play((reply, turn) =>
      turn === 0
        ? reply.problem(503, "SERVER_BUSY", { "retry-after": "1" })
        : reply.send(202, { ...run, status: "running" }),
    );
    const answer = await client.runs.start({ flow: "f" }, { waitMs: 1_000 });
    expect(answer.status).toBe("running");
    const [first, second] = server?.asked ?? [];
    expect((second?.at ?? 0) - (first?.at ?? 0)).toBeGreaterThanOrEqual(990);
    expect(second?.headers["idempotency-key"]).toBe(first?.headers["idempotency-key"]);
  });

  it("rejects with the run where that has failed, and does not come again", async () => {
    const client = await play((reply) => reply.problem(422, "RUN_FAILED"));
    await expect(client.runs.start({ flow: "f" }, { waitMs: 1_000 })).rejects.toMatchObject({
      code: "RUN_FAILED",
      status: 422,
    });
    expect(server?.asked).toHaveLength(1);
  });

  it("waits longer for the answer than the server waits for the run", async () => {
    const client = await play((reply) => void setTimeout(() => reply.send(200, run), 150));
    expect(await client.runs.start({ flow: "f" }, { waitMs: 100 })).toEqual(run);
    await expect(client.runs.start({ flow: "f" }, { waitMs: 100, timeoutMs: 20 })).rejects.toMatchObject({
      code: "CLIENT_TIMEOUT",
    });
  });
});
