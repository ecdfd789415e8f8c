import { describe, expect, it } from "vitest";
import { sql } from "#platform/db";
import { formatId, newId } from "#platform/kernel";
import { drivers, useDatabase } from "#testing";
import { type Access, type Caller, createAccess } from "./index.ts";

const jwtSecret = "a-secret-of-more-than-thirty-two-characters";

describe.each(drivers)("access on %s", (driver) => {
  const db = useDatabase(driver);
  let skew = 0;
  const clock = { now: () => new Date(Date.now() + skew) };
  const accessOf = (): Access => createAccess({ db: db(), jwtSecret, clock });

  const forbidden = (permission: string) => ({ code: "AUTH_FORBIDDEN", params: { permission } });
  const code = (name: string) => ({ code: name });

  let root: { access: Access; caller: Caller } | undefined;
  /** The first administrator, made by the first test that needs one. */
  async function installation(): Promise<{ access: Access; caller: Caller }> {
    if (root) return root;
    const access = accessOf();
    const made = await access.bootstrap("First");
    if (!made.created) throw new Error("bootstrap ran before");
    root = { access, caller: await access.authenticate(`Bearer ${made.apiKey}`) };
    return root;
  }

  async function newTenant(access = accessOf()): Promise<{ access: Access; key: string; admin: Caller }> {
    const { caller } = await installation();
    const made = await access.createTenant(caller, "Acme");
    return { access, key: made.apiKey, admin: await access.authenticate(`Bearer ${made.apiKey}`) };
  }

  async function principalWith(access: Access, admin: Caller, name: string, roles: string[]) {
    const principal = await access.createPrincipal(admin, { name, kind: "user", roles });
    const { key, id: keyId } = await access.issueKey(admin, principal.id, { name: "test" });
    return { principal, key, keyId, caller: await access.authenticate(`Bearer ${key}`) };
  }

  it("many processes that start at once make one first tenant with one administrator", async () => {
    const results = await Promise.all([accessOf(), accessOf(), accessOf()].map((a) => a.bootstrap("First")));
    const made = results.filter((r) => r.created);
    expect(made).toHaveLength(1);
    expect(new Set(results.map((r) => r.tenantId)).size).toBe(1);
    const count = sql`select (select count(*) from tenant) as tenants, (select count(*) from api_key) as keys`;
    expect(await db().system.query(count)).toEqual([{ tenants: 1, keys: 1 }]);
    const [first] = made;
    const access = accessOf();
    const caller = await access.authenticate(`Bearer ${first?.apiKey}`);
    expect(caller).toMatchObject({ principalName: "admin", roles: ["admin", "platform_admin"] });
    root = { access, caller };
  });

  describe("API keys", () => {
    it("tell who calls, with the permissions of all roles", async () => {
      const { access, admin } = await newTenant();
      const { principal, caller, keyId } = await principalWith(access, admin, "ada", ["auditor", "approver"]);
      expect(caller).toMatchObject({
        tenantId: admin.tenantId,
        principalId: principal.id,
        principalKind: "user",
        roles: ["approver", "auditor"],
        credential: { kind: "api_key", id: keyId },
      });
      expect(caller.permissions.has("approvals:decide")).toBe(true);
      expect(caller.permissions.has("access:write")).toBe(false);
    });

    it("are kept as hashes: nothing in the database contains one", async () => {
      const { key } = await newTenant();
      const rows = await db().system.query(sql`select k.* from api_key k`);
      expect(JSON.stringify(rows)).not.toContain(key.slice(-43));
    });

    it("are refused when they are unknown, wrong in one character, or no key at all", async () => {
      const { access, key } = await newTenant();
      const bent = key.slice(0, -1) + (key.endsWith("A") ? "B" : "A");
      const stranger = `oars_aaaaaaaaaaaa_${"x".repeat(43)}`;
      for (const wrong of [bent, stranger, "oars_nonsense"]) {
        await expect(access.authenticate(`Bearer ${wrong}`)).rejects.toMatchObject(code("AUTH_KEY_INVALID"));
      }
    });

    it.each([undefined, "", "Bearer", "Basic YTpi", "Bearer  "])(
      "header %j asks for a credential",
      async (header) => {
        await expect(accessOf().authenticate(header)).rejects.toMatchObject(code("AUTH_REQUIRED"));
      },
    );

    it("end when they are revoked: here at once, in other processes within 5 s", async () => {
      const { access, admin } = await newTenant();
      const { key, keyId } = await principalWith(access, admin, "leaver", ["member"]);
      const elsewhere = accessOf();
      await elsewhere.authenticate(`Bearer ${key}`);
      const revoked = await access.revokeKey(admin, keyId);
      expect(revoked.revokedAt).toBeInstanceOf(Date);
      await expect(access.authenticate(`Bearer ${key}`)).rejects.toMatchObject(code("AUTH_KEY_INVALID"));
      skew = 5000;
      await expect(elsewhere.authenticate(`Bearer ${key}`)).rejects.toMatchObject(code("AUTH_KEY_INVALID"));
      skew = 0;
      expect((await access.revokeKey(admin, keyId)).revokedAt).toEqual(revoked.revokedAt);
    });

    it("end when they expire, also while they are remembered", async () => {
      const { access, admin } = await newTenant();
      const expiresAt = new Date(Date.now() + 2000);
      const { key } = await access.issueKey(admin, admin.principalId, { expiresAt });
      await access.authenticate(`Bearer ${key}`);
      skew = 2000;
      await expect(access.authenticate(`Bearer ${key}`)).rejects.toMatchObject(code("AUTH_KEY_INVALID"));
      skew = 0;
      const past = { expiresAt: new Date(Date.now() - 1) };
      await expect(access.issueKey(admin, admin.principalId, past)).rejects.toMatchObject(
        code("REQUEST_INVALID"),
      );
    });

    it("note when they were last used, without making the request wait", async () => {
      const { access, admin } = await newTenant();
      await access.close();
      const [key] = (await access.listKeys(admin, { limit: 10 })).items;
      expect(Math.abs((key?.lastUsedAt?.getTime() ?? 0) - Date.now())).toBeLessThan(60_000);
      expect(Object.keys(key ?? {})).not.toContain("hash");
    });

    it("resolve without the database while they are remembered", async () => {
      const { access, key } = await newTenant();
      await access.close();
      const first = await access.authenticate(`Bearer ${key}`);
      expect(await access.authenticate(`bearer ${key}`)).toBe(first);
    });
  });

  describe("tenants", () => {
    it("X-Tenant-ID may name the credential's own tenant, in either form, and no other", async () => {
      const { access, key, admin } = await newTenant();
      const other = await newTenant();
      await access.authenticate(`Bearer ${key}`, formatId("tenant", admin.tenantId));
      await access.authenticate(`Bearer ${key}`, admin.tenantId);
      for (const header of [other.admin.tenantId, formatId("tenant", other.admin.tenantId), "*", ""]) {
        const attempt = access.authenticate(`Bearer ${key}`, header);
        await expect(attempt).rejects.toMatchObject(code("AUTH_TENANT_FORBIDDEN"));
      }
    });

    it("see none of each other's principals and keys, by list or by id", async () => {
      const [a, b] = [await newTenant(), await newTenant()];
      const { principal, keyId } = await principalWith(a.access, a.admin, "mine", ["member"]);
      const seen = await b.access.listPrincipals(b.admin, { limit: 100 });
      expect(seen.items.map((p) => p.tenantId)).toEqual([b.admin.tenantId]);
      const missing = code("PRINCIPAL_NOT_FOUND");
      await expect(b.access.findPrincipal(b.admin, principal.id)).rejects.toMatchObject(missing);
      await expect(b.access.issueKey(b.admin, principal.id)).rejects.toMatchObject(missing);
      await expect(b.access.issueToken(b.admin, principal.id)).rejects.toMatchObject(missing);
      await expect(b.access.updatePrincipal(b.admin, principal.id, { roles: [] })).rejects.toMatchObject(
        missing,
      );
      await expect(b.access.callerFor(b.admin.tenantId, principal.id)).rejects.toMatchObject(missing);
      await expect(b.access.revokeKey(b.admin, keyId)).rejects.toMatchObject(code("API_KEY_NOT_FOUND"));
      const draft = { name: "x", kind: "agent", roles: [], ownerId: principal.id } as const;
      await expect(b.access.createPrincipal(b.admin, draft)).rejects.toMatchObject(missing);
    });

    it("row-level security shows a tenant its own row alone, and lets it write none", async () => {
      const [a, b] = [await newTenant(), await newTenant()];
      const rows = await db().read(a.admin.tenantId, (tenantDb) =>
        tenantDb.query<{ id: string }>(sql`select id from tenant union all select tenant_id from api_key`),
      );
      expect(rows.map((r) => r.id)).toEqual([a.admin.tenantId, a.admin.tenantId]);
      const write = db().tx(a.admin.tenantId, (tx) =>
        tx.query(
          sql`insert into principal (tenant_id, id, kind, name) values (${b.admin.tenantId}, ${newId()}, 'user', 'mole')`,
        ),
      );
      await expect(write).rejects.toThrow(/row-level security/);
      expect((await a.access.findTenant(a.admin)).name).toBe("Acme");
    });

    it("are made and listed by who operates the platform alone", async () => {
      const { access, admin } = await newTenant();
      await expect(access.createTenant(admin, "x")).rejects.toMatchObject(forbidden("platform:operate"));
      await expect(access.listTenants(admin)).rejects.toMatchObject(forbidden("platform:operate"));
      const { caller } = await installation();
      expect((await access.listTenants(caller)).map((t) => t.id)).toContain(admin.tenantId);
    });
  });

  describe("principals", () => {
    it("have a name of their own within the tenant", async () => {
      const [a, b] = [await newTenant(), await newTenant()];
      const draft = {
        name: "planner",
        kind: "agent",
        roles: ["agent"],
        ownerId: a.admin.principalId,
      } as const;
      const made = await a.access.createPrincipal(a.admin, draft);
      expect(made).toMatchObject({ ...draft, status: "active", tenantId: a.admin.tenantId });
      expect(await a.access.findPrincipal(a.admin, made.id)).toEqual(made);
      const again = a.access.createPrincipal(a.admin, draft);
      await expect(again).rejects.toMatchObject({
        code: "PRINCIPAL_NAME_TAKEN",
        params: { name: "planner" },
      });
      await b.access.createPrincipal(b.admin, { name: "planner", kind: "agent", roles: [] });
    });

    it("are made by who may, with roles that they hold themselves", async () => {
      const { access, admin } = await newTenant();
      const member = await principalWith(access, admin, "member", ["member"]);
      const draft = { name: "x", kind: "user", roles: [] } as const;
      await expect(access.createPrincipal(member.caller, draft)).rejects.toMatchObject(
        forbidden("access:write"),
      );
      const tooMuch = access.createPrincipal(admin, { ...draft, roles: ["platform_admin"] });
      await expect(tooMuch).rejects.toMatchObject(forbidden("platform:operate"));
      const unknown = access.createPrincipal(admin, { ...draft, roles: ["root"] });
      await expect(unknown).rejects.toMatchObject(code("ROLE_UNKNOWN"));
      const badName = access.createPrincipal(admin, { ...draft, name: "a b" });
      await expect(badName).rejects.toMatchObject(code("REQUEST_INVALID"));
    });

    it("nobody acts on one who may do more: neither keys, nor sessions, nor roles", async () => {
      const { access, caller: platform } = await installation();
      const { caller: admin } = await principalWith(access, platform, "tenant-admin", ["admin"]);
      const beyond = forbidden("platform:operate");
      const { principalId, credential } = platform;
      await expect(access.issueKey(admin, principalId)).rejects.toMatchObject(beyond);
      await expect(access.issueToken(admin, principalId)).rejects.toMatchObject(beyond);
      await expect(access.revokeKey(admin, credential.id)).rejects.toMatchObject(beyond);
      const disable = access.updatePrincipal(admin, principalId, { status: "disabled" });
      await expect(disable).rejects.toMatchObject(beyond);
      await access.issueKey(platform, admin.principalId);
    });

    it("nobody changes themselves, so a tenant keeps its last administrator", async () => {
      const { access, admin } = await newTenant();
      const change = access.updatePrincipal(admin, admin.principalId, { roles: [] });
      await expect(change).rejects.toMatchObject(code("REQUEST_INVALID"));
    });

    it("changed roles hold from the next request on", async () => {
      const { access, admin } = await newTenant();
      const { key, principal } = await principalWith(access, admin, "mover", ["member"]);
      const { token } = await access.issueToken(await access.authenticate(`Bearer ${key}`));
      await access.authenticate(`Bearer ${token}`);
      const changed = await access.updatePrincipal(admin, principal.id, { roles: ["auditor", "operator"] });
      expect(changed.roles).toEqual(["auditor", "operator"]);
      expect((await access.authenticate(`Bearer ${key}`)).roles).toEqual(["auditor", "operator"]);
      expect((await access.authenticate(`Bearer ${token}`)).roles).toEqual(["auditor", "operator"]);
      expect((await access.callerFor(admin.tenantId, principal.id)).roles).toEqual(["auditor", "operator"]);
    });

    it("a disabled one is refused by key, by token and as an internal caller, until enabled", async () => {
      const { access, admin } = await newTenant();
      const { key, principal, caller } = await principalWith(access, admin, "paused", ["member"]);
      const { token } = await access.issueToken(caller);
      await access.updatePrincipal(admin, principal.id, { status: "disabled" });
      await expect(access.authenticate(`Bearer ${key}`)).rejects.toMatchObject(code("AUTH_KEY_INVALID"));
      await expect(access.authenticate(`Bearer ${token}`)).rejects.toMatchObject(code("AUTH_TOKEN_INVALID"));
      const internal = access.callerFor(admin.tenantId, principal.id);
      await expect(internal).rejects.toMatchObject({
        code: "PRINCIPAL_DISABLED",
        params: { name: "paused" },
      });
      await access.updatePrincipal(admin, principal.id, { status: "active" });
      expect((await access.authenticate(`Bearer ${key}`)).principalId).toBe(principal.id);
    });

    it("and keys are listed in pages, newest first", async () => {
      const { access, admin } = await newTenant();
      for (const name of ["p1", "p2", "p3"]) await principalWith(access, admin, name, ["member"]);
      const first = await access.listPrincipals(admin, { limit: 3 });
      expect(first.items.map((p) => p.name)).toEqual(["p3", "p2", "p1"]);
      expect(first.more).toBe(true);
      const rest = await access.listPrincipals(admin, { limit: 3, before: first.items[2]?.id ?? null });
      expect(rest).toMatchObject({ items: [{ name: "admin" }], more: false });
      const keys = await access.listKeys(admin, { limit: 10 });
      expect(keys.items).toHaveLength(4);
      const of = first.items[0]?.id ?? "";
      expect((await access.listKeys(admin, { limit: 10, principalId: of })).items).toHaveLength(1);
    });
  });

  describe("sessions", () => {
    it("act as their principal and end with the key that they were issued to", async () => {
      const { access, admin } = await newTenant();
      const { caller, keyId } = await principalWith(access, admin, "ada", ["operator"]);
      const { token } = await access.issueToken(caller);
      const session = await access.authenticate(`Bearer ${token}`);
      expect(session).toMatchObject({
        principalId: caller.principalId,
        roles: ["operator"],
        credential: { kind: "token", keyId },
      });
      const renewed = await access.issueToken(session);
      await access.revokeKey(admin, keyId);
      for (const t of [token, renewed.token]) {
        await expect(access.authenticate(`Bearer ${t}`)).rejects.toMatchObject(code("AUTH_TOKEN_INVALID"));
      }
    });

    it("for somebody else need access:write", async () => {
      const { access, admin } = await newTenant();
      const member = await principalWith(access, admin, "member", ["member"]);
      const attempt = access.issueToken(member.caller, admin.principalId);
      await expect(attempt).rejects.toMatchObject(forbidden("access:write"));
      const { token } = await access.issueToken(admin, member.principal.id);
      expect((await access.authenticate(`Bearer ${token}`)).principalName).toBe("member");
    });

    it("signed by another installation are refused", async () => {
      const { admin, access } = await newTenant();
      const stranger = createAccess({ db: db(), jwtSecret: jwtSecret.toUpperCase(), clock });
      const { token } = await stranger.issueToken(admin);
      await expect(access.authenticate(`Bearer ${token}`)).rejects.toMatchObject(code("AUTH_TOKEN_INVALID"));
    });
  });
});
