import { afterEach, describe, expect, it } from "vitest";
import { type Asked, type PlayedServer, playServer, type Reply } from "../testing/played-server.ts";
import { createClient } from "./client.ts";
import type { FollowOptions } from "./run-events.ts";

let server: PlayedServer | undefined;
afterEach(() => server?.close());

const id = "run_01j9zr3c4kf8w9m2x5q7t0v1ab";
const names = ["run.created", "step.completed", "step.waiting", "step.completed", "run.completed"];
const frame = (seq: number): string =>
  `id: ${seq}\nevent: ${names[seq]}\ndata: ${JSON.stringify(eventOf(seq))}\n\n`;
const eventOf = (seq: number) => ({
  seq,
  type: names[seq],
  at: "2026-01-05T09:30:00.000Z",
  data: {},
  ...(seq === names.length - 1 ? { end: true } : {}),
});

/** A server that sends `texts[turn]` and then ends (`end`), cuts (`cut`) or keeps (`keep`) the connection. */
async function stream(
  turns: readonly (readonly [text: string, then: "end" | "cut" | "keep"] | ((reply: Reply) => void))[],
) {
  const played = await playServer((_, reply, turn) => {
    const play = turns[Math.min(turn, turns.length - 1)];
    if (typeof play === "function") return play(reply);
    const [text = "", then] = play ?? [];
    reply.raw.writeHead(200, { "content-type": "text/event-stream; charset=utf-8" });
    reply.raw.flushHeaders();
    if (then === "cut") reply.raw.write(text, () => setImmediate(() => reply.raw.destroy()));
    else if (then === "end") reply.raw.end(text);
    else reply.raw.write(text);
  });
  server = played;
  const client = createClient({ baseUrl: played.url, apiKey: "k", retries: 0, timeoutMs: 2_000 });
  const read = async (options?: FollowOptions): Promise<number[]> => {
    const seen: number[] = [];
    for await (const event of client.runs.events(id, options)) seen.push(event.seq);
    return seen;
  };
  return { asked: played.asked, client, read };
}

const lastIds = (asked: readonly Asked[]) => asked.map((a) => a.headers["last-event-id"]);

describe("following a run", () => {
  it("gives every event and ends with the run, without another connection", async () => {
    const { asked, read } = await stream([[[0, 1, 2, 3, 4].map(frame).join(""), "keep"]]);
    expect(await read()).toEqual([0, 1, 2, 3, 4]);
    expect(asked).toHaveLength(1);
    expect(asked[0]).toMatchObject({
      url: `/v1/runs/${id}/events`,
      headers: { accept: "text/event-stream" },
    });
  });

  it("goes on behind a failure that the run was let go on from", async () => {
    const failure = frame(1).replaceAll("step.completed", "run.failed");
    const { asked, read } = await stream([[frame(0) + failure + frame(2) + frame(4), "keep"]]);
    expect(await read()).toEqual([0, 1, 2, 4]);
    expect(asked).toHaveLength(1);
  });

  it("goes on after the last event when the connection is cut in mid-event: none lost, none twice", async () => {
    const { asked, read } = await stream([
      [frame(0) + frame(1) + frame(2).slice(0, -20), "cut"],
      [frame(2), "end"],
      ["", "end"],
      [frame(2) + frame(3), "cut"],
      [frame(4), "end"],
    ]);
    expect(await read()).toEqual([0, 1, 2, 3, 4]);
    expect(lastIds(asked)).toEqual([undefined, "1", "2", "2", "3"]);
  });

  it("drops an event that lacks its blank line, even when it is otherwise whole", async () => {
    const { asked, read } = await stream([
      [frame(0) + frame(1).slice(0, -1), "end"],
      [frame(1) + frame(4), "end"],
    ]);
    expect(await read()).toEqual([0, 1, 4]);
    expect(lastIds(asked)).toEqual([undefined, "0"]);
  });

  it("starts after the event that the caller names", async () => {
    const { asked, read } = await stream([[frame(3) + frame(4), "end"]]);
    expect(await read({ after: 2 })).toEqual([3, 4]);
    expect(lastIds(asked)).toEqual(["2"]);
  });

  it("comes back to a server that was away or busy", async () => {
    const { read } = await stream([
      [frame(0), "cut"],
      (r) => r.raw.destroy(),
      (r) => r.problem(503, "SERVER_BUSY", { "retry-after": "0" }),
      (r) => r.problem(429, "REQUEST_RATE_LIMITED", { "retry-after": "0" }),
      [frame(4), "end"],
    ]);
    expect(await read()).toEqual([0, 4]);
  });

  it("makes a silent connection anew", async () => {
    const { asked, read } = await stream([
      [frame(0), "keep"],
      [frame(4), "end"],
    ]);
    expect(await read({ silenceMs: 400 })).toEqual([0, 4]);
    expect(asked).toHaveLength(2);
  });

  it("is not repeated for a run that is not there", async () => {
    const { asked, read } = await stream([(r) => r.problem(404, "RUN_NOT_FOUND")]);
    await expect(read()).rejects.toMatchObject({ code: "RUN_NOT_FOUND", status: 404 });
    expect(asked).toHaveLength(1);
  });

  it("gives up on a server that stays away for longer than the caller's patience", async () => {
    const { read } = await stream([[frame(0), "cut"], (r) => r.raw.destroy()]);
    await expect(read({ patienceMs: 150 })).rejects.toMatchObject({ code: "CLIENT_UNREACHABLE" });
  });

  it.each([
    ["what is not a stream", (r: Reply) => r.send(200, { items: [] })],
    ["what is not an event", ["data: [1]\n\n", "end"] as const],
    ["what is not JSON", ["data: x\n\n", "end"] as const],
  ])("refuses %s", async (_what, turn) => {
    const { asked, read } = await stream([turn]);
    await expect(read()).rejects.toMatchObject({ code: "CLIENT_ANSWER_INVALID" });
    expect(asked).toHaveLength(1);
  });

  it("ends with the reason of the signal", async () => {
    const { asked, read } = await stream([[frame(0), "keep"]]);
    const abort = new AbortController();
    const reading = read({ signal: abort.signal });
    while (asked.length === 0) await new Promise((next) => setImmediate(next));
    abort.abort(new Error("enough"));
    await expect(reading).rejects.toThrow("enough");
  });

  it("frees the connection when the reader leaves the loop", async () => {
    const closed = Promise.withResolvers<void>();
    const { client } = await stream([
      (r) => {
        r.raw.once("close", closed.resolve);
        r.raw.writeHead(200, { "content-type": "text/event-stream" }).write(frame(0));
      },
    ]);
    for await (const _ of client.runs.events(id)) break;
    await closed.promise;
  });
});
