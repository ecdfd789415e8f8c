/** Credentials of connections end to end: the whole server, an authorization server and an API behind it. */
import { generateKeyPairSync } from "node:crypto";
import { importSPKI } from "jose";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { sql } from "#platform/db";
import { startTestApi, type TestApi } from "./testing/api.ts";
import { type Authority, authority } from "./testing/authority.ts";

describe("credentials that a connection obtains for itself", () => {
  let api: TestApi;
  let outside: Authority;
  let count = 0;

  beforeAll(async () => {
    api = await startTestApi("pglite");
    const policy = await api.ask("POST", "/v1/policies", {
      cedar: '@id("all") permit (principal, action, resource);',
    });
    await api.ask("POST", "/v1/policies/:id/publish", {}, { id: policy.json.id });
    await secret("client-secret", "client/secret");
    await secret("login-password", "hunter22");
  });
  beforeEach(async () => {
    await outside?.[Symbol.asyncDispose]();
    outside = await authority();
  });
  afterAll(async () => {
    await outside?.[Symbol.asyncDispose]();
    await api?.close();
  });

  const secret = (name: string, value: string) => api.ask("PUT", "/v1/secrets/:name", { value }, { name });
  const connect = async (auth: object): Promise<string> => {
    count += 1;
    const name = `site-${count}`;
    const config = { baseUrl: outside.origin, auth };
    const put = await api.ask("PUT", "/v1/connections/:name", { connector: "http", config }, { name });
    expect(put.status, put.text).toBe(200);
    return name;
  };
  const act = (connection: string, method = "GET") =>
    api
      .ask("POST", "/v1/actions", { connection, operation: "http.request", input: { method, path: "/api" } })
      .then(({ json }) => json);
  const show = (name: string) => api.ask("GET", "/v1/connections/:name", undefined, { name });
  const clientCredentials = () => ({
    oauth2: {
      grant: "client_credentials",
      tokenUrl: `${outside.origin}/token`,
      clientId: "oars",
      clientSecret: "vault:client-secret",
      scopes: ["orders.read"],
      resource: ["https://api.example.com/"],
    },
  });

  it("are obtained once for many calls at once, and shown with their end but never themselves", async () => {
    const name = await connect(clientCredentials());
    expect((await show(name)).json.credential).toMatchObject({ kind: "token", state: "none" });
    const done = await Promise.all(Array.from({ length: 5 }, () => act(name)));
    expect(done.map((one) => one.state)).toEqual(Array(5).fill("completed"));
    expect(outside.asked).toHaveLength(1);
    expect(Object.fromEntries(outside.asked[0] ?? [])).toEqual({
      grant_type: "client_credentials",
      scope: "orders.read",
      resource: "https://api.example.com/",
    });
    const shown = await show(name);
    expect(shown.json.credential).toMatchObject({ state: "valid", lastErrorCode: null });
    expect(Date.parse(shown.json.credential.validUntil)).toBeGreaterThan(Date.now());
    for (const used of outside.used) expect(shown.text).not.toContain(used.replace("Bearer ", ""));
  });

  it("that were refused are replaced, and a request that may be repeated is sent once more", async () => {
    const name = await connect(clientCredentials());
    await act(name);
    await aged();
    outside.revokeAll();
    expect(await act(name)).toMatchObject({ state: "completed" });
    expect(outside.asked).toHaveLength(2);
    await aged();
    outside.revokeAll();
    const used = outside.used.length;
    expect(await act(name, "POST")).toMatchObject({
      state: "failed",
      error: { code: "HTTP_401", retry: "retryable" },
    });
    expect(outside.used).toHaveLength(used + 1);
    expect(await act(name, "POST")).toMatchObject({ state: "completed" });
    expect(outside.asked).toHaveLength(3);
  });

  it("are not renewed again and again for a system that refuses young ones too", async () => {
    const name = await connect(clientCredentials());
    outside.rules.hold = async () => outside.revokeAll();
    await act(name);
    outside.revokeAll();
    for (let i = 0; i < 3; i++) expect(await act(name)).toMatchObject({ error: { code: "HTTP_401" } });
    expect(outside.asked).toHaveLength(1);
  });

  it("that cannot be had fail the action with what was said, wait before the next attempt, and show it", async () => {
    const name = await connect(clientCredentials());
    outside.rules.refuse = { status: 400, error: "invalid_scope" };
    expect(await act(name)).toMatchObject({
      state: "failed",
      error: { code: "CONNECTION_AUTH_FAILED", message: expect.stringContaining("invalid_scope") },
    });
    expect(await act(name)).toMatchObject({ error: { code: "CONNECTION_AUTH_UNAVAILABLE" } });
    expect(outside.asked).toHaveLength(1);
    expect(outside.used).toHaveLength(0);
    expect((await show(name)).json.credential).toMatchObject({
      state: "failing",
      lastErrorCode: "CONNECTION_AUTH_FAILED",
      nextAttemptAt: expect.any(String),
    });
    await api.app.events.flush();
    const told = await api.ask("GET", "/v1/security-events?type=credential.refresh_failed");
    expect(told.json.items).toContainEqual(
      expect.objectContaining({ target: { kind: "connection", id: name } }),
    );
  });

  it("are renewed in the background before their end", async () => {
    const name = await connect(clientCredentials());
    await act(name);
    const first = (await show(name)).json.credential.validUntil;
    await api.app.db.system.query(sql`update connection_grant set refresh_at = now() - interval '1 s'`);
    await api.app.connectors.refreshDue();
    expect(outside.asked).toHaveLength(2);
    expect((await show(name)).json.credential.validUntil).not.toBe(first);
    await act(name);
    expect(outside.asked).toHaveLength(2);
  });

  it("by JWT bearer assertions are signed with a key of the vault", async () => {
    const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    await secret("robot-key", privateKey.export({ type: "pkcs8", format: "pem" }).toString());
    outside.rules.assertionKey = await importSPKI(
      publicKey.export({ type: "spki", format: "pem" }).toString(),
      "ES256",
    );
    const assertion = { key: "vault:robot-key", algorithm: "ES256", issuer: "robot@oars.test" };
    const oauth2 = { grant: "jwt_bearer", tokenUrl: `${outside.origin}/token`, clientId: "oars", assertion };
    expect(await act(await connect({ oauth2 }))).toMatchObject({ state: "completed" });
    const other = await connect({
      oauth2: { ...oauth2, assertion: { ...assertion, issuer: "someone@else.test" } },
    });
    expect(await act(other)).toMatchObject({ error: { message: expect.stringContaining("invalid_grant") } });
  });

  it("of a cookie session come from a login, and are had anew when the session has ended", async () => {
    const session = {
      loginUrl: `${outside.origin}/login`,
      fields: { user: "oars", password: "vault:login-password" },
    };
    const name = await connect({ session });
    expect(await act(name)).toMatchObject({ state: "completed" });
    expect(outside.used).toEqual(["sid=s1"]);
    await aged();
    outside.revokeAll();
    expect(await act(name)).toMatchObject({ state: "completed" });
    expect((await show(name)).json.credential).toMatchObject({ kind: "cookies", state: "valid" });
    const wrong = await connect({ session: { ...session, fields: { password: "vault:client-secret" } } });
    expect(await act(wrong)).toMatchObject({ error: { code: "CONNECTION_AUTH_FAILED" } });
  });

  describe("by a person's consent", () => {
    const byConsent = () => ({
      oauth2: { grant: "authorization_code", issuer: outside.origin, clientId: "oars", scopes: ["mail"] },
    });
    const begin = async (name: string) => {
      const { status, json, headers } = await api.ask("POST", "/v1/connections/:name/authorize", undefined, {
        name,
      });
      expect(status).toBe(201);
      return { url: json.url as string, cookie: headers.get("set-cookie")?.split(";")[0] ?? "" };
    };
    const finish = (back: URL, key?: string) =>
      api.ask(
        "POST",
        "/v1/oauth/callback",
        Object.fromEntries(back.searchParams),
        key === undefined ? {} : { key },
      );

    it("are asked for until somebody consents, then kept and renewed by refresh tokens that rotate", async () => {
      const name = await connect(byConsent());
      expect(await act(name)).toMatchObject({ error: { code: "CONNECTION_AUTHORIZATION_NEEDED" } });
      expect((await show(name)).json.credential.state).toBe("authorization_needed");
      const { url } = await begin(name);
      expect(new URL(url).searchParams.get("code_challenge_method")).toBe("S256");
      expect(await finish(outside.consent(url))).toMatchObject({ status: 200, json: { connection: name } });
      expect(await act(name)).toMatchObject({ state: "completed" });
      for (let round = 0; round < 2; round++) {
        await aged();
        outside.revokeAll();
        expect(await act(name)).toMatchObject({ state: "completed" });
      }
      const renewals = outside.asked.filter((form) => form.get("grant_type") === "refresh_token");
      expect(new Set(renewals.map((form) => form.get("refresh_token"))).size).toBe(2);
    });

    it("end once, for the principal or the browser that began, and for the issuer that was asked", async () => {
      const name = await connect(byConsent());
      const { url, cookie } = await begin(name);
      const back = outside.consent(url);
      const other = await api.app.access.createPrincipal(api.app.admin, {
        name: `eve-${name}`,
        kind: "user",
        roles: ["admin"],
      });
      const { key } = await api.app.access.issueKey(api.app.admin, other.id, {});
      expect(await finish(back, key)).toMatchObject({
        status: 422,
        json: { code: "CONNECTION_AUTHORIZATION_INVALID" },
      });
      const strange = new URL(back);
      const callback = `${api.base}/v1/oauth/callback${strange.search}`;
      expect(await (await fetch(callback)).text()).toContain("Not finished yet");
      const wrongCookie = `oars_consent=${"A".repeat(43)}`;
      expect((await fetch(callback, { headers: { cookie: wrongCookie } })).status).toBe(422);
      const right = await fetch(callback, { headers: { cookie } });
      expect([right.status, await right.text()]).toEqual([200, expect.stringContaining("Connected")]);
      expect(await finish(back)).toMatchObject({ status: 422 });

      const mixed = outside.consent((await begin(name)).url);
      mixed.searchParams.set("iss", "https://evil.example.com");
      expect(await finish(mixed)).toMatchObject({
        json: { detail: expect.stringContaining("another server") },
      });
      const silent = outside.consent((await begin(name)).url);
      silent.searchParams.delete("iss");
      expect(await finish(silent)).toMatchObject({
        json: { detail: expect.stringContaining("does not say") },
      });
    });

    it("whose refresh token was used up ask for the person again, and are not tried further", async () => {
      const name = await connect(byConsent());
      await finish(outside.consent((await begin(name)).url));
      await aged();
      outside.revokeAll();
      outside.rules.refuse = { status: 400, error: "invalid_grant" };
      expect(await act(name)).toMatchObject({ error: { code: "CONNECTION_AUTHORIZATION_NEEDED" } });
      const asked = outside.asked.length;
      expect(await act(name)).toMatchObject({ error: { code: "CONNECTION_AUTHORIZATION_NEEDED" } });
      expect(outside.asked).toHaveLength(asked);
    });

    it("need metadata that name the issuer they were asked of", async () => {
      const name = await connect(byConsent());
      outside.rules.issuerInMetadata = "https://evil.example.com";
      const { status, json } = await api.ask("POST", "/v1/connections/:name/authorize", undefined, { name });
      expect([status, json.detail]).toEqual([422, expect.stringContaining("another issuer")]);
    });
  });

  /** As if every credential had been had a while ago. */
  const aged = () =>
    api.app.db.system.query(sql`update connection_grant set obtained_at = now() - interval '1 min'`);
});
