import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type PlayedServer, playServer, type Reply } from "../../../packages/sdk/testing/played-server.ts";
import { type Cli, createCli } from "../testing/run-cli.ts";

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

describe("the server's health", () => {
  it("needs no key, and fails while a check fails", async () => {
    const checks = [{ name: "database", ok: false, detail: "no answer" }];
    answers["GET /health/ready"] = (reply: Reply) =>
      reply.send(503, { ready: false, version: "1.2.3", checks });
    const { code, out } = await cli(`health --url ${server.url}`, { env: { OARS_KEY: "" } });
    expect(code).toBe(1);
    expect(out).toMatch(/1\.2\.3 .*NOT READY/);
    expect(out).toMatch(/^database {2}FAILED {2}no answer$/m);
  });

  it("fails with a key that is not valid", async () => {
    answers["GET /health/ready"] = { ready: true, version: "1", checks: [] };
    answers["GET /v1/me"] = (reply: Reply) => reply.problem(401, "AUTH_KEY_INVALID");
    const { code, out } = await cli("health");
    expect(code).toBe(1);
    expect(out).toMatch(/^credential {2}FAILED {2}AUTH_KEY_INVALID/m);
  });
});

describe("wrong usage", () => {
  it.each([
    [""],
    ["fly"],
    ["run"],
    ["run start"],
    ["run list --limit 0"],
    ["run list --limit 201"],
    ["run list --status dancing"],
    ["run start f --param novalue"],
    ["run start f --timeout 1s"],
    ["run start f --wait --timeout soon"],
    ["principal create bot --kind robot"],
    ["flow validate nothing.yaml"],
  ])("%j exits with 2, says why and sends nothing", async (args) => {
    const { code, out, err } = await cli(args === "" ? [] : args);
    expect(code).toBe(2);
    expect(err).not.toBe("");
    expect(err).not.toContain("    at ");
    expect(out).toBe("");
    expect(sent()).toEqual([]);
  });

  it("is told apart from asking for help", async () => {
    for (const args of ["--help", "run --help", "run start --help", "--version"]) {
      const { code, out, err } = await cli(args);
      expect([code, err]).toEqual([0, ""]);
      expect(out).not.toBe("");
    }
  });
});

it("a server that is not there is one line that says what to change", async () => {
  const gone = await playServer(() => {});
  await gone.close();
  const { code, err } = await cli("run list", { env: { OARS_URL: gone.url } });
  expect(code).toBe(1);
  expect(err).toBe(
    `oars: CLIENT_UNREACHABLE: ${gone.url} gave no answer (ECONNREFUSED).\n  Start the server there, or name another one with OARS_URL or oars login --url URL.\n`,
  );
});

it("bin/oars.mjs runs the sources in a checkout and passes the exit code on", async () => {
  const command = [join(import.meta.dirname, "../bin/oars.mjs")];
  answers["GET /v1/secrets"] = { items: [], nextCursor: null };
  expect((await cli("secret list", { command })).out).toContain("There are no secrets");
  const { code, err } = await cli("run show nothing", { command });
  expect([code, err]).toEqual([
    1,
    "oars: ROUTE_NOT_FOUND: Detail of ROUTE_NOT_FOUND.\n  line 3:7 a.b: is wrong\n  request req_played\n",
  ]);
});
