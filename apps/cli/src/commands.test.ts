import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type PlayedServer, playServer, type Reply } from "../../../packages/sdk/testing/played-server.ts";
import { type Cli, createCli, type Ended } from "../testing/run-cli.ts";

const id = "01j9zr3c4kf8w9m2x5q7t0v1ab";
const at = "2026-01-05T09:30:00.000Z";
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
const put = (name: string, text: string) => writeFile(join(cli.folder, name), text);
const page = (items: readonly unknown[], nextCursor: string | null = null) => ({ items, nextCursor });

const policy = {
  id: `pol_${id}`,
  version: 3,
  name: null,
  state: "published",
  digest: "sha256:aa",
  policies: 2,
  cases: 1,
  publishedAt: at,
};
const approval = {
  id: `apr_${id}`,
  actionId: `act_${id}`,
  state: "pending",
  requirements: [{ role: "approver", quorum: 1 }],
  subject: {
    tool: "wms/http.request",
    target: "t",
    environment: "prod",
    risk: 40,
    facts: {},
    runId: `run_${id}`,
    step: "ship",
    rules: ["big-orders"],
  },
  approvalProgress: { currentStageIndex: 0, totalStages: 1, currentStageName: "policy" },
  stepUp: "totp",
  override: null,
  review: null,
  chain: [{ id: `prn_${id}`, name: "ana", kind: "user" }],
  earlier: [{ state: "rejected" }],
  arguments: { body: { amount: 12 } },
  changes: null,
  votes: [],
  createdAt: at,
  expiresAt: at,
};

describe("a second factor", () => {
  it("is enrolled with what an authenticator app needs, and confirmed with its code", async () => {
    const factor = { id: `fac_${id}`, kind: "totp", name: "phone", state: "pending", lastUsedAt: null };
    const uri = "otpauth://totp/OARS:ana?secret=ABC";
    answers["POST /v1/factors"] = { factor, secret: "ABC", uri, options: null };
    const begun = await cli("factor enrol totp --name phone");
    expect(begun.out).toContain(uri);
    expect(begun.out).toContain(`oars factor confirm fac_${id} CODE`);
    answers[`POST /v1/factors/fac_${id}/confirm`] = { factor, recoveryCodes: ["abcde-fghij"] };
    expect((await cli(`factor confirm fac_${id} 123456`)).out).toContain("  abcde-fghij\n");
    expect((await cli("factor enrol webauthn")).code).toBe(2);
  });

  it("goes with the vote that asks for it", async () => {
    answers[`POST /v1/approvals/apr_${id}/decision`] = { ...approval, state: "approved" };
    const { code } = await cli(`approval approve apr_${id} --reason fine --code 123456`);
    expect(code).toBe(0);
    expect(sent().at(-1)).toContain('"stepUpCode":"123456"');
  });
});

