import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  type Asked,
  type PlayedServer,
  playServer,
  type Reply,
} from "../../../packages/sdk/testing/played-server.ts";
import { type Cli, type CliOptions, createCli } from "../testing/run-cli.ts";

const id = "run_01j9zr3c4kf8w9m2x5q7t0v1ab";
const at = "2026-01-05T09:30:00.000Z";
const run = {
  id,
  flow: "orders",
  version: "1.0.0",
  status: "queued",
  labels: { shop: "eu" },
  startedBy: "prn_x",
  createdAt: at,
  startedAt: at,
  endedAt: null,
  error: null,
  steps: [],
};
const step = {
  name: "parse",
  kind: "xml.parse@1",
  status: "failed",
  attempt: 1,
  startedAt: at,
  endedAt: "2026-01-05T09:30:00.007Z",
};
const error = { code: "XML_MALFORMED", message: "the tag is not closed", line: 13, column: 41 };

let server: PlayedServer;
let cli: (args: string | readonly string[], options?: CliOptions) => ReturnType<Cli>;
let folder: string;
let play: (asked: Asked, reply: Reply) => void;

beforeEach(async () => {
  server = await playServer((asked, reply) => play(asked, reply));
  const made = createCli({ OARS_URL: server.url, OARS_KEY: "oars_key" });
  cli = made;
  folder = made.folder;
  return made.remove;
});
afterEach(() => server.close());

const started = (): unknown => JSON.parse(server.asked[0]?.body ?? "null");

describe("starting a run", () => {
  beforeEach(() => {
    play = (_, reply) => reply.send(202, run);
  });

  it("gives parameters as text, as JSON and from files; later ones win", async () => {
    await writeFile(join(folder, "a.xml"), "<a>=</a>\n");
    await writeFile(join(folder, "p.json"), '{"n":1,"kept":true}');
    const { code, out } = await cli([
      ..."run start orders --params p.json --param-file xml=a.xml --param n:=[1,2] --param url=http://x/?a=b".split(
        " ",
      ),
      ..."--label shop=eu --priority -5 --flow-version 1.0.0 --idempotency-key mine".split(" "),
    ]);
    expect([code, out]).toEqual([
      0,
      `Run ${id} of orders 1.0.0 is queued.\nTry next: oars run watch ${id}\n`,
    ]);
    expect(started()).toEqual({
      flow: "orders",
      version: "1.0.0",
      params: { n: [1, 2], kept: true, xml: "<a>=</a>\n", url: "http://x/?a=b" },
      labels: { shop: "eu" },
      priority: -5,
    });
    expect(server.asked[0]?.headers["idempotency-key"]).toBe("mine");
  });

  it("reads parameters from standard input", async () => {
    await cli("run start orders --params -", { input: '{"a":null}' });
    expect(started()).toEqual({ flow: "orders", params: { a: null } });
  });

  it("refuses JSON that is none, before anything is sent", async () => {
    const { code, err } = await cli("run start orders --param n:=[1,");
    expect(code).toBe(1);
    expect(err).toContain("JSON_MALFORMED");
    expect(server.asked).toEqual([]);
  });

  it("tells every wrong parameter, and how parameters are given", async () => {
    play = (_, reply) => reply.problem(422, "RUN_PARAMS_INVALID");
    const { code, err } = await cli("run start orders");
    expect(code).toBe(1);
    expect(err).toMatch(/^ {2}line 3:7 a\.b: is wrong$/m);
    expect(err).toContain("--param-file NAME=FILE");
  });
});

const problemType = "application/problem+json";

