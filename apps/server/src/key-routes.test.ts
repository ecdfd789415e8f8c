/** Signing keys over HTTP. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { WriteSet } from "#platform/db";
import { formatId } from "#platform/kernel";
import { startTestApi, type TestApi } from "./testing/api.ts";

describe("signing keys over HTTP", () => {
  let api: TestApi;
  beforeAll(async () => {
    api = await startTestApi("pglite");
    const set = new WriteSet();
    await api.app.receipts.add(set, { tenantId: api.app.admin.tenantId, type: "run.started" });
    await api.app.db.committer.commit(set);
  });
  afterAll(() => api?.close());

  const keys = async () => (await api.ask("GET", "/v1/keys")).json.items as { keyId: string; use: string }[];

  it("rotates once under one Idempotency-Key, and says who did it in a receipt", async () => {
    const rotate = () =>
      api.ask("POST", "/v1/keys/rotate", { use: "receipt" }, {}, { "idempotency-key": "rotate-1" });
    const [first, again] = [await rotate(), await rotate()];
    expect([first.status, again.json]).toEqual([200, first.json]);
    expect((await keys()).filter(({ use }) => use === "receipt")).toHaveLength(2);
    const told = await api.ask("GET", "/v1/receipts?type=key.rotated");
    const [receipt] = told.json.items;
    expect(receipt.body.key).toMatchObject({ current: first.json.current, previous: first.json.previous });
    const events = await api.ask("GET", "/v1/security-events?type=key.rotated");
    expect(events.json.items[0]).toMatchObject({ target: { id: first.json.current }, outcome: "success" });
    expect(receipt.body.principal.user).toBe(formatId("principal", api.app.admin.principalId));
  });

  it("revokes with a reason that anybody can read", async () => {
    const [key] = await keys();
    const path = "/v1/keys/:kid/revoke";
    const kid = key?.keyId ?? "";
    expect((await api.ask("POST", path, { reason: "no" }, { kid })).json.errors[0].path).toBe("reason");
    const revoked = await api.ask("POST", path, { reason: "a copy was found" }, { kid });
    expect(revoked.json).toMatchObject({ keyId: kid, status: "revoked", reason: "a copy was found" });
    const twice = await api.ask("POST", path, { reason: "once more" }, { kid });
    expect([twice.status, twice.json.code]).toEqual([409, "SIGNING_KEY_REVOKED"]);
    const unknown = await api.ask("POST", path, { reason: "of nobody" }, { kid: "A".repeat(43) });
    const odd = await api.ask("POST", path, { reason: "of nobody" }, { kid: "nonsense" });
    expect([unknown.json.code, odd.json.code]).toEqual(["SIGNING_KEY_NOT_FOUND", "SIGNING_KEY_NOT_FOUND"]);
  });

  it("lets only administrators change keys, and only those of their tenant", async () => {
    const [key] = await keys();
    const stranger = (await api.app.access.createTenant(api.app.admin, "Other")).apiKey;
    const foreign = { kid: key?.keyId ?? "", key: stranger };
    const revoked = await api.ask("POST", "/v1/keys/:kid/revoke", { reason: "not mine" }, foreign);
    expect([revoked.status, revoked.json.code]).toEqual([404, "SIGNING_KEY_NOT_FOUND"]);
    const made = await api.ask("POST", "/v1/principals", { name: "op", kind: "user", roles: ["operator"] });
    const issued = await api.ask("POST", "/v1/principals/:id/keys", {}, { id: made.json.id });
    const refused = await api.ask("POST", "/v1/keys/rotate", { use: "log" }, { key: issued.json.key });
    expect([refused.status, refused.json.code]).toEqual([403, "AUTH_FORBIDDEN"]);
  });
});
