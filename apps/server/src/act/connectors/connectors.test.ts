import { describe, expect, it } from "vitest";
import type { Caller, Permission } from "#platform/access";
import { sql } from "#platform/db";
import { newId, sha256, systemClock } from "#platform/kernel";
import { createDialer } from "#platform/net";
import { createVault } from "#platform/vault";
import { createReceipts } from "#sign/receipts";
import { drivers, useDatabase } from "#testing";
import { type Connectors, createConnectors } from "./index.ts";

const callerOf = (
  tenantId: string,
  permissions: readonly Permission[] = ["connections:read", "connections:write"],
): Caller => ({
  tenantId,
  principalId: newId(),
  principalKind: "user",
  principalName: "ann",
  ownerId: null,
  roles: ["admin"],
  permissions: new Set(permissions),
  credential: { kind: "internal", id: newId() },
});

const wms = { name: "wms", connector: "http", config: { baseUrl: "https://wms.example.com" } };

describe.each(drivers)("connections on %s", (driver) => {
  const db = useDatabase(driver);
  const vault = () => createVault({ db: db(), kek: new Uint8Array(sha256("connections")) });
  const connectorsOf = (options: { secrets?: readonly string[]; cacheMs?: number } = {}): Connectors =>
    createConnectors({
      db: db(),
      origin: "http://127.0.0.1:8080",
      receipts: createReceipts({
        db: db(),
        vault: vault(),
        origin: "http://127.0.0.1:8080",
        clock: systemClock,
      }),
      vault: {
        ...vault(),
        listSecrets: async () => (options.secrets ?? []).map((name) => ({ name }) as never), // only the names are read
        readSecret: async () => "s3cret-value",
      },
      dialer: createDialer({
        allow: [],
        deny: ["0.0.0.0/0", "::/0"],
        maxResponseBytes: 1,
        connectTimeoutMs: 1_000,
      }),
      cacheMs: options.cacheMs ?? 60_000,
    });

  it("come back as they were put, with cautious defaults", async () => {
    const [connectors, caller] = [connectorsOf({ secrets: ["wms-token"] }), callerOf(newId())];
    const put = await connectors.put(caller, {
      ...wms,
      config: { ...wms.config, auth: { bearer: "vault:wms-token" }, timeout: "5s" },
      dataTypes: ["orders", 'od"d, {x}'],
      facts: { region: "eu", tier: 2, pci: true },
    });
    expect(put).toMatchObject({
      name: "wms",
      environment: "production",
      risk: 50,
      dataTypes: ["orders", 'od"d, {x}'],
      facts: { region: "eu", tier: 2, pci: true },
      config: { auth: { bearer: "vault:wms-token" } },
      revision: 1,
      createdAt: expect.any(Date),
    });
    const found = await connectors.find(caller.tenantId, "wms");
    expect(found).toMatchObject(put);
    expect(found?.settings).toMatchObject({
      host: "wms.example.com",
      timeout: 5_000,
      auth: { bearer: "wms-token" },
    });
    expect(await connectors.list(caller)).toEqual([put]);
  });

  it("are replaced under the same id, one revision up, and found changed at once", async () => {
    const [connectors, caller] = [connectorsOf(), callerOf(newId())];
    const first = await connectors.put(caller, wms);
    await connectors.find(caller.tenantId, "wms");
    const second = await connectors.put(caller, { ...wms, risk: 90, environment: "staging" });
    expect(second).toMatchObject({ id: first.id, revision: 2, risk: 90 });
    expect(await connectors.find(caller.tenantId, "wms")).toMatchObject({
      revision: 2,
      environment: "staging",
    });
  });

  it("of another process are found changed after the cache's time", async () => {
    const caller = callerOf(newId());
    const [here, there] = [connectorsOf({ cacheMs: 0 }), connectorsOf()];
    await here.put(caller, wms);
    await here.find(caller.tenantId, "wms");
    await there.put(caller, { ...wms, risk: 1 });
    expect(await here.find(caller.tenantId, "wms")).toMatchObject({ risk: 1 });
  });

  it("are found from memory on the hot path", async () => {
    const [connectors, caller] = [connectorsOf(), callerOf(newId())];
    await connectors.put(caller, wms);
    const found = await connectors.find(caller.tenantId, "wms");
    expect(await connectors.find(caller.tenantId, "wms")).toBe(found);
  });

  it("of one tenant are neither found, listed nor replaced by another", async () => {
    const connectors = connectorsOf();
    const [one, two] = [callerOf(newId()), callerOf(newId())];
    await connectors.put(one, wms);
    await connectors.find(one.tenantId, "wms");
    expect(await connectors.find(two.tenantId, "wms")).toBeUndefined();
    expect(await connectors.list(two)).toEqual([]);
    await connectors.put(two, { ...wms, risk: 1 });
    expect(await connectors.find(one.tenantId, "wms")).toMatchObject({ risk: 50, revision: 1 });
    const rows = await db().read(two.tenantId, (tx) => tx.query(sql`select connection.id from connection`));
    expect(rows).toHaveLength(1);
  });

  it("need their permissions", async () => {
    const connectors = connectorsOf();
    const stranger = callerOf(newId(), []);
    await expect(connectors.put(stranger, wms)).rejects.toMatchObject({ code: "AUTH_FORBIDDEN" });
    await expect(connectors.list(stranger)).rejects.toMatchObject({ code: "AUTH_FORBIDDEN" });
  });

  it("are refused with every problem of fields and config, and nothing is stored", async () => {
    const [connectors, caller] = [connectorsOf(), callerOf(newId())];
    const bad = {
      name: "a b",
      connector: "http",
      config: { baseUrl: "ftp://x", auth: { bearer: "s3cret-value" } },
      risk: 101,
      dataTypes: [""],
      facts: { "no-dash": 1.5 },
      colour: "red",
    };
    const error: unknown = await connectors.put(caller, bad).catch((reason: unknown) => reason);
    expect(error).toMatchObject({
      code: "CONNECTION_INVALID",
      errors: expect.arrayContaining(
        ["name", "risk", "dataTypes.0", "config.baseUrl", "config.auth.bearer"].map((path) =>
          expect.objectContaining({ path }),
        ),
      ),
    });
    expect(JSON.stringify(error)).toContain("colour");
    expect(JSON.stringify(error)).not.toContain("s3cret-value");
    expect(await connectors.list(caller)).toEqual([]);
  });

  it("of an unknown connector are refused with the known ones", async () => {
    await expect(connectorsOf().put(callerOf(newId()), { ...wms, connector: "fax" })).rejects.toMatchObject({
      code: "CONNECTOR_UNKNOWN",
      params: { connector: "fax", connectors: expect.stringContaining("http") },
    });
  });

  it("that name a secret which does not exist are refused with what to do", async () => {
    const config = { ...wms.config, auth: { bearer: "vault:wms-token" } };
    await expect(connectorsOf().put(callerOf(newId()), { ...wms, config })).rejects.toMatchObject({
      code: "CONNECTION_INVALID",
      errors: [expect.objectContaining({ message: expect.stringContaining("PUT /v1/secrets/wms-token") })],
    });
  });

  it("declare each fact with one type in the whole tenant, and once", async () => {
    const [connectors, caller] = [connectorsOf(), callerOf(newId())];
    const amount = { name: "amount", type: "long", path: "body.amount" };
    await connectors.put(caller, {
      ...wms,
      config: { ...wms.config, facts: [amount] },
      facts: { region: "eu" },
    });
    await connectors.put(caller, { ...wms, name: "erp", config: { ...wms.config, facts: [amount] } });
    expect(await connectors.factSpecs(caller.tenantId)).toEqual([
      { name: "amount", type: "integer" },
      { name: "region", type: "string" },
    ]);
    await expect(
      connectors.put(caller, { ...wms, name: "crm", facts: { amount: "much" } }),
    ).rejects.toMatchObject({
      errors: [expect.objectContaining({ path: "facts.amount", code: "FACT_CONFLICT" })],
    });
    const both = { ...wms, config: { ...wms.config, facts: [amount] }, facts: { amount: 1 } };
    await expect(connectors.put(caller, both)).rejects.toMatchObject({
      errors: [expect.objectContaining({ code: "FACT_TWICE" })],
    });
  });

  it("written by a newer version are reported by name when they are used, and do not hide the others", async () => {
    const [connectors, caller] = [connectorsOf(), callerOf(newId())];
    const { tenantId } = caller;
    await connectors.put(caller, wms);
    await db().tx(tenantId, (tx) =>
      tx.query(sql`insert into connection (tenant_id, id, name, connector, config, environment, risk, data_types, facts)
        values (${tenantId}, ${newId()}, 'fax', 'fax', '{}', 'production', 1, '{}', '{}')`),
    );
    await expect(connectors.find(tenantId, "fax")).rejects.toMatchObject({ code: "CONNECTOR_UNKNOWN" });
    expect((await connectors.list(caller)).map((one) => one.name)).toEqual(["fax", "wms"]);
    expect(await connectors.factSpecs(tenantId)).toEqual([]);
  });

  it("offer the operations of every connector", () => {
    const connectors = connectorsOf();
    expect(connectors.operation("http.request")).toMatchObject({ name: "http.request", connector: "http" });
    expect(connectors.operation("fax.send")).toBeUndefined();
    expect(connectors.operations.map((one) => one.name)).toEqual(
      connectors.catalogue.flatMap((one) => Object.keys(one.operations)),
    );
  });

  it("are tested by reaching the system; what stops it is a report with its code", async () => {
    const [connectors, caller] = [connectorsOf(), callerOf(newId())];
    await connectors.put(caller, { ...wms, config: { baseUrl: "http://127.0.0.1:9" } });
    expect(await connectors.test(caller, "wms")).toMatchObject({
      ok: false,
      code: "NET_ADDRESS_FORBIDDEN",
      emulated: false,
    });
    await expect(connectors.test(caller, "none")).rejects.toMatchObject({ code: "CONNECTION_NOT_FOUND" });
    await expect(connectors.test(callerOf(newId()), "wms")).rejects.toMatchObject({
      code: "CONNECTION_NOT_FOUND",
    });
    const reader = callerOf(caller.tenantId, ["connections:read"]);
    await expect(connectors.test(reader, "wms")).rejects.toMatchObject({ code: "AUTH_FORBIDDEN" });
  });

  it("that are emulated answer every operation and test with neither network nor secrets", async () => {
    const [connectors, caller] = [connectorsOf(), callerOf(newId())];
    const put = await connectors.put(caller, { ...wms, emulate: true });
    expect(put.emulate).toBe(true);
    const [connection, operation] = [
      await connectors.find(caller.tenantId, "wms"),
      connectors.operation("http.request"),
    ];
    if (connection === undefined || operation === undefined) throw new Error("it was put");
    const untouched = () => Promise.reject(new Error("an emulation reached out"));
    const context = {
      connection,
      secrets: untouched,
      dialer: { request: untouched, connect: untouched },
      idempotencyKey: "k",
      timeoutMs: 1_000,
    };
    const input = operation.input.parse({ connection: "wms", path: "/x", body: { a: 1 } });
    expect(await operation.execute(context, input)).toMatchObject({
      status: "completed",
      output: { status: 200, body: { a: 1 }, emulated: true },
    });
    expect(await connectors.test(caller, "wms")).toMatchObject({ ok: true, emulated: true });
    expect((await connectors.put(caller, wms)).emulate).toBe(false);
  });
});
