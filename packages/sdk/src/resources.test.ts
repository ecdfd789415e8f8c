import { readFileSync } from "node:fs";
import { afterEach, describe, expect, it } from "vitest";
import { type Asked, type PlayedServer, playServer, type Reply } from "../testing/played-server.ts";
import { createClient, type OarsClient } from "./client.ts";

let server: PlayedServer | undefined;
afterEach(() => server?.close());

async function play(answer: (asked: Asked, reply: Reply, turn: number) => void) {
  const played = await playServer(answer);
  server = played;
  return { asked: played.asked, client: createClient({ baseUrl: played.url, retries: 0 }) };
}

describe("every call", () => {
  const calls: Record<string, (client: OarsClient) => PromiseLike<unknown>> = {
    "GET /v1/me": (c) => c.me.get(),
    "POST /v1/auth/token": (c) => c.me.issueToken(),
    "POST /v1/principals": (c) => c.principals.create({ name: "n", kind: "user", roles: [] }),
    "GET /v1/principals": (c) => c.principals.list().page(),
    "GET /v1/principals/x": (c) => c.principals.get("x"),
    "POST /v1/principals/x/keys": (c) => c.principals.issueKey("x"),
    "GET /v1/principals/x/keys": (c) => c.principals.listKeys("x").page(),
    "DELETE /v1/api-keys/x": (c) => c.principals.revokeKey("x"),
    "PUT /v1/secrets/x": (c) => c.secrets.put("x", "v"),
    "GET /v1/secrets": (c) => c.secrets.list().page(),
    "POST /v1/secrets/import": (c) => c.secrets.import({ secrets: { a: "b" } }),
    "GET /v1/secrets/x/access": (c) => c.secrets.uses("x").page(),
    "DELETE /v1/secrets/x": (c) => c.secrets.delete("x"),
    "PUT /v1/connections/x": (c) => c.connections.put("x", { connector: "http", config: {} }),
    "DELETE /v1/connections/x": (c) => c.connections.delete("x"),
    "GET /v1/connections/x/versions": (c) => c.connections.versions("x").page(),
    "POST /v1/connections/x/authorize": (c) => c.connections.authorize("x"),
    "GET /v1/egress": (c) => c.connections.egress(),
    "PUT /v1/egress": (c) => c.connections.setEgress({ hosts: null }),
    "POST /v1/oauth/callback": (c) => c.connections.finish({ state: "s" }),
    "GET /v1/connections": (c) => c.connections.list().page(),
    "POST /v1/connections/x/test": (c) => c.connections.test("x"),
    "GET /v1/connectors": (c) => c.connections.connectors().page(),
    "GET /v1/connections/x": (c) => c.connections.get("x"),
    "GET /v1/tools": (c) => c.tools.list().page(),
    "GET /v1/tools/x": (c) => c.tools.get("x"),
    "PATCH /v1/tools/x": (c) => c.tools.classify("x", { risk: 1 }),
    "POST /v1/tools/x/review": (c) => c.tools.review("x", { digest: "sha256:0" }),
    "GET /v1/tool-allowance": (c) => c.tools.allowance(),
    "PUT /v1/tool-allowance": (c) => c.tools.allow({ tools: ["*"] }),
    "POST /v1/policies/validate": (c) => c.policies.validate({ cedar: "" }),
    "POST /v1/policies": (c) => c.policies.create({ cedar: "" }),
    "GET /v1/policies": (c) => c.policies.list().page(),
    "GET /v1/policies/x": (c) => c.policies.get("x"),
    "POST /v1/policies/x/publish": (c) => c.policies.publish("x"),
    "POST /v1/policies/rollback": (c) => c.policies.rollback(),
    "POST /v1/policies/x/rollback": (c) => c.policies.rollback("x"),
    "GET /v1/policies/x/diff": (c) => c.policies.diff("x"),
    "GET /v1/policies/schema": (c) => c.policies.schema(),
    "GET /v1/policies/settings": (c) => c.policies.settings(),
    "PUT /v1/policies/settings": (c) => c.policies.setSettings({ replayRequired: true }),
    "PUT /v1/policies/shadow": (c) => c.policies.setShadow({ policyId: null }),
    "GET /v1/policies/shadow/differences": (c) => c.policies.differences().page(),
    "POST /v1/policies/simulate": (c) => c.policies.simulate({ request: {} }),
    "POST /v1/policies/import": (c) => c.policies.importRules({ rules: [] }),
    "GET /v1/actions/x/explanation": (c) => c.policies.explain("x"),
    "POST /v1/policies/x/replays": (c) => c.policies.startReplay("x"),
    "GET /v1/policies/x/replays": (c) => c.policies.listReplays("x").page(),
    "GET /v1/policies/replays/x": (c) => c.policies.getReplay("x"),
    "POST /v1/policies/grants": (c) => c.policies.grant({ template: "t" }),
    "GET /v1/policies/grants": (c) => c.policies.listGrants().page(),
    "DELETE /v1/policies/grants/x": (c) => c.policies.revokeGrant("x"),
    "GET /v1/schemas/flow.json": (c) => c.flows.schema(),
    "POST /v1/flows/validate": (c) => c.flows.validate("a"),
    "POST /v1/flows": (c) => c.flows.publish("a"),
    "GET /v1/flows": (c) => c.flows.list().page(),
    "GET /v1/flows/x": (c) => c.flows.get("x"),
    "GET /v1/flows/x/versions/1.0.0": (c) => c.flows.get("x", "1.0.0"),
    "POST /v1/runs": (c) => c.runs.start({ flow: "x" }),
    "GET /v1/runs": (c) => c.runs.list().page(),
    "GET /v1/runs/x": (c) => c.runs.get("x"),
    "GET /v1/runs/x/status": (c) => c.runs.status("x"),
    "GET /v1/runs/x/replay": (c) => c.runs.replayContext("x"),
    "POST /v1/runs/x/abort": (c) => c.runs.abort("x", "because"),
    "POST /v1/runs/x/retry": (c) => c.runs.retry("x", { reason: "because" }),
    "POST /v1/runs/x/skip": (c) => c.runs.skip("x", { reason: "because" }),
    "POST /v1/runs/x/edit-output": (c) => c.runs.editOutput("x", { step: "a", output: 1, reason: "because" }),
    "POST /v1/runs/x/pause": (c) => c.runs.pause("x", "because"),
    "POST /v1/runs/x/resume": (c) => c.runs.resume("x", "because"),
    "POST /v1/runs/x/rerun": (c) => c.runs.rerun("x", { from: "a", reason: "because" }),
    "POST /v1/runs/x/replay": (c) => c.runs.replay("x", { reason: "because" }),
    "POST /v1/runs/bulk": (c) =>
      c.runs.bulk({ command: "retry", filter: { status: "failed" }, reason: "because" }),
    "POST /v1/runs/x/signals": (c) => c.runs.signal("x", { name: "paid" }),
    "GET /v1/runs/x/signals": (c) => c.runs.signals("x").page(),
    "GET /v1/runs/x/steps/x/items": (c) => c.runs.items("x", "x").page(),
    "GET /v1/gates": (c) => c.gates.list().page(),
    "GET /v1/gates/x": (c) => c.gates.get("x"),
    "POST /v1/gates/x/answer": (c) => c.gates.answer("x", { decision: "continue" }),
    "GET /v1/runs/x/blobs/x": (c) => c.runs.payload("x", "x"),
    "GET /v1/runs/x/events": (c) => c.runs.eventList("x"),
    "POST /v1/actions": (c) => c.actions.submit({ connection: "c", operation: "o", input: {} }),
    "GET /v1/actions": (c) => c.actions.list().page(),
    "GET /v1/actions/x": (c) => c.actions.get("x"),
    "POST /v1/actions/x/cancel": (c) => c.actions.cancel("x"),
    "POST /v1/actions/x/release": (c) => c.actions.release("x", { reason: "because" }),
    "POST /v1/actions/x/reject": (c) => c.actions.reject("x", { reason: "because" }),
    "POST /v1/actions/x/resolve": (c) => c.actions.resolve("x", { outcome: "failed", reason: "because" }),
    "GET /v1/approvals": (c) => c.approvals.list().page(),
    "GET /v1/approvals/x": (c) => c.approvals.get("x"),
    "POST /v1/approvals/x/challenge": (c) => c.approvals.challenge("x", { decision: "approve" }),
    "POST /v1/approvals/x/break-glass": (c) => c.approvals.breakGlass("x", { reason: "the site is down" }),
    "POST /v1/approvals/x/review": (c) =>
      c.approvals.review("x", { verdict: "justified", comment: "it was" }),
    "POST /v1/approvals/x/comments": (c) => c.approvals.comment("x", "why?"),
    "GET /v1/approvals/x/comments": (c) => c.approvals.comments("x").page(),
    "POST /v1/approvals/x/link": (c) => c.approvals.link("x"),
    "POST /v1/approval-links/open": (c) => c.approvals.openLink("t"),
    "POST /v1/admin/approvals/escalations/scan": (c) => c.approvals.escalate(),
    "GET /v1/approval-workflows": (c) => c.approvalWorkflows.list().page(),
    "GET /v1/approval-workflows/x": (c) => c.approvalWorkflows.get("x"),
    "PUT /v1/approval-workflows/x": (c) => c.approvalWorkflows.put("x", { stages: [{ name: "a" }] }),
    "GET /v1/approval-workflows/x/versions": (c) => c.approvalWorkflows.versions("x").page(),
    "DELETE /v1/approval-workflows/x": (c) => c.approvalWorkflows.retire("x"),
    "GET /v1/approval-settings": (c) => c.approvalWorkflows.settings(),
    "PUT /v1/approval-settings": (c) =>
      c.approvalWorkflows.setSettings({ defaultWorkflow: null, fatigue: null }),
    "POST /v1/approval-delegations": (c) =>
      c.delegations.create({ to: "x" as never, endsAt: "2026-01-01T00:00:00.000Z", reason: "away" }), // an id by its brand
    "GET /v1/approval-delegations": (c) => c.delegations.list().page(),
    "DELETE /v1/approval-delegations/x": (c) => c.delegations.revoke("x"),
    "GET /v1/factors": (c) => c.factors.list(),
    "POST /v1/factors": (c) => c.factors.enrol({ kind: "totp", name: "phone" }),
    "POST /v1/factors/x/confirm": (c) => c.factors.confirm("x", { code: "123456" }),
    "POST /v1/factors/x/revoke": (c) => c.factors.revoke("x"),
    "POST /v1/factors/challenge": (c) => c.factors.challenge({ for: "enrol" }),
    "POST /v1/factors/recovery-codes": (c) => c.factors.recoveryCodes(),
    "POST /v1/principals/x/factors/reset": (c) => c.factors.reset("x"),
    "POST /v1/approvals/x/decision": (c) => c.approvals.decide("x", { decision: "approve", reason: "fine" }),
    "GET /v1/receipts": (c) => c.receipts.list().page(),
    "GET /v1/receipts/x": (c) => c.receipts.get("x"),
    "GET /v1/privacy/holds": (c) => c.privacy.holds().page(),
    "POST /v1/privacy/holds": (c) => c.privacy.placeHold({ scope: "tenant", reason: "because" }),
    "POST /v1/privacy/holds/x/release": (c) => c.privacy.releaseHold("x", "because"),
    "GET /v1/privacy/retention": (c) => c.privacy.retention(),
    "PUT /v1/privacy/retention": (c) => c.privacy.setRetention([]),
    "GET /v1/privacy/erasures": (c) => c.privacy.erasures().page(),
    "GET /v1/privacy/erasures/x": (c) => c.privacy.erasure("x"),
    "POST /v1/privacy/erasures": (c) => c.privacy.erase("x"),
    "POST /v1/privacy/exports": (c) => c.privacy.export("x"),
    "GET /v1/receipts/x/proof": (c) => c.receipts.proof("x"),
    "GET /v1/runs/x/receipts": (c) => c.receipts.exportRun("x"),
    "POST /v1/receipts/verify": (c) => c.receipts.verify({ receipt: "a.b.c" }),
    "GET /v1/log/checkpoint": (c) => c.trust.checkpoint(),
    "GET /v1/trust/tenants/x/keys": (c) => c.trust.keys("x"),
    "POST /v1/evidence/exports": (c) => c.evidence.export({ run: "x" as never }),
    "GET /v1/evidence/exports": (c) => c.evidence.list().page(),
    "GET /v1/evidence/exports/x": (c) => c.evidence.get("x"),
    "GET /v1/evidence/exports/x/download": (c) => c.evidence.download("x"),
    "POST /v1/evidence/exports/verify": (c) => c.evidence.verify({ bundle: "AA==" }),
    "GET /v1/evidence/schedules": (c) => c.evidence.schedules().page(),
    "PUT /v1/evidence/schedules": (c) => c.evidence.schedule("soc2"),
    "DELETE /v1/evidence/schedules/x": (c) => c.evidence.unschedule("x"),
    "GET /v1/admin/compliance/frameworks": (c) => c.compliance.frameworks().page(),
    "GET /v1/admin/compliance/control-mappings": (c) => c.compliance.mappings().page(),
    "POST /v1/admin/compliance/control-mappings": (c) =>
      c.compliance.map({
        framework: "x",
        controlId: "x",
        controlDescription: "x",
        requiredNodeTypes: ["action"],
      }),
    "POST /v1/admin/compliance/coverage/scan": (c) => c.compliance.coverage({ framework: "x" }),
    "GET /v1/log/status": (c) => c.log.status(),
    "GET /v1/log/proof/inclusion": (c) => c.log.inclusion("x"),
    "GET /v1/log/proof/consistency": (c) => c.log.consistency({ from: 1 }),
    "GET /v1/log/proof/witness": (c) => c.log.witness({ receipt: "x" }),
    "GET /v1/trust/instance": (c) => c.log.instance(),
    "GET /v1/keys": (c) => c.keys.list(),
    "POST /v1/keys/rotate": (c) => c.keys.rotate({ use: "log" }),
    "POST /v1/keys/x/revoke": (c) => c.keys.revoke("x", { reason: "it was copied" }),
    "GET /v1/security-events": (c) => c.securityEvents.list().page(),
    "GET /v1/security-events/x": (c) => c.securityEvents.get("x"),
    "GET /v1/alerts": (c) => c.alerts.list().page(),
    "GET /v1/alerts/x": (c) => c.alerts.get("x"),
    "POST /v1/alerts/x/acknowledge": (c) => c.alerts.acknowledge("x"),
    "POST /v1/alerts/x/resolve": (c) => c.alerts.resolve("x", { note: "it is over" }),
    "GET /v1/admin/ops/alert-routing": (c) => c.alerts.routes(),
    "POST /v1/admin/ops/alert-routing": (c) =>
      c.alerts.setRoute({ severity: "high", channels: ["pager"], escalationMinutes: 5 }),
    "GET /v1/alert-rules": (c) => c.alerts.rules(),
    "PUT /v1/alert-rules/x": (c) => c.alerts.putRule("x", { types: ["secret.*"] }),
    "DELETE /v1/alert-rules/x": (c) => c.alerts.deleteRule("x"),
    "GET /v1/delivery-targets": (c) => c.delivery.targets().page(),
    "PUT /v1/delivery-targets/x": (c) =>
      c.delivery.put("x", {
        purpose: "siem",
        config: { kind: "generic_webhook", url: "https://siem.example" },
      }),
    "GET /v1/delivery-targets/x": (c) => c.delivery.get("x"),
    "DELETE /v1/delivery-targets/x": (c) => c.delivery.delete("x"),
    "POST /v1/delivery-targets/x/test": (c) => c.delivery.test("x"),
    "POST /v1/delivery-targets/x/pause": (c) => c.delivery.pause("x"),
    "POST /v1/delivery-targets/x/resume": (c) => c.delivery.resume("x"),
    "GET /v1/admin/siem/status": (c) => c.delivery.status(),
    "POST /v1/admin/siem/flush": (c) => c.delivery.flush(),
    "GET /v1/admin/siem/dead-letters": (c) => c.delivery.deadLetters().page(),
    "POST /v1/admin/siem/dead-letters/replay": (c) => c.delivery.replay("dlq_1"),
    "POST /v1/admin/siem/dead-letters/resolve": (c) => c.delivery.resolve("dlq_1", "known outage"),
    "GET /v1/webhooks": (c) => c.webhooks.list().page(),
    "GET /v1/system/jobs": (c) => c.system.jobs().page(),
    "POST /v1/system/jobs/x/run": (c) => c.system.runJob("x"),
    "GET /v1/scheduling": (c) => c.scheduling.get(),
    "PUT /v1/scheduling": (c) => c.scheduling.set({ weight: 2 }),
    "GET /health/live": (c) => c.health.live(),
    "GET /health/ready": (c) => c.health.ready(),
  };

  it.each(Object.entries(calls))("%s is sent as that", async (name, call) => {
    const { asked, client } = await play((_, r) => r.send(200, { items: [], nextCursor: null }));
    await call(client);
    expect(asked.map((a) => `${a.method} ${a.url?.split("?")[0]}`)).toEqual([name]);
  });

  it("is one that the server has, and every route of the server has its call", () => {
    const file = new URL("../../../docs/reference/openapi.json", import.meta.url);
    const { paths } = JSON.parse(readFileSync(file, "utf8")) as { paths: Record<string, object> };
    const routes = Object.entries(paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    );
    const elsewhere =
      /\/approve\/|^GET \/verify$|^GET \/v1\/oauth\/callback$|\/log\/\{log\}\/|\/witness\/|\/metrics|\/api\/health|\/api\/webhook\/|jwks\.json|swagger|openapi/;
    const shape = (text: string) => text.replaceAll(/\{\w+\}/g, "x").replace("versions/x", "versions/1.0.0");
    expect(Object.keys(calls).sort()).toEqual(
      routes
        .filter((r) => !elsewhere.test(r))
        .map(shape)
        .sort(),
    );
  });
});

