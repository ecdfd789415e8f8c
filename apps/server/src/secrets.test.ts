/** What the vault keeps, seen from outside: nowhere in clear, and who used it. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadConfig } from "#platform/config";
import { type Sql, sql } from "#platform/db";
import { drivers, until } from "#testing";
import { startTestApi, type TestApi } from "./testing/api.ts";
import { joinTestApp } from "./testing/app.ts";

const planted = {
  secret: "pl4nted-token-of-the-vault",
  input: "pl4nted-order-of-mrs-miller",
  output: "pl4nted-answer",
};

const flow = `
flow: planted
version: 1.0.0
steps:
  call:
    use: http.request
    with: { connection: echo, method: POST, path: /flow, body: { n: 1 } }
`;

describe.each(drivers)("sensitive values on %s", (driver) => {
  let api: TestApi;
  let echo: Server;

  beforeAll(async () => {
    api = await startTestApi(driver);
    echo = createServer((request, response) => {
      const shown = { header: request.headers.authorization, answer: planted.output };
      response.setHeader("content-type", "application/json");
      response.end(JSON.stringify(request.url === "/flow" ? { header: shown.header } : shown));
    });
    await new Promise<void>((ready) => echo.listen(0, "127.0.0.1", ready));
    const policy = await api.ask("POST", "/v1/policies", {
      cedar: '@id("all") permit (principal, action, resource);',
    });
    await api.ask("POST", "/v1/policies/:id/publish", {}, { id: policy.json.id });
    await api.ask("PUT", "/v1/secrets/:name", { value: planted.secret }, { name: "token" });
    const { port } = echo.address() as AddressInfo; // a listening TCP server has a port
    const config = { baseUrl: `http://127.0.0.1:${port}`, auth: { bearer: "vault:token" } };
    await api.ask("PUT", "/v1/connections/:name", { connector: "http", config }, { name: "echo" });
  });
  afterAll(async () => {
    echo?.close();
    await api?.close();
  });

  const act = (key: string) =>
    api.ask(
      "POST",
      "/v1/actions",
      { connection: "echo", operation: "http.request", input: { path: "/x", body: { who: planted.input } } },
      {},
      { "idempotency-key": key },
    );

  it("stand nowhere in the database in clear: not in actions, idempotency records, receipts, outbox, runs or blobs", async () => {
    expect((await act("first")).json).toMatchObject({
      state: "completed",
      output: { body: { answer: planted.output } },
    });
    expect((await act("first")).json.state).toBe("completed");
    expect(
      (await api.ask("POST", "/v1/flows", flow, {}, { "content-type": "application/yaml" })).status,
    ).toBe(201);
    const run = await api.ask("POST", "/v1/runs", { flow: "planted", params: {} });
    await until("the run has ended", async () => {
      const { json } = await api.ask("GET", "/v1/runs/:id", undefined, { id: run.json.id });
      return json.status === "completed";
    });
    const found = await leaks(Object.values(planted));
    expect(found.leaks).toEqual([]);
    expect(found.tables).toBeGreaterThan(30);
    expect(found.rows).toBeGreaterThan(20);
  });

  /** Every row of every table as text, with bytes in hex: a plain text stands there in one of the two. */
  async function leaks(needles: readonly string[]) {
    const raw = (text: string): Promise<Record<string, string>[]> =>
      api.app.db.system.query<Record<string, string>>({ text, values: [] } satisfies Sql);
    const tables = await raw(`select c.relname as name from pg_class c where c.relkind in ('r', 'p')
      and not c.relispartition and c.relnamespace = 'public'::regnamespace
      and has_table_privilege('oars_system', c.oid, 'select')`);
    const result = { leaks: [] as string[], tables: tables.length, rows: 0 };
    for (const { name = "" } of tables) {
      const rows = await raw(`select t::text as row from "${name}" t`);
      result.rows += rows.length;
      for (const needle of needles) {
        const forms = [
          needle,
          Buffer.from(needle).toString("hex"),
          Buffer.from(needle).toString("base64").slice(0, -4),
        ];
        if (rows.some(({ row = "" }) => forms.some((form) => row.includes(form))))
          result.leaks.push(`${name}: ${needle}`);
      }
    }
    return result;
  }

  it("are accounted for: who used a secret, for which tool, in which action, how often", async () => {
    const before = await api.ask("GET", "/v1/secrets/:name/access", undefined, { name: "token" });
    const count = (list: { purpose: string; reads: number }[]) =>
      list.filter((use) => use.purpose === "echo/http.request").reduce((sum, use) => sum + use.reads, 0);
    const done = (await act("counted")).json;
    await act("counted-too");
    const after = await api.ask("GET", "/v1/secrets/:name/access", undefined, { name: "token" });
    expect(count(after.json.items)).toBe(count(before.json.items) + 2);
    const mine = after.json.items.find((use: { lastActionId: string | null }) => use.lastActionId !== null);
    expect(mine).toMatchObject({ principalId: expect.stringMatching(/^prn_/), purpose: "echo/http.request" });
    expect(done.id).toMatch(/^act_/);
    expect(
      (await api.ask("GET", "/v1/secrets/:name/access", undefined, { name: "nobody" })).json.items,
    ).toEqual([]);
  });

  it("are imported together or not at all, and a dry run stores nothing", async () => {
    const secrets = { IMPORTED_A: "a-value", IMPORTED_B: "b-value", token: "another" };
    const outcomes = (json: { items: { name: string; outcome: string }[] }) =>
      Object.fromEntries(json.items.map((one) => [one.name, one.outcome]));
    const expected = { IMPORTED_A: "created", IMPORTED_B: "created", token: "kept" };
    const dry = await api.ask("POST", "/v1/secrets/import", { secrets, dryRun: true });
    expect(outcomes(dry.json)).toEqual(expected);
    const names = async () =>
      (await api.ask("GET", "/v1/secrets")).json.items.map((s: { name: string }) => s.name);
    expect(await names()).toEqual(["token"]);
    expect(outcomes((await api.ask("POST", "/v1/secrets/import", { secrets })).json)).toEqual(expected);
    expect(await names()).toEqual(["IMPORTED_A", "IMPORTED_B", "token"]);
    expect(await api.app.vault.readSecret(api.app.admin.tenantId, "token")).toBe(planted.secret);
    const wrong = await api.ask("POST", "/v1/secrets/import", { secrets: { "": "x" } });
    expect(wrong.status).toBe(400);
  });

  it("keep a server with another key from starting, whatever the store", async () => {
    const start = joinTestApp(api.opened.database, {
      env: { OARS_DATA_ENCRYPTION_KEYS_MORE: "" },
      dataEncryption: new Uint8Array(32).fill(77),
    });
    await expect(start).rejects.toMatchObject({
      code: "CONFIG_INVALID",
      message: expect.stringContaining("sealed under"),
    });
    const [row] = await api.app.db.system.query(sql`select 1 as one from data_key limit 1`);
    expect(row).toBeDefined();
  });
});

