/** Policies through the door: what would happen, what did, what changes, and going back. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { sql } from "#platform/db";
import { drivers } from "#testing";
import { startTestApi, type TestApi } from "./testing/api.ts";
import { until } from "./testing/until.ts";

const tool = "bank/http.request";
const permit = `@id("pay") permit (principal, action == Oars::Action::"write", resource == Oars::Tool::"${tool}")
  when { context.args has amount && context.args.amount > 0 && context.risk < 90 };`;
const limit = (most: number) => `@id("limit") @description("Not so much at once")
  forbid (principal, action, resource == Oars::Tool::"${tool}") when { context.args has amount && context.args.amount > ${most} };`;
const held = `@id("held") @require_approval("approver:1")
  forbid (principal, action, resource == Oars::Tool::"${tool}") when { context.args has amount && context.args.amount > 100 }
  unless { context.approvals.count >= 1 };`;
const pay = (amount: number) => ({
  connection: "bank",
  operation: "http.request",
  input: { method: "POST", path: "/payments", body: { amount } },
});
const anybody = (amount: number) => ({
  request: { principal: { kind: "agent" }, action: "write", tool, args: { amount } },
});

describe.each(drivers)("policies on %s", (driver) => {
  let api: TestApi;
  beforeAll(async () => {
    api = await startTestApi(driver);
    const connection = {
      connector: "http",
      config: {
        baseUrl: "https://bank.example.com",
        facts: [{ name: "amount", type: "long", path: "body.amount" }],
      },
      environment: "production",
      risk: 60,
      emulate: true,
    };
    await ask("PUT", "/v1/connections/:name", connection, { name: "bank" });
  });
  afterAll(() => api.close());

  const ask: TestApi["ask"] = (...of) => api.ask(...of);
  const ok = async (...of: Parameters<TestApi["ask"]>) => {
    const answer = await ask(...of);
    expect(answer.status, answer.text).toBeLessThan(300);
    return answer.json;
  };
  const draft = (bundle: Record<string, unknown>) => ok("POST", "/v1/policies", bundle);
  const publish = async (bundle: Record<string, unknown>) =>
    ok("POST", "/v1/policies/:id/publish", {}, { id: (await draft(bundle)).id });
  const receipts = async (type: string) => (await ok("GET", `/v1/receipts?type=${type}`)).items;

  it("[W7] what no policy names is denied, and publishing takes no guard away", async () => {
    expect((await ok("POST", "/v1/actions", pay(1))).state).toBe("denied");
    await publish({ cedar: `@id("all") permit (principal, action, resource);` });
    const deep = { principal: { kind: "agent" }, action: "delete", tool: "x/y", delegation: { depth: 9 } };
    expect(await ok("POST", "/v1/policies/simulate", { request: deep })).toMatchObject({
      decision: "deny",
      ruleIds: ["guard-delegation-depth"],
    });
  });

  it("[W8] environment, data types and risk of an action are the connection's, whatever the caller says", async () => {
    await publish({
      cedar: `${permit} @id("prod") forbid (principal, action, resource) when { context.env == "production" };`,
    });
    const action = await ok("POST", "/v1/actions", pay(1));
    expect(action).toMatchObject({ state: "denied", decision: { reasons: ["prod"] } });
    for (const context of [{ environment: "test" }, { environment: "PRODUCTION" }]) {
      const { status, json } = await ask("POST", "/v1/actions", { ...pay(1), context });
      // a contradiction is refused before the policy is asked
      if (status === 422) expect(json.errors).toMatchObject([{ path: "context.environment" }]);
      else expect(json).toMatchObject({ state: "denied", decision: { reasons: ["prod"] } });
    }
  });

  it("a denial is receipted with its reasons, and says why", async () => {
    const action = await ok("POST", "/v1/actions", pay(1));
    const [receipt] = await receipts("action.decision");
    expect(receipt.body.action.id ?? receipt.actionId).toBe(action.actionId);
    expect(receipt.body.decision).toMatchObject({ effect: "deny", reasons: ["prod"] });
    expect(action.decision.message).toContain("prod");
  });

  it("a simulation asks any version, drafts too, with another time, and stores nothing", async () => {
    const night = `${permit} @id("night") forbid (principal, action, resource)
      when { context.time.hour >= 22 || context.time.hour < 6 };`;
    const { id: policyId } = await draft({ cedar: night });
    const before = (await ok("GET", "/v1/actions")).items.length;
    const at = (requestedAt: string) =>
      ok("POST", "/v1/policies/simulate", { policyId, ...pay(5), context: { requestedAt } });
    expect(await at("2026-11-20T23:30:00Z")).toMatchObject({ decision: "deny", ruleIds: ["night"] });
    expect(await at("2026-11-20T12:00:00+09:00")).toMatchObject({ decision: "deny", ruleIds: ["night"] });
    expect(await at("2026-11-20T12:00:00Z")).toMatchObject({
      decision: "allow",
      ruleIds: ["pay"],
      policy: { state: "draft" },
      risk: { score: 60, tier: "medium" },
    });
    const seed = { resource: { tool_id: tool, operation: "http.request", target: "x" }, input: pay(5).input };
    expect((await ok("POST", "/v1/policies/simulate", { policyId, ...seed })).context.args).toEqual({
      amount: 5,
    });
    const wrong = await ask("POST", "/v1/policies/simulate", { request: { principal: {} } });
    expect(wrong.json).toMatchObject({ code: "REQUEST_INVALID", status: 400 });
    expect((await ok("GET", "/v1/actions")).items).toHaveLength(before);
  });

  it("an explanation names the clause that failed, of what was asked and of what was proposed", async () => {
    const { id: policyId } = await draft({
      cedar: `${permit} @id("ops") permit (principal in Oars::Role::"nobody", action, resource);`,
    });
    const found = await ok("POST", "/v1/policies/simulate", { policyId, ...anybody(0) });
    expect(found).toMatchObject({ decision: "deny", ruleIds: [], considered: 2 });
    expect(found.nearMisses).toMatchObject([
      { id: "pay", because: "clause", clause: { kind: "when", text: "context.args.amount > 0" } },
      { id: "ops", because: "scope", clause: null },
    ]);
    const action = await ok("POST", "/v1/actions", pay(7));
    const why = await ok("GET", "/v1/actions/:id/explanation", undefined, { id: action.actionId });
    expect(why).toMatchObject({ decision: "deny", determining: [{ id: "prod", effect: "forbid" }] });
    const other = `/v1/actions/:id/explanation?policyId=${policyId}`;
    expect(await ok("GET", other, undefined, { id: action.actionId })).toMatchObject({ decision: "allow" });
  });

  it("[W11] a rollback puts the version before in force again, with a receipt and an event of its own", async () => {
    const first = await publish({ cedar: permit, name: "first" });
    const second = await publish({ cedar: `${permit} ${limit(10)}`, name: "second" });
    expect((await ok("POST", "/v1/actions", pay(50))).state).toBe("denied");
    const diff = await ok("GET", `/v1/policies/:id/diff?against=${second.id}`, undefined, { id: first.id });
    expect(diff.policies).toMatchObject([{ id: "limit", change: "removed" }]);
    const back = await ok("POST", "/v1/policies/rollback", {});
    expect(back).toMatchObject({ policy: { id: first.id }, previousPublishedPolicyId: second.id });
    expect((await ok("POST", "/v1/actions", pay(50))).state).toBe("completed");
    const again = await ask("POST", "/v1/policies/:id/rollback", {}, { id: first.id });
    expect(again.json.code).toBe("POLICY_ALREADY_PUBLISHED");
    const never = await ask(
      "POST",
      "/v1/policies/:id/rollback",
      {},
      { id: (await draft({ cedar: held })).id },
    );
    expect(never.json.code).toBe("POLICY_NEVER_PUBLISHED");
    const [receipt] = await receipts("policy.rolled_back");
    expect(receipt.body.decision.message).toMatch(/version \d+, in place of version \d+\.$/);
    expect(receipt.body.principal.user).toMatch(/^prn_/);
    const events = await api.opened.database.system.query<{ type: string }>(
      sql`select type from security_event where type in ('policy.published', 'policy.rolled_back')`,
    );
    expect(new Set(events.map(({ type }) => type)).size).toBe(2);
  });

  it("[Y1] a replay tells what a candidate would change of the decisions of the past, and whom it moves", async () => {
    for (const amount of [1, 20, 300, 4000]) await ok("POST", "/v1/actions", pay(amount));
    const { id } = await draft({ cedar: `${permit} ${limit(1000)} ${held}` });
    const begun = await ok("POST", "/v1/policies/:id/replays", { actions: 4 }, { id });
    expect(begun).toMatchObject({ policyId: id, actions: 4, days: null });
    const replay = await until("the replay's end", async () => {
      const now = await ok("GET", "/v1/policies/replays/:id", undefined, { id: begun.id });
      return ["completed", "failed"].includes(now.state) && now;
    });
    expect(replay.report).toMatchObject({
      population: 4,
      unreadable: 0,
      changed: 2,
      matrix: { allow: { allow: 2, require_approval: 1, deny: 1 } },
      movers: { tools: [{ name: tool, changed: 2 }] },
    });
    expect(replay.report.movers.principals).toHaveLength(1);
    const policies = replay.report.movers.policies.map(({ name }: { name: string }) => name);
    expect(policies).toEqual(expect.arrayContaining(["held", "limit"]));
    const [receipt] = await receipts("policy.replayed");
    expect(receipt.body.decision).toMatchObject({
      mode: "shadow",
      message: expect.stringContaining("2 would be"),
    });
    expect((await ok("GET", "/v1/policies/:id/replays", undefined, { id })).items).toHaveLength(1);
  });

  it("[Y1] a publication waits for a replay where the tenant wants one, a rollback does not", async () => {
    await ok("PUT", "/v1/policies/settings", { replayRequired: true });
    const { id } = await draft({ cedar: `${permit} ${limit(5000)}` });
    const refused = await ask("POST", "/v1/policies/:id/publish", {}, { id });
    expect(refused.json).toMatchObject({ status: 409, code: "POLICY_REPLAY_REQUIRED" });
    const begun = await ok("POST", "/v1/policies/:id/replays", { actions: 2 }, { id });
    await until("the replay's end", async () => {
      const now = await ok("GET", "/v1/policies/replays/:id", undefined, { id: begun.id });
      return now.state === "completed";
    });
    await ok("POST", "/v1/policies/:id/publish", {}, { id });
    await ok("POST", "/v1/policies/rollback", {});
    await ok("PUT", "/v1/policies/settings", { replayRequired: null });
  });

  it("[S1] a candidate beside the policy is recorded, and decides nothing", async () => {
    await publish({ cedar: permit });
    const { id } = await draft({ cedar: `${permit} ${limit(10)}` });
    expect(await ok("PUT", "/v1/policies/shadow", { policyId: id })).toMatchObject({
      shadow: { share: 100 },
    });
    const same = await ok("POST", "/v1/actions", pay(3));
    const other = await ok("POST", "/v1/actions", pay(30));
    expect([same.state, other.state]).toEqual(["completed", "completed"]);
    expect(same.decision.shadow).toMatchObject({ effect: "allow", differs: false });
    expect(other.decision.shadow).toMatchObject({
      policyId: id,
      effect: "deny",
      reasons: ["limit"],
      differs: true,
    });
    const { items } = await ok("GET", `/v1/policies/shadow/differences?policyId=${id}`);
    expect(items).toMatchObject([
      {
        actionId: other.actionId,
        decision: { effect: "allow" },
        shadow: { effect: "deny", reasons: ["limit"] },
      },
    ]);
    const shadowed = (await receipts("action.decision")).filter(
      (receipt: { body: { decision: { mode: string } } }) => receipt.body.decision.mode === "shadow",
    );
    expect(shadowed).toHaveLength(2);
    expect((await ok("GET", "/v1/receipts?decision=deny")).items).not.toContainEqual(shadowed[0]);
    await ok("PUT", "/v1/policies/shadow", { policyId: null });
    expect((await ok("POST", "/v1/actions", pay(30))).decision.shadow).toBeUndefined();
    expect(await receipts("policy.mode_changed")).toHaveLength(4); // two of shadow, two of the setting before
  });

  it("a grant counts at once, until it is revoked or expires", async () => {
    await publish({
      cedar: `@id("may") permit (principal in ?principal, action, resource == ?resource);`,
    });
    expect((await ok("POST", "/v1/actions", pay(1))).state).toBe("denied");
    const give = { template: "may", principal: { role: "platform_admin" }, resource: { tool } };
    const grant = await ok("POST", "/v1/policies/grants", give);
    const allowed = await ok("POST", "/v1/actions", pay(1));
    expect(allowed).toMatchObject({ state: "completed", decision: { reasons: [`may@${grant.id}`] } });
    expect(await ok("DELETE", "/v1/policies/grants/:id", undefined, { id: grant.id })).toMatchObject({
      revokedAt: expect.any(String),
    });
    expect((await ok("POST", "/v1/actions", pay(1))).state).toBe("denied");
    await ok("POST", "/v1/policies/grants", { ...give, expiresAt: "2020-01-01T00:00:00Z" });
    expect((await ok("POST", "/v1/actions", pay(1))).state).toBe("denied");
    const wrong = await ask("POST", "/v1/policies/grants", { ...give, resource: undefined });
    expect(wrong.json).toMatchObject({ code: "POLICY_GRANT_INVALID", errors: [{ path: "resource" }] });
    const gone = await ask("POST", "/v1/policies/grants", { ...give, template: "none" });
    expect(gone.json.code).toBe("POLICY_TEMPLATE_NOT_FOUND");
    const [given] = await receipts("policy.granted");
    expect(given.body.decision.message).toContain("of template may given");
    expect((await ok("GET", "/v1/policies/grants")).items).toHaveLength(2);
  });

  it("[Q1] of proposals made at once no more pass than a counter lets through", async () => {
    await publish({
      cedar: `${permit} @id("few") forbid (principal, action, resource) when { context.counters.calls >= 5 };
        @id("sum") forbid (principal, action, resource) when { context.counters.paid >= 1000 };`,
      counters: [
        { name: "calls", window: "PT1H", per: ["principal", "tool"], verbs: ["write"] },
        { name: "paid", sum: "amount", window: "PT24H", per: [] },
      ],
    });
    await api.opened.database.system.query(sql`delete from action`); // what was before counts too
    const made = await Promise.all(Array.from({ length: 20 }, () => ok("POST", "/v1/actions", pay(2))));
    expect(made.filter(({ state }) => state === "completed")).toHaveLength(5);
    const reasons = new Set(
      made.flatMap(({ decision, state }) => (state === "denied" ? decision.reasons : [])),
    );
    expect([...reasons]).toEqual(["few"]);
  });

  it("rules of the simple form are shown first and kept when asked", async () => {
    const rule = {
      id: "big",
      description: "x",
      priority: 1,
      match: { riskTiers: ["medium"] },
      decision: "approve",
    };
    const document = { tenantId: "t", version: "v1", rules: [rule] };
    const shown = await ok("POST", "/v1/policies/import", document);
    expect(shown).toMatchObject({ problems: [], policy: null });
    expect(shown.divergences.map((one: { rule: string | null }) => one.rule)).toContain(null);
    const kept = await ok("POST", "/v1/policies/import", { ...document, dryRun: false });
    expect(kept.policy).toMatchObject({ state: "draft", name: "v1" });
    const bad = await ask("POST", "/v1/policies/import", { rules: [{ ...rule, match: { tool: "x" } }] });
    expect(bad.json).toMatchObject({ status: 422, code: "POLICY_INVALID" });
  });

  it("a large bundle is checked in a thread of its own, with all its problems", async () => {
    const many = Array.from(
      { length: 200 },
      (_, i) => `@id("p${i}") permit (principal, action, resource) when { context.risk < ${i} };`,
    );
    expect(await ok("POST", "/v1/policies/validate", { cedar: many.join("\n") })).toEqual({
      valid: true,
      problems: [],
      warnings: [],
    });
    const wrong = [...many, '@id("x") permit (principal, action, resource) when { context.rsk < 1 };'].join(
      "\n",
    );
    expect(await ok("POST", "/v1/policies/validate", { cedar: wrong })).toMatchObject({
      valid: false,
      problems: [{ line: 201 }],
    });
  });

  it("reading and changing need their permissions", async () => {
    const made = await ok("POST", "/v1/principals", { name: "max", kind: "user", roles: ["auditor"] });
    const { key } = await ok("POST", "/v1/principals/:id/keys", {}, { id: made.id });
    const [{ id }] = (await ok("GET", "/v1/policies?limit=1")).items;
    for (const [method, path, body] of [
      ["POST", "/v1/policies/rollback", {}],
      ["POST", "/v1/policies/:id/rollback", {}],
      ["PUT", "/v1/policies/shadow", { policyId: null }],
      ["PUT", "/v1/policies/settings", { replayRequired: false }],
      ["POST", "/v1/policies/grants", { template: "may" }],
      ["POST", "/v1/policies/import", { rules: [] }],
      ["POST", "/v1/policies/:id/replays", {}],
    ] as const)
      expect((await ask(method, path, body, { key, id })).json.code, path).toBe("AUTH_FORBIDDEN");
    expect((await ask("GET", "/v1/policies/:id/diff", undefined, { key, id })).status).toBe(200);
  });
});
