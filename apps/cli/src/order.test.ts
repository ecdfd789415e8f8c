/** Commands on runs, answers to gates, signals: what is sent, and what people are told. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type PlayedServer, playServer, type Reply } from "../../../packages/sdk/testing/played-server.ts";
import { type Cli, createCli } from "../testing/run-cli.ts";

const id = "run_01j9zr3c4kf8w9m2x5q7t0v1ab";
const gateId = "gat_01j9zr3c4kf8w9m2x5q7t0v1ab";
const at = "2026-01-05T09:30:00.000Z";
const run = { id, status: "queued", pausedAt: null };
const answers: Record<string, unknown> = {};
let server: PlayedServer;
let cli: Cli;

beforeAll(async () => {
  server = await playServer((asked, reply) => {
    const answer = answers[`${asked.method} ${asked.url}`];
    if (typeof answer === "function") (answer as (reply: Reply) => void)(reply);
    else if (answer === undefined) reply.problem(404, "ROUTE_NOT_FOUND");
    else reply.send(200, answer);
  });
  cli = createCli({ OARS_URL: server.url, OARS_KEY: "oars_key" });
  return cli.remove;
});
afterAll(() => server.close());
beforeEach(() => {
  server.asked.length = 0;
  for (const key of Object.keys(answers)) delete answers[key];
});
const sent = (): string[] => server.asked.map((a) => `${a.method} ${a.url} ${a.body}`.trim());
const because = ["--reason", "it is well again"];
const reason = '"reason":"it is well again"';

describe("an order on a run", () => {
  it.each<[string[], string, string]>([
    [["retry", id], "retry", `{${reason}}`],
    [
      ["retry", id, "--step", "ship", "--edits", '{"a":{"b":1}}', "--delay", "5"],
      "retry",
      `{${reason},"step":"ship","edits":{"a":{"b":1}},"delaySeconds":5}`,
    ],
    [["skip", id, "--step", "ship", "--output", "null"], "skip", `{${reason},"step":"ship","output":null}`],
    [
      ["edit-output", id, "--step", "a", "--output", "[1]"],
      "edit-output",
      `{"step":"a","output":[1],${reason}}`,
    ],
    [["abort", id], "abort", `{${reason}}`],
    [["pause", id], "pause", `{${reason}}`],
    [["resume", id], "resume", `{${reason}}`],
    [
      ["rerun", id, "--from", "ship", "--flow-version", "latest"],
      "rerun",
      `{${reason},"from":"ship","version":"latest"}`,
    ],
    [
      ["replay", id, "--params", '{"n":2}', "--label", "try=2"],
      "replay",
      `{${reason},"params":{"n":2},"labels":{"try":"2"}}`,
    ],
  ])("%j is sent as %s", async (args, path, body) => {
    answers[`POST /v1/runs/${id}/${path}`] = run;
    const { code, out } = await cli(["run", ...args, ...because]);
    expect(code, out).toBe(0);
    expect(sent()).toEqual([`POST /v1/runs/${id}/${path} ${body}`]);
    expect(out).toContain(id);
  });

  it("takes JSON from a file and from standard input", async () => {
    answers[`POST /v1/runs/${id}/skip`] = run;
    await writeFile(join(cli.folder, "out.json"), '{"n": 1}');
    await cli(["run", "skip", id, "--step", "a", "--output", "@out.json", ...because]);
    await cli(["run", "skip", id, "--step", "a", "--output", "@-", ...because], { input: "2" });
    expect(sent().map((line) => line.slice(line.indexOf('"output"')))).toEqual([
      '"output":{"n":1}}',
      '"output":2}',
    ]);
  });

  it("is refused before it is sent where its JSON is none, with the place", async () => {
    const { code, err } = await cli(["run", "skip", id, "--step", "a", "--output", '{"a":}', ...because]);
    expect(code).toBe(1);
    expect(err).toContain("JSON_MALFORMED");
    expect(sent()).toEqual([]);
  });

  it("may be for one state of the run alone, and says why it was refused", async () => {
    answers[`POST /v1/runs/${id}/retry`] = (reply: Reply) => reply.problem(412, "PRECONDITION_FAILED");
    const { code, err } = await cli(["run", "retry", id, "--if-match", "failed-1-0-3", ...because]);
    expect([code, err]).toEqual([1, expect.stringContaining("PRECONDITION_FAILED")]);
    expect(server.asked[0]?.headers["if-match"]).toBe('"failed-1-0-3"');
  });

  it.each([
    ["run retry x"],
    [`run retry x --reason y --edits {}`],
    [`run skip x --reason y --output 1`],
    [`run edit-output x --reason y --step a`],
    [`run rerun x --reason y`],
    [`run replay x --reason y --label novalue`],
    [`run retry x --reason y --delay 601`],
    [`run bulk dance --reason y --status failed`],
    [`run bulk retry --reason y`],
    [`run list --since yesterday`],
    [`gate answer x maybe`],
    [`gate answer x abort --output 1`],
    [`gate answer x continue --edits {}`],
    [`gate list --status shut`],
  ])("%j is wrong usage, and nothing is sent", async (args) => {
    expect((await cli(args)).code).toBe(2);
    expect(sent()).toEqual([]);
  });
});

describe("many runs at once", () => {
  const page = (matched: number, outcomes: object, nextCursor: string | null) => ({
    command: "retry",
    dryRun: true,
    matched,
    outcomes,
    items: [{ runId: id, outcome: "ok", status: "failed" }],
    nextCursor,
  });

  it("is a dry run unless it is applied, and goes on to the last run", async () => {
    const pages = [page(1000, { ok: 998, RUN_ENDED: 2 }, "c"), page(3, { ok: 3 }, null)];
    answers["POST /v1/runs/bulk"] = (reply: Reply) => reply.send(200, pages.shift());
    const args = [
      "run",
      "bulk",
      "retry",
      "--flow",
      "orders",
      "--label",
      "shop=eu",
      "--search",
      "50%",
      ...because,
    ];
    const { code, out } = await cli(args);
    expect(code).toBe(0);
    expect(out).toContain("retry would find 1003 runs: 1001 ok, 2 RUN_ENDED.");
    expect(out).toContain("add --apply");
    const filter = '"filter":{"flow":"orders","label":["shop=eu"],"search":"50%"}';
    expect(sent()).toEqual([
      `POST /v1/runs/bulk {"command":"retry",${filter},${reason},"dryRun":true}`,
      `POST /v1/runs/bulk {"command":"retry",${filter},${reason},"dryRun":true,"cursor":"c"}`,
    ]);
  });

  it("exits with 1 when some were refused", async () => {
    answers["POST /v1/runs/bulk"] = { ...page(2, { ok: 1, RUN_ENDED: 1 }, null), dryRun: false };
    const { code } = await cli(["run", "bulk", "retry", "--since", "2026-01-05", "--apply", ...because]);
    expect(code).toBe(1);
    expect(sent()[0]).toContain('"filter":{"startedAfter":"2026-01-05T00:00:00.000Z"}');
  });
});

describe("a gate", () => {
  const gate = {
    id: gateId,
    runId: id,
    flow: "invoices",
    version: "1.0.0",
    step: "sum",
    item: null,
    status: "open",
    question: "Book \u001b[31m10?",
    options: ["continue", "abort"],
    approvers: ["approver"],
    excludeRequester: true,
    requestedBy: "prn_x",
    default: "abort",
    output: { total: 10 },
    decision: null,
    answeredBy: null,
    note: null,
    createdAt: at,
    dueAt: at,
    answeredAt: null,
  };

  it("is listed, and shown with what it is about and how to answer", async () => {
    answers["GET /v1/gates?limit=50&status=open"] = { items: [gate], nextCursor: null };
    answers[`GET /v1/gates/${gateId}`] = gate;
    expect((await cli("gate list")).out).toMatch(/gat_\w+ +open +invoices +sum +Book .\[31m10\?/);
    const { out } = await cli(`gate show ${gateId}`);
    expect(out).toContain('"total": 10');
    expect(out).toMatch(/^may answer +approver, not who started the run$/m);
    expect(out).toContain(`Answer: oars gate answer ${gateId} continue|abort`);
    expect(out).not.toContain("\u001b");
  });

  it("that is not there is nothing to do", async () => {
    answers[`GET /v1/gates?limit=50&status=open&run=${id}`] = { items: [], nextCursor: null };
    expect((await cli(`gate list --run ${id}`)).out).toBe("No run asks anything.\n");
  });

  it("is answered with what goes with the answer", async () => {
    answers[`POST /v1/gates/${gateId}/answer`] = { ...gate, decision: "continue" };
    await cli(["gate", "answer", gateId, "continue", "--output", '{"total":9}', "--note", "rebate"]);
    await cli(["gate", "answer", gateId, "retry", "--edits", '{"rate":1}']);
    const { out } = await cli(["gate", "answer", gateId, "abort"]);
    expect(sent()).toEqual([
      `POST /v1/gates/${gateId}/answer {"decision":"continue","output":{"total":9},"note":"rebate"}`,
      `POST /v1/gates/${gateId}/answer {"decision":"retry","edits":{"rate":1}}`,
      `POST /v1/gates/${gateId}/answer {"decision":"abort"}`,
    ]);
    expect(out).toContain(`Try next: oars run watch ${id}`);
  });
});

describe("a signal", () => {
  it("is sent with its payload, and what was sent is listed", async () => {
    answers[`POST /v1/runs/${id}/signals`] = { name: "paid", runId: id };
    await cli(["run", "signal", id, "paid", "--payload", '{"amount":5}']);
    await cli(["run", "signal", id, "paid"]);
    expect(sent()).toEqual([
      `POST /v1/runs/${id}/signals {"name":"paid","payload":{"amount":5}}`,
      `POST /v1/runs/${id}/signals {"name":"paid"}`,
    ]);
    const taken = { name: "paid", sentAt: at, step: "wait" };
    answers[`GET /v1/runs/${id}/signals?limit=50`] = {
      items: [taken, { ...taken, step: null }],
      nextCursor: null,
    };
    expect((await cli(`run signals ${id}`)).out).toBe(`${at}  paid  taken by wait\n${at}  paid  waits\n`);
  });
});

it("items of a step are a table", async () => {
  const item = {
    index: 3,
    status: "failed",
    attempt: 2,
    startedAt: at,
    endedAt: at,
    output: null,
    error: { code: "X", message: "no" },
  };
  answers[`GET /v1/runs/${id}/steps/each/items?limit=50`] = { items: [item], nextCursor: null };
  expect((await cli(`run items ${id} each`)).out).toMatch(/^3 +failed +2 .*X: no$/m);
});
