import { describe, expect, it } from "vitest";
import { sql, WriteSet } from "#platform/db";
import { newId, systemClock } from "#platform/kernel";
import { createVault } from "#platform/vault";
import { useDatabase } from "#testing";
import { createReceipts, type ListFilter, type ReceiptDraft } from "./index.ts";
import { searchReceipts } from "./search-store.ts";

describe("searching receipts", () => {
  const db = useDatabase("pglite");
  const open = () =>
    createReceipts({
      db: db(),
      vault: createVault({ db: db(), kek: new Uint8Array(32).fill(3) }),
      origin: "https://oars.example",
      clock: systemClock,
    });
  const commit = async (drafts: readonly ReceiptDraft[]): Promise<string[]> => {
    const set = new WriteSet();
    const receipts = open();
    const ids = [];
    for (const draft of drafts) ids.push((await receipts.add(set, draft)).receiptId);
    expect(await db().committer.commit(set)).toEqual({ ok: true });
    return ids;
  };
  const digest = `sha256:${"b".repeat(64)}`;
  const denied = (tenantId: string, agent: string, owner: string): ReceiptDraft => ({
    tenantId,
    type: "action.decision",
    action: { id: newId(), tool: "wms/http.request", operation: "write", target: "/orders/7" },
    principal: { id: agent, kind: "agent", ownerId: owner },
    decision: { effect: "deny", reasons: ["p3", "p4"], policy: { bundle: digest, version: "7" } },
  });

  it("[W45][C46] finds by each filter, alone and together, in the own tenant only", async () => {
    const [tenantId, other, agent, owner, approver] = [newId(), newId(), newId(), newId(), newId()];
    const [id] = await commit([
      denied(tenantId, agent, owner),
      denied(other, agent, owner),
      { tenantId, type: "run.started" },
      { tenantId, type: "approval.vote", principal: { id: approver, kind: "user" } },
    ]);
    const found = async (filter: ListFilter): Promise<string[]> =>
      (await open().list(tenantId, filter, { limit: 10 })).items.map((r) => r.id);
    const each: ListFilter[] = [
      { principalId: agent },
      { actorId: owner },
      { actorId: agent },
      { tool: "wms/http.request" },
      { operation: "write" },
      { target: "/orders/7" },
      { effect: "deny" },
      { policy: digest },
      { policyVersion: "7" },
      { rule: "p4" },
      { also: sql`id = ${id}` },
      { type: "action.decision" },
      { from: new Date(Date.now() - 60_000), to: new Date(Date.now() + 60_000), rule: "p3" },
    ];
    for (const filter of each) expect(await found(filter), Object.keys(filter).join()).toEqual([id]);
    expect(await found(Object.assign({}, ...each) as ListFilter)).toEqual([id]);
    for (const filter of [{ rule: "p" }, { rule: "p4", effect: "allow" }, { also: sql`id = ${newId()}` }])
      expect(await found(filter)).toEqual([]);
  });

  it("[W45] reaches the first receipt through pages that each look at a bounded number", async () => {
    const tenantId = newId();
    const [first] = await commit([denied(tenantId, newId(), newId())]);
    const later = Array.from({ length: 60 }, (): ReceiptDraft => ({ tenantId, type: "run.started" }));
    await commit(later);
    const pages: string[][] = [];
    let cursor: string | null = null;
    do {
      const page: Awaited<ReturnType<typeof searchReceipts>> = await db().read(tenantId, (tx) =>
        searchReceipts(tx, tenantId, { rule: "p3" }, { limit: 5, cursor, order: "newest" }, 25),
      );
      pages.push(page.items.map((r) => r.id));
      cursor = page.next;
    } while (cursor !== null && pages.length < 10);
    expect(pages).toEqual([[], [], [first]]);
  });

  it("looks a rare receipt up in an index, among many", async () => {
    const tenantId = newId();
    await commit([denied(tenantId, newId(), newId())]);
    await db().tx(tenantId, (tx) =>
      tx.query(sql`insert into receipt (tenant_id, id, type, tool, effect, principal_id, jws, created_at)
        select ${tenantId}, gen_random_uuid(), 'action.decision', 'many', 'allow', ${newId()}, 'x', now()
        from generate_series(1, 3000)`),
    );
    const planOf = async (where: ReturnType<typeof sql>): Promise<string> => {
      const rows = await db().system.tx(async (tx) => {
        await tx.query(sql`set local enable_seqscan = off`);
        return tx.query<{ "QUERY PLAN": string }>(
          sql`explain select id from receipt where tenant_id = ${tenantId} and ${where} order by id desc limit 10`,
        );
      });
      return rows.map((row) => row["QUERY PLAN"]).join("\n");
    };
    expect(await planOf(sql`effect = 'deny'`)).toMatch(/Index Cond: .*effect = 'deny'/);
    expect(await planOf(sql`tool = 'wms/http.request'`)).toMatch(/Index Cond: .*tool = /);
    expect(await planOf(sql`principal_id = ${newId()}`)).toMatch(/Index Cond: .*principal_id = /);
    expect(await planOf(sql`type = 'policy.published'`)).toMatch(/Index Cond: .*type = /);
  });
});