describe("waiting for a run", () => {
  const answer = (
    states: Record<string, unknown>[],
    actions: readonly { id: string; state: string; approvalId?: string }[] = [],
    gates: readonly object[] = [],
  ) => {
    let turn = 0;
    play = ({ method, url }, reply) => {
      if (method === "POST") return reply.send(202, run);
      if (url.startsWith("/v1/gates")) return reply.send(200, { items: gates, nextCursor: null });
      if (url.startsWith("/v1/actions")) {
        const state = new URL(url, "http://x").searchParams.get("state");
        return reply.send(200, { items: actions.filter((a) => a.state === state), nextCursor: null });
      }
      return reply.send(200, { ...run, ...states[Math.min(turn++, states.length - 1)] });
    };
  };

  it("exits with 0 when it completed and shows what it answered", async () => {
    answer([{ status: "running" }, { status: "completed", endedAt: at, output: { warehouse: "SF" } }]);
    const { code, out, err } = await cli("run start orders --wait");
    expect(code).toBe(0);
    expect(err).toBe(`Run ${id} has started; waiting.\n`);
    expect(out).toMatch(/^status +completed$/m);
    expect(out).toContain('"warehouse": "SF"');
  });

  it("exits with 1 when it failed, with the place of the fault", async () => {
    answer([
      { status: "failed", endedAt: at, error: { ...error, step: "parse" }, steps: [{ ...step, error }] },
    ]);
    const { code, out } = await cli("run start orders --wait");
    expect(code).toBe(1);
    expect(out).toMatch(/^error +XML_MALFORMED in step parse at line 13, column 41: the tag is not closed$/m);
    expect(out).toMatch(/^parse {2}xml\.parse@1 {2}failed {2}1 {8}7 ms {2}XML_MALFORMED at line 13/m);
  });

  it("shows a run that had failed by the time of the server's answer like any other", async () => {
    answer([
      { status: "failed", endedAt: at, error: { ...error, step: "parse" }, steps: [{ ...step, error }] },
    ]);
    const later = play;
    play = (asked, reply) => {
      if (asked.method !== "POST") return later(asked, reply);
      expect(asked.headers.prefer).toBe("wait=2");
      const problem = {
        code: "RUN_FAILED",
        status: 422,
        title: "",
        detail: "",
        instance: "",
        requestId: "req_1",
      };
      return reply.send(422, { ...problem, runId: run.id, errors: [] }, { "content-type": problemType });
    };
    const { code, out } = await cli("run start orders --wait");
    expect(code).toBe(1);
    expect(out).toMatch(/^error +XML_MALFORMED in step parse/m);
  });

  it.each([
    [{ id: "act_x", state: "pending_approval", approvalId: "apr_x" }, "oars approve apr_x --reason TEXT"],
    [{ id: "act_x", state: "in_doubt" }, "oars action resolve act_x --outcome OUTCOME --reason TEXT"],
  ])("exits with 2 when a person must act, and says how: %j", async (action, text) => {
    answer([{ status: "waiting" }], [action]);
    const { code, out } = await cli("run start orders --wait");
    expect(code).toBe(2);
    expect(out).toContain(text);
  });

  it("exits with 2 when the run asks a person, and says how to answer", async () => {
    answer(
      [{ status: "waiting" }],
      [],
      [{ id: "gat_x", question: "Book it?", options: ["continue", "abort"] }],
    );
    const { code, out } = await cli("run start orders --wait");
    expect(code).toBe(2);
    expect(out).toContain("It asks: Book it? oars gate answer gat_x continue|abort");
  });

  it("goes on over a pause that no person must end", async () => {
    answer([{ status: "waiting" }, { status: "completed", endedAt: at }]);
    expect((await cli("run start orders --wait --json")).code).toBe(0);
  });

  it("exits with 2 when its time is over", async () => {
    answer([{ status: "running" }]);
    const { code, err } = await cli("run start orders --wait --timeout 100ms");
    expect(code).toBe(2);
    expect(err).toContain("CLIENT_WAIT_TIMEOUT");
  });
});

describe("watching a run", () => {
  const frame = (seq: number, type: string, data: object = {}): string =>
    `id: ${seq}\nevent: ${type}\ndata: ${JSON.stringify({ seq, type, at, data, ...endOf(type) })}\n\n`;
  const endOf = (type: string) => (/^run\.(completed|failed|aborted)$/.test(type) ? { end: true } : {});

  it("prints every event when it happens, goes on over a cut, and exits with 0", async () => {
    const shown = Promise.withResolvers<void>();
    play = ({ headers }, reply) => {
      reply.raw.writeHead(200, { "content-type": "text/event-stream" });
      if (headers["last-event-id"] === undefined) {
        reply.raw.write(frame(0, "run.created", { flow: "orders", version: "1.0.0" }));
        void shown.promise.then(() => reply.raw.destroy());
      } else {
        expect(headers["last-event-id"]).toBe("0");
        reply.raw.end(
          frame(1, "step.completed", { step: "parse", attempt: 2, ms: 5 }) + frame(2, "run.completed"),
        );
      }
    };
    const { code, out } = await cli(`run watch ${id}`, {
      onOutput: (text) => {
        if (text.includes("run.created")) shown.resolve();
      },
    });
    expect(code).toBe(0);
    expect(out.replaceAll("2026-01-05 09:30:00 UTC", "AT").split("\n")).toEqual([
      "AT  #0     run.created      orders 1.0.0",
      "AT  #1     step.completed   parse  attempt 2  5 ms",
      "AT  #2     run.completed",
      "",
    ]);
  });

  it("says what a person can do while the run waits for one", async () => {
    play = ({ url }, reply) => {
      const pending = { id: "act_x", approvalId: "apr_x" };
      if (url.startsWith("/v1/gates")) return reply.send(200, { items: [], nextCursor: null });
      if (url.includes("state=pending_approval"))
        return reply.send(200, { items: [pending], nextCursor: null });
      if (url.startsWith("/v1/actions")) return reply.problem(403, "AUTH_FORBIDDEN");
      reply.raw.writeHead(200, { "content-type": "text/event-stream" });
      reply.raw.end(frame(0, "step.waiting", { step: "ship" }) + frame(1, "run.aborted"));
    };
    const { code, err } = await cli(`run watch ${id}`);
    expect([code, err]).toEqual([1, "It waits for a person: oars approve apr_x --reason TEXT\n"]);
  });

  it("prints one JSON object per line for programs, and exits with 1 when the run failed", async () => {
    play = ({ headers }, reply) => {
      expect(headers["last-event-id"]).toBe("4");
      reply.raw.writeHead(200, { "content-type": "text/event-stream" });
      reply.raw.end(frame(5, "run.failed", { error }));
    };
    const { code, out } = await cli(`run watch ${id} --after 4 --json`);
    expect(code).toBe(1);
    expect(
      out
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line)),
    ).toEqual([{ seq: 5, type: "run.failed", at, data: { error }, end: true }]);
  });
});
