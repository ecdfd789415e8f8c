/** Alerts over HTTP, from an event to a person and back. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { Database } from "#platform/db";
import { sql } from "#platform/db";
import { type Answered, startTestApi, type TestApi } from "./testing/api.ts";
import { createGate, type Received, type Receiver, startReceiver } from "./testing/receiver.ts";
import { until } from "./testing/until.ts";

interface Notice {
  readonly notice: string;
  readonly code: string;
  readonly id: string;
  readonly count: number;
  readonly link: string;
}

describe("alerts over HTTP", () => {
  let api: TestApi;
  let ask: TestApi["ask"];
  let outside: Receiver;
  let pager: Receiver;
  let chat: Receiver;
  let strangerKey: string;
  /** Kinds of rows that write sets held. */
  const written: string[][] = [];
  const counted = (db: Database): Database => ({
    ...db,
    committer: {
      commit: (set) => {
        written.push([...set.rows.keys()].map((write) => write.name).sort());
        return db.committer.commit(set);
      },
    },
  });
  beforeAll(async () => {
    [outside, pager, chat] = [await startReceiver(), await startReceiver(), await startReceiver()];
    api = await startTestApi("pglite", {
      wrap: counted,
      env: { OARS_SIEM_RETRY_INTERVAL_SECONDS: "1", OARS_SIEM_RETRY_MAX_ATTEMPTS: "2" },
    });
    ({ ask } = api);
    strangerKey = (await api.app.access.createTenant(api.app.admin, "Other")).apiKey;
    await connection(10);
    await policy('permit (principal, action == Oars::Action::"write", resource);');
    for (const [name, at] of [
      ["a-pager", pager],
      ["b-chat", chat],
    ] as const) {
      const config = { kind: "generic_webhook", url: at.url };
      const put = await ask("PUT", "/v1/delivery-targets/:name", { purpose: "alerts", config }, { name });
      expect(put.status, put.text).toBe(200);
    }
  });
  afterEach(async () => {
    outside.answer(() => ({ status: 200 }));
    pager.answer(() => ({ status: 200 }));
    chat.answer(() => ({ status: 200 }));
    const open = await ask("GET", "/v1/alerts?limit=200");
    for (const alert of open.json.items.filter((a: { state: string }) => a.state !== "resolved"))
      await ask("POST", "/v1/alerts/:id/resolve", {}, { id: alert.id });
    await ask("POST", "/v1/admin/siem/flush");
    await until("the queue to empty", async () => (await api.app.delivery.figures()).queued === 0);
    for (const at of [pager, chat]) at.received.length = 0;
  });
  afterAll(async () => {
    await api?.close();
    for (const at of [outside, pager, chat]) await at?.close();
  });

  const connection = (risk: number) =>
    ask(
      "PUT",
      "/v1/connections/:name",
      { connector: "http", config: { baseUrl: outside.url }, risk },
      { name: "wms" },
    );
  const policy = async (cedar: string): Promise<void> => {
    const draft = await ask("POST", "/v1/policies", { cedar: `@id("rule") ${cedar}` });
    expect((await ask("POST", "/v1/policies/:id/publish", {}, { id: draft.json.id })).status).toBe(200);
  };
  const act = (method: string): Promise<Answered> =>
    ask("POST", "/v1/actions", {
      connection: "wms",
      operation: "http.request",
      input: { method, path: "/x" },
    });
  const alerts = async (query: string, key?: string) =>
    (await ask("GET", `/v1/alerts?${query}`, undefined, key === undefined ? {} : { key })).json.items;
  const one = (code: string, state = "open") =>
    until(`an alert ${code}`, async () => (await alerts(`code=${code}&state=${state}`))[0]);
  const show = async (id: string) => (await ask("GET", "/v1/alerts/:id", undefined, { id })).json;
  const notices = (at: Receiver, code: string): Notice[] =>
    at.received.map((got: Received) => got.body as Notice).filter((n) => n.code === code);
  const overdue = (id: string): Promise<unknown> =>
    api.app.db.system.query(
      sql`update alert set escalate_at = now() - interval '1 second' where key like ${`${id}%`} and escalate_at is not null`,
    );

  it("[C32][C61] a denial is an alert at the first channel, and more of the same are counted and tell nobody", async () => {
    expect((await act("DELETE")).json.state).toBe("denied");
    const alert = await one("POLICY_DENIED");
    expect(alert).toMatchObject({ severity: "medium", details: { tool: "wms/http.request" } });
    await until("the notice", () => notices(pager, "POLICY_DENIED").length === 1);
    for (let i = 0; i < 4; i++) await act("DELETE");
    await until("all to be counted", async () => (await show(alert.id)).count === 5);
    expect(notices(pager, "POLICY_DENIED")).toHaveLength(1);
    expect(notices(chat, "POLICY_DENIED")).toHaveLength(0);
    await until("its delivery to be written", async () =>
      (await show(alert.id)).history.some((e: { kind: string }) => e.kind === "delivered"),
    );
    const { history } = await show(alert.id);
    expect(
      history.map((e: { kind: string; channel: string }) => `${e.kind} ${e.channel ?? ""}`.trim()),
    ).toEqual(["opened", "notified a-pager", "delivered a-pager"]);
    expect(notices(pager, "POLICY_DENIED")[0]).toMatchObject({ notice: "opened", id: alert.id });
    const told = (await ask("GET", "/v1/security-events?type=alert.delivered")).json.items;
    expect(told[0]).toMatchObject({ target: { id: alert.id }, details: { channel: "a-pager" } });
  });

  it("[C62][C36][L3] an unanswered alert goes to the next channel once, though five processes look, and an answer ends that", async () => {
    await act("DELETE");
    const alert = await one("POLICY_DENIED");
    expect(Date.parse(alert.escalateAt) - Date.parse(alert.openedAt)).toBe(3_600_000);
    await overdue("POLICY_DENIED");
    await Promise.all(Array.from({ length: 5 }, () => api.app.alerts.escalateDue(100)));
    await until("the next channel", () => notices(chat, "POLICY_DENIED").length >= 1);
    expect(notices(chat, "POLICY_DENIED")).toHaveLength(1);
    expect(notices(chat, "POLICY_DENIED")[0]).toMatchObject({ notice: "escalated" });
    expect(await show(alert.id)).toMatchObject({ level: 1, notified: ["a-pager", "b-chat"], state: "open" });
    const taken = await ask("POST", "/v1/alerts/:id/acknowledge", { note: "on it" }, { id: alert.id });
    expect(taken.json).toMatchObject({ state: "acknowledged", escalateAt: null });
    const again = await ask("POST", "/v1/alerts/:id/acknowledge", {}, { id: alert.id });
    expect([again.status, again.json.code]).toEqual([409, "ALERT_STATE"]);
    await overdue("POLICY_DENIED");
    expect(await api.app.alerts.escalateDue(100)).toBe(0);
    await ask("POST", "/v1/alerts/:id/resolve", { note: "rule was meant" }, { id: alert.id });
    await until("both to hear of its end", () =>
      [pager, chat].every((at) => notices(at, "POLICY_DENIED").some((n) => n.notice === "resolved")),
    );
    await act("DELETE");
    const next = await one("POLICY_DENIED");
    expect(next.id).not.toBe(alert.id);
    expect((await ask("GET", "/v1/security-events?type=alert.escalated")).json.items).toHaveLength(1);
  });

  it("[C61][W54] a channel that fails is tried again, given up as a dead letter, and that is an alert at the channel that works", async () => {
    pager.answer(() => ({ status: 503 }));
    await ask("POST", "/v1/admin/ops/alert-routing", {
      severity: "medium",
      channels: ["b-chat", "a-pager"],
      atOnce: 2,
      escalationMinutes: 7,
    });
    await act("DELETE");
    const alert = await one("POLICY_DENIED");
    const failed = await one("DELIVERY_FAILED");
    expect(failed).toMatchObject({ target: { kind: "target", id: "a-pager" } });
    await until("the news of it", () => notices(chat, "DELIVERY_FAILED").length === 1);
    const kinds = (await show(alert.id)).history.map(
      (e: { kind: string; channel: string }) => `${e.kind} ${e.channel}`,
    );
    expect(kinds).toEqual(
      expect.arrayContaining(["delivered b-chat", "delivery_failed a-pager", "given_up a-pager"]),
    );
    const letters = await ask("GET", "/v1/admin/siem/dead-letters?state=open");
    const letter = letters.json.items.find((l: { payload: Notice }) => l.payload.code === "POLICY_DENIED");
    expect(letter).toMatchObject({ target: "a-pager", attempts: 2, lastError: "answered 503: {}" });
    pager.answer(() => ({ status: 200 }));
    pager.received.length = 0;
    const replayed = await ask("POST", "/v1/admin/siem/dead-letters/replay", { deadLetterId: letter.id });
    expect(replayed).toMatchObject({ status: 202, json: { state: "replayed", replayCount: 1 } });
    await until("it to arrive", () => notices(pager, "POLICY_DENIED").length === 1);
    const status = await ask("GET", "/v1/admin/siem/status");
    expect(status.json.targets.find((t: { name: string }) => t.name === "a-pager")).toMatchObject({
      givenUp: 1,
    });
    for (const { id } of letters.json.items.filter((l: { id: string }) => l.id !== letter.id))
      await ask("POST", "/v1/admin/siem/dead-letters/resolve", { deadLetterId: id, reason: "of a test" });
  });

  it("a held action asks for approval with a link, and the alert ends with the wait", async () => {
    await policy(`@require_approval("admin:1") forbid (principal, action, resource) unless { context.approvals.count >= 1 };
      @id("all") permit (principal, action, resource);`);
    const held = await act("POST");
    expect(held.json.state).toBe("pending_approval");
    const alert = await one("APPROVAL_NEEDED");
    expect(alert).toMatchObject({ severity: "low", target: { kind: "action", id: held.json.id } });
    await until("the notice", () => notices(pager, "APPROVAL_NEEDED").length === 1);
    const { link } = notices(pager, "APPROVAL_NEEDED")[0] as Notice; // it is there by now
    const opened = api.app.approvalLinks.open(link.split("/").at(-1) ?? "");
    expect(opened.tenantId).toBe(api.app.admin.tenantId);
    const ana = await ask("POST", "/v1/principals", { name: "ana", kind: "user", roles: ["admin"] });
    const { key } = (await ask("POST", "/v1/principals/:id/keys", {}, { id: ana.json.id })).json;
    const voted = await ask(
      "POST",
      "/v1/approvals/:id/decision",
      { decision: "reject", reason: "not today" },
      { id: alert.details.approval, key },
    );
    expect(voted.status, voted.text).toBe(200);
    await one("APPROVAL_NEEDED", "resolved");
    await until("its end to be told", () =>
      notices(pager, "APPROVAL_NEEDED").some((n) => n.notice === "resolved"),
    );
    await policy('permit (principal, action == Oars::Action::"write", resource);');
  });

  it("[W52] an action is answered while a channel and a SIEM hang, with no statement more than without them; high risk is told", async () => {
    const gate = createGate();
    for (const at of [pager, chat])
      at.answer(async () => {
        await gate.opened;
        return { status: 200 };
      });
    const before = await rowsOf(() => act("POST"));
    const config = { kind: "generic_webhook", url: chat.url };
    await ask("PUT", "/v1/delivery-targets/:name", { purpose: "siem", config }, { name: "siem" });
    const after = await rowsOf(() => act("POST"));
    expect(after).toEqual(before);
    expect(after.flat().some((name) => name.startsWith("events."))).toBe(false);
    expect((await act("DELETE")).json.state).toBe("denied"); // answered, and nobody has taken anything
    await connection(95);
    expect((await act("POST")).json.state).toBe("completed");
    await one("HIGH_RISK_EXECUTED");
    gate.open();
    await ask("DELETE", "/v1/delivery-targets/:name", undefined, { name: "siem" });
    await connection(10);
  });
  const rowsOf = async (work: () => Promise<Answered>): Promise<string[][]> => {
    await until("rest", async () => (await api.app.events.pending()) === 0);
    const from = written.length;
    expect((await work()).json.state).toBe("completed");
    return written.slice(from).filter((names) => names.some((name) => name.startsWith("actions.")));
  };

  it("rules of a tenant raise alerts of their own, and another tenant sees neither", async () => {
    const rule = { types: ["secret.*"], severity: "high" };
    const put = await ask("PUT", "/v1/alert-rules/:name", rule, { name: "secrets" });
    expect(put).toMatchObject({ status: 200, json: { name: "secrets", minCount: 1, enabled: true } });
    await ask("PUT", "/v1/secrets/:name", { value: "hush-hush" }, { name: "token" });
    const alert = await one("RULE_secrets");
    expect(alert).toMatchObject({ severity: "high", target: { kind: "secret", id: "token" } });
    const foreign = await ask("GET", "/v1/alerts/:id", undefined, { id: alert.id, key: strangerKey });
    expect([foreign.status, foreign.json.code]).toEqual([404, "ALERT_NOT_FOUND"]);
    expect(await alerts("limit=10", strangerKey)).toEqual([]);
    const rules = (await ask("GET", "/v1/alert-rules")).json;
    expect(rules.items).toHaveLength(1);
    expect(rules.builtIn.length).toBeGreaterThan(15);
    expect((await ask("DELETE", "/v1/alert-rules/:name", undefined, { name: "secrets" })).status).toBe(204);
    const gone = await ask("DELETE", "/v1/alert-rules/:name", undefined, { name: "secrets" });
    expect([gone.status, gone.json.code]).toEqual([404, "ALERT_RULE_NOT_FOUND"]);
  });

  it("routes have defaults, are refused with unknown channels, and belong to administrators", async () => {
    const { items } = (await ask("GET", "/v1/admin/ops/alert-routing", undefined, { key: strangerKey })).json;
    expect(items.map((r: { escalationMinutes: number }) => r.escalationMinutes)).toEqual([60, 60, 15, 5]);
    const route = { severity: "high", channels: ["nowhere"], escalationMinutes: 5 };
    const refused = await ask("POST", "/v1/admin/ops/alert-routing", route);
    expect([refused.status, refused.json.code]).toEqual([422, "ALERT_CHANNEL_UNKNOWN"]);
    const made = await ask("POST", "/v1/principals", { name: "oscar", kind: "user", roles: ["operator"] });
    const { key } = (await ask("POST", "/v1/principals/:id/keys", {}, { id: made.json.id })).json;
    const own = { ...route, channels: ["a-pager"] };
    expect((await ask("POST", "/v1/admin/ops/alert-routing", own, { key })).status).toBe(403);
    expect((await ask("POST", "/v1/delivery-targets/:name/test", {}, { name: "a-pager", key })).status).toBe(
      403,
    );
    const tested = await ask("POST", "/v1/delivery-targets/:name/test", undefined, { name: "a-pager" });
    expect(tested.json).toMatchObject({ ok: true });
    expect(notices(pager, "TEST")).toMatchObject([{ notice: "test" }]);
  });
});
