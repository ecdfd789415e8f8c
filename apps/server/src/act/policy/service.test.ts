import { describe, expect, it } from "vitest";
import type { Caller } from "#platform/access";
import { type Database, defineWrite, sql } from "#platform/db";
import { newId, systemClock } from "#platform/kernel";
import { createVault } from "#platform/vault";
import { createReceipts, type Receipts } from "#sign/receipts";
import { drivers, useDatabase } from "#testing";
import { type PolicyState, policyTransitions } from "./domain.ts";
import type { FactSpec } from "./facts.ts";
import { sampleCaller, sampleFacts, sampleRequest } from "./samples.ts";
import { createPolicy, type Policy } from "./service.ts";

interface Body {
  readonly typ: string;
  readonly decision: { readonly policy: { readonly version: string }; readonly message: string };
}
const receiptsOn = (db: Database): Receipts =>
  createReceipts({
    db,
    vault: createVault({ db, kek: new Uint8Array(32).fill(7) }),
    origin: "https://oars.example",
    clock: systemClock,
  });
/** The signed bodies of a tenant's receipts, oldest first. */
const receiptsOf = async (db: Database, tenantId: string): Promise<Body[]> => {
  const { items } = await receiptsOn(db).list(tenantId, {}, { limit: 100, order: "oldest" });
  return items.map(({ jws }) => JSON.parse(Buffer.from(jws.split(".")[1] ?? "", "base64url").toString()));
};

/** A write that the database always refuses. */
const refusedWrite = defineWrite<{ tenant_id: string }>({
  name: "test.refusedWrite",
  order: 60,
  guard: true,
  columns: { tenant_id: "uuid" },
  text: "/* test.refusedWrite */ delete from policy p using batch b where p.tenant_id = b.tenant_id and false returning 1",
});

const permitAll = { cedar: '@id("all") permit (principal, action, resource);' };
const denyPay = {
  name: "no payments",
  cedar: `${permitAll.cedar}\n@id("no-pay") forbid (principal, action == Oars::Action::"pay", resource);`,
};