describe("production", () => {
  const base = {
    OARS_ENV: "production",
    OARS_JWT_SECRET: "k7Jq2mVx9TzRb4WcN8sYpLd3GhFa6Ue1",
    OARS_PUBLIC_URL: "https://oars.example.com",
  };
  const start = (key: string | undefined) =>
    loadConfig(key === undefined ? base : { ...base, OARS_DATA_ENCRYPTION_KEY: key });

  it.each([
    ["no key", undefined],
    ["a key of zeros", "0".repeat(64)],
    ["a key that counts up", Buffer.from(Array.from({ length: 32 }, (_, i) => i)).toString("hex")],
    ["a readable text as key", Buffer.from("change-me-change-me-0123456789ab").toString("base64")],
    ["a short key", "abcd"],
  ])("refuses to start with %s", (_, key) => {
    expect(() => start(key)).toThrow(/OARS_DATA_ENCRYPTION_KEY/);
  });

  it("refuses a key service that it cannot prove itself to, and needs no own key with one that it can", () => {
    const kms = { ...base, OARS_KMS: "transit" };
    expect(() => loadConfig(kms)).toThrow(/OARS_KMS_URL[\s\S]*OARS_KMS_TOKEN/);
    const full = loadConfig({ ...kms, OARS_KMS_URL: "https://vault.example:8200", OARS_KMS_TOKEN: "s.abc" });
    expect(full.kms.transit).toMatchObject({ key: "oars", mount: "transit", auth: { token: "s.abc" } });
  });
});
