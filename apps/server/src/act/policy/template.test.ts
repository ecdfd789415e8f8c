import { describe, expect, it } from "vitest";
import { checkBundle, drain } from "./check.ts";
import { withGrants } from "./grant.ts";
import { bundleFrom, sampleDecider, sampleRequest } from "./samples.ts";
import { bindTemplate, fillingProblems, hasSlots } from "./template.ts";

const { engine, evaluator } = sampleDecider();
const agent = { type: "Oars::Agent", id: "prn_01j00000000000000000000000" };
const tool = { type: "Oars::Tool", id: "bank/http.request" };
const templates = `@id("may-pay") @description("a \\"?principal\\" in a text is no hole")
  permit (principal == ?principal, action == Oars::Action::"pay", resource == ?resource)
  when { context.args has amount && context.args.amount < 5000 };
  @id("group-reads") permit (principal in ?principal, action == Oars::Action::"read", resource in ?resource);`;
const bundle = bundleFrom(engine, templates);
const who = { ...sampleRequest().principal, id: agent.id };

describe("templates", () => {
  it("permit nothing by themselves", () => {
    expect(bundle.policies).toEqual([]);
    expect(bundle.templates.map(({ id }) => id)).toEqual(["may-pay", "group-reads"]);
    expect(evaluator.decide(bundle, sampleRequest({ principal: who })).effect).toBe("deny");
  });

  it("permit what a grant fills in, under a name that names both, and stop when it is gone", () => {
    const grant = { id: "gnt_x", template: "may-pay", principal: agent, resource: tool };
    const granted = withGrants(bundle, [grant]);
    const asked = sampleRequest({ principal: who });
    expect(evaluator.decide(granted, asked)).toMatchObject({ effect: "allow", reasons: ["may-pay@gnt_x"] });
    const other = sampleRequest({ principal: { ...who, id: "prn_other" } });
    expect(evaluator.decide(granted, other).effect).toBe("deny");
    expect(evaluator.decide(granted, sampleRequest({ principal: who, facts: { amount: 9000 } })).effect).toBe(
      "deny",
    );
    expect(evaluator.decide(withGrants(bundle, []), asked).effect).toBe("deny");
  });

  it("with `in` take a role and an environment", () => {
    const grant = {
      id: "gnt_y",
      template: "group-reads",
      principal: { type: "Oars::Role", id: "agent" },
      resource: { type: "Oars::Environment", id: "production" },
    };
    const read = sampleRequest({ tool: { verb: "read" } });
    expect(evaluator.decide(withGrants(bundle, [grant]), read).effect).toBe("allow");
    const test = sampleRequest({ tool: { verb: "read", environment: "test" } });
    expect(evaluator.decide(withGrants(bundle, [grant]), test).effect).toBe("deny");
  });

  it("refuse fillings that could never match, and holes left open", () => {
    const [pay] = bundle.templates;
    if (pay === undefined) throw new Error("no template");
    const role = { type: "Oars::Role", id: "agent" };
    expect(fillingProblems(pay, { principal: role, resource: tool }).map(({ path }) => path)).toEqual([
      "principal",
    ]);
    expect(fillingProblems(pay, { principal: agent, resource: null }).map(({ path }) => path)).toEqual([
      "resource",
    ]);
    expect(
      withGrants(bundle, [{ id: "g", template: "may-pay", principal: role, resource: tool }]).policies,
    ).toEqual([]);
    expect(
      withGrants(bundle, [{ id: "g", template: "gone", principal: agent, resource: tool }]).policies,
    ).toEqual([]);
  });

  it("cannot be broken out of by an id", () => {
    const [pay] = bundle.templates;
    if (pay === undefined) throw new Error("no template");
    const evil = { type: "Oars::Agent", id: 'x", action, resource); permit (principal' };
    const { text } = bindTemplate(pay, "g", { principal: evil, resource: tool });
    const parsed = engine.use((cedar) => cedar.policyToJson(text));
    expect(parsed.type === "success" && JSON.stringify(parsed.json.principal)).toContain("permit (principal");
    expect(engine.use((cedar) => cedar.policySetTextToParts(text))).toMatchObject({
      policies: [expect.anything()],
    });
  });

  it("are known by their holes, not by texts and comments that look alike", () => {
    expect(hasSlots('@id("?principal") permit (principal, action, resource); // ?resource')).toBe(false);
    expect(hasSlots("permit (principal == ?principal, action, resource);")).toBe(true);
  });

  it("share the names of policies", () => {
    const twice = `${templates} @id("may-pay") permit (principal, action, resource);`;
    const { problems } = drain(checkBundle(engine, { cedar: twice }, []));
    expect(problems.map(({ code }) => code)).toContain("POLICY_ID_DUPLICATE");
  });
});
