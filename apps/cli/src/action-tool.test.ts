import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type PlayedServer, playServer } from "../../../packages/sdk/testing/played-server.ts";
import { type Cli, createCli } from "../testing/run-cli.ts";

const id = "act_01j9zr3c4kf8w9m2x5q7t0v1ab";
const at = "2026-01-05T09:30:00.000Z";
const answers: Record<string, unknown> = {};
let server: PlayedServer;
let cli: Cli;

beforeAll(async () => {
  server = await playServer((asked, reply) => {
    const answer = answers[`${asked.method} ${asked.url}`];
    if (answer === undefined) reply.problem(404, "ROUTE_NOT_FOUND");
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

const action = {
  id,
  state: "completed",
  tool: "wms/http.request",
  verb: "write",
  target: "wms.example.com/orders",
  environment: "production",
  decision: { effect: "allow", reasons: ["all"], message: "Allowed." },
  error: null,
  httpStatus: 201,
  facts: {},
  input: { path: "/orders" },
  output: { status: 201 },
  outputWithheld: false,
  requestedBy: "prn_1",
  requestedFor: null,
  submittedBy: null,
  approvalId: null,
  runId: null,
  step: null,
  attempt: 1,
  createdAt: at,
  startedAt: at,
  endedAt: at,
  effectKey: "k",
  digest: "sha256:aa",
  timeline: [{ event: "decided", at, receiptId: "rct_1", by: "prn_1", effect: "allow" }],
};

describe("an action", () => {
  it("is proposed with what is said of it, and its output shown", async () => {
    answers["POST /v1/actions"] = action;
    const { code, out } = await cli([
      "action",
      "submit",
      "wms/http.request",
      ...["--input", '{"path":"/orders"}', "--agent", "robot", "--environment", "production"],
      ...["--data-type", "orders", "--data-type", "pii", "--target", "/orders", "--wait", "30s"],
    ]);
    expect(code).toBe(0);
    expect(out).toContain(`Action ${id} is completed`);
    const [asked] = server.asked;
    expect(asked?.headers.prefer).toBe("wait=30");
    expect(JSON.parse(asked?.body ?? "")).toEqual({
      resource: { toolId: "wms/http.request", operation: "http.request", target: "/orders" },
      input: { path: "/orders" },
      agentId: "robot",
      context: { environment: "production", dataTypes: ["orders", "pii"] },
    });
  });

  it("that is held says what to do next, and one that is denied is a failure with its reason", async () => {
    answers["POST /v1/actions"] = { ...action, state: "pending_approval", output: null };
    const held = await cli("action submit wms/http.request --no-wait");
    expect(held).toMatchObject({ code: 0, out: expect.stringContaining(`oars action show ${id}`) });
    expect(server.asked[0]?.headers.prefer).toBe("respond-async");
    const error = { code: "TOOL_NOT_ALLOWED", message: "It is not among the tools." };
    answers["POST /v1/actions"] = { ...action, state: "denied", output: null, error };
    const denied = await cli("action submit wms/http.request");
    expect(denied).toMatchObject({ code: 1, out: expect.stringContaining("TOOL_NOT_ALLOWED") });
    expect(await cli("action submit wms")).toMatchObject({ code: 2 });
    expect(await cli("action submit wms/http.request --wait soon")).toMatchObject({ code: 2 });
  });

  it("is searched for by everything that the API takes", async () => {
    const query = "limit=50&state=denied&operation=http.request&policyVersion=3&rule=no-pay&text=late";
    answers[`GET /v1/actions?${query}`] = { items: [action], nextCursor: null };
    const args = "--state denied --operation http.request --policy-version 3 --rule no-pay --text late";
    expect((await cli(`action list ${args}`)).out).toContain("wms/http.request");
  });

  it("is shown with what happened to it, and without an output that is withheld", async () => {
    answers[`GET /v1/actions/${id}`] = { ...action, output: null, outputWithheld: true };
    const { out } = await cli(`action show ${id}`);
    expect(out).toMatch(/decided allow +prn_1 +rct_1/);
    expect(out).toContain("actions:outputs");
  });

  it("is called off, released and rejected with a reason", async () => {
    for (const how of ["cancel", "release", "reject"]) {
      answers[`POST /v1/actions/${id}/${how}`] = { ...action, state: "cancelled" };
      expect((await cli(["action", how, id, "--reason", "not wanted"])).code).toBe(0);
    }
    expect(server.asked.map((one) => `${one.url} ${one.body}`)).toEqual([
      `/v1/actions/${id}/cancel {"reason":"not wanted"}`,
      `/v1/actions/${id}/release {"reason":"not wanted"}`,
      `/v1/actions/${id}/reject {"reason":"not wanted"}`,
    ]);
    expect(await cli(`action release ${id}`)).toMatchObject({ code: 2 });
  });
});

describe("a tool", () => {
  const tool = {
    name: "wms/http.request",
    description: "Sends one HTTP request.",
    status: "changed",
    allowed: false,
    verbs: ["read", "write"],
    risk: 50,
    dataTypes: ["orders"],
    environment: "production",
    destructive: true,
    openWorld: true,
    overrides: { redact: ["iban"], outputs: "requester" },
    reviewedAt: null,
    reason: null,
    digest: "sha256:aa",
    inputSchema: { type: "object" },
  };

  it("that changed is shown with the command that accepts it", async () => {
    answers["GET /v1/tools/wms%2Fhttp.request"] = tool;
    const { out } = await cli("tool show wms/http.request");
    expect(out).toContain("quarantined until it is reviewed");
    expect(out).toContain("oars tool review wms/http.request --digest sha256:aa");
    answers["POST /v1/tools/wms%2Fhttp.request/review"] = { ...tool, status: "active" };
    expect((await cli("tool review wms/http.request --digest sha256:aa")).out).toContain("is active");
    answers["GET /v1/tools?limit=50&status=changed"] = { items: [tool], nextCursor: null };
    expect((await cli("tools list --status changed")).out).toMatch(/changed +no/);
  });
});
