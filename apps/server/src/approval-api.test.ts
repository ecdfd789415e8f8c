/** Approvals through the HTTP door: who votes, what is answered, preconditions, and the page behind a link. */
import { createHash } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { formatId } from "#platform/kernel";
import { type Answered, startTestApi, type TestApi } from "./testing/api.ts";
import { type Receiver, startReceiver } from "./testing/receiver.ts";
import { until } from "./testing/until.ts";

const cedar = `
@id("all") permit (principal, action, resource);
@id("two") @require_approval("approver:2") @ttl("PT1H")
forbid (principal, action, resource) when { context.target like "*/two*" } unless { context.approvals.count >= 2 };
`;

describe("approvals over HTTP", () => {
  let api: TestApi;
  let receiver: Receiver;
  const keys: Record<string, string> = {};
  beforeAll(async () => {
    api = await startTestApi("pglite");
    receiver = await startReceiver();
    const { app } = api;
    await app.connectors.put(app.admin, {
      name: "wms",
      connector: "http",
      config: { baseUrl: receiver.url },
      environment: "test",
      risk: 10,
    });
    await app.policy.publish(app.admin, (await app.policy.createVersion(app.admin, { cedar })).id);
    for (const [name, roles] of [
      ["ana", ["approver"]],
      ["ben", ["approver"]],
      ["max", ["member"]],
    ] as const) {
      const who = await app.caller(name, roles);
      keys[name] = (await app.access.issueKey(app.admin, who.principalId)).key;
    }
  });
  afterAll(async () => {
    await receiver.close();
    await api.close();
  });

  const held = async (): Promise<string> => {
    const input = { method: "POST", path: "/two/1", body: {} };
    const body = { connection: "wms", operation: "http.request", input };
    const { json } = await api.ask("POST", "/v1/actions", body);
    expect(json).toMatchObject({ state: "pending_approval" });
    return json.approvalId;
  };
  const decide = (id: string, name: string, body: Record<string, unknown> = {}): Promise<Answered> =>
    api.ask(
      "POST",
      "/v1/approvals/:id/decision",
      { decision: "approve", reason: "seen", ...body },
      { id, key: keys[name] ?? "" },
    );

  it("answers 202 while votes are missing and 200 once there is an answer, also when a key is replayed", async () => {
    const id = await held();
    const headers = { "idempotency-key": "vote-1" };
    const vote = { decision: "approve", reason: "seen" };
    const filling = { id, key: keys.ana ?? "" };
    const first = await api.ask("POST", "/v1/approvals/:id/decision", vote, filling, headers);
    expect([first.status, first.json.state]).toEqual([202, "pending"]);
    expect(first.json.approvalProgress).toEqual({
      currentStageIndex: 0,
      totalStages: 1,
      currentStageName: "policy",
    });
    expect(first.json.stages).toMatchObject([{ state: "open", requiredApprovals: 2, missing: 1 }]);
    const again = await api.ask("POST", "/v1/approvals/:id/decision", vote, filling, headers);
    expect([again.status, again.headers.get("idempotency-replayed")]).toEqual([202, "true"]);
    const last = await decide(id, "ben");
    expect([last.status, last.json.state]).toEqual([200, "approved"]);
    const { json } = await api.ask("GET", "/v1/approvals/:id", undefined, { id });
    expect(json).toMatchObject({ mine: false, chain: [{ name: "admin" }], earlier: [], changes: null });
    await until(
      "its use",
      async () => (await api.ask("GET", "/v1/approvals/:id", undefined, { id })).json.state === "consumed",
    );
  });

  it("takes the approver from the credential: another's name in the body is refused, and so is a change", async () => {
    const id = await held();
    const ben = (await api.ask("GET", "/v1/me", undefined, { key: keys.ben ?? "" })).json.principal.id;
    expect((await decide(id, "ana", { approverId: ben })).json.code).toBe("APPROVAL_IDENTITY");
    expect((await decide(id, "ana", { changes: { amount: 1 } })).json.code).toBe("APPROVAL_CHANGES");
    expect((await decide(id, "ana", { reason: "no" })).status).toBe(400);
    expect((await decide(id, "ana", { approverId: "ana" })).status).toBe(202);
    expect((await decide(id, "ben", { approverId: ben, decision: "reject" })).json.state).toBe("rejected");
  });

  it("changes workflows and settings only from the version that was seen", async () => {
    const name = "board";
    const put = (body: unknown, match?: string) =>
      api.ask("PUT", "/v1/approval-workflows/:name", body, { name }, match ? { "if-match": match } : {});
    const body = { stages: [{ name: "a", approvers: ["role:approver"], requiredApprovals: 2 }] };
    expect((await put(body, '"1"')).status).toBe(412);
    const made = await put(body, '"0"');
    expect([made.status, made.headers.get("etag"), made.json.stages[0].mode]).toEqual([
      200,
      '"1"',
      "parallel",
    ]);
    expect((await put({ ...body, description: "x" }, '"0"')).status).toBe(412);
    expect((await put({ ...body, description: "x" }, '"1"')).json.version).toBe(2);
    const versions = await api.ask("GET", "/v1/approval-workflows/:name/versions", undefined, { name });
    expect(versions.json.items.map((w: { version: number }) => w.version)).toEqual([2, 1]);
    const refused = await put({ stages: [{ name: "a", approvers: ["role:agent"], mode: "serial" }] });
    expect([refused.status, refused.json.errors[0].path]).toEqual([422, "stages.0.approvers"]);
    const settings = { defaultWorkflow: name, fatigue: null };
    expect((await api.ask("PUT", "/v1/approval-settings", settings, {}, { "if-match": '"7"' })).status).toBe(
      412,
    );
    expect(
      (await api.ask("PUT", "/v1/approval-settings", settings, {}, { "if-match": '"0"' })).json.version,
    ).toBe(1);
    const byMember = { name, key: keys.max ?? "" };
    expect((await api.ask("PUT", "/v1/approval-workflows/:name", body, byMember)).status).toBe(403);
  });

  it("scans for what is overdue by its own clock: a body cannot bring one", async () => {
    const path = "/v1/admin/approvals/escalations/scan";
    const tenantId = formatId("tenant", api.app.admin.tenantId);
    expect((await api.ask("POST", path, { tenantId })).json).toMatchObject({ escalatedCount: 0, tenantId });
    expect((await api.ask("POST", path, { nowIso: "2099-01-01T00:00:00.000Z" })).status).toBe(400);
    expect((await api.ask("POST", path, {}, { key: keys.ana ?? "" })).status).toBe(403);
  });

  describe("a link", () => {
    const link = async (id: string, body?: unknown) =>
      (await api.ask("POST", "/v1/approvals/:id/link", body, { id })).json as { url: string };
    const tokenOf = (url: string): string => url.split("/").at(-1) ?? "";
    const page = (token: string, init: RequestInit = {}) => fetch(`${api.base}/approve/${token}`, init);

    it("leads to a page that shows nothing, changes nothing and loads nothing", async () => {
      const id = await held();
      const { url } = await link(id);
      expect(url).toMatch(/^http:\/\/127\.0\.0\.1:8080\/approve\/[A-Za-z0-9_-]+$/);
      const answers = await Promise.all([
        page(tokenOf(url)),
        page(tokenOf(url)),
        page(tokenOf(url), { method: "HEAD" }),
      ]);
      expect(answers.map((a) => a.status)).toEqual([200, 200, 200]);
      const text = await (answers[0] as Response).text();
      expect(text).not.toContain(id);
      expect(text).not.toMatch(/\b(src|href)=/);
      const policy = answers[0]?.headers.get("content-security-policy") ?? "";
      expect(policy).toContain("default-src 'none'");
      expect(policy).toContain("frame-ancestors 'none'");
      expect(policy).not.toContain("unsafe");
      for (const tag of ["script", "style"]) {
        const inline = new RegExp(`<${tag}>([\\s\\S]*)</${tag}>`).exec(text)?.[1] ?? "";
        const hash = createHash("sha256").update(inline).digest("base64");
        expect(policy).toContain(`${tag}-src 'sha256-${hash}'`);
      }
      const now = (await api.ask("GET", "/v1/approvals/:id", undefined, { id })).json;
      expect(now).toMatchObject({ state: "pending", votes: [] });
    });

    it("opens with the approver's own credentials alone, in its own tenant", async () => {
      const id = await held();
      const token = tokenOf((await link(id)).url);
      const open = (key: string) => api.ask("POST", "/v1/approval-links/open", { token }, { key });
      expect((await open(keys.ana ?? "")).json).toMatchObject({ id, mine: true });
      expect((await open("")).status).toBe(401);
      const stranger = await api.app.access.createTenant(api.app.admin, "Elsewhere");
      expect((await open(stranger.apiKey)).json.code).toBe("APPROVAL_LINK_NOT_FOUND");
    });

    it("that is damaged, made up or too old leads nowhere", async () => {
      const id = await held();
      const token = tokenOf((await link(id)).url);
      const flipped = token.slice(0, -2) + (token.endsWith("AA") ? "BB" : "AA");
      const { tenantId } = api.app.admin;
      const old = tokenOf(api.app.approvalLinks.make(tenantId, tenantId, -1).url);
      for (const bad of [flipped, old, "x", "a".repeat(200), token.slice(4)]) {
        const answer = await page(bad);
        expect([answer.status, answer.headers.get("content-type")]).toEqual([
          404,
          "text/html; charset=utf-8",
        ]);
        const opened = await api.ask("POST", "/v1/approval-links/open", { token: bad });
        expect(opened.json.code).toBe("APPROVAL_LINK_NOT_FOUND");
      }
    });
  });
});
