import { describe, expect, it } from "vitest";
import { formatId } from "#platform/kernel";
import { requestOf } from "./cases.ts";
import { checkBundle, drain } from "./check.ts";
import { diffBundles } from "./diff.ts";
import type { BundleSource } from "./domain.ts";
import { sampleDecider, sampleFacts, sampleRequest } from "./samples.ts";

const { engine, evaluator, decide } = sampleDecider();
const bundle = (source: BundleSource) => {
  const { bundle: made, problems } = drain(checkBundle(engine, source, sampleFacts));
  if (made === undefined) throw new Error(JSON.stringify(problems));
  return made;
};
const at = (now: string) => ({ now: new Date(now) });

describe("time", () => {
  const night = `@id("all") permit (principal, action, resource);
    @id("night") forbid (principal, action, resource) when { context.time.hour >= 22 || context.time.hour < 6 };
    @id("weekend") forbid (principal, action, resource) when { context.time.weekday > 5 };`;

  it.each([
    ["2026-11-20T21:59:59.999Z", []],
    ["2026-11-20T22:00:00Z", ["night"]],
    ["2026-11-21T05:59:59Z", ["night", "weekend"]],
    ["2026-11-21T06:00:00Z", ["weekend"]],
    ["2026-11-22T12:00:00Z", ["weekend"]],
    ["2026-11-23T06:00:00Z", []],
  ])("is read in UTC, over midnight too: at %s %j stop it", (now, stopped) => {
    const decision = decide(night, at(now));
    expect(decision.effect === "allow" ? [] : decision.reasons).toEqual(stopped);
  });
});

describe("entities of a bundle", () => {
  it("put tools and principals into the groups that policies name", () => {
    const id = "01900000-0000-7000-8000-00000000000a";
    const made = bundle({
      cedar: `@id("g") permit (principal in Oars::Group::"treasury", action, resource in Oars::ToolGroup::"payouts");`,
      entities: { toolGroups: { payouts: ["bank/*"] }, groups: { treasury: [formatId("principal", id)] } },
    });
    expect(evaluator.decide(made, sampleRequest()).effect).toBe("allow");
    expect(evaluator.decide(made, sampleRequest({ tool: { name: "bankrupt/http.request" } })).effect).toBe(
      "deny",
    );
    expect(evaluator.decide(made, sampleRequest({ principal: { id: "someone" } })).effect).toBe("deny");
  });
});

describe("[D5] a chain of delegation", () => {
  const person = (roles: readonly string[]) => ({
    onBehalfOf: { id: "01900000-0000-7000-8000-000000000002", kind: "user" as const, roles },
  });
  const cedar = `@id("agents") permit (principal in Oars::Role::"agent", action, resource);
    @id("people") permit (principal in Oars::Role::"operator", action, resource);
    @id("held") @require_approval("approver:1") forbid (principal in Oars::Role::"trainee", action, resource)
    unless { context.approvals.count >= 1 };`;

  it("allows what every link is allowed, and names what allowed each", () => {
    const made = bundle({ cedar });
    expect(evaluator.decide(made, sampleRequest(person(["operator"])))).toMatchObject({
      effect: "allow",
      reasons: ["agents", "people"],
    });
  });

  it("denies an agent what its person may not do", () => {
    expect(evaluator.decide(bundle({ cedar }), sampleRequest(person(["auditor"])))).toMatchObject({
      effect: "deny",
      reasons: [],
    });
  });

  it("denies a person's agent what the agent may not do", () => {
    const asked = sampleRequest({ ...person(["operator"]), principal: { roles: ["intern"] } });
    expect(evaluator.decide(bundle({ cedar }), asked).effect).toBe("deny");
  });

  it("asks for the votes that one link needs, and for none where another link is denied all the same", () => {
    const made = bundle({ cedar });
    const trainee = evaluator.decide(made, sampleRequest(person(["operator", "trainee"])));
    expect(trainee).toMatchObject({ effect: "require_approval", reasons: ["held"] });
    const nobody = evaluator.decide(made, sampleRequest(person(["trainee"])));
    expect(nobody.effect).toBe("deny");
  });

  it("is left out by a bundle that says so", () => {
    const made = bundle({ cedar, delegation: "agent" });
    expect(evaluator.decide(made, sampleRequest(person(["auditor"]))).effect).toBe("allow");
  });

  it("can be written into golden cases", () => {
    const request = requestOf({
      principal: { kind: "agent", roles: ["agent"] },
      onBehalfOf: { roles: ["auditor"] },
      action: "pay",
      tool: "bank/http.request",
    });
    expect(evaluator.decide(bundle({ cedar }), request).effect).toBe("deny");
  });
});

describe("a diff", () => {
  const one = `@id("a") permit (principal, action, resource); // why
    @id("b") forbid (principal, action, resource) when { context.risk > 50 };`;

  it("tells policies apart by id, and does not mind spaces, comments and order", () => {
    const two = `@id("b")   forbid (principal, action, resource)
      // above
      when { context.risk > 60 };
    @id("c") permit (principal, action, resource); @id("a") permit(principal,action,resource);`;
    const { policies } = diffBundles({ cedar: one }, { cedar: two });
    expect(policies.map(({ id, change }) => `${change} ${id}`)).toEqual(["changed b", "added c"]);
    expect(diffBundles({ cedar: one }, { cedar: one.replaceAll(" ", "  ") }).policies).toEqual([]);
  });

  it("names cases, counters, groups and the rule of delegation", () => {
    const counters = [{ name: "n", window: "PT1H" as const, per: [] }];
    const entities = { toolGroups: { g: ["a/b"] } };
    const found = diffBundles({ cedar: one }, { cedar: one, counters, entities, delegation: "agent" });
    expect(found.counters).toMatchObject([{ id: "n", change: "added" }]);
    expect(found.entities).toMatchObject([{ id: "toolGroups/g", change: "added" }]);
    expect(found.delegation).toEqual({ before: "every_link", after: "agent" });
  });
});
