/** The HTTP API over all rooms and both databases, as a client sees it. */
import { createServer, type Server } from "node:http";
import { Webhook } from "standardwebhooks";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { referenceIn } from "#platform/blobs";
import { WriteSet } from "#platform/db";
import { formatId, newId } from "#platform/kernel";
import { drivers } from "#testing";
import { type Answered, startTestApi, type TestApi } from "./testing/api.ts";

const flowText = `
flow: greet
version: 1.0.0
params: { who: { type: string, required: true } }
triggers:
  - webhook: { slug: hello, auth: { hmac: { secret: "vault:hook" } }, params: { who: "{{ trigger.text }}" } }
steps:
  text: { use: map, with: { input: { who: "{{ params.who }}" }, mapping: { greeting: '"hello " & who' } } }
output: "{{ steps.text.output }}"
`;
const cedar = `
@id("wms-all") permit (principal, action, resource == Oars::Tool::"wms/http.request");
@id("deletes-need-one") @require_approval("approver:1") @ttl("PT1H")
forbid (principal, action == Oars::Action::"delete", resource) unless { context.approvals.count >= 1 };
`;
const hookSecret = `whsec_${Buffer.from("the shared secret of the tests").toString("base64")}`;

describe.each(drivers)("the API on %s", (driver) => {
  let api: TestApi;
  let ask: TestApi["ask"];
  let outside: Server;
  let approverKey: string;
  let strangerKey: string;
  let tenant: string;

  beforeAll(async () => {
    api = await startTestApi(driver);
    ({ ask } = api);
    tenant = formatId("tenant", api.app.admin.tenantId);
    outside = createServer((_req, res) =>
      res.writeHead(201, { "content-type": "application/json" }).end('{"ok":true}'),
    );
    await new Promise<void>((resolve) => outside.listen(0, "127.0.0.1", resolve));
    const ana = await ask("POST", "/v1/principals", { name: "ana", kind: "user", roles: ["approver"] });
    approverKey = (await ask("POST", "/v1/principals/:id/keys", {}, { id: ana.json.id })).json.key;
    strangerKey = (await api.app.access.createTenant(api.app.admin, "Other tenant")).apiKey;
  });
  afterAll(async () => {
    outside?.close();
    await api?.close();
  });

  const finished = async (id: string): Promise<Answered> => {
    const deadline = Date.now() + 15_000;
    for (;;) {
      const found = await ask("GET", "/v1/runs/:id", undefined, { id });
      if (/completed|failed|aborted/.test(found.json.status)) return found;
      if (Date.now() > deadline) throw new Error(found.text);
    }
  };

  it("gives large payloads of a run to those of its tenant, as they were", async () => {
    const { blobs, db, admin } = api.app;
    const runId = newId();
    const text = JSON.stringify({ text: "ä".repeat(40_000) });
    const set = new WriteSet();
    const kept = await blobs.hold(set, { tenantId: admin.tenantId, runId }, text);
    await db.committer.commit(set);
    const digest = referenceIn(JSON.parse(kept))?.sha256 ?? "";
    const read = (filling: Record<string, string>) =>
      ask("GET", "/v1/runs/:id/blobs/:digest", undefined, { id: formatId("run", runId), digest, ...filling });
    const found = await read({});
    expect([found.status, found.text === text]).toEqual([200, true]);
    expect(found.headers.get("content-length")).toBe(String(Buffer.byteLength(text)));
    for (const filling of [
      { key: strangerKey },
      { id: formatId("run", newId()) },
      { digest: "0".repeat(64) },
      { digest: "../../x" },
    ]) {
      const refused = await read(filling);
      expect([refused.status, refused.json.code]).toEqual([404, "BLOB_NOT_FOUND"]);
    }
  });

  it("shows background jobs to those who operate, and starts one for those who operate the platform", async () => {
    const { json } = await ask("GET", "/v1/system/jobs");
    const names = json.items.map((j: { name: string }) => j.name);
    expect(names).toContain("approval-expiry");
    const started = await ask("POST", "/v1/system/jobs/:name/run", {}, { name: "idempotency-keys" });
    expect([202, 409]).toContain(started.status); // it may be running just now
    expect((await ask("POST", "/v1/system/jobs/:name/run", {}, { name: "nothing" })).status).toBe(404);
    for (const method of ["GET", "POST"]) {
      const path = method === "GET" ? "/v1/system/jobs" : "/v1/system/jobs/:name/run";
      const refused = await ask(method, path, undefined, { name: "idempotency-keys", key: approverKey });
      expect(refused.status).toBe(403);
    }
  });

  it("shows a tenant its share of the workers, and lets those who operate the platform set it", async () => {
    const first = await ask("GET", "/v1/scheduling", undefined, { key: strangerKey });
    expect(first.json).toMatchObject({ weight: 1, maxRunning: null, running: 0, queued: 0 });
    const { tenant: theirs } = first.json;
    expect((await ask("PUT", "/v1/scheduling", { weight: 9 }, { key: strangerKey })).status).toBe(403);
    expect(
      (await ask("PUT", "/v1/scheduling", { tenant: theirs, weight: 2.5, maxRunning: 20 })).json,
    ).toMatchObject({
      tenant: theirs,
      weight: 2.5,
      maxRunning: 20,
    });
    expect((await ask("PUT", "/v1/scheduling", { tenant: theirs, weight: 3 })).json.maxRunning).toBe(20);
    expect((await ask("PUT", "/v1/scheduling", { tenant: theirs, maxRunning: null })).json).toMatchObject({
      weight: 3,
      maxRunning: null,
    });
    expect((await ask("GET", "/v1/scheduling")).json).toMatchObject({ tenant, weight: 1 });
    for (const share of [
      { weight: 0 },
      { weight: 1e9 },
      { maxRunning: 0 },
      { maxRunning: 1.5 },
      { wight: 1 },
    ])
      expect((await ask("PUT", "/v1/scheduling", share)).status).toBe(400);
    const nobody = formatId("tenant", newId());
    expect((await ask("PUT", "/v1/scheduling", { tenant: nobody, weight: 2 })).status).toBe(404);
  });

  it("says who calls, and takes a session token for a key", async () => {
    const me = await ask("GET", "/v1/me");
    expect(me.json).toMatchObject({
      tenantId: tenant,
      principal: { name: "admin" },
    });
    const { json } = await ask("POST", "/v1/auth/token");
    const again = await ask("GET", "/v1/me", undefined, { key: json.token });
    expect(again.json.principal.id).toBe(me.json.principal.id);
  });

  it("issues a key once, replays without it, and revokes it", async () => {
    const made = await ask("POST", "/v1/principals", { name: "bot", kind: "agent", roles: ["agent"] });
    const { id } = made.json;
    const once = { "idempotency-key": newId() };
    const first = await ask("POST", "/v1/principals/:id/keys", { name: "ci" }, { id }, once);
    const again = await ask("POST", "/v1/principals/:id/keys", { name: "ci" }, { id }, once);
    expect(first.json.key).toMatch(/^oars_/);
    expect(again.json).toEqual({ ...first.json, key: null });
    expect(again.headers.get("idempotency-replayed")).toBe("true");
    expect((await ask("GET", "/v1/principals/:id/keys", undefined, { id })).json.items).toHaveLength(1);
    expect((await ask("GET", "/v1/me", undefined, { key: first.json.key })).status).toBe(200);
    await ask("DELETE", "/v1/api-keys/:id", undefined, { id: first.json.id });
    const refused = await ask("GET", "/v1/me", undefined, { key: first.json.key });
    expect(refused.json).toMatchObject({ status: 401, code: "AUTH_KEY_INVALID" });
    expect((await ask("GET", "/v1/principals/:id", undefined, { id })).json.name).toBe("bot");
  });

  it("runs concurrent duplicates of a mutation once", async () => {
    const headers = { "idempotency-key": newId() };
    const body = { name: `twin-${newId()}`, kind: "user", roles: [] };
    const answers = await Promise.all(
      [1, 2, 3, 4].map(() => ask("POST", "/v1/principals", body, {}, headers)),
    );
    const made = answers.filter((a) => a.status === 201);
    expect(made.filter((a) => a.headers.get("idempotency-replayed") === null)).toHaveLength(1);
    for (const a of answers.filter((x) => x.status !== 201))
      expect(a.json.code).toBe("IDEMPOTENCY_IN_PROGRESS");
    const other = await ask("POST", "/v1/principals", { ...body, kind: "agent" }, {}, headers);
    expect(other.json).toMatchObject({ status: 409, code: "IDEMPOTENCY_CONFLICT" });
  });

  it("keeps secrets and never shows them", async () => {
    const value = `s3cret-${newId()}`;
    const put = await ask("PUT", "/v1/secrets/:name", { value }, { name: "hook" });
    expect(put.json).toMatchObject({ name: "hook", version: 1 });
    const list = await ask("GET", "/v1/secrets");
    expect(put.text + list.text).not.toContain(value);
    await ask("PUT", "/v1/secrets/:name", { value }, { name: "gone" });
    expect((await ask("DELETE", "/v1/secrets/:name", undefined, { name: "gone" })).status).toBe(204);
    expect((await ask("DELETE", "/v1/secrets/:name", undefined, { name: "gone" })).json.code).toBe(
      "SECRET_NOT_FOUND",
    );
    await ask("PUT", "/v1/secrets/:name", { value: hookSecret }, { name: "hook" });
  });

  it("puts and shows connections", async () => {
    const address = outside.address();
    const url = `http://127.0.0.1:${typeof address === "object" && address ? address.port : 0}`;
    const config = { baseUrl: url, idempotencyHeader: "Idempotency-Key" };
    const put = await ask(
      "PUT",
      "/v1/connections/:name",
      { connector: "http", config, risk: 10 },
      { name: "wms" },
    );
    expect(put.json).toMatchObject({ name: "wms", config, risk: 10, environment: "production" });
    const shown = await ask("GET", "/v1/connections/:name", undefined, { name: "wms" });
    expect(shown.json).toMatchObject({ ...put.json, credential: null, circuit: { state: "closed" } });
    expect((await ask("GET", "/v1/connections")).json.items).toEqual([put.json]);
    const wrong = await ask(
      "PUT",
      "/v1/connections/:name",
      { connector: "http", config: { x: 1 } },
      { name: "bad" },
    );
    expect(wrong.json).toMatchObject({ status: 422, code: "CONNECTION_INVALID" });
    expect(wrong.json.errors.length).toBeGreaterThan(1);
  });

  it("checks, drafts and publishes policies", async () => {
    const bad = await ask("POST", "/v1/policies/validate", { cedar: "permit (principal action)" });
    expect(bad.json.valid).toBe(false);
    expect((await ask("POST", "/v1/policies/validate", { cedar })).json).toEqual({
      valid: true,
      problems: [],
      warnings: [],
    });
    const draft = await ask("POST", "/v1/policies", { cedar, name: "first" });
    expect(draft.json).toMatchObject({ state: "draft", name: "first" });
    const { id } = draft.json;
    const published = await ask("POST", "/v1/policies/:id/publish", { replaces: null }, { id });
    expect(published.json).toMatchObject({ id, state: "published" });
    expect((await ask("GET", "/v1/policies/:id", undefined, { id })).json.source.cedar).toBe(cedar);
    expect((await ask("GET", "/v1/policies")).json.items[0].id).toBe(id);
    expect((await ask("POST", "/v1/policies/:id/publish", undefined, { id })).json.code).toBe(
      "POLICY_ALREADY_PUBLISHED",
    );
  });

  it("publishes flows from YAML and JSON, and says where one is wrong", async () => {
    const yaml = { "content-type": "application/yaml" };
    const wrong = await ask(
      "POST",
      "/v1/flows/validate",
      flowText.replace("use: map", "use: mapp"),
      {},
      yaml,
    );
    expect(wrong.json.valid).toBe(false);
    expect(wrong.json.problems[0].line).toBeGreaterThan(5);
    const refused = await ask("POST", "/v1/flows", flowText.replace("use: map", "use: mapp"), {}, yaml);
    expect(refused.json).toMatchObject({ status: 422, code: "FLOW_INVALID", errors: wrong.json.problems });
    const made = await ask("POST", "/v1/flows", flowText, {}, yaml);
    expect(made.json).toMatchObject({ flow: "greet", version: "1.0.0", created: true });
    const shown = await ask("GET", "/v1/flows/:name/versions/:version", undefined, {
      name: "greet",
      version: "1.0.0",
    });
    const again = await ask("POST", "/v1/flows", shown.json.definition);
    expect(again.json).toMatchObject({ hash: made.json.hash, created: false });
    expect((await ask("GET", "/v1/flows/:name", undefined, { name: "greet" })).json.source).toBe(flowText);
    expect((await ask("GET", "/v1/flows")).json.items[0]).toMatchObject({
      flow: "greet",
      versions: ["1.0.0"],
    });
  });

  it("starts a run once under its key, follows it and lists runs page by page", async () => {
    const headers = { "idempotency-key": newId() };
    const start = () =>
      ask("POST", "/v1/runs", { flow: "greet", params: { who: "Ana" }, labels: { a: "b" } }, {}, headers);
    const [first, second] = await Promise.all([start(), start()]);
    expect(first.status).toBe(202);
    expect(second.json.id).toBe(first.json.id);
    const { id } = first.json;
    const done = await finished(id);
    expect(done.json).toMatchObject({
      status: "completed",
      output: { greeting: "hello Ana" },
      labels: { a: "b" },
    });
    expect(done.json.steps.map((s: { status: string }) => s.status)).toEqual(["completed"]);
    for (let i = 0; i < 4; i++) await ask("POST", "/v1/runs", { flow: "greet", params: { who: `${i}` } });

    const seen: string[] = [];
    let cursor: string | null = null;
    do {
      const page: Answered = await ask("GET", `/v1/runs?limit=2${cursor ? `&cursor=${cursor}` : ""}`);
      seen.push(...page.json.items.map((r: { id: string }) => r.id));
      cursor = page.json.nextCursor;
    } while (cursor !== null);
    expect(seen).toHaveLength(5);
    expect(new Set(seen).size).toBe(5);
    expect(seen.at(-1)).toBe(id);
    expect((await ask("GET", "/v1/runs?cursor=nonsense")).json.code).toBe("CURSOR_INVALID");
    expect((await ask("GET", "/v1/runs?limit=0&colour=red")).json.errors).toHaveLength(2);

    const list = await ask("GET", "/v1/runs/:id/events", undefined, { id }, { accept: "application/json" });
    const seqs = list.json.items.map((e: { seq: number }) => e.seq);
    expect(seqs).toEqual(seqs.toSorted((a: number, b: number) => a - b));
    const stream = await ask("GET", "/v1/runs/:id/events", undefined, { id });
    expect([...stream.text.matchAll(/^id: (\d+)$/gm)].map((m) => Number(m[1]))).toEqual(seqs);
    const rest = await ask(
      "GET",
      "/v1/runs/:id/events",
      undefined,
      { id },
      { "last-event-id": String(seqs[0]) },
    );
    expect([...rest.text.matchAll(/^id: (\d+)$/gm)].map((m) => Number(m[1]))).toEqual(seqs.slice(1));
    const wrong = await ask("GET", "/v1/runs/:id/events", undefined, { id }, { "last-event-id": "x" });
    expect(wrong.json.errors[0].path).toBe("header.last-event-id");
    const beyond = await ask(
      "GET",
      "/v1/runs/:id/events",
      undefined,
      { id },
      { "last-event-id": "9999999999" },
    );
    expect(beyond.status).toBe(400);

    const ended = await ask("POST", "/v1/runs/:id/abort", { reason: "too late" }, { id });
    expect(ended.json).toMatchObject({ status: 409, code: "RUN_ENDED" });
    expect((await ask("POST", "/v1/runs", { flow: "greet", params: {} })).json).toMatchObject({
      code: "RUN_PARAMS_INVALID",
      errors: [{ path: expect.stringContaining("who") }],
    });
  });

  it("takes a signed webhook once and refuses another body", async () => {
    const id = newId();
    const send = (body: string, signed = body) => {
      const at = new Date();
      const headers = {
        "webhook-id": id,
        "webhook-timestamp": `${Math.floor(at.getTime() / 1000)}`,
        "webhook-signature": new Webhook(hookSecret).sign(id, at, signed),
      };
      return ask(
        "POST",
        "/api/webhook/:slug",
        body,
        { slug: "hello", key: "" },
        { ...headers, "content-type": "text/plain" },
      );
    };
    const first = await send("Grüße, world");
    expect(first.status).toBe(202);
    expect((await send("Grüße, world")).json).toEqual({ runId: first.json.runId, duplicate: true });
    expect((await send("other", "Grüße, world")).json).toMatchObject({
      status: 401,
      code: "WEBHOOK_SIGNATURE_INVALID",
    });
    expect((await finished(first.json.runId)).json.output).toEqual({ greeting: "hello Grüße, world" });
    const unknown = await ask("POST", "/api/webhook/:slug", "x", { slug: "nobody", key: "" });
    expect(unknown.json).toMatchObject({ status: 404, code: "WEBHOOK_NOT_FOUND" });
    expect((await ask("GET", "/v1/webhooks")).json.items).toMatchObject([
      { slug: "hello", path: "/api/webhook/hello" },
    ]);
  });

  it("performs what is allowed, in both forms, once under a key, with receipts that verify", async () => {
    const headers = { "idempotency-key": newId() };
    const body = { connection: "wms", operation: "http.request", input: { path: "/a", body: { n: 1 } } };
    const first = await ask("POST", "/v1/actions", body, {}, headers);
    expect(first.json).toMatchObject({
      state: "completed",
      httpStatus: 201,
      tool: "wms/http.request",
      error: null,
    });
    const again = await ask("POST", "/v1/actions", body, {}, headers);
    expect(again.json.actionId).toBe(first.json.actionId);
    const tool = {
      tenant_id: tenant,
      agent_id: api.app.admin.principalName,
      resource: { tool_id: "wms/http.request", operation: "http.request", target: "a" },
      input: { path: "/a", body: { n: 2 } },
    };
    expect((await ask("POST", "/v1/actions", tool)).json.state).toBe("completed");
    const foreign = await ask("POST", "/v1/actions", { ...tool, tenant_id: formatId("tenant", newId()) });
    expect(foreign.json).toMatchObject({ status: 403, code: "AUTH_TENANT_FORBIDDEN" });
    expect((await ask("GET", "/v1/actions?state=completed")).json.items.length).toBe(2);

    const { id } = first.json;
    const shown = await ask("GET", "/v1/actions/:id", undefined, { id });
    expect(shown.json).toMatchObject({
      id,
      state: "completed",
      input: expect.objectContaining({ path: "/a" }),
    });
    const receipts = await ask("GET", `/v1/receipts?action=${id}`);
    expect(receipts.json.items.map((r: { type: string }) => r.type).sort()).toEqual([
      "action.decision",
      "execution.finished",
    ]);
    const receiptId = receipts.json.items[0].id;
    expect((await ask("GET", "/v1/receipts/:id", undefined, { id: receiptId })).json.body).toBeTypeOf(
      "object",
    );
    await api.app.log.sequenceNow(api.app.admin.tenantId);
    const proof = await ask("GET", "/v1/receipts/:id/proof", undefined, { id: receiptId });
    expect(proof.text).toContain("c2sp.org/tlog-proof");
    expect((await ask("POST", "/v1/receipts/verify", { receiptId })).json.verdict).toBe("verified");
    expect(
      (await ask("POST", "/v1/receipts/verify", { receipt: proof.text })).json.checks.inclusion.status,
    ).toBe("ok");
    const garbage = await ask("POST", "/v1/receipts/verify", { receipt: "garbage" });
    expect(garbage.json.verdict).not.toBe("verified");
    expect((await ask("GET", "/v1/log/checkpoint")).text).toContain(tenant);
  });

  it("holds what needs a person until another person approves", async () => {
    const body = { connection: "wms", operation: "http.request", input: { method: "DELETE", path: "/b" } };
    const held = await ask("POST", "/v1/actions", body);
    expect(held.json).toMatchObject({ state: "pending_approval", output: null });
    const id = held.json.approvalId;
    const waiting = await ask("GET", "/v1/approvals?state=pending");
    expect(waiting.json.items).toMatchObject([
      { id, actionId: held.json.id, requirements: [{ role: "approver", quorum: 1 }] },
    ]);
    const vote = { decision: "approve", reason: "checked with the customer" };
    const own = await ask("POST", "/v1/approvals/:id/decision", vote, { id });
    expect(own.json).toMatchObject({ status: 403, code: "APPROVAL_REQUESTER" });
    const short = await ask(
      "POST",
      "/v1/approvals/:id/decision",
      { ...vote, reason: "ok" },
      { id, key: approverKey },
    );
    expect(short.json.errors).toMatchObject([{ path: "reason" }]);
    const given = await ask("POST", "/v1/approvals/:id/decision", vote, { id, key: approverKey });
    expect(given.json).toMatchObject({
      state: "approved",
      votes: [{ decision: "approve", roles: ["approver"] }],
    });
    expect((await ask("GET", "/v1/approvals/:id", undefined, { id })).json.votes).toHaveLength(1);
    const settled = await ask(
      "POST",
      "/v1/actions/:id/resolve",
      { outcome: "completed", reason: "saw it" },
      { id: held.json.id },
    );
    expect(settled.json).toMatchObject({ status: 409, code: "ACTION_STATE" });
  });

  it("gives a run's receipts as one bundle, and its keys to anybody", async () => {
    const { json: run } = await ask("POST", "/v1/runs", { flow: "greet", params: { who: "x" } });
    await finished(run.id);
    const bundle = await ask("GET", "/v1/runs/:id/receipts", undefined, { id: run.id });
    expect(bundle.json).toMatchObject({ run: run.id });
    const tenantId = tenant;
    const trust = await ask("GET", "/v1/trust/tenants/:tenantId/keys", undefined, { tenantId, key: "" });
    expect(trust.json.items.map((k: { use: string }) => k.use).sort()).toEqual(["log", "receipt"]);
    expect(trust.text).not.toMatch(/PRIVATE|"d":/);
    const jwks = await ask("GET", "/.well-known/jwks.json", undefined, { key: "" });
    expect(jwks.json.keys).toHaveLength(1);
    const count = async () =>
      (await api.app.db.system.query({ text: "select kid from signing_key", values: [] })).length;
    const before = await count();
    const unknown = formatId("tenant", newId());
    const none = await ask("GET", "/v1/trust/tenants/:tenantId/keys", undefined, {
      tenantId: unknown,
      key: "",
    });
    expect([none.status, none.json.tenantId, none.json.items]).toEqual([200, unknown, []]);
    const jwksOf = (tenantId: string) =>
      ask("GET", "/t/:tenantId/jwks.json", undefined, { tenantId, key: "" });
    expect((await jwksOf(tenant)).json).toEqual(jwks.json);
    expect((await jwksOf(unknown)).json).toEqual({ keys: [] });
    expect(await count()).toBe(before);
  });

  it("tells a stranger nothing: foreign, unknown and badly formed ids are the same 404", async () => {
    const ids = async (path: string) => (await ask("GET", path)).json.items[0].id;
    const places = [
      ["/v1/runs/:id", await ids("/v1/runs"), "run"],
      ["/v1/runs/:id/events", await ids("/v1/runs"), "run"],
      ["/v1/runs/:id/receipts", await ids("/v1/runs"), "run"],
      ["/v1/actions/:id", await ids("/v1/actions"), "action"],
      ["/v1/approvals/:id", await ids("/v1/approvals"), "approval"],
      ["/v1/policies/:id", await ids("/v1/policies"), "policy"],
      ["/v1/receipts/:id", await ids("/v1/receipts"), "receipt"],
      ["/v1/receipts/:id/proof", await ids("/v1/receipts"), "receipt"],
      ["/v1/principals/:id", await ids("/v1/principals"), "principal"],
      ["/v1/principals/:id/keys", await ids("/v1/principals"), "principal"],
    ] as const;
    for (const [pattern, foreign, kind] of places) {
      const answers = await Promise.all(
        [foreign, formatId(kind, newId()), "nonsense"].map((id) =>
          ask("GET", pattern, undefined, { id, key: strangerKey }, { "x-request-id": "same" }),
        ),
      );
      const [one, two, three] = answers.map((a) => ({ ...a.json, instance: "" }));
      expect(one, pattern).toMatchObject({ status: 404 });
      expect(two, pattern).toEqual(one);
      expect(three, pattern).toEqual(one);
    }
    const selected = await ask("GET", "/v1/me", undefined, { key: strangerKey }, { "x-tenant-id": tenant });
    expect(selected.json).toMatchObject({ status: 403, code: "AUTH_TENANT_FORBIDDEN" });
  });

  it("answers nothing without credentials but what is for everybody", async () => {
    const { paths } = api.document;
    const open: string[] = [];
    for (const [path, operations] of Object.entries(paths)) {
      for (const method of Object.keys(operations)) {
        const res = await fetch(api.base + path.replaceAll(/\{\w+\}/g, "x"), {
          method: method.toUpperCase(),
        });
        await res.body?.cancel();
        if (res.status !== 401) open.push(`${method.toUpperCase()} ${path}`);
      }
    }
    expect(open.sort()).toEqual([
      "GET /.well-known/jwks.json",
      "GET /api/health",
      "GET /approve/{token}",
      "GET /health/live",
      "GET /health/ready",
      "GET /log/{log}/{path}",
      "GET /metrics",
      "GET /t/{tenantId}/jwks.json",
      "GET /v1/oauth/callback",
      "GET /v1/schemas/flow.json",
      "GET /v1/trust/instance",
      "GET /v1/trust/tenants/{tenantId}/keys",
      "GET /verify",
      "POST /api/webhook/{slug}",
      "POST /witness/add-checkpoint",
    ]);
  });

  it("shows its health, metrics and documentation", async () => {
    for (const path of ["/health/live", "/health/ready", "/api/health"])
      expect((await ask("GET", path)).status).toBe(200);
    expect((await ask("GET", "/metrics")).text).toMatch(
      /oars_http_requests_total\{[^}]*route="\/v1\/runs\/:id"/,
    );
    const page = await fetch(`${api.base}/swagger-ui/`);
    expect(page.status).toBe(200);
    expect(page.headers.get("content-security-policy")).not.toContain("upgrade-insecure-requests");
    expect(await page.text()).toContain("swagger-ui");
  });
});
