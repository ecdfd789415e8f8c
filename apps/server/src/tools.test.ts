/** The catalogue of tools through the API: what is listed, classified, reviewed and allowed, and what comes of it. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startTestApi, type TestApi } from "./testing/api.ts";

const policy = `
@id("all") permit (principal, action, resource);
@id("risky") forbid (principal, action, resource) when { context.risk > 80 };
@id("no-pay") forbid (principal, action == Oars::Action::"pay", resource);
@id("pii") forbid (principal, action, resource) when { context.dataTypes.contains("pii") };
`;

describe("tools", () => {
  let api: TestApi;
  let outside: Server;
  let base = "";
  let asked = 0;
  let consultant = "";
  let auditor = "";

  const keyOf = async (name: string, role: string): Promise<string> => {
    const { access, admin } = api.app;
    const made = await access.createPrincipal(admin, { name, kind: "user", roles: [role] });
    return (await access.issueKey(admin, made.id, {})).key;
  };
  beforeAll(async () => {
    api = await startTestApi("pglite");
    outside = createServer((_request, response) => {
      asked += 1;
      response.writeHead(200, { "content-type": "application/json" }).end('{"ok":true}');
    });
    await new Promise<void>((ready) => outside.listen(0, "127.0.0.1", ready));
    base = `http://127.0.0.1:${(outside.address() as AddressInfo).port}`; // a listening TCP server has a port
    const made = await api.ask("POST", "/v1/policies", { cedar: policy });
    await api.ask("POST", "/v1/policies/:id/publish", {}, { id: made.json.id });
    consultant = await keyOf("connie", "consultant");
    auditor = await keyOf("audrey", "auditor");
  });
  afterAll(async () => {
    outside?.close();
    await api?.close();
  });

  const put = (name: string, more: object = {}, key?: string) =>
    api.ask(
      "PUT",
      "/v1/connections/:name",
      { connector: "http", config: { baseUrl: base }, environment: "test", risk: 10, ...more },
      { name, ...(key === undefined ? {} : { key }) },
    );
  const act = async (connection: string) => {
    const input = { path: "/x", method: "GET" };
    return (await api.ask("POST", "/v1/actions", { connection, operation: "http.request", input })).json;
  };
  const show = (name: string) => api.ask("GET", "/v1/tools/:name", undefined, { name });
  const patch = (name: string, change: object, headers: Record<string, string> = {}, key?: string) =>
    api.ask("PATCH", "/v1/tools/:name", change, { name, ...(key === undefined ? {} : { key }) }, headers);
  const receiptsOf = async (type: string): Promise<string[]> => {
    const { items } = await api.app.receipts.list(api.app.admin.tenantId, { type }, { limit: 100 });
    return items.map((one) => JSON.parse(Buffer.from(one.jws.split(".")[1] ?? "", "base64url").toString()));
  };

  it("are every operation of every connection, each with its verbs, its flags and the schema of its arguments", async () => {
    await put("one");
    const { status, json } = await api.ask("GET", "/v1/tools?connection=one");
    expect(status).toBe(200);
    expect(json.items.map((one: { name: string }) => one.name)).toEqual([
      "one/http.list",
      "one/http.request",
    ]);
    const shown = await show("one/http.request");
    expect(shown.headers.get("etag")).toBe(`"${shown.json.etag}"`);
    expect(shown.json).toMatchObject({
      source: "connector",
      verbs: ["read", "write", "delete"],
      risk: 10,
      environment: "test",
      destructive: true,
      openWorld: true,
      status: "active",
      allowed: true,
      digest: expect.stringMatching(/^sha256:[0-9a-f]{64}$/),
    });
    expect(shown.json.inputSchema.properties).toHaveProperty("path");
    expect((await show("one/http.list")).json).toMatchObject({ verbs: ["read"], destructive: false });
    const first = await api.ask("GET", "/v1/tools?limit=1");
    const second = await api.ask("GET", `/v1/tools?limit=1&cursor=${first.json.nextCursor}`);
    expect(second.json.items[0].name > first.json.items[0].name).toBe(true);
  });

  it("[T1] that do not exist are not found, and an action on one sends nothing", async () => {
    await put("one");
    for (const name of ["none/http.request", "one/sql.query"]) {
      expect(await show(name)).toMatchObject({ status: 404, json: { code: "TOOL_NOT_FOUND" } });
    }
    const before = asked;
    const body = { connection: "one", operation: "sql.query", input: { statement: "select 1" } };
    expect((await api.ask("POST", "/v1/actions", body)).status).toBe(422);
    expect((await api.ask("POST", "/v1/actions", { ...body, connection: "none" })).status).toBe(404);
    expect(asked).toBe(before);
  });

  it("are decided on by what the catalogue says of them, at once", async () => {
    await put("shop");
    expect(await act("shop")).toMatchObject({ state: "completed", verb: "read" });
    await patch("shop/http.request", { risk: 90 });
    expect(await act("shop")).toMatchObject({ state: "denied", decision: { reasons: ["risky"] } });
    await patch("shop/http.request", { risk: null, verb: "pay", reason: "every call of it spends money" });
    expect(await act("shop")).toMatchObject({
      state: "denied",
      verb: "pay",
      decision: { reasons: ["no-pay"] },
    });
    await patch("shop/http.request", {
      verb: null,
      dataTypes: ["pii"],
      reason: "reads people, spends nothing",
    });
    expect(await act("shop")).toMatchObject({ state: "denied", decision: { reasons: ["pii"] } });
  });

  it("[T3] look more harmless only with a reason, and every classification leaves a receipt", async () => {
    await put("bank", { risk: 60, dataTypes: ["money"] });
    const name = "bank/http.request";
    expect((await patch(name, { risk: 70, redact: ["iban"] })).status).toBe(200);
    const refused = await patch(name, {
      risk: 5,
      verb: "read",
      dataTypes: [],
      openWorld: false,
      destructive: false,
      redact: [],
      outputs: "readers",
    });
    expect(refused).toMatchObject({ status: 400, json: { code: "REQUEST_INVALID" } });
    expect(refused.json.errors.map((one: { path: string }) => one.path).sort()).toEqual(
      ["dataTypes", "destructive", "openWorld", "outputs", "redact", "risk", "verb"].sort(),
    );
    expect((await show(name)).json).toMatchObject({ risk: 70, overrides: { redact: ["iban"] } });
    const before = (await receiptsOf("tool.definition_changed")).length;
    expect(await patch(name, { risk: 5, reason: "a sandbox behind it" })).toMatchObject({
      status: 200,
      json: { risk: 5, reason: "a sandbox behind it" },
    });
    expect((await receiptsOf("tool.definition_changed")).length).toBe(before + 1);
    expect(await patch(name, { risk: 99 }, {}, consultant)).toMatchObject({ status: 403 });
    expect(await patch(name, {})).toMatchObject({ status: 400 });
  });

  it("change under If-Match only as they were read", async () => {
    await put("tagged");
    const name = "tagged/http.request";
    const etag = (await show(name)).headers.get("etag") ?? "";
    const both = await Promise.all([1, 2].map((n) => patch(name, { risk: 20 + n }, { "if-match": etag })));
    expect(both.map((one) => one.status).sort()).toEqual([200, 412]);
    expect(await patch(name, { risk: 40 }, { "if-match": etag })).toMatchObject({ status: 412 });
  });

  it("[T2] that somebody changed who may not review them are quarantined until somebody does", async () => {
    await put("moved", {}, consultant);
    expect(await act("moved")).toMatchObject({ state: "completed" });
    const before = asked;
    await put("moved", { config: { baseUrl: `${base}/elsewhere` } }, consultant);
    const held = await act("moved");
    expect(held).toMatchObject({
      state: "quarantined",
      error: { code: "ACTION_QUARANTINED" },
      decision: { effect: "quarantine", reasons: ["guard-tool-changed"] },
    });
    expect(asked).toBe(before);
    const changed = await api.ask("GET", "/v1/tools?status=changed");
    expect(changed.json.items.map((one: { name: string }) => one.name)).toEqual([
      "moved/http.list",
      "moved/http.request",
    ]);
    const name = "moved/http.request";
    const review = (digest: string, key?: string) =>
      api.ask("POST", "/v1/tools/:name/review", { digest }, { name, ...(key === undefined ? {} : { key }) });
    const { digest } = (await show(name)).json;
    expect(await review(digest, consultant)).toMatchObject({ status: 403 });
    expect(await review(`sha256:${"0".repeat(64)}`)).toMatchObject({ status: 412 });
    expect(await review(digest)).toMatchObject({ status: 200, json: { status: "active" } });
    expect(await act("moved")).toMatchObject({ state: "completed" });
    const receipts = await receiptsOf("tool.definition_changed");
    expect(receipts).toEqual(
      expect.arrayContaining([
        expect.objectContaining({
          operation: expect.objectContaining({ command: "tool.changed" }),
          decision: expect.objectContaining({ effect: "quarantine" }),
        }),
        expect.objectContaining({
          operation: expect.objectContaining({ command: "tool.reviewed", to: digest }),
        }),
      ]),
    );
    await put("moved", { config: { baseUrl: base } });
    expect(await act("moved"), "put by somebody who may review").toMatchObject({ state: "completed" });
  });

  it("[T1] that the tenant may not use are denied with a receipt, whatever the policy says", async () => {
    await put("kept");
    await put("shut");
    const allow = (tools: readonly string[], headers: Record<string, string> = {}, key?: string) =>
      api.ask("PUT", "/v1/tool-allowance", { tools }, key === undefined ? {} : { key }, headers);
    expect((await api.ask("GET", "/v1/tool-allowance")).json).toMatchObject({ tools: null });
    expect(await allow(["kept/*"], {}, auditor)).toMatchObject({ status: 403 });
    expect(await allow(["kept/", "a b"])).toMatchObject({ status: 400, json: { errors: [{}, {}] } });
    expect(await allow(["kept/*"], { "if-match": '"7"' })).toMatchObject({ status: 412 });
    expect(await allow(["kept/*"], { "if-match": '"0"' })).toMatchObject({
      status: 200,
      json: { tools: ["kept/*"] },
    });
    expect(await act("kept")).toMatchObject({ state: "completed" });
    const before = asked;
    const denied = await act("shut");
    expect(denied).toMatchObject({
      state: "denied",
      error: { code: "TOOL_NOT_ALLOWED" },
      decision: { effect: "deny", reasons: ["guard-tool-not-allowed"] },
    });
    expect(asked).toBe(before);
    const { items } = await api.app.receipts.list(
      api.app.admin.tenantId,
      { effect: "deny", tool: "shut/http.request" },
      { limit: 10 },
    );
    expect(items.map((one) => one.type)).toEqual(["action.decision"]);
    expect((await show("shut/http.request")).json.allowed).toBe(false);
    await allow([]);
    expect(await act("kept")).toMatchObject({ state: "denied" });
    await allow(["*"]);
    expect(await act("shut")).toMatchObject({ state: "completed" });
  });
});
