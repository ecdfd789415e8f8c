/** Security events over HTTP: what the door refuses, what changes who may do what, and what actions come to. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startTestApi, type TestApi } from "./testing/api.ts";
import { startReceiver } from "./testing/receiver.ts";

describe("security events over HTTP", () => {
  let api: TestApi;
  let ask: TestApi["ask"];
  let memberKey: string;
  let memberId: string;
  let stranger: { tenantId: string; apiKey: string };
  beforeAll(async () => {
    api = await startTestApi("pglite", { config: { trustedProxies: ["127.0.0.1/32"] } });
    ({ ask } = api);
    const made = await ask("POST", "/v1/principals", { name: "ann", kind: "user", roles: ["member"] });
    memberId = made.json.id;
    memberKey = (await ask("POST", "/v1/principals/:id/keys", {}, { id: memberId })).json.key;
    stranger = await api.app.access.createTenant(api.app.admin, "Other");
  });
  afterAll(() => api?.close());

  const listed = async (query: string, key?: string) => {
    await api.app.events.flush();
    const filling = key === undefined ? {} : { key };
    return (await ask("GET", `/v1/security-events?${query}`, undefined, filling)).json.items;
  };

  it("[W54] count refused credentials by where they came from, without the credentials", async () => {
    const headers = { "x-forwarded-for": "203.0.113.7", "x-request-id": "probe-1" };
    for (let i = 0; i < 5; i++) {
      const refused = await ask("GET", "/v1/me", undefined, { key: `oars_wrong_${i}` }, headers);
      expect(refused.status).toBe(401);
    }
    const items = await listed("type=authentication.failed");
    expect(items.map((e: { count: number }) => e.count).sort()).toEqual([1, 4]);
    expect(items[0]).toMatchObject({
      source: "203.0.113.7",
      actor: null,
      outcome: "failure",
      details: { route: "/v1/me", method: "GET" },
    });
    expect(JSON.stringify(items)).not.toContain("oars_wrong");
  });

  it("count what a caller lacked the permission for", async () => {
    await ask("GET", "/v1/security-events", undefined, { key: memberKey });
    const [found] = await listed("type=authorization.denied");
    expect(found).toMatchObject({
      severity: "medium",
      actor: { id: memberId, name: "ann" },
      details: { permission: "events:read" },
    });
  });

  it("[C28] tell of a foreign tenant in X-Tenant-ID and of a foreign tenant's id, which answers like an unknown one", async () => {
    const tenant = { "x-tenant-id": api.app.admin.tenantId };
    expect((await ask("GET", "/v1/me", undefined, { key: stranger.apiKey }, tenant)).status).toBe(403);
    expect((await listed("type=tenant.access_denied")).length).toBe(1);
    const foreign = await ask("GET", "/v1/principals/:id", undefined, { key: stranger.apiKey, id: memberId });
    const unknown = memberId.replace(/.{4}$/, "0000");
    const none = await ask("GET", "/v1/principals/:id", undefined, { key: stranger.apiKey, id: unknown });
    expect([foreign.status, foreign.json.code]).toEqual([none.status, none.json.code]);
    const seen = await listed("type=tenant.foreign_id", stranger.apiKey);
    expect(seen).toHaveLength(1);
    expect(seen[0]).toMatchObject({ severity: "high", target: { kind: "principal", id: memberId } });
    expect(await listed("type=tenant.foreign_id")).toHaveLength(0); // it is not the victim's
  });

  it("tell of principals, keys, tenants, secrets, connections and policies, with who changed them", async () => {
    const { id } = (await ask("POST", "/v1/principals/:id/keys", {}, { id: memberId })).json;
    await ask("DELETE", "/v1/api-keys/:id", undefined, { id });
    await ask("PUT", "/v1/secrets/:name", { value: "hush-hush" }, { name: "token" });
    await ask("DELETE", "/v1/secrets/:name", undefined, { name: "token" });
    const types = (await listed("limit=200")).map((e: { type: string }) => e.type);
    for (const type of [
      "tenant.created",
      "principal.created",
      "api_key.issued",
      "api_key.revoked",
      "secret.stored",
      "secret.deleted",
    ])
      expect(types).toContain(type);
    const [stored] = await listed("type=secret.stored");
    expect(stored).toMatchObject({ actor: { name: "admin" }, target: { kind: "secret", id: "token" } });
    expect(stored.requestId).toEqual(expect.any(String));
    expect(JSON.stringify(await listed("limit=200"))).not.toContain("hush-hush");
  });

  it("[C32] tell of a denied action with the rule's reason, and of one that failed; an allowed one that went well writes none", async () => {
    const outside = await startReceiver();
    await ask(
      "PUT",
      "/v1/connections/:name",
      { connector: "http", config: { baseUrl: outside.url } },
      { name: "wms" },
    );
    const cedar = `@id("reads") permit (principal, action, resource);
      @id("no-deletes") forbid (principal, action == Oars::Action::"delete", resource);`;
    const draft = await ask("POST", "/v1/policies", { cedar });
    expect((await ask("POST", "/v1/policies/:id/publish", {}, { id: draft.json.id })).status).toBe(200);
    const act = (method: string) =>
      ask("POST", "/v1/actions", {
        connection: "wms",
        operation: "http.request",
        input: { method, path: "/x" },
      });
    const before = (await listed("limit=200")).length;
    expect((await act("POST")).json.state).toBe("completed");
    expect((await listed("limit=200")).length).toBe(before);
    outside.answer(() => ({ status: 422 }));
    expect((await act("POST")).json.state).toBe("failed");
    const denied = await act("DELETE");
    await outside.close();
    expect((await listed("type=action.failed"))[0]).toMatchObject({
      details: { connection: "wms", attempt: 1 },
    });
    expect((await listed("type=connection.changed"))[0]).toMatchObject({ target: { id: "wms" } });
    expect((await listed("type=policy.published"))[0]).toMatchObject({ target: { id: draft.json.id } });
    expect(denied.json.state).toBe("denied");
    expect((await listed("type=action.denied"))[0]).toMatchObject({
      target: { id: denied.json.id },
      details: { reasons: ["no-deletes"] },
    });
  });

  it("are read by filter and cursor, and by nobody without the permission", async () => {
    const all = await listed("limit=200");
    const first = await ask("GET", "/v1/security-events?limit=3");
    const second = await ask("GET", `/v1/security-events?limit=3&cursor=${first.json.nextCursor}`);
    expect([...first.json.items, ...second.json.items].map((e) => e.id)).toEqual(
      all.slice(0, 6).map((e: { id: string }) => e.id),
    );
    const one = await ask("GET", "/v1/security-events/:id", undefined, { id: all[0].id });
    expect(one.json).toEqual(all[0]);
    expect((await ask("GET", "/v1/security-events?severity=worst")).status).toBe(400);
    const foreign = await ask("GET", "/v1/security-events/:id", undefined, {
      id: all[0].id,
      key: stranger.apiKey,
    });
    expect([foreign.status, foreign.json.code]).toEqual([404, "EVENT_NOT_FOUND"]);
  });
});
