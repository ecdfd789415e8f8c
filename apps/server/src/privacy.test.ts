/** Erasure, holds, retention and access exports, through the door, on the whole server. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { parseSdJwt, verifyReceipt } from "@oars/receipts";
import { createNodeCrypto } from "@oars/receipts/node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { sql, WriteSet } from "#platform/db";
import { formatId, parseId } from "#platform/kernel";
import { createReceipts } from "#sign/receipts";
import { startTestApi, type TestApi } from "./testing/api.ts";

const needle = "Ada.Lovelace+4711@example.com";
const cedar = `@id("all") permit (principal, action, resource);`;

describe("privacy", () => {
  let api: TestApi;
  let shop: Server;
  const ask: TestApi["ask"] = (...given) => api.ask(...given);

  beforeAll(async () => {
    shop = createServer((_, res) =>
      res.setHeader("content-type", "application/json").end(JSON.stringify({ mail: needle })),
    );
    await new Promise<void>((done) => shop.listen(0, "127.0.0.1", done));
    api = await startTestApi("postgres");
    const { port } = shop.address() as AddressInfo; // listens on TCP
    await prepare(api, `http://127.0.0.1:${port}`);
  });
  afterAll(async () => {
    await api.close();
    shop.close();
  });

  /** Somebody with a key of their own, who has one action with their address in it. */
  async function person(name: string) {
    const made = await ask("POST", "/v1/principals", { kind: "user", name, roles: ["member"] });
    expect(made.status).toBe(201);
    const { id } = made.json;
    const key = (await ask("POST", "/v1/principals/:id/keys", { name: "test" }, { id })).json.key as string;
    const input = { method: "POST", path: "/x", body: { mail: needle } };
    const tool = { connection: "wms", operation: "http.request", input };
    const acted = await ask("POST", "/v1/actions", tool, { key });
    expect(acted.json).toMatchObject({ state: "completed", output: { body: { mail: needle } } });
    await api.app.log.sequenceNow(api.app.admin.tenantId);
    const receipts = (await ask("GET", `/v1/receipts?action=${acted.json.id}`)).json.items as {
      id: string;
    }[];
    return { id: id as string, key, actionId: acted.json.id as string, receipts };
  }
  const erase = (subject: string) => ask("POST", "/v1/privacy/erasures", { subject });
  const proofOf = (id: string, query = "?format=tlog-proof&disclose=true") =>
    ask("GET", `/v1/receipts/:id${query}`, undefined, { id });

  /** Every table of the schema as text: what a dump would hold. */
  async function everything(): Promise<string> {
    return api.app.db.system.tx(async (tx) => {
      const tables = await tx.query<{ name: string }>(sql`select c.relname::text as name from pg_class c
        where c.relkind in ('r', 'p') and not c.relispartition and has_table_privilege(c.oid, 'select') and c.relnamespace = to_regnamespace(current_schema())`);
      expect(tables.length).toBeGreaterThan(20);
      const texts: string[] = [];
      for (const { name } of tables) {
        const text = `select t::text as row from "${name}" t`;
        const rows = await tx.query<{ row: string }>({ text, values: [] } as unknown as ReturnType<
          typeof sql
        >);
        texts.push(...rows.map(({ row }) => `${name}: ${row}`));
      }
      return texts.join("\n");
    });
  }

  it("[P1][P4] erases a person: nothing shows or holds what was theirs, and every proof still verifies", async () => {
    const ada = await person("ada");
    const other = await person("grace");
    const [receipt] = ada.receipts;
    const before = await proofOf(receipt?.id ?? "");
    const disclosures = (text: string): number =>
      parseSdJwt(Buffer.from(/^extra (.+)$/m.exec(text)?.[1] ?? "", "base64").toString()).disclosures.length;
    expect(disclosures(before.text)).toBeGreaterThan(0);
    await api.app.idempotency.purge(1_000);

    const erased = await erase(ada.id);
    expect(erased.json).toMatchObject({ state: "completed", counts: { receipts: 2, actions: 1 } });
    const trust = (
      await ask("GET", "/v1/trust/tenants/:tenantId/keys", undefined, {
        tenantId: formatId("tenant", api.app.admin.tenantId),
      })
    ).json;
    for (const { id } of ada.receipts) {
      const proof = await proofOf(id);
      expect(disclosures(proof.text)).toBe(0);
      expect((await verifyReceipt(proof.text, [trust], createNodeCrypto())).verdict).toBe("verified");
      expect((await ask("POST", "/v1/receipts/verify", { receiptId: id })).json.isChainValid).toBe(true);
    }
    const action = await ask("GET", "/v1/actions/:id", undefined, { id: ada.actionId });
    expect(action.json).toMatchObject({ state: "completed", input: null, output: null });
    const told = await ask("GET", "/v1/receipts?type=privacy.erased");
    expect(told.json.items).toHaveLength(1);
    expect(JSON.stringify(told.json)).not.toContain(ada.id);
    // Somebody else's are untouched.
    const [kept] = other.receipts;
    expect(disclosures((await proofOf(kept?.id ?? "")).text)).toBeGreaterThan(0);
    expect((await erase(other.id)).status).toBe(201);
    expect(await everything()).not.toContain(needle);
  });

  it("[P2][C45] refuses under a hold of the person, of one of their actions or of the tenant, until it is released", async () => {
    const { id, actionId } = await person("joan");
    const holds = [
      { scope: "subject", subject: id },
      { scope: "action", action: actionId },
      { scope: "tenant" },
    ];
    for (const scope of holds) {
      const hold = await ask("POST", "/v1/privacy/holds", { ...scope, reason: "pending lawsuit" });
      expect(hold.status).toBe(201);
      expect((await erase(id)).json).toMatchObject({ status: 409, code: "PRIVACY_HELD" });
      const release = (): ReturnType<typeof ask> =>
        ask("POST", "/v1/privacy/holds/:id/release", { reason: "settled" }, { id: hold.json.id });
      expect((await release()).json.releasedAt).toBeTypeOf("string");
      expect((await release()).json.code).toBe("PRIVACY_HOLD_RELEASED");
    }
    const unrelated = { scope: "subject", subject: "customer:1", reason: "somebody else" };
    const hold = await ask("POST", "/v1/privacy/holds", unrelated);
    expect((await erase(id)).status).toBe(201);
    await ask("POST", "/v1/privacy/holds/:id/release", { reason: "over" }, { id: hold.json.id });
    expect((await ask("GET", "/v1/receipts?type=hold.placed")).json.items.length).toBe(4);
  });

  it("[P2] of a hold and an erasure at once, either the hold is refused nothing or the erasure came first", async () => {
    const { id, receipts } = await person("mary");
    const [erased, held] = await Promise.all([
      erase(id),
      ask("POST", "/v1/privacy/holds", { scope: "subject", subject: id, reason: "a race" }),
    ]);
    expect(held.status).toBe(201);
    const shown = await ask("GET", "/v1/receipts/:id?disclose=true", undefined, {
      id: receipts[0]?.id ?? "",
    });
    expect(Object.keys(shown.json.disclosed).length > 0).toBe(erased.status === 409);
    await ask("POST", "/v1/privacy/holds/:id/release", { reason: "over" }, { id: held.json.id });
  });

  it("[P5] completes an erasure that a process left behind", async () => {
    const { id, actionId } = await person("hedy");
    const { tenantId } = api.app.admin;
    const principal = parseId("principal", id) ?? "";
    // What is durable when the process dies between the transaction and the cleaning up.
    const left = JSON.stringify({ keyId: null, principals: [principal] });
    await api.app.db.tx(tenantId, (tx) =>
      tx.query(sql`insert into erasure (tenant_id, id, state, pending, requested_by, created_at)
        values (${tenantId}, gen_random_uuid(), 'erasing', ${left}::jsonb, ${principal}, now() - interval '1 hour')`),
    );
    expect(await api.app.privacy.completeInterrupted()).toBe(1);
    expect(await api.app.privacy.completeInterrupted()).toBe(0);
    const action = await ask("GET", "/v1/actions/:id", undefined, { id: actionId });
    expect(action.json).toMatchObject({ input: null, output: null });
    expect((await ask("GET", "/v1/privacy/erasures")).json.items[0]).toMatchObject({ state: "completed" });
  });

  it("[P3][W24] retires by type and by the database's clock; what is held stays, and leaf hashes stay for ever", async () => {
    const { receipts, actionId } = await person("rosa");
    const { tenantId } = api.app.admin;
    const rules = [
      { type: "action.decision", bodyDays: null, disclosureDays: 30 },
      { type: "*", bodyDays: 400, disclosureDays: null },
    ];
    const put = await ask("PUT", "/v1/privacy/retention", { rules });
    expect(put.json.rules).toHaveLength(2);
    expect((await ask("PUT", "/v1/privacy/retention", { rules, now: "2100-01-01" })).status).toBe(400);
    expect(await api.app.privacy.applyRules()).toBe(0); // nothing is old

    const old = createReceipts({
      db: api.app.db,
      vault: api.app.vault,
      origin: "https://oars.example",
      clock: { now: () => new Date(Date.now() - 500 * 86_400_000) },
    });
    const set = new WriteSet();
    const about = { tenantId, action: { id: parseId("action", actionId) ?? "" }, disclose: { mail: needle } };
    const aged = [
      await old.add(set, { ...about, type: "action.decision", decision: { effect: "allow" } }),
      await old.add(set, { ...about, type: "execution.finished", outcome: { status: "completed" } }),
    ];
    expect(await api.app.db.committer.commit(set)).toEqual({ ok: true });
    await api.app.log.sequenceNow(tenantId);
    const reference = { scope: "action", action: actionId };
    const hold = await ask("POST", "/v1/privacy/holds", { ...reference, reason: "keep all" });
    expect(await api.app.privacy.applyRules()).toBe(0);
    await ask("POST", "/v1/privacy/holds/:id/release", { reason: "over" }, { id: hold.json.id });
    expect(await api.app.privacy.applyRules()).toBe(2);
    const left = (await ask("GET", `/v1/receipts?action=${actionId}`)).json.items as { id: string }[];
    const ids = aged.map(({ receiptId }) => formatId("receipt", receiptId));
    expect(left.map((r) => r.id).sort()).toEqual([...receipts.map((r) => r.id), ids[0]].sort());
    const shown = await ask("GET", "/v1/receipts/:id?disclose=true", undefined, { id: ids[0] ?? "" });
    expect(shown.json.disclosed).toEqual({});
    for (const id of ids)
      expect((await ask("GET", `/v1/log/proof/inclusion?receipt=${id}`)).status).toBe(200);
  });

  it("gives a person what is held about them, and says so in a receipt", async () => {
    const { id, actionId } = await person("katherine");
    const found = await ask("POST", "/v1/privacy/exports", { subject: id });
    expect(found.json.actions).toMatchObject([{ id: actionId, output: { body: { mail: needle } } }]);
    expect(JSON.stringify(found.json.receipts)).toContain(needle);
    expect(found.json.nextCursor).toBeNull();
    expect((await ask("GET", "/v1/receipts?type=export.created")).json.items).toHaveLength(1);
  });

  it("is for those who may: members are refused, another tenant's holds and erasures look like none", async () => {
    const { key } = await person("dorothy");
    const refused = await ask("POST", "/v1/privacy/erasures", { subject: "customer:1" }, { key });
    expect(refused.json).toMatchObject({ status: 403, code: "AUTH_FORBIDDEN" });
    const shown = await ask("GET", "/v1/receipts/:id?disclose=true", undefined, {
      key,
      id: "rct_01jdzx0000e01sz5ke6vs00001",
    });
    expect(shown.json).toMatchObject({ status: 403 });
    for (const id of ["ers_01jdzx0000e01sz5ke6vs00001", "nonsense"])
      expect((await ask("GET", "/v1/privacy/erasures/:id", undefined, { id })).json.code).toBe(
        "PRIVACY_ERASURE_NOT_FOUND",
      );
  });
});

async function prepare({ ask }: TestApi, url: string): Promise<void> {
  const connection = { connector: "http", config: { baseUrl: url }, risk: 10 };
  expect((await ask("PUT", "/v1/connections/:name", connection, { name: "wms" })).status).toBeLessThan(300);
  const { id } = (await ask("POST", "/v1/policies", { cedar, name: "all" })).json;
  const published = await ask("POST", "/v1/policies/:id/publish", { replaces: null }, { id });
  expect(published.json).toMatchObject({ state: "published" });
}