describe("a list", () => {
  it("asks page by page, with its filter, and gives every item", async () => {
    const pages = [
      { items: [1, 2], nextCursor: "b" },
      { items: [], nextCursor: "c" },
      { items: [3], nextCursor: null },
    ];
    const { asked, client } = await play((_, r, turn) => r.send(200, pages[turn]));
    const seen: unknown[] = [];
    for await (const run of client.runs.list({ status: "failed", limit: 2 })) seen.push(run);
    expect(seen).toEqual([1, 2, 3]);
    expect(asked.map((a) => a.url)).toEqual([
      "/v1/runs?status=failed&limit=2",
      "/v1/runs?status=failed&limit=2&cursor=b",
      "/v1/runs?status=failed&limit=2&cursor=c",
    ]);
  });

  it("asks for no page that the reader does not want, and goes on where the caller says", async () => {
    const { asked, client } = await play((_, r) => r.send(200, { items: [1, 2], nextCursor: "z" }));
    for await (const _ of client.runs.list({ cursor: "y" })) break;
    expect(asked.map((a) => a.url)).toEqual(["/v1/runs?cursor=y"]);
  });

  it("ends on a server that names the same page again", async () => {
    const { client } = await play((_, r) => r.send(200, { items: [], nextCursor: "a" }));
    const read = async () => {
      for await (const _ of client.runs.list()) throw new Error("there are no items");
    };
    await expect(read()).rejects.toMatchObject({ code: "CLIENT_ANSWER_INVALID" });
  });
});

