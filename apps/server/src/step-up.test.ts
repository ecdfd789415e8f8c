/** Second factors through the whole server: enrolment, codes, security keys, lockout, recovery. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ActionView } from "#act/actions";
import type { Caller } from "#platform/access";
import { sql } from "#platform/db";
import { createSoftKey, type SoftKey } from "./testing/authenticator.ts";
import { openStage, type Stage } from "./testing/stage.ts";
import { codeAt, secretBytes } from "./testing/totp-app.ts";
import { until } from "./testing/until.ts";

const origin = "http://127.0.0.1:8080"; // of the test server's configuration

const policy = `
@id("all") permit (principal, action, resource);
@id("code") @require_approval("approver:1") @step_up("totp") @ttl("PT1H")
forbid (principal, action, resource) when { context.target like "*/code*" } unless { context.approvals.count >= 1 };
@id("key") @require_approval("approver:1") @step_up("webauthn") @ttl("PT1H")
forbid (principal, action, resource) when { context.target like "*/key*" } unless { context.approvals.count >= 1 };
`;

describe("[A7] a vote that must be confirmed", () => {
  let stage: Stage;
  beforeAll(async () => {
    stage = await openStage("pglite");
    await stage.publishPolicy(policy);
  });
  afterAll(() => stage.close());

  const propose = async (path: string): Promise<ActionView> => {
    const action = await stage.app.actions.submit(stage.admin, {
      connection: "wms",
      operation: "http.request",
      input: { method: "POST", path, body: { n: Math.random().toString() } },
    });
    expect(action.state).toBe("pending_approval");
    return action;
  };
  type Proof = Parameters<Stage["app"]["factors"]["revoke"]>[2];
  const vote = (who: Caller, action: ActionView, proof?: Proof) =>
    stage.app.approvals.decide(who, action.approvalId ?? "", { decision: "approve", reason: "seen", proof });
  const refusal = (work: Promise<unknown>): Promise<string> =>
    work.then(
      () => "done",
      (error: { code?: string }) => error.code ?? String(error),
    );
  const ended = (id: string): Promise<ActionView> =>
    until("the action's end", async () => {
      const action = await stage.app.actions.find(stage.admin, id);
      return !["pending_approval", "approved", "executing"].includes(action.state) && action;
    });
  /** A person with an authenticator app, whose code of now is used up: the next one, which counts already, is not. */
  const withApp = async (name: string) => {
    const who = await stage.caller(name, ["approver"]);
    const made = await stage.app.factors.enrol(who, { kind: "totp", name: "phone" }, {});
    if (made.kind !== "totp") throw new Error("asked for a code");
    const secret = secretBytes(made.secret);
    const { recoveryCodes } = await stage.app.factors.confirm(who, made.factor.id, {
      code: codeAt(secret),
    });
    return { who, secret, recoveryCodes: recoveryCodes ?? [], factorId: made.factor.id };
  };
  const withKey = async (name: string, key: SoftKey = createSoftKey(origin)) => {
    const who = await stage.caller(name, ["approver"]);
    const made = await stage.app.factors.enrol(who, { kind: "webauthn", name: "key" }, {});
    if (made.kind !== "webauthn") throw new Error("asked for a key");
    await stage.app.factors.confirm(who, made.factor.id, { response: key.register(made.options) });
    return { who, key };
  };

  it("is refused without a factor, with a wrong code and with a code of another person", async () => {
    const [ann, bob] = [await withApp("ann"), await withApp("bob")];
    const action = await propose("/code/1");
    expect(await refusal(vote(stage.approver, action))).toBe("STEP_UP_REQUIRED");
    expect(await refusal(vote(ann.who, action, { code: "000000" }))).toBe("STEP_UP_WRONG");
    expect(await refusal(vote(ann.who, action, { code: codeAt(bob.secret, 1) }))).toBe("STEP_UP_WRONG");
    expect((await stage.app.actions.find(stage.admin, action.id)).state).toBe("pending_approval");
    const done = await vote(ann.who, action, { code: codeAt(ann.secret, 1) });
    expect(done).toMatchObject({ state: "approved", votes: [{ factor: "totp" }] });
    expect((await ended(action.id)).state).toBe("completed");
  });

  it("takes each code once, within one step of the clock and no further", async () => {
    const { who, secret } = await withApp("cleo");
    const [first, second] = [await propose("/code/2"), await propose("/code/3")];
    expect(await refusal(vote(who, first, { code: codeAt(secret, 3) }))).toBe("STEP_UP_WRONG");
    const code = codeAt(secret, 1);
    expect(await refusal(vote(who, first, { code }))).toBe("done");
    expect(await refusal(vote(who, second, { code }))).toBe("STEP_UP_WRONG");
    await stage.app.approvals.decide(who, second.approvalId ?? "", { decision: "reject", reason: "no need" }); // needs none
  });

  it("takes one use of a code when it comes twice at the same moment", async () => {
    const { who, secret } = await withApp("dora");
    const actions = await Promise.all([propose("/code/4"), propose("/code/5"), propose("/code/6")]);
    const code = codeAt(secret, 1);
    const done = await Promise.all(actions.map((action) => refusal(vote(who, action, { code }))));
    expect(done.filter((d) => d === "done")).toHaveLength(1);
  });

  it("locks a person's confirmations after five failures, also for right codes, and for nobody else", async () => {
    const [eve, fay] = [await withApp("eve"), await withApp("fay")];
    const action = await propose("/code/7");
    const tries = await Promise.all(
      Array.from({ length: 12 }, () => refusal(vote(eve.who, action, { code: "999999" }))),
    );
    expect(tries.filter((t) => t === "STEP_UP_WRONG")).toHaveLength(5);
    expect(tries.filter((t) => t === "STEP_UP_LOCKED")).toHaveLength(7);
    expect(await refusal(vote(eve.who, action, { code: codeAt(eve.secret, 1) }))).toBe("STEP_UP_LOCKED");
    const { items } = await stage.app.receipts.list(
      stage.admin.tenantId,
      { type: "factor.failed" },
      { limit: 50 },
    );
    expect(items.filter((r) => r.principalId === eve.who.principalId).length).toBeGreaterThanOrEqual(5);
    expect(await refusal(vote(fay.who, action, { code: codeAt(fay.secret, 1) }))).toBe("done");
    await stage.opened.database.system.query(
      sql`update factor_throttle set locked_until = now() where principal_id = ${eve.who.principalId}`,
    );
    expect(await refusal(vote(eve.who, await propose("/code/8"), { code: codeAt(eve.secret, 1) }))).toBe(
      "done",
    );
  });

  it("takes a recovery code once in place of a code, and never in place of a key", async () => {
    const { who, recoveryCodes } = await withApp("gil");
    const [code = "", other = ""] = recoveryCodes;
    expect(recoveryCodes).toHaveLength(10);
    const [first, second, key] = [
      await propose("/code/9"),
      await propose("/code/10"),
      await propose("/key/1"),
    ];
    expect(await refusal(vote(who, key, { code }))).toBe("STEP_UP_REQUIRED");
    expect(await vote(who, first, { code: code.toUpperCase() })).toMatchObject({
      votes: [{ factor: "recovery" }],
    });
    expect(await refusal(vote(who, second, { code }))).toBe("STEP_UP_WRONG");
    expect(await refusal(vote(who, second, { code: other.replace("-", "") }))).toBe("done");
    expect((await stage.app.factors.list(who)).recoveryCodesLeft).toBe(8);
    const rows = await stage.opened.database.system.query<{ hash: Uint8Array }>(
      sql`select hash from recovery_code where principal_id = ${who.principalId}`,
    );
    expect(rows.map((r) => Buffer.from(r.hash).toString()).join()).not.toContain(other);
  });

  it("takes a security key's answer for this decision about this action, once, and no code instead", async () => {
    const { who, key } = await withKey("hal");
    const { approvals } = stage.app;
    const [first, second] = [await propose("/key/2"), await propose("/key/3")];
    const [id, otherId] = [first.approvalId ?? "", second.approvalId ?? ""];
    expect(await refusal(vote(who, first, { code: "123456" }))).toBe("STEP_UP_REQUIRED");
    const asked = await approvals.challenge(who, id, "approve");
    const answer = { assertion: { challengeId: asked.id, response: key.assert(asked.options) } };
    expect(await refusal(vote(who, second, answer))).toBe("STEP_UP_WRONG"); // of another action
    expect(await refusal(vote(who, first, answer))).toBe("STEP_UP_WRONG"); // used up by that
    const glass = await approvals.challenge(who, id, "break_glass");
    const forGlass = { assertion: { challengeId: glass.id, response: key.assert(glass.options) } };
    expect(await refusal(vote(who, first, forGlass))).toBe("STEP_UP_WRONG"); // of another decision
    const again = await approvals.challenge(who, otherId, "approve");
    const good = { assertion: { challengeId: again.id, response: key.assert(again.options) } };
    expect(await vote(who, second, good)).toMatchObject({
      state: "approved",
      votes: [{ factor: "webauthn" }],
    });
  });

  it("refuses keys of another site, without their owner's presence, or past the time of the question", async () => {
    const far = createSoftKey("https://evil.example");
    await expect(withKey("ian", far)).rejects.toMatchObject({ code: "STEP_UP_WRONG" });
    const unverified = createSoftKey(origin, 0x01);
    const { who } = await withKey("jo", unverified);
    const action = await propose("/key/4");
    const asked = await stage.app.approvals.challenge(who, action.approvalId ?? "", "approve");
    const answer = { assertion: { challengeId: asked.id, response: unverified.assert(asked.options) } };
    expect(await refusal(vote(who, action, answer))).toBe("STEP_UP_WRONG");
    const { who: kim, key } = await withKey("kim");
    const late = await stage.app.approvals.challenge(kim, action.approvalId ?? "", "approve");
    await stage.opened.database.system.query(
      sql`update factor_challenge set expires_at = now() where id = ${late.id}`,
    );
    const tooLate = { assertion: { challengeId: late.id, response: key.assert(late.options) } };
    expect(await refusal(vote(kim, action, tooLate))).toBe("STEP_UP_WRONG");
    expect(
      await refusal(vote(kim, action, { assertion: { challengeId: late.id, response: { id: 7 } } })),
    ).toBe("STEP_UP_WRONG");
  });

  it("cannot be prepared by who only holds the person's API key: a further factor needs one that is there", async () => {
    const { who, secret, factorId } = await withApp("lea");
    const { factors } = stage.app;
    const further = { kind: "totp", name: "thief" } as const;
    expect(await refusal(factors.enrol(who, further, {}))).toBe("STEP_UP_REQUIRED");
    expect(await refusal(factors.revoke(who, factorId, {}))).toBe("STEP_UP_REQUIRED");
    expect(await refusal(factors.recoveryCodes(who, { code: "123456" }))).toBe("STEP_UP_WRONG");
    expect(await refusal(factors.enrol(who, further, { code: codeAt(secret, 1) }))).toBe("done");
    const listed = await factors.list(who);
    expect(listed.items.map((f) => f.state)).toEqual(["active", "pending"]);
    expect(JSON.stringify(listed)).not.toContain("secret");
  });

  it("goes on with new factors after another administrator's reset, which nobody gives themselves", async () => {
    const { who } = await withApp("mia");
    const { factors } = stage.app;
    expect(await refusal(factors.reset(who, who.principalId))).toBe("AUTH_FORBIDDEN");
    expect(await refusal(factors.reset(stage.admin, stage.admin.principalId))).toBe("FACTOR_OWN_RESET");
    expect(await factors.reset(stage.admin, who.principalId)).toBe(1);
    expect(await refusal(factors.enrol(who, { kind: "totp", name: "new" }, {}))).toBe("done");
    const [stored] = await stage.opened.database.system.query<{ n: number }>(
      sql`select count(*)::int4 as n from factor where principal_id = ${who.principalId} and state = 'revoked' and secret is not null`,
    );
    expect(stored?.n).toBe(0);
  });
});
