import { describe, expect, it } from "vitest";
import { sampleDecider } from "./samples.ts";

const { decide } = sampleDecider();

const permitAll = '@id("all") permit (principal, action, resource);';
const payTwo = `@id("pay-2") @require_approval("finance:2") @ttl("PT15M") @step_up("webauthn")
  forbid (principal, action == Oars::Action::"pay", resource) unless { context.approvals.count >= 2 };`;
const hardLimit = `@id("hard") forbid (principal, action == Oars::Action::"pay", resource)
  when { context.args has amount && context.args.amount > 10000 };`;

describe("[D4] approvals", () => {
  it("are asked for when the votes would turn the answer into allow", () => {
    const decision = decide(`${permitAll} ${payTwo}`);
    expect(decision).toMatchObject({
      effect: "require_approval",
      reasons: ["pay-2"],
      approval: { requirements: [{ role: "finance", quorum: 2 }], ttlMs: 900_000, stepUp: "webauthn" },
    });
    expect(decision.message).toBe(
      "Held by policy pay-2: it needs 2 approvals by finance within 15 minutes, confirmed with webauthn, and goes on by itself once they are given.",
    );
  });

  it("once given allow, and fewer do not", () => {
    const cedar = `${permitAll} ${payTwo}`;
    expect(decide(cedar, { approvals: { count: 1, roles: ["finance"] } }).effect).toBe("require_approval");
    expect(decide(cedar, { approvals: { count: 2, roles: ["finance"] } })).toMatchObject({
      effect: "allow",
      reasons: ["all"],
    });
  });

  it("are not asked for when a hard limit is broken too", () => {
    const cedar = `${permitAll} ${payTwo} ${hardLimit}`;
    const broken = { facts: { amount: 20_000 } };
    expect(decide(cedar, broken)).toMatchObject({
      effect: "deny",
      reasons: ["hard", "pay-2"],
      approval: null,
    });
    expect(decide(cedar, { ...broken, approvals: { count: 2, roles: ["finance"] } })).toMatchObject({
      effect: "deny",
      reasons: ["hard"],
    });
    expect(decide(cedar).effect).toBe("require_approval");
  });

  it("are not asked for when no permit would remain", () => {
    const decision = decide(payTwo);
    expect(decision).toMatchObject({ effect: "deny", approval: null });
    expect(decision.message).toContain("approvals would not change that");
  });

  it("are the union over all determining policies", () => {
    const legal = `@id("legal") @require_approval("legal:1, finance:3") @ttl("PT5M")
      forbid (principal, action, resource) unless { context.approvals.roles.contains("legal") };`;
    expect(decide(`${permitAll} ${payTwo} ${legal}`)).toMatchObject({
      effect: "require_approval",
      reasons: ["legal", "pay-2"],
      approval: {
        requirements: [
          { role: "finance", quorum: 3 },
          { role: "legal", quorum: 1 },
        ],
        ttlMs: 300_000,
        stepUp: "webauthn",
      },
    });
  });

  it("are not asked for when the votes themselves would be forbidden", () => {
    const crowd = `@id("crowd") forbid (principal, action, resource) when { context.approvals.count > 1 };`;
    expect(decide(`${permitAll} ${payTwo} ${crowd}`)).toMatchObject({ effect: "deny", approval: null });
  });

  it("do not lift a quarantine", () => {
    const quarantine =
      '@id("q") @quarantine forbid (principal, action, resource) when { context.risk > 30 };';
    const decision = decide(`${permitAll} ${payTwo} ${quarantine}`);
    expect(decision).toMatchObject({ effect: "quarantine", reasons: ["pay-2", "q"], approval: null });
    expect(decision.message).toContain("ask an administrator to look at it");
  });
});

describe("guards", () => {
  const other = "01900000-0000-7000-8000-0000000000ff";
  it.each([
    ["a principal of another tenant", { principal: { tenantId: other } }, "guard-cross-tenant"],
    ["a tool of another tenant", { tool: { tenantId: other } }, "guard-cross-tenant"],
    ["a chain of six delegations", { delegation: { depth: 6 } }, "guard-delegation-depth"],
    ["a tool that the catalogue does not hold", { tool: { known: false } }, "guard-unknown-tool"],
    ["a tool without connector", { tool: { connector: "" } }, "guard-unknown-tool"],
    ["a tool without operation", { tool: { operation: "" } }, "guard-unknown-tool"],
  ])("stop %s whatever the tenant permits", (_, patch, guard) => {
    expect(decide(permitAll, patch)).toMatchObject({ effect: "deny", reasons: [guard] });
  });

  it("let five delegations pass", () => {
    expect(decide(permitAll, { delegation: { depth: 5 } }).effect).toBe("allow");
  });

  it("cannot be lifted by votes", () => {
    expect(decide(`${permitAll} ${payTwo}`, { tool: { known: false } })).toMatchObject({
      effect: "deny",
      reasons: ["guard-unknown-tool", "pay-2"],
    });
  });
});
