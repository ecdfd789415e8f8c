import { parseSdJwt } from "@oars/receipts";
import { describe, expect, it } from "vitest";
import { applyWrites, sql, WriteSet } from "#platform/db";
import { formatId, newId, systemClock } from "#platform/kernel";
import { createVault } from "#platform/vault";
import { drivers, useDatabase } from "#testing";
import { createReceipts, createSigners, type ReceiptDraft, type Receipts } from "./index.ts";

const kek = new Uint8Array(32).fill(3);

describe.each(drivers)("receipts on %s", (driver) => {
  const db = useDatabase(driver);
  const open = (onAdded?: (tenantId: string) => void, origin = "https://oars.example/"): Receipts =>
    createReceipts({
      db: db(),
      vault: createVault({ db: db(), kek }),
      origin,
      clock: systemClock,
      ...(onAdded ? { onAdded } : {}),
    });
  const commit = async (
    receipts: Receipts,
    ...drafts: ReceiptDraft[]
  ): Promise<{ receiptId: string; digest: string }[]> => {
    const set = new WriteSet();
    const added = [];
    for (const draft of drafts) added.push(await receipts.add(set, draft));
    expect(await db().committer.commit(set)).toEqual({ ok: true });
    return added;
  };

  it("signs what its own verifier accepts, with every section in public ids", async () => {
    const [tenantId, runId, actionId, agent, owner, request, parent] = Array.from({ length: 7 }, () =>
      newId(),
    ) as Ids;
    const receipts = open();
    const digest = `sha256:${"a".repeat(64)}`;
    const [added] = await commit(receipts, {
      tenantId,
      type: "action.decision",
      runId,
      step: "ship",
      flow: { name: "order", version: "1.0.0", hash: digest },
      action: {
        id: actionId,
        protocol: "workflow",
        server: "wms",
        tool: "wms/http.request",
        operation: "write",
        target: "",
        env: "prod",
        digest,
      },
      principal: { id: agent, kind: "agent", ownerId: owner, auth: { method: "api_key" } },
      decision: {
        effect: "require_approval",
        reasons: ["p1"],
        errors: [],
        obligations: ["approve:finance:2"],
        policy: { bundle: digest, engine: "cedar", schema: digest },
        entities: digest,
        context: digest,
        mode: "enforce",
      },
      approval: { request, state: "pending", quorum: { need: 2, got: 0 } },
      evidence: { declared: ["action.target"] },
      links: { parent },
      disclose: { args: { iban: "DE00", n: 1.5 }, skipped: undefined },
    });
    const text = await receipts.sdJwt(tenantId, added?.receiptId ?? "", { disclose: true });
    const report = await receipts.verify(tenantId, text);
    expect(report.verdict, JSON.stringify(report.checks)).toBe("verified");
    expect(report.checks.schema.detail).toBe("receipt version 1");
    expect(report.body).toMatchObject({
      rid: formatId("receipt", added?.receiptId ?? ""),
      iss: `https://oars.example/t/${formatId("tenant", tenantId)}`,
      log: `oars.example/log/${formatId("tenant", tenantId)}`,
      run: { id: formatId("run", runId), step: "ship", flow: "order", version: "1.0.0", hash: digest },
      action: { id: formatId("action", actionId), tool: "wms/http.request" },
      principal: {
        agent: formatId("principal", agent),
        user: formatId("principal", owner),
        chain: [formatId("principal", owner), formatId("principal", agent)],
      },
      approval: { request: formatId("approval", request) },
      links: { parent: formatId("receipt", parent) },
    });
    expect(report.disclosed).toEqual({ args: { iban: "DE00", n: 1.5 } });
  });

  it("keeps sensitive members out of the signed text and sealed in the table", async () => {
    const tenantId = newId();
    const receipts = open();
    const [added] = await commit(receipts, {
      tenantId,
      type: "execution.finished",
      outcome: { status: "completed" },
      disclose: { result: "needle" },
    });
    const stored = await receipts.find(tenantId, added?.receiptId ?? "");
    const payload = Buffer.from(stored.jws.split(".")[1] ?? "", "base64url").toString();
    expect(payload).not.toContain("needle");
    expect(Buffer.from(stored.sealed ?? []).includes("needle")).toBe(false);
    expect(await receipts.disclosed(tenantId, stored.id)).toEqual({ result: "needle" });
    const withheld = await receipts.sdJwt(tenantId, stored.id, { disclose: false });
    expect(parseSdJwt(withheld).disclosures).toEqual([]);
    expect((await receipts.verify(tenantId, withheld)).verdict).toBe("verified");
  });

  it("never signs a draft that no verifier would accept", async () => {
    const draft: ReceiptDraft = {
      tenantId: newId(),
      type: "execution.finished",
      outcome: { status: "completed", latency_ms: 1.5 },
    };
    await expect(open().add(new WriteSet(), draft)).rejects.toThrow("/outcome/latency_ms");
  });

  it("makes one pair of keys per tenant when many processes are first at once", async () => {
    const tenantId = newId();
    const many = Array.from({ length: 6 }, () => open());
    const added = await Promise.all(
      many.map((receipts) => commit(receipts, { tenantId, type: "run.started" })),
    );
    expect(added).toHaveLength(6);
    const keys = await open().keys(tenantId);
    expect(keys.map(({ use }) => use).sort()).toEqual(["log", "receipt"]);
    for (const [one] of added) {
      const text = await open().sdJwt(tenantId, one?.receiptId ?? "", { disclose: true });
      expect((await open().verify(tenantId, text)).verdict).toBe("verified");
    }
  });

  it("makes a tenant's first keys inside a caller's transaction and forgets them when it rolls back", async () => {
    const tenantId = newId();
    const receipts = open();
    const draft: ReceiptDraft = { tenantId, type: "approval.vote", disclose: { reason: "because" } };
    const failing = db().tx(tenantId, async (tx) => {
      await receipts.add(new WriteSet(), draft, tx);
      throw new Error("rolled back");
    });
    await expect(failing).rejects.toThrow("rolled back");
    const id = await db().tx(tenantId, async (tx) => {
      const set = new WriteSet();
      const { receiptId } = await receipts.add(set, draft, tx);
      await applyWrites(tx, set);
      return receiptId;
    });
    expect(
      (await receipts.verify(tenantId, await receipts.sdJwt(tenantId, id, { disclose: true }))).verdict,
    ).toBe("verified");
  });

  it("keeps issuer and log origin when the server moves to another URL", async () => {
    const tenantId = newId();
    await commit(open(), { tenantId, type: "run.started" });
    const moved = open(undefined, "http://127.0.0.1:9999");
    const [added] = await commit(moved, { tenantId, type: "run.finished" });
    expect((await moved.trust(tenantId)).issuer).toBe(
      `https://oars.example/t/${formatId("tenant", tenantId)}`,
    );
    const text = await moved.sdJwt(tenantId, added?.receiptId ?? "", { disclose: false });
    expect((await moved.verify(tenantId, text)).verdict).toBe("verified");
  });

  it("tells of new receipts only when they are durable", async () => {
    const told: string[] = [];
    const tenantId = newId();
    const receipts = open((tenant) => told.push(tenant));
    await receipts.add(new WriteSet(), { tenantId, type: "run.started" });
    expect(told).toEqual([]);
    await commit(receipts, { tenantId, type: "run.started" });
    expect(told).toEqual([tenantId]);
  });

  it("lists by filter, in pages, newest or oldest first, and only the tenant's own", async () => {
    const [tenantId, other, runId, actionId, who] = Array.from({ length: 5 }, () => newId()) as Ids;
    const receipts = open();
    const draft = {
      tenantId,
      type: "action.decision",
      runId,
      action: { id: actionId, tool: "t" },
      principal: { id: who, kind: "user" },
      decision: { effect: "deny" },
    } as const;
    const added = await commit(
      receipts,
      draft,
      draft,
      draft,
      { tenantId, type: "run.started" },
      { ...draft, tenantId: other },
    );
    const ids = added.slice(0, 3).map(({ receiptId }) => receiptId);
    for (const filter of [
      { runId },
      { actionId },
      { tool: "t" },
      { effect: "deny" },
      { principalId: who },
      { type: "action.decision" },
    ]) {
      const { items } = await receipts.list(tenantId, filter, { limit: 10, order: "oldest" });
      expect(
        items.map(({ id }) => id),
        JSON.stringify(filter),
      ).toEqual(ids);
    }
    const first = await receipts.list(tenantId, { runId }, { limit: 2 });
    expect(first.items.map(({ id }) => id)).toEqual([ids[2], ids[1]]);
    const second = await receipts.list(tenantId, { runId }, { limit: 2, cursor: first.next });
    expect([second.items.map(({ id }) => id), second.next]).toEqual([[ids[0]], null]);
    const later = { from: new Date(Date.now() + 60_000) };
    expect((await receipts.list(tenantId, later, { limit: 5 })).items).toEqual([]);
    await expect(receipts.find(other, ids[0] ?? "")).rejects.toMatchObject({ code: "RECEIPT_NOT_FOUND" });
    await expect(receipts.find(tenantId, "x")).rejects.toMatchObject({ code: "RECEIPT_NOT_FOUND" });
  });

  it("cannot be changed or deleted by the application, only have its disclosures erased", async () => {
    const tenantId = newId();
    const receipts = open();
    const [added] = await commit(receipts, { tenantId, type: "run.started", disclose: { who: "Ada" } });
    const id = added?.receiptId ?? "";
    const change = sql`update receipt set jws = 'x' where tenant_id = ${tenantId} and id = ${id}`;
    const remove = sql`delete from receipt where tenant_id = ${tenantId} and id = ${id}`;
    for (const statement of [change, remove])
      await expect(db().tx(tenantId, (tx) => tx.query(statement))).rejects.toMatchObject({ code: "42501" });
    const erase = sql`update receipt set disclosures = null where tenant_id = ${tenantId} and id = ${id}`;
    await db().tx(tenantId, (tx) => tx.query(erase));
    expect(await receipts.disclosed(tenantId, id)).toEqual({});
    expect(
      (await receipts.verify(tenantId, await receipts.sdJwt(tenantId, id, { disclose: true }))).verdict,
    ).toBe("verified");
  });

  it("shows public keys and never a private one", async () => {
    const tenantId = newId();
    const receipts = open();
    await commit(receipts, { tenantId, type: "run.started" });
    const { items, tenantId: shown } = await receipts.trust(tenantId);
    expect(shown).toBe(formatId("tenant", tenantId));
    expect(items.map(({ use, status }) => [use, status])).toEqual(
      expect.arrayContaining([
        ["receipt", "active"],
        ["log", "active"],
      ]),
    );
    expect(items.find(({ use }) => use === "log")?.vkey).toMatch(
      /^oars\.example\/log\/ten_[0-9a-z]+\+[0-9a-f]{8}\+/,
    );
    for (const { jwk, publicKeyPem } of items) {
      expect(Object.keys(jwk)).not.toContain("d");
      expect(publicKeyPem).toContain("BEGIN PUBLIC KEY");
    }
    expect((await receipts.jwks(tenantId)).keys.map(({ kid }) => kid)).toEqual(
      items.filter(({ use }) => use === "receipt").map(({ keyId }) => keyId),
    );
    const signers = createSigners({ db: db(), vault: createVault({ db: db(), kek }), origin: "x" });
    expect((await signers.get(tenantId)).receipt.kid).toBe(items.find(({ use }) => use === "receipt")?.keyId);
  });
});

/** Enough ids for the longest destructuring above. */
type Ids = [string, string, string, string, string, string, string];
