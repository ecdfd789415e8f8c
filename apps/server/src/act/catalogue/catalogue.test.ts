import { describe, expect, it } from "vitest";
import type { ConnectionInput } from "#act/connectors";
import { createConnectors } from "#act/connectors";
import type { Caller } from "#platform/access";
import { newId } from "#platform/kernel";
import { createDialer } from "#platform/net";
import { createVault } from "#platform/vault";
import { useDatabase } from "#testing";
import { type AllowedTool, matches, operatorAllows } from "./allowance.ts";
import { type Classification, lowered, noOverrides } from "./domain.ts";
import { createCatalogue } from "./index.ts";

const plain: Classification & { overrides: typeof noOverrides } = {
  verbs: ["write"],
  risk: 50,
  dataTypes: ["money"],
  environment: "production",
  destructive: true,
  openWorld: true,
  overrides: noOverrides,
};

describe("a classification", () => {
  it("[T3] is lowered by every single step down, and by no step up", () => {
    const paths = (after: Partial<typeof plain>) => lowered(plain, { ...plain, ...after }).map((p) => p.path);
    expect(paths({})).toEqual([]);
    expect(paths({ verbs: ["pay"], risk: 100, dataTypes: ["money", "pii"] })).toEqual([]);
    expect(paths({ verbs: ["read"] })).toEqual(["verb"]);
    expect(paths({ risk: 49 })).toEqual(["risk"]);
    expect(paths({ dataTypes: ["pii"] })).toEqual(["dataTypes"]);
    expect(paths({ destructive: false })).toEqual(["destructive"]);
    expect(paths({ openWorld: false })).toEqual(["openWorld"]);
    expect(paths({ overrides: { ...noOverrides, outputs: "readers" } })).toEqual(["outputs"]);
  });
});

describe("an allowance", () => {
  it("names a connector, an operation, a connection, one tool, or all", () => {
    const hits = (pattern: string) =>
      [
        ["wms", "http.request"],
        ["wms", "http.list"],
        ["erp", "http.request"],
        ["chat", "slack.post_message"],
      ].filter(([connection = "", operation = ""]) => matches([pattern], connection, operation)).length;
    expect(["*", "http", "http.request", "wms/*", "wms/http.list", "wms", "http.*", ""].map(hits)).toEqual([
      4, 3, 2, 2, 1, 0, 0, 0,
    ]);
  });

  it("of the operator holds a tenant to its own entries, and all others to those for everybody", () => {
    const [one, two] = [newId(), newId()];
    const allowed: AllowedTool[] = [
      { tenantId: null, pattern: "wms/http.list" },
      { tenantId: two, pattern: "http" },
    ];
    const says = operatorAllows(allowed);
    expect(says(one, "wms", "http.request")).toBe(false);
    expect(says(one, "wms", "http.list")).toBe(true);
    expect(says(two, "wms", "http.request")).toBe(true);
    expect(says(two, "chat", "slack.post_message")).toBe(false);
    expect(operatorAllows([])(one, "any", "http.request")).toBe(true);
  });
});

describe("what another process said of a tool", () => {
  const db = useDatabase("pglite");
  const callerOf = (tenantId: string): Caller =>
    ({
      tenantId,
      principalId: newId(),
      principalKind: "user",
      ownerId: null,
      permissions: new Set(["connections:write", "connections:read", "tools:review"]),
      credential: { kind: "internal", id: "" },
    }) as unknown as Caller; // what this room and the one below it read

  const open = (cacheMs: number) => {
    const receipts = { add: async () => ({}) };
    const connectors = createConnectors({
      db: db(),
      vault: createVault({ db: db(), kek: new Uint8Array(32).fill(7) }),
      receipts,
      origin: "http://127.0.0.1",
      dialer: createDialer({ allow: [], maxResponseBytes: 1, connectTimeoutMs: 1 }),
      onPut: (tx, caller, now, before) => catalogue.onPut(tx, caller, now, before),
      cacheMs,
    });
    const catalogue = createCatalogue({ db: db(), connectors, receipts, cacheMs });
    const standing = async (tenantId: string) => {
      const [connection, operation] = [
        await connectors.find(tenantId, "wms"),
        connectors.operation("http.request"),
      ];
      if (!connection || !operation) throw new Error("it was put");
      return catalogue.standing(connection, operation);
    };
    return { connectors, catalogue, standing };
  };
  const wms: ConnectionInput = {
    name: "wms",
    connector: "http",
    config: { baseUrl: "https://wms.example.com" },
    risk: 10,
  };

  it("is known as soon as what is remembered is too old, and of one's own at once", async () => {
    const [here, fresh] = [open(60_000), open(0)];
    const caller = callerOf(newId());
    const { tenantId } = caller;
    await here.connectors.put(caller, wms);
    expect((await here.standing(tenantId)).risk).toBe(10);
    expect((await fresh.standing(tenantId)).risk).toBe(10);
    await here.catalogue.reclassify(caller, "wms/http.request", { overrides: { risk: 80 } });
    expect((await here.standing(tenantId)).risk).toBe(80);
    expect((await fresh.standing(tenantId)).risk).toBe(80);
  });

  it("is asked for once, however many actions come: what is in memory needs no statement", async () => {
    const { connectors, catalogue } = open(60_000);
    const caller = callerOf(newId());
    await connectors.put(caller, wms);
    const [connection, operation] = [
      await connectors.find(caller.tenantId, "wms"),
      connectors.operation("http.request"),
    ];
    if (!connection || !operation) throw new Error("it was put");
    await catalogue.standing(connection, operation);
    expect(catalogue.standing(connection, operation)).not.toBeInstanceOf(Promise);
  });

  it("gives a version that changes with the tools and with nothing else", async () => {
    const { connectors, catalogue } = open(0);
    const caller = callerOf(newId());
    const { tenantId } = caller;
    const empty = await catalogue.version(tenantId);
    await connectors.put(caller, wms);
    const one = await catalogue.version(tenantId);
    expect(one).not.toBe(empty);
    await catalogue.reclassify(caller, "wms/http.request", { overrides: { redact: ["iban"] } });
    expect(await catalogue.version(tenantId)).toBe(one);
    await catalogue.reclassify(caller, "wms/http.request", { overrides: { verb: "pay" } });
    expect(await catalogue.version(tenantId)).not.toBe(one);
  });
});
