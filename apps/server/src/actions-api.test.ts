/** Proposals over the API: in whose name, with what said of them, how long they wait, and what they give back. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { formatId, newId } from "#platform/kernel";
import { type Deeds, openDeeds, type Person } from "./testing/deeds.ts";
import { createGate } from "./testing/receiver.ts";
import { until } from "./testing/until.ts";

describe("an action over the API", () => {
  let deeds: Deeds;
  let mia: Person;
  let ana: Person;
  let robot: Person;
  beforeAll(async () => {
    deeds = await openDeeds("postgres", { env: { OARS_MAX_ACTION_OUTPUT: "2048" } });
    mia = await deeds.person("mia", "member");
    ana = await deeds.person("ana", "approver");
    robot = await deeds.person("robot", "agent", { kind: "agent", ownerId: mia.id });
    await deeds.person("strong", "operator", { kind: "agent", ownerId: mia.id });
  });
  afterAll(() => deeds.close());

  describe("answers", () => {
    it("200 when it has ended, whatever was decided", async () => {
      const done = await deeds.propose({ n: 1 });
      expect(done).toMatchObject({
        status: 200,
        json: {
          actionId: expect.stringMatching(/^act_/),
          state: "completed",
          receiptId: expect.stringMatching(/^rct_/),
          output: { status: 201, body: { id: "S-1" } },
          stepUpRequired: false,
          approvalProgress: null,
        },
      });
      const denied = await deeds.propose({ deny: true });
      expect(denied).toMatchObject({
        status: 200,
        json: {
          state: "denied",
          output: null,
          error: { code: "ACTION_DENIED" },
          receiptId: expect.any(String),
        },
      });
    });

    it("202 with its place while it is held, quarantined or runs, and says how far it has come", async () => {
      const held = await deeds.propose({ hold: true });
      expect(held.status).toBe(202);
      expect(held.headers.get("location")).toBe(`/v1/actions/${held.json.id}`);
      expect(held.json).toMatchObject({
        state: "pending_approval",
        approvalId: expect.stringMatching(/^apr_/),
        approvalProgress: { currentStageIndex: 0, granted: 0, needed: 1 },
      });
      const odd = await deeds.propose({ odd: true });
      expect(odd).toMatchObject({ status: 202, json: { state: "quarantined" } });
      const gate = createGate();
      deeds.receiver.answer(async () => {
        await gate.opened;
        return { status: 201, body: {} };
      });
      const async = await deeds.propose({ n: 1 }, { prefer: "respond-async" });
      expect(async).toMatchObject({ status: 202, json: { state: "executing", output: null } });
      expect(async.headers.get("preference-applied")).toBe("respond-async");
      expect(async.headers.get("location")).toBe(`/v1/actions/${async.json.id}`);
      gate.open();
      await deeds.reach(async.json.id, "completed");
      deeds.receiver.answer(() => ({ status: 201, body: { id: "S-1" } }));
    });

    it("what becomes of it within the time that the caller would wait, and no longer", async () => {
      const done = await deeds.propose({ n: 1 }, { prefer: "wait=600" });
      expect(done).toMatchObject({ status: 200, json: { state: "completed", output: { status: 201 } } });
      expect(done.headers.get("preference-applied")).toBe("wait=60");
      const late = await deeds.propose({ hold: true }, { prefer: "wait=0" });
      expect(late).toMatchObject({ status: 202, json: { state: "pending_approval" } });
      const waiting = deeds.propose({ hold: true, mark: newId() }, { prefer: "wait=60" });
      const approval = await until("the approval", async () => {
        const { json } = await deeds.api.ask("GET", "/v1/approvals?state=pending&limit=1");
        return json.items[0]?.actionId !== late.json.id && json.items[0];
      });
      await deeds.vote(approval.id, "approve", ana.key);
      expect(await waiting).toMatchObject({
        status: 200,
        json: { state: "completed", output: { status: 201 }, approvalId: approval.id },
      });
    });
  });

  describe("[X9] in the name of another", () => {
    const names = (agentId?: string, userId?: string) => ({
      more: { ...(agentId ? { agentId } : {}), ...(userId ? { user_context: { user_id: userId } } : {}) },
    });
    const shown = (who: Person): string => formatId("principal", who.id);
    const chainOf = async (actionId: string): Promise<readonly string[]> => {
      const { json } = await deeds.api.ask("GET", `/v1/receipts?action=${actionId}&type=action.decision`);
      const receipt = await deeds.api.ask("GET", "/v1/receipts/:id", undefined, { id: json.items.at(-1).id });
      return receipt.json.body.principal.chain;
    };

    it("is refused where nobody gave the right to it, for names that exist and for others alike", async () => {
      const refused = { status: 403, json: { code: "AUTH_FORBIDDEN" } };
      const before = deeds.receiver.received.length;
      for (const [agentId, userId] of [
        ["ana"],
        [shown(ana)],
        ["nobody-at-all"],
        [undefined, "ana"],
        [undefined, "nobody-at-all"],
      ]) {
        expect(await deeds.propose({ n: 1 }, { key: robot.key, ...names(agentId, userId) })).toMatchObject(
          refused,
        );
        expect(await deeds.propose({ n: 1 }, { key: mia.key, ...names(agentId, userId) })).toMatchObject(
          refused,
        );
      }
      expect(await deeds.propose({ n: 1 }, { key: robot.key, ...names("strong") })).toMatchObject(refused);
      expect(await deeds.propose({ n: 1 }, { key: robot.key, ...names("mia") })).toMatchObject(refused);
      expect(deeds.receiver.received.length).toBe(before);
    });

    it("is what it is for the caller itself and for who owns it", async () => {
      const own = await deeds.propose({ n: 1 }, { key: robot.key, ...names("robot", "mia") });
      expect(own.json).toMatchObject({
        state: "completed",
        requestedBy: shown(robot),
        requestedFor: null,
        submittedBy: null,
      });
      expect(await chainOf(own.json.id)).toEqual([shown(mia), shown(robot)]);
      const direct = await deeds.propose({ n: 1 }, { key: mia.key, ...names(shown(mia), "mia") });
      expect(direct.json).toMatchObject({ requestedBy: shown(mia), requestedFor: null });
    });

    it("of an agent is for its owner, who then cannot approve it, and never for more than the owner may", async () => {
      const sent = await deeds.propose({ hold: true }, { key: mia.key, ...names("robot") });
      expect(sent.json).toMatchObject({
        state: "pending_approval",
        requestedBy: shown(robot),
        submittedBy: shown(mia),
      });
      expect(await chainOf(sent.json.id)).toEqual([shown(mia), shown(robot)]);
      expect(await deeds.vote(sent.json.approvalId, "approve", mia.key)).toMatchObject({
        status: 403,
        json: { code: "APPROVAL_REQUESTER" },
      });
      await deeds.vote(sent.json.approvalId, "approve", ana.key);
      await deeds.reach(sent.json.id, "completed");
      expect(await deeds.propose({ n: 1 }, { key: mia.key, ...names("strong") })).toMatchObject({
        status: 403,
      });
    });

    it("is possible with the permission for it, and says who sent it and for whom", async () => {
      const sent = await deeds.propose({ hold: true }, names("robot", "ana"));
      expect(sent.json).toMatchObject({
        requestedBy: shown(robot),
        requestedFor: shown(ana),
        submittedBy: formatId("principal", deeds.api.app.admin.principalId),
      });
      expect(await chainOf(sent.json.id)).toEqual([
        shown(ana),
        shown(robot),
        formatId("principal", deeds.api.app.admin.principalId),
      ]);
      expect(await deeds.vote(sent.json.approvalId, "approve", ana.key)).toMatchObject({
        status: 403,
        json: { code: "APPROVAL_REQUESTER" },
      });
      const unknown = await deeds.propose({ n: 1 }, names("nobody-at-all"));
      expect(unknown).toMatchObject({
        status: 422,
        json: { errors: [{ path: "agentId", code: "PRINCIPAL_UNKNOWN" }] },
      });
    });
  });

  describe("[X9] with what is said of it", () => {
    it("is held against the catalogue: what contradicts it is refused, all at once", async () => {
      const before = deeds.receiver.received.length;
      const refused = await deeds.api.ask("POST", "/v1/actions", {
        resource: { tool_id: "wms/http.request", operation: "http.request", target: "somewhere/else" },
        context: { env: "production", requested_at: "1999-01-01T00:00:00Z" },
        input: { method: "POST", path: "/orders", body: {} },
      });
      expect(refused).toMatchObject({ status: 422, json: { code: "ACTION_INVALID" } });
      expect(refused.json.errors.map((e: { path: string }) => e.path)).toEqual([
        "context.environment",
        "resource.target",
      ]);
      expect(deeds.receiver.received.length).toBe(before);
    });

    it("adds data types and takes none away, and the server's time counts", async () => {
      const started = Date.now();
      const said = (dataTypes: string[]) => ({
        more: { context: { environment: " TEST ", dataTypes, requestedAt: "1999-01-01T00:00:00Z" } },
      });
      const harmless = await deeds.propose({ n: 1 }, said(["public"]));
      expect(harmless.json).toMatchObject({ state: "completed", dataTypes: ["public"], environment: "test" });
      expect(Date.parse(harmless.json.createdAt)).toBeGreaterThan(started - 60_000);
      expect(await deeds.propose({ n: 1 }, said(["pii"]))).toMatchObject({
        json: { state: "denied", decision: { reasons: ["pii"] } },
      });
    });

    it("names a target that is the action's own, a part of it, or the connection", async () => {
      const host = new URL(deeds.receiver.url).host;
      for (const target of ["wms", "/orders", `${host}/orders`, `http://${host}/orders/`]) {
        const answer = await deeds.api.ask("POST", "/v1/actions", {
          resource: { toolId: "wms/http.request", operation: "http.request", target },
          input: { method: "POST", path: "/orders", body: { n: 1 } },
        });
        expect(answer.json, target).toMatchObject({ state: "completed" });
      }
    });
  });

  describe("gives its output", () => {
    const output = { id: 1, iban: "DE00", lines: [{ Iban: "DE01", n: 2, inner: { IBAN: { deep: 1 } } }] };

    it("to who asked for it, also after a hold, and to an approver only where the tool says so", async () => {
      deeds.receiver.answer(() => ({ status: 201, body: { id: "S-7" } }));
      const held = await deeds.propose({ hold: true }, { key: mia.key });
      await deeds.vote(held.json.approvalId, "approve", ana.key);
      await deeds.reach(held.json.id, "completed");
      const seen = { output: { body: { id: "S-7" } }, outputWithheld: false };
      expect((await deeds.show(held.json.id, mia.key)).json).toMatchObject(seen);
      const withheld = (await deeds.show(held.json.id, ana.key)).json;
      expect(withheld).toMatchObject({ output: null, outputWithheld: true, input: { body: { hold: true } } });
      expect(JSON.stringify(withheld)).not.toContain("S-7");
      const own = await deeds.propose({ n: 1 }, { key: robot.key });
      expect((await deeds.show(own.json.id, mia.key)).json, "its owner").toMatchObject(seen);
      const open = (outputs: string) =>
        deeds.api.ask(
          "PATCH",
          "/v1/tools/:name",
          { outputs, reason: "nothing in it" },
          { name: "wms/http.request" },
        );
      await open("readers");
      expect((await deeds.show(held.json.id, ana.key)).json).toMatchObject(seen);
      await open("requester");
    });

    it("without the fields that the tool's settings name, at any depth, to everybody and forever", async () => {
      const name = "wms/http.request";
      await deeds.api.ask("PATCH", "/v1/tools/:name", { redact: ["iban"] }, { name });
      deeds.receiver.answer(() => ({ status: 201, body: output }));
      const done = await deeds.propose({ n: 1 });
      expect(done.json.output.body).toEqual({
        id: 1,
        iban: "[removed]",
        lines: [{ Iban: "[removed]", n: 2, inner: { IBAN: "[removed]" } }],
      });
      await deeds.api.ask(
        "PATCH",
        "/v1/tools/:name",
        { redact: [], reason: "a test of what was kept" },
        { name },
      );
      expect((await deeds.show(done.json.id)).json.output).toEqual(done.json.output);
      const { receiptId } = done.json;
      const receipt = await deeds.api.ask("GET", "/v1/receipts/:id", undefined, { id: receiptId });
      expect(receipt.text).not.toContain("DE0");
    });

    it("up to a size: of a larger one its size and its beginning", async () => {
      deeds.receiver.answer(() => ({ status: 201, body: { text: "x".repeat(5_000) } }));
      const done = await deeds.propose({ n: 1 });
      expect(done.json.output).toMatchObject({ truncated: true, limit: 2_048, head: expect.any(String) });
      expect(done.json.output.bytes).toBeGreaterThan(5_000);
      expect((await deeds.show(done.json.id)).json.output).toEqual(done.json.output);
    });
  });
});