describe("a list", () => {
  it("is a table for people, that says how to go on", async () => {
    answers["GET /v1/secrets"] = page([{ name: "orders\u001b[2J", version: 2, updatedAt: at }]);
    answers["GET /v1/policies?limit=1&cursor=abc"] = page([policy], "next");
    expect((await cli("secret list")).out).toMatch(
      /^name {8}version {2}changed\norders�\[2J {2}2 {8}2026-01-05 09:30:00 UTC \(\d+ \w+ ago\)\n$/,
    );
    const { out } = await cli("policy list --limit 1 --cursor abc");
    expect(out).toMatch(/^3 {8}published {8}2 {9}1 /m);
    expect(out).toContain("There are more: add --cursor next");
  });

  it("is the server's answer for programs", async () => {
    answers["GET /v1/runs?limit=50&status=failed&flow=orders"] = page([{ id: `run_${id}` }], "c");
    const { out } = await cli("run list --status failed --flow orders --json");
    expect(JSON.parse(out)).toEqual(page([{ id: `run_${id}` }], "c"));
  });

  it.each([
    ["secret list", "GET /v1/secrets", "oars secret set"],
    ["connection list", "GET /v1/connections", "oars connection put"],
    ["tool list", "GET /v1/tools?limit=50", "oars connection put"],
    ["policy list", "GET /v1/policies?limit=50", "every action is denied"],
    ["flow list", "GET /v1/flows?limit=50", "oars flow publish"],
    ["run list", "GET /v1/runs?limit=50", "oars run start"],
    ["approval list", "GET /v1/approvals?limit=50&state=pending", "Nothing waits for a person"],
    ["approval list --state all", "GET /v1/approvals?limit=50", "no such approvals"],
    ["action list --state failed", "GET /v1/actions?limit=50&state=failed", "no such actions"],
    [
      "receipts list --type action.decision",
      "GET /v1/receipts?limit=50&type=action.decision",
      "no such receipts",
    ],
  ])("%s that is empty teaches what to do", async (args, request, text) => {
    answers[request] = page([]);
    const { code, out } = await cli(args);
    expect(code).toBe(0);
    expect(out).toContain(text);
  });
});

describe("a secret", () => {
  beforeEach(() => {
    answers["PUT /v1/secrets/hmac"] = { name: "hmac", version: 1 };
  });

  it("comes from standard input without its last line break, and is never printed", async () => {
    const { code, out, err } = await cli("secret set hmac", { input: "s3cret value\n" });
    expect(code).toBe(0);
    expect(sent()).toEqual(['PUT /v1/secrets/hmac {"value":"s3cret value"}']);
    expect(out + err).not.toContain("s3cret");
  });

  it("comes from --value as it is", async () => {
    await cli(["secret", "set", "hmac", "--value", " a\n"]);
    expect(sent()).toEqual(['PUT /v1/secrets/hmac {"value":" a\\n"}']);
  });

  it("is not stored when it is empty", async () => {
    expect((await cli("secret set hmac", { input: "\n" })).code).toBe(2);
    expect(sent()).toEqual([]);
  });
});

describe("a connection", () => {
  const stored = { name: "wms", connector: "http", environment: "prod", revision: 2 };

  it("is put under the name in its file, or the one that is given", async () => {
    answers["PUT /v1/connections/wms"] = stored;
    answers["PUT /v1/connections/wms2"] = stored;
    await put("c.json", '{"name":"wms","connector":"http","config":{}}');
    expect((await cli("connection put c.json")).out).toContain("revision 2");
    await cli("connection put - --name wms2", { input: '{"connector":"http","config":{}}' });
    expect(sent()).toEqual([
      'PUT /v1/connections/wms {"connector":"http","config":{}}',
      'PUT /v1/connections/wms2 {"connector":"http","config":{}}',
    ]);
  });

  it("that is tested says what answered or what to change, and exits 1 when it failed", async () => {
    const report = { ok: true, message: "wms.example.com answered 200.", emulated: false, ms: 3 };
    answers["POST /v1/connections/wms/test"] = report;
    expect(await cli("connections test wms")).toMatchObject({
      code: 0,
      out: "ok: wms.example.com answered 200.\n",
    });
    const refused = { ...report, ok: false, code: "HTTP_401", message: "Check the secret." };
    answers["POST /v1/connections/wms/test"] = refused;
    expect(await cli("connection test wms")).toMatchObject({
      code: 1,
      out: "failed (HTTP_401): Check the secret.\n",
    });
  });

  it("can be of the connectors that the server lists", async () => {
    const operations = [{ name: "http.request" }, { name: "http.list" }];
    answers["GET /v1/connectors"] = page([{ name: "http", description: "Calls REST.", operations }]);
    expect((await cli("connection connectors")).out).toContain("http.request, http.list");
  });

  it("is refused with the place where its JSON breaks, before anything is sent", async () => {
    await put("c.json", '{\n  "name": "wms",\n  "config": }\n');
    const { code, err } = await cli("connection put c.json");
    expect(code).toBe(1);
    expect(err).toMatch(
      /^oars: JSON_MALFORMED: c\.json is not JSON\.\n {2}c\.json:3:13 a value must stand here\n$/,
    );
    expect(sent()).toEqual([]);
  });
});

describe("a policy", () => {
  it("is checked with its cases; invalid ones fail and name every place", async () => {
    await put("p.cedar", "permit");
    await put("cases.json", '[{"name":"a"}]');
    answers["POST /v1/policies/validate"] = {
      valid: false,
      problems: [{ path: "cedar", code: "syntax", message: "unexpected end", line: 1, column: 7 }],
    };
    const { code, err } = await cli("policy validate p.cedar --cases cases.json");
    expect(code).toBe(1);
    expect(err).toBe("oars: INVALID: 1 problem in p.cedar.\n  p.cedar:1:7 cedar: unexpected end\n");
    expect(sent()).toEqual(['POST /v1/policies/validate {"cedar":"permit","cases":[{"name":"a"}]}']);
    const json = await cli("policy validate p.cedar --json");
    expect(json.code).toBe(1);
    expect(JSON.parse(json.out)).toMatchObject({ valid: false, problems: [{ line: 1 }] });
  });

  it("is drafted and put in force", async () => {
    await put("p.cedar", "permit");
    answers["POST /v1/policies"] = { ...policy, state: "draft" };
    answers[`POST /v1/policies/pol_${id}/publish`] = policy;
    expect((await cli("policy publish p.cedar --name orders")).out).toContain(
      "Bundle 3 is in force: 2 policies, 1 golden",
    );
    expect(sent()).toEqual([
      'POST /v1/policies {"cedar":"permit","name":"orders"}',
      `POST /v1/policies/pol_${id}/publish {}`,
    ]);
  });
});

describe("a flow", () => {
  it("is published as it is written, and told apart from one that was published before", async () => {
    answers["POST /v1/flows"] = { flow: "f", version: "1.0.0", hash: "sha256:aa", created: true };
    expect((await cli("flow publish -", { input: "flow: f\n" })).out).toContain("f 1.0.0 is published.");
    expect(server.asked[0]).toMatchObject({
      body: "flow: f\n",
      headers: { "content-type": "application/yaml" },
    });
    answers["POST /v1/flows"] = { flow: "f", version: "1.0.0", hash: "sha256:aa", created: false };
    expect((await cli("flow publish -", { input: "flow: f\n" })).out).toContain("was published before");
  });

  it("is refused with the places in its file", async () => {
    await put("f.yaml", "flow: f\n");
    answers["POST /v1/flows"] = (reply: Reply) => reply.problem(422, "FLOW_INVALID");
    const { code, err } = await cli("flow publish f.yaml");
    expect(code).toBe(1);
    expect(err).toBe(
      "oars: FLOW_INVALID: Detail of FLOW_INVALID.\n  f.yaml:3:7 a.b: is wrong\n  request req_played\n",
    );
    const json = await cli("flow publish f.yaml --json");
    expect(JSON.parse(json.err)).toMatchObject({
      error: { code: "FLOW_INVALID", status: 422, file: "f.yaml", errors: [{ line: 3, column: 7 }] },
    });
    expect(json.out).toBe("");
  });
});

describe("a decision", () => {
  it.each(["approve", "reject"])("to %s carries its reason and says what became of it", async (decision) => {
    answers[`POST /v1/approvals/apr_${id}/decision`] = { ...approval, state: `${decision}d` };
    const { out } = await cli([decision, `apr_${id}`, "--reason", "looked at it"]);
    expect(out).toContain(`the approval is ${decision}d.\nTry next: oars run watch run_${id}\n`);
    expect(sent()).toEqual([
      `POST /v1/approvals/apr_${id}/decision {"decision":"${decision}","reason":"looked at it"}`,
    ]);
  });

  it("needs a reason", async () => {
    const { code, err } = await cli(`approve apr_${id}`);
    expect(code).toBe(2);
    expect(err).toContain("--reason");
    expect(sent()).toEqual([]);
  });

  it("can be read before", async () => {
    answers[`GET /v1/approvals/apr_${id}`] = {
      ...approval,
      subject: { ...approval.subject, facts: { value: 7 } },
    };
    const { out } = await cli(`approval show apr_${id}`);
    expect(out).toMatch(/^confirm with +totp$/m);
    expect(out).toMatch(/^earlier decisions +rejected$/m);
    expect(out).toContain('"amount": 12');
    expect(out).toMatch(/^needs +1 approver$/m);
    expect(out).toMatch(/^run +run_\w+, step ship$/m);
    expect(out).toContain('"value": 7');
    expect(out).toContain(`Decide: oars approve apr_${id}`);
  });
});

describe("an action in doubt", () => {
  it("is resolved with what was found out", async () => {
    answers[`POST /v1/actions/act_${id}/resolve`] = { id: `act_${id}`, state: "completed" };
    const { out } = await cli([
      "action",
      "resolve",
      `act_${id}`,
      "--outcome",
      "completed",
      "--reason",
      "it is there",
    ]);
    expect(out).toBe(`Action act_${id} is completed.\n`);
    expect(sent()).toEqual([
      `POST /v1/actions/act_${id}/resolve {"outcome":"completed","reason":"it is there"}`,
    ]);
  });
});

describe("a principal", () => {
  const made = { id: `prn_${id}`, name: "bot", kind: "agent", roles: ["agent", "member"] };
  let issued: Ended;
  const create = async (key: string | null): Promise<void> => {
    answers["POST /v1/principals"] = made;
    answers[`POST /v1/principals/prn_${id}/keys`] = { id: `key_${id}`, key };
    issued = await cli("principal create bot --kind agent --role agent --role member --key");
  };

  it("is created with its roles and shows its key once", async () => {
    await create("oars_new");
    expect(issued.out.split("oars_new")).toHaveLength(2);
    expect(sent()[0]).toBe('POST /v1/principals {"name":"bot","kind":"agent","roles":["agent","member"]}');
  });

  it("whose key was lost on the way says which key to revoke", async () => {
    await create(null);
    expect(issued.out).toContain(`The answer with its key key_${id} was lost`);
  });
});

describe("the share of a tenant", () => {
  const share = { tenant: `ten_${id}`, weight: 2.5, maxRunning: null, running: 3, queued: 10_000 };

  it("shows alerts with who was told, and answers them", async () => {
    const alert = {
      id: `alr_${id}`,
      code: "POLICY_DENIED",
      key: "k",
      severity: "medium",
      message: "No rule allows it.",
      state: "open",
      count: 5,
      eventId: `evt_${id}`,
      target: { kind: "action", id: `act_${id}` },
      details: {},
      level: 0,
      notified: ["pager"],
      escalateAt: at,
      openedAt: at,
      lastAt: at,
      acknowledgedAt: null,
      acknowledgedBy: null,
      resolvedAt: null,
      resolvedBy: null,
    };
    const history = [{ kind: "delivered", channel: "pager", principalId: null, note: null, at }];
    answers["GET /v1/alerts?limit=50&state=open"] = page([alert]);
    answers[`POST /v1/alerts/alr_${id}/acknowledge`] = {
      ...alert,
      history,
      state: "acknowledged",
      escalateAt: null,
    };
    expect((await cli("alert list --state open")).out).toMatch(/medium +open +POLICY_DENIED +5/);
    const taken = (await cli(`alert ack alr_${id} --note mine`)).out;
    expect(taken).toMatch(/passed on +no further/);
    expect(taken).toMatch(/delivered +pager/);
    expect(sent().at(-1)).toBe(`POST /v1/alerts/alr_${id}/acknowledge {"note":"mine"}`);
  });

  it("shows delivery, its dead letters and their replay; a target that refuses a test ends with 1", async () => {
    const letter = {
      id: `dlq_${id}`,
      target: "siem",
      subject: `evt_${id}`,
      payload: {},
      attempts: 8,
      lastError: "answered 503",
      state: "open",
      replayCount: 0,
      reason: null,
      failedAt: at,
      updatedAt: at,
    };
    answers["GET /v1/admin/siem/dead-letters?limit=50&state=open"] = page([letter]);
    answers["POST /v1/admin/siem/dead-letters/replay"] = { ...letter, state: "replayed", replayCount: 1 };
    answers["POST /v1/delivery-targets/siem/test"] = { ok: false, message: "answered 401", ms: 7 };
    answers["GET /v1/admin/siem/status"] = {
      targets: [],
      queued: 0,
      retry: { intervalSeconds: 30, maxAttempts: 8 },
    };
    expect((await cli("siem dead-letters --state open")).out).toMatch(/siem +evt_\S+ +open +8/);
    expect((await cli(`siem replay dlq_${id}`)).out).toMatch(/state +replayed/);
    expect(await cli("siem test siem")).toMatchObject({ code: 1, out: "refused after 7 ms: answered 401\n" });
    expect((await cli("siem status")).out).toContain("There are no targets");
  });

  it("lists security events", async () => {
    const event = {
      id: `evt_${id}`,
      tenantId: `ten_${id}`,
      type: "authorization.denied",
      severity: "medium",
      outcome: "failure",
      message: "A request needed a permission that its caller lacks.",
      actor: { id: `prn_${id}`, kind: "user", name: "ann" },
      target: null,
      requestId: null,
      source: "203.0.113.7",
      count: 12,
      firstAt: at,
      lastAt: at,
      details: {},
    };
    answers["GET /v1/security-events?limit=50&type=authorization.denied"] = page([event]);
    const { out } = await cli("event list --type authorization.denied");
    expect(out).toMatch(/authorization\.denied +12 +ann +203\.0\.113\.7/);
  });

  it("is shown, and set where something is said of it", async () => {
    answers["GET /v1/scheduling"] = share;
    answers["PUT /v1/scheduling"] = { ...share, maxRunning: 20 };
    expect((await cli("scheduling show")).out).toMatch(
      /weight +2\.5\nmost at once +no cap\nrunning +3\nqueued +10000 or more/,
    );
    expect((await cli(`scheduling set --tenant ten_${id} --max-running 20`)).out).toMatch(/most at once +20/);
    await cli("scheduling set --weight 0.5 --max-running none");
    expect(sent().slice(1)).toEqual([
      `PUT /v1/scheduling {"tenant":"ten_${id}","maxRunning":20}`,
      'PUT /v1/scheduling {"weight":0.5,"maxRunning":null}',
    ]);
  });

  it("is refused before it is sent where it is none", async () => {
    for (const wrong of ["--weight 0", "--weight many", "--max-running 0", "--max-running 2.5"])
      expect((await cli(`scheduling set ${wrong}`)).code).toBe(2);
    expect(sent()).toEqual([]);
  });
});