describe.each(drivers)("policy versions on %s", (driver) => {
  const db = useDatabase(driver);
  const setup = (facts: readonly FactSpec[] = sampleFacts) => {
    const declared = { facts };
    const clock = { at: Date.parse("2026-11-20T10:00:00Z") };
    const make = (): Policy =>
      createPolicy({
        db: db(),
        receipts: receiptsOn(db()),
        clock: { now: () => new Date(clock.at) },
        facts: async () => declared.facts,
      });
    const caller = sampleCaller(newId());
    return { policy: make(), other: make, caller, clock, declared };
  };
  const ask = (caller: Caller, facts = sampleRequest().facts) =>
    sampleRequest({ tenantId: caller.tenantId, facts });

  it("deny everything until one is published, and say how", async () => {
    const { policy, caller } = setup();
    await policy.createVersion(caller, permitAll);
    const decision = await policy.decide(ask(caller));
    expect(decision).toMatchObject({ effect: "deny", errors: [], policy: { bundle: null, version: null } });
    expect(decision.message).toContain("POST /v1/policies/{id}/publish");
    expect(await policy.active(caller.tenantId)).toBeNull();
  });

  it("are numbered per tenant, also when made at the same time", async () => {
    const { policy, caller } = setup();
    const made = await Promise.all(Array.from({ length: 6 }, () => policy.createVersion(caller, permitAll)));
    expect(made.map((version) => version.version).sort()).toEqual([1, 2, 3, 4, 5, 6]);
    expect(made[0]).toMatchObject({ state: "draft", policies: 1, cases: 0, createdBy: caller.principalId });
    const listed = await policy.list(caller, { before: 4, limit: 2 });
    expect(listed.map((version) => version.version)).toEqual([3, 2]);
  });

  it("decide from the moment they are published, with a receipt in the same transaction", async () => {
    const { policy, caller } = setup();
    const draft = await policy.createVersion(caller, denyPay);
    const published = await policy.publish(caller, draft.id);
    expect(published).toMatchObject({
      state: "published",
      publishedBy: caller.principalId,
      name: "no payments",
    });
    expect(published.publishedAt).toBeInstanceOf(Date);
    const decision = await policy.decide(ask(caller));
    expect(decision).toMatchObject({
      effect: "deny",
      reasons: ["no-pay"],
      policy: { bundle: draft.digest, version: "1" },
    });
    expect(await policy.active(caller.tenantId)).toEqual({ id: draft.id, digest: draft.digest, version: 1 });
    expect(await receiptsOf(db(), caller.tenantId)).toMatchObject([
      { typ: "policy.published", decision: { policy: { version: "1", bundle: draft.digest } } },
    ]);
  });

  it("are not published when their receipt cannot be written", async () => {
    const { policy, caller } = setup();
    const first = await policy.createVersion(caller, permitAll);
    await policy.publish(caller, first.id);
    const refusing = createPolicy({
      db: db(),
      receipts: { add: async (into) => into.add(refusedWrite, { tenant_id: caller.tenantId }) },
      clock: systemClock,
      facts: async () => sampleFacts,
    });
    const second = await policy.createVersion(caller, denyPay);
    await expect(refusing.publish(caller, second.id)).rejects.toThrow("did not hold");
    expect((await policy.find(caller, first.id)).state).toBe("published");
    expect((await policy.find(caller, second.id)).state).toBe("draft");
    expect((await refusing.decide(ask(caller))).effect).toBe("allow");
  });

  it("[P1] [P2] move as the table of policyTransitions says, and back again", async () => {
    const { policy, caller } = setup();
    const first = await policy.createVersion(caller, permitAll);
    const second = await policy.createVersion(caller, denyPay);
    const stateOf = async (id: string): Promise<PolicyState> => (await policy.find(caller, id)).state;
    await policy.publish(caller, first.id);
    expect(await stateOf(first.id)).toBe(policyTransitions.draft.publish);
    await policy.publish(caller, second.id);
    expect(await stateOf(first.id)).toBe(policyTransitions.published.supersede);
    expect((await policy.decide(ask(caller))).effect).toBe("deny");
    await policy.publish(caller, first.id);
    expect(await stateOf(first.id)).toBe(policyTransitions.retired.publish);
    expect(await stateOf(second.id)).toBe("retired");
    expect((await policy.decide(ask(caller))).effect).toBe("allow");
    const messages = (await receiptsOf(db(), caller.tenantId)).map((receipt) => receipt.decision.message);
    expect(messages[2]).toMatch(/version 1, in place of version 2\.$/);
  });

  it("[P2] leave exactly one published when many are published at once by two processes", async () => {
    const { policy, other, caller } = setup();
    const drafts = await Promise.all(
      Array.from({ length: 6 }, () => policy.createVersion(caller, permitAll)),
    );
    const processes = [policy, other()];
    const results = await Promise.allSettled(
      drafts.map((draft, index) => (processes[index % 2] as Policy).publish(caller, draft.id)), // two processes
    );
    expect(results.map((result) => result.status)).toEqual(Array(6).fill("fulfilled"));
    const all = await policy.list(caller);
    const published = all.filter((version) => version.state === "published");
    expect(published).toHaveLength(1);
    expect(all.filter((version) => version.state === "retired")).toHaveLength(5);
    const receipts = await receiptsOf(db(), caller.tenantId);
    expect(receipts).toHaveLength(6);
    const replaced = receipts.map(
      (receipt) => /in place of version (\d)/.exec(receipt.decision.message)?.[1],
    );
    expect(new Set(replaced).size, "each publication replaced another one").toBe(6);
    expect((await other().active(caller.tenantId))?.id).toBe(published[0]?.id);
  });

  it("are published once when the same one is published twice at once", async () => {
    const { policy, other, caller } = setup();
    const draft = await policy.createVersion(caller, permitAll);
    const results = await Promise.allSettled([
      policy.publish(caller, draft.id),
      other().publish(caller, draft.id),
    ]);
    const refused = results.filter((result) => result.status === "rejected");
    expect(refused).toMatchObject([{ reason: { code: "POLICY_ALREADY_PUBLISHED" } }]);
    expect(await receiptsOf(db(), caller.tenantId)).toHaveLength(1);
  });

  it("are published only in place of the one the caller saw, when asked so", async () => {
    const { policy, caller } = setup();
    const [first, second] = [
      await policy.createVersion(caller, permitAll),
      await policy.createVersion(caller, denyPay),
    ];
    await policy.publish(caller, first.id, { replaces: null });
    await expect(policy.publish(caller, second.id, { replaces: null })).rejects.toMatchObject({
      code: "PRECONDITION_FAILED",
    });
    await policy.publish(caller, second.id, { replaces: first.id });
  });

  it("of another process are followed within a second", async () => {
    const { policy, other, caller, clock } = setup();
    const second = other();
    await policy.publish(caller, (await policy.createVersion(caller, permitAll)).id);
    expect((await second.decide(ask(caller))).effect).toBe("allow");
    await policy.publish(caller, (await policy.createVersion(caller, denyPay)).id);
    expect((await policy.decide(ask(caller))).effect, "here at once").toBe("deny");
    clock.at += 1_000;
    expect((await second.decide(ask(caller))).effect, "there after a second").toBe("deny");
  });

  it("[P3] cannot change once made, not even by SQL", async () => {
    const { policy, caller } = setup();
    const draft = await policy.createVersion(caller, permitAll);
    const { tenantId } = caller;
    for (const change of [
      sql`source = '{"cedar":""}'::jsonb`,
      sql`digest = 'x'`,
      sql`version = 9`,
      sql`created_by = ${newId()}::uuid`,
    ])
      await expect(
        db().tx(tenantId, (tx) =>
          tx.query(sql`/* test */ update policy set ${change} where tenant_id = ${tenantId}::uuid`),
        ),
      ).rejects.toThrow("a policy version cannot change");
    expect(await policy.find(caller, draft.id)).toMatchObject({ source: permitAll, digest: draft.digest });
  });

  it("of one tenant are invisible to another", async () => {
    const { policy, caller } = setup();
    const stranger = sampleCaller(newId());
    const draft = await policy.createVersion(caller, permitAll);
    await policy.publish(caller, draft.id);
    for (const attempt of [
      () => policy.find(stranger, draft.id),
      () => policy.publish(stranger, draft.id),
      () => policy.simulate(stranger, draft.id, ask(stranger)),
    ])
      await expect(attempt()).rejects.toMatchObject({ code: "POLICY_NOT_FOUND" });
    expect(await policy.list(stranger)).toEqual([]);
    expect(await policy.active(stranger.tenantId)).toBeNull();
    expect((await policy.decide(ask(stranger))).effect).toBe("deny");
    expect((await policy.decide(ask(caller))).effect).toBe("allow");
    const foreign = sampleRequest({ tenantId: caller.tenantId, tool: { tenantId: stranger.tenantId } });
    expect((await policy.decide(foreign)).reasons).toEqual(["guard-cross-tenant"]);
  });

  it("need the permission for each step", async () => {
    const { policy, caller } = setup();
    const reader = { ...caller, permissions: new Set(["policies:read"] as const) };
    const draft = await policy.createVersion(caller, permitAll);
    await expect(policy.createVersion(reader, permitAll)).rejects.toMatchObject({ code: "AUTH_FORBIDDEN" });
    await expect(policy.publish(reader, draft.id)).rejects.toMatchObject({ code: "AUTH_FORBIDDEN" });
    const nobody = { ...caller, permissions: new Set<never>() };
    await expect(policy.find(nobody, draft.id)).rejects.toMatchObject({ code: "AUTH_FORBIDDEN" });
    await expect(policy.list(nobody)).rejects.toMatchObject({ code: "AUTH_FORBIDDEN" });
  });

  it("that are not valid, or break their own cases, are not made", async () => {
    const { policy, caller } = setup();
    await expect(
      policy.createVersion(caller, { cedar: "permit (principal, action, thing);" }),
    ).rejects.toMatchObject({
      code: "POLICY_INVALID",
      errors: [{ path: "cedar", line: 1 }],
    });
    const request = {
      principal: { kind: "agent" as const },
      action: "pay" as const,
      tool: "bank/http.request",
    };
    const cases = [{ name: "pays", request, expect: "allow" as const }];
    await expect(policy.createVersion(caller, { ...denyPay, cases })).rejects.toMatchObject({
      code: "POLICY_CASES_FAILED",
      errors: [{ path: "cases.0.expect" }],
    });
    expect(await policy.check(caller, { ...denyPay, cases })).toMatchObject([{ code: "POLICY_CASE_FAILED" }]);
    expect(await policy.check(caller, { ...permitAll, cases })).toEqual([]);
    expect(await policy.list(caller)).toEqual([]);
  });

  it("are checked again when published, against the facts declared by then", async () => {
    const { policy, caller, declared } = setup();
    const reads = {
      cedar: `${permitAll.cedar} @id("big") forbid (principal, action, resource) when { context.args has amount && context.args.amount > 10 };`,
    };
    const draft = await policy.createVersion(caller, reads);
    declared.facts = [];
    await expect(policy.publish(caller, draft.id)).rejects.toMatchObject({ code: "POLICY_INVALID" });
    declared.facts = sampleFacts;
    await policy.publish(caller, draft.id);
    expect((await policy.decide(ask(caller, { amount: 11 }))).reasons).toEqual(["big"]);
    await expect(policy.publish(caller, draft.id)).rejects.toMatchObject({
      code: "POLICY_ALREADY_PUBLISHED",
    });

    declared.facts = [...sampleFacts, { name: "country", type: "string" }];
    await policy.publish(caller, draft.id);
    const decision = await policy.decide(ask(caller, { amount: 1, country: "NZ" }));
    expect(decision).toMatchObject({ effect: "allow" });
    expect(decision.envelope?.context.args).toEqual({ amount: 1, country: "NZ" });
  });

  it("compiled by another release of the engine are compiled again before they decide", async () => {
    const { policy, other, caller } = setup();
    await policy.publish(caller, (await policy.createVersion(caller, denyPay)).id);
    await db().tx(caller.tenantId, (tx) =>
      tx.query(sql`/* test */ update policy_head set engine = 'cedar-wasm/0.0.1', compiled = '[]'::jsonb
        where tenant_id = ${caller.tenantId}::uuid`),
    );
    expect(await other().decide(ask(caller))).toMatchObject({
      effect: "deny",
      reasons: ["no-pay"],
      policy: { engine: "cedar-wasm/4.13.0" },
    });
  });

  it("can be tried on a request before they are published", async () => {
    const { policy, caller } = setup();
    const draft = await policy.createVersion(caller, denyPay);
    const { tenantId: _, ...q } = ask(caller);
    expect((await policy.simulate(caller, draft.id, q)).decision).toMatchObject({
      effect: "deny",
      reasons: ["no-pay"],
    });
    expect((await policy.find(caller, draft.id)).state).toBe("draft");
    expect(await policy.schema(caller)).toContain('"amount"?: __cedar::Long');
  });
});
