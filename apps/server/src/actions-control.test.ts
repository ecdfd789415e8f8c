/** What people do to actions over the API: call them off, judge what is quarantined, read what happened. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { formatId, parseId } from "#platform/kernel";
import { type Deeds, openDeeds, type Person } from "./testing/deeds.ts";
import { brokenInvariants } from "./testing/invariants.ts";
import { createGate } from "./testing/receiver.ts";
import { jitter, until } from "./testing/until.ts";

describe("an action", () => {
  let deeds: Deeds;
  let mia: Person;
  let ana: Person;
  let olga: Person;
  beforeAll(async () => {
    deeds = await openDeeds("postgres");
    mia = await deeds.person("mia", "member");
    ana = await deeds.person("ana", "approver");
    olga = await deeds.person("olga", "operator");
  });
  afterAll(async () => {
    const { app, opened } = deeds.api;
    await until("an empty outbox", async () => (await app.outbox.pending()) === 0);
    const left = await brokenInvariants(opened.database);
    await deeds.close();
    expect(left).toEqual({});
  });

  const command = (
    name: string,
    id: string,
    { key = mia.key, headers = {}, body = { reason: "no longer wanted" } as object } = {},
  ) => deeds.api.ask("POST", `/v1/actions/:id/${name}`, body, { id, key }, headers);
  const cancel = (id: string, how: Parameters<typeof command>[2] = {}) => command("cancel", id, how);
  const receiptsOf = async (actionId: string) => {
    const { items } = await deeds.api.app.receipts.list(
      deeds.api.app.admin.tenantId,
      { actionId: parseId("action", actionId) ?? "" },
      { limit: 50, order: "oldest" },
    );
    return items.map((one) => JSON.parse(Buffer.from(one.jws.split(".")[1] ?? "", "base64url").toString()));
  };

  describe("is called off", () => {
    it("by who asked for it while it is held, with a receipt, and its approval with it", async () => {
      const held = (await deeds.propose({ hold: true }, { key: mia.key })).json;
      expect(await cancel(held.id, { key: ana.key })).toMatchObject({ status: 403 });
      const done = await cancel(held.id);
      expect(done).toMatchObject({
        status: 200,
        json: { state: "cancelled", error: { code: "ACTION_CANCELLED" } },
      });
      expect(await deeds.vote(held.approvalId, "approve", ana.key)).toMatchObject({
        status: 409,
        json: { code: "APPROVAL_CLOSED" },
      });
      const receipt = (await receiptsOf(held.id)).find((one) => one.typ === "execution.finished");
      expect(receipt).toMatchObject({
        outcome: { status: "cancelled", code: "ACTION_CANCELLED" },
        operation: { command: "action.cancel", from: "pending_approval", to: "cancelled" },
        principal: { user: formatId("principal", mia.id) },
      });
      expect(done.json.receiptId).toBe(receipt.rid);
    });

    it("by an operator too, and not when it was read as something else", async () => {
      const held = (await deeds.propose({ hold: true }, { key: mia.key })).json;
      const late = await cancel(held.id, { headers: { "if-match": '"completed-1"' } });
      expect(late).toMatchObject({
        status: 412,
        json: { current: { state: "pending_approval", etag: held.etag } },
      });
      const headers = { "if-match": `"${held.etag}"` };
      expect(await cancel(held.id, { key: olga.key, headers })).toMatchObject({
        json: { state: "cancelled" },
      });
      expect(await cancel(held.id, { headers })).toMatchObject({ status: 412 });
    });

    it("[X7] not once it is being sent: 409 with how it stands", async () => {
      const gate = createGate();
      deeds.receiver.answer(async () => {
        await gate.opened;
        return { status: 201, body: {} };
      });
      const sent = (await deeds.propose({ n: 1 }, { key: mia.key, prefer: "respond-async" })).json;
      expect(await cancel(sent.id)).toMatchObject({
        status: 409,
        json: { code: "ACTION_STATE", current: { state: "executing" } },
      });
      gate.open();
      await deeds.reach(sent.id, "completed");
      deeds.receiver.answer(() => ({ status: 201, body: {} }));
      expect(await cancel(sent.id)).toMatchObject({ status: 409, json: { current: { state: "completed" } } });
    });

    it("[X7] or approved: of both at once, one holds and is the only one", async () => {
      const rounds = 25;
      const before = deeds.receiver.received.length;
      let sent = 0;
      for (let round = 0; round < rounds; round++) {
        const held = (await deeds.propose({ hold: true, round }, { key: mia.key })).json;
        const [vote, off] = await Promise.all([
          jitter(3).then(() => deeds.vote(held.approvalId, "approve", ana.key)),
          jitter(3).then(() => cancel(held.id)),
        ]);
        const end = off.status === 200 ? "cancelled" : "completed";
        if (end === "completed") sent += 1;
        await deeds.reach(held.id, end);
        expect([vote.status, off.status], `round ${round}`).toEqual(
          end === "completed" ? [200, 409] : [expect.any(Number), 200],
        );
        const ends = (await receiptsOf(held.id)).filter((one) => one.typ === "execution.finished");
        expect(ends).toHaveLength(1);
      }
      expect(deeds.receiver.received.length - before).toBe(sent);
    });

    it("nowhere where it does not exist", async () => {
      expect(await cancel("act_01j9zr3c4kf8w9m2x5q7t0v1ab")).toMatchObject({
        status: 404,
        json: { code: "ACTION_NOT_FOUND" },
      });
    });
  });

  describe("[X8] that is quarantined", () => {
    it("is sent once an operator releases it whose action it is not", async () => {
      const before = deeds.receiver.received.length;
      const odd = (await deeds.propose({ odd: true }, { key: mia.key })).json;
      expect(odd).toMatchObject({ state: "quarantined", decision: { reasons: ["odd"] } });
      const olgas = (await deeds.propose({ odd: true }, { key: olga.key })).json;
      expect(await command("release", odd.id)).toMatchObject({
        status: 403,
        json: { code: "AUTH_FORBIDDEN" },
      });
      expect(await command("release", olgas.id, { key: olga.key })).toMatchObject({
        status: 403,
        json: { code: "ACTION_REQUESTER" },
      });
      expect(await command("release", odd.id, { key: olga.key, body: {} })).toMatchObject({ status: 400 });
      expect(deeds.receiver.received.length).toBe(before);
      expect((await command("release", odd.id, { key: olga.key })).status).toBe(200);
      const done = await deeds.reach(odd.id, "completed");
      expect(deeds.receiver.received.length).toBe(before + 1);
      expect(done.timeline.map((one: { event: string }) => one.event)).toEqual([
        "proposed",
        "decided",
        "released",
        "started",
        "ended",
      ]);
      const released = done.timeline.find((one: { event: string }) => one.event === "released");
      expect(released).toMatchObject({ by: formatId("principal", olga.id), effect: "allow" });
      expect(await command("release", odd.id, { key: olga.key })).toMatchObject({ status: 409 });
    });

    it("and denied or to be approved besides stays that, whoever releases it", async () => {
      const before = deeds.receiver.received.length;
      const both = (await deeds.propose({ odd: true, deny: true }, { key: mia.key })).json;
      expect(both.decision.reasons).toEqual(["denied", "odd"]);
      expect(await command("release", both.id, { key: olga.key })).toMatchObject({
        json: { state: "denied" },
      });
      const held = (await deeds.propose({ odd: true, hold: true }, { key: mia.key })).json;
      const released = (await command("release", held.id, { key: olga.key })).json;
      expect(released).toMatchObject({ state: "pending_approval", approvalId: expect.any(String) });
      expect(deeds.receiver.received.length).toBe(before);
      await deeds.vote(released.approvalId, "approve", ana.key);
      await deeds.reach(held.id, "completed");
      expect(deeds.receiver.received.length).toBe(before + 1);
    });

    it("is rejected for good", async () => {
      const odd = (await deeds.propose({ odd: true }, { key: mia.key })).json;
      const both = await Promise.all([
        command("reject", odd.id, { key: olga.key }),
        command("reject", odd.id, { key: olga.key }),
      ]);
      expect(both.map((one) => one.status).sort()).toEqual([200, 409]);
      expect((await deeds.show(odd.id)).json).toMatchObject({
        state: "rejected",
        error: { code: "ACTION_REJECTED" },
      });
      expect(await command("release", odd.id, { key: olga.key })).toMatchObject({ status: 409 });
    });

    it("for a tool that changed waits for the review, and is what policy makes of it then", async () => {
      const put = (path: string, key?: string) =>
        deeds.api.ask(
          "PUT",
          "/v1/connections/:name",
          {
            connector: "http",
            config: { baseUrl: `${deeds.receiver.url}${path}` },
            environment: "test",
            risk: 10,
          },
          { name: "moved", ...(key === undefined ? {} : { key }) },
        );
      const connie = await deeds.person("connie", "consultant");
      await put("");
      await put("/elsewhere", connie.key);
      const held = (await deeds.propose({ n: 1 }, { key: mia.key, more: { connection: "moved" } })).json;
      expect(held).toMatchObject({ state: "quarantined", decision: { reasons: ["guard-tool-changed"] } });
      expect(await command("release", held.id, { key: olga.key })).toMatchObject({
        status: 409,
        json: { code: "TOOL_UNREVIEWED" },
      });
      const name = "moved/http.request";
      const { digest } = (await deeds.api.ask("GET", "/v1/tools/:name", undefined, { name })).json;
      await deeds.api.ask("POST", "/v1/tools/:name/review", { digest }, { name });
      expect((await command("release", held.id, { key: olga.key })).status).toBe(200);
      await deeds.reach(held.id, "completed");
      await put("/third", connie.key);
      const other = (await deeds.propose({ n: 1 }, { key: mia.key, more: { connection: "moved" } })).json;
      await put("/fourth");
      expect(await command("release", other.id, { key: olga.key })).toMatchObject({
        json: { state: "cancelled", error: { code: "ACTION_CHANGED" } },
      });
    });
  });

  it("tells everything that happened to it, in order, with receipts", async () => {
    const held = (await deeds.propose({ hold: true }, { key: mia.key })).json;
    await deeds.vote(held.approvalId, "approve", ana.key);
    const { timeline } = await deeds.reach(held.id, "completed");
    expect(timeline.map((one: { event: string }) => one.event)).toEqual([
      "proposed",
      "decided",
      "held",
      "voted",
      "approval_ended",
      "decided",
      "approval_ended",
      "started",
      "ended",
    ]);
    expect(timeline[3]).toMatchObject({ by: formatId("principal", ana.id), outcome: "approve" });
    expect(timeline[1]).toMatchObject({ effect: "require_approval", reasons: ["held"], policyVersion: "1" });
    expect(timeline.at(-1)).toMatchObject({ outcome: "completed", httpStatus: 201, attempt: 1 });
    const ids = (await receiptsOf(held.id)).map((one) => one.rid);
    const named = timeline.flatMap((one: { receiptId: string | null }) => one.receiptId ?? []);
    expect(new Set(named)).toEqual(new Set(ids));
    const times = timeline.map((one: { at: string }) => one.at);
    expect(times).toEqual([...times].sort());
  });
});