describe("a command on a run", () => {
  it("carries the tag that it is for, and tells how the run stands when that has changed", async () => {
    const current = { status: "queued", etag: "queued-1-1-3" };
    const problem = { code: "PRECONDITION_FAILED", status: 412, title: "t", detail: "d", current };
    const { asked, client } = await play((_, r) => r.send(412, problem));
    const order = client.runs.retry("x", { reason: "because" }, { ifMatch: "failed-1-0-3" });
    await expect(order).rejects.toMatchObject({ code: "PRECONDITION_FAILED", current });
    expect(asked[0]?.headers["if-match"]).toBe('"failed-1-0-3"');
    expect(asked[0]?.headers["idempotency-key"]).toMatch(/^[0-9a-f-]{36}$/);
  });

  it("sends each label of a filter by itself", async () => {
    const { asked, client } = await play((_, r) => r.send(200, { items: [], nextCursor: null }));
    await client.runs.list({ label: ["a=1", "b=x,y"], search: "50%" }).page();
    expect(asked.map((a) => a.url)).toEqual(["/v1/runs?label=a%3D1&label=b%3Dx%2Cy&search=50%25"]);
  });
});

describe("waiting", () => {
  const statuses = (list: readonly string[], field = "status") =>
    play((_, r, turn) => r.send(200, { [field]: list[Math.min(turn, list.length - 1)] }));

  it("for a run ends when it waits for a person, or when it has ended", async () => {
    const { asked, client } = await statuses(["queued", "running", "waiting", "completed"]);
    expect((await client.runs.wait("x")).status).toBe("waiting");
    expect((await client.runs.wait("x", { until: "ended" })).status).toBe("completed");
    expect(asked).toHaveLength(4);
  });

  it("for an action ends when it is settled", async () => {
    const { client } = await statuses(["proposed", "executing", "in_doubt"], "state");
    expect((await client.actions.wait("x")).state).toBe("in_doubt");
  });

  it("gives up in time, naming what goes on", async () => {
    const { client } = await statuses(["running"]);
    const error = client.runs.wait("x", { timeoutMs: 80 });
    await expect(error).rejects.toMatchObject({ code: "CLIENT_WAIT_TIMEOUT", message: /run x/ });
  });
});

it("a server that is not ready says so as an answer", async () => {
  const body = { ready: false, version: "1", checks: [{ name: "database", ok: false }] };
  const { client } = await play((_, r) => r.send(503, body));
  expect(await client.health.ready()).toEqual(body);
});
