import { describe, expect, it } from "vitest";
import { checkBundle, drain } from "./check.ts";
import type { BundleSource } from "./domain.ts";
import { createEngine } from "./engine.ts";
import type { FactSpec } from "./facts.ts";
import { sampleFacts } from "./samples.ts";
import { guards, schemaText } from "./schema.ts";

const engine = createEngine();
const check = (cedar: string, facts: readonly FactSpec[] = sampleFacts) =>
  drain(checkBundle(engine, { cedar }, facts)).problems;
const codes = (cedar: string) => check(cedar).map((problem) => problem.code);
const permit = (id: string, condition = "true") =>
  `@id("${id}") permit (principal, action, resource) when { ${condition} };`;

describe("a bundle check", () => {
  it("accepts a bundle that uses everything a policy can see", () => {
    const text = `
      @id("everything")
      permit (principal is Oars::Agent in Oars::Role::"agent", action in [Oars::Action::"read", Oars::Action::"pay"],
              resource in Oars::Environment::"production")
      when {
        principal.kind == "agent" && principal has owner && principal.owner == Oars::User::"prn_x" &&
        resource.connector == "http" && resource.connection == "bank" && resource.operation like "http.*" &&
        resource.environment == context.env && resource.risk <= context.risk && resource.known &&
        resource.dataTypes.contains("pii") && context.dataTypes.isEmpty() && context.tenant == Oars::Tenant::"t" &&
        context.delegation has user && context.delegation.depth < 3 && context.operation != context.target &&
        context.now > datetime("2026-01-01") && context.args has amount && context.args.amount < 5 &&
        context.approvals.count == 0 && context.approvals.roles.contains("legal")
      };`;
    expect(check(text)).toEqual([]);
  });

  it("finds the guards themselves in order", () => {
    const problems = engine.use((cedar) =>
      cedar.validate({ schema: schemaText([]), policies: { staticPolicies: { ...guards } } }),
    );
    expect(problems).toMatchObject({ type: "success", validationErrors: [], validationWarnings: [] });
  });

  it("reports every problem at once, each with its line and column", () => {
    const text = [
      "permit (principal, action, resource);",
      '@id("é") permit (principal, action, resource);',
      '@id("a") permit (principal action, resource);',
      '@id("b") permit (principal, action, resource)',
      '  when { /* é */ context.riskk > 1 || context.risk > "x" };',
      permit("twice"),
      permit("twice"),
      '@id("guard-cross-tenant") permit (principal, action, resource);',
      '@id("c") @require_aproval("a:1") forbid (principal, action, resource);',
    ].join("\n");
    const found = check(text.replace("/* é */ ", '"é" == "é" && ')).map((problem) => [
      problem.code,
      problem.line,
    ]);
    expect(found.sort((a, b) => Number(a[1]) - Number(b[1]))).toEqual([
      ["POLICY_ID_MISSING", 1],
      ["POLICY_ID_INVALID", 2],
      ["POLICY_SYNTAX", 3],
      ["POLICY_TYPE", 5],
      ["POLICY_TYPE", 5],
      ["POLICY_ID_DUPLICATE", 7],
      ["POLICY_ID_RESERVED", 8],
      ["ANNOTATION_UNKNOWN", 9],
    ]);
  });

  it("points at the column behind characters of several bytes", () => {
    const line = '@id("a") permit (principal, action, resource) when { "é😀" == context.targett };';
    expect(check(line)).toMatchObject([
      { code: "POLICY_TYPE", line: 1, column: line.indexOf("context.targett") + 1 },
    ]);
  });

  it.each([
    ["a fact read without asking for it", "context.args.amount > 5", "POLICY_TYPE"],
    [
      "a fact that no connection declares",
      "context.args has colour && context.args.colour == 1",
      "POLICY_TYPE",
    ],
    ["a float", "context.risk > 1.5", "POLICY_SYNTAX"],
    ["a number beyond 64 bits", "context.risk > 99999999999999999999", "POLICY_SYNTAX"],
    ["a condition that never holds", "false", "POLICY_TYPE"],
    ["text that turns its direction", 'context.target == "a\u202eb"', "POLICY_TYPE"],
    ["an environment in capitals", 'context.env == "Production"', "POLICY_ENVIRONMENT"],
    [
      "a set of environments in capitals",
      '["test", "PROD"].contains(resource.environment)',
      "POLICY_ENVIRONMENT",
    ],
    ["an environment entity in capitals", 'resource in Oars::Environment::"Prod"', "POLICY_ENVIRONMENT"],
    ["an escape that Cedar's JSON reserves", 'context.args has "__entity"', "POLICY_TYPE"],
  ])("refuses %s", (_, condition, code) => {
    expect(codes(permit("a", condition))).toContain(code);
  });

  it("refuses an unknown action with a suggestion", () => {
    const problems = check('@id("a") permit (principal, action == Oars::Action::"deletes", resource);');
    expect(problems).toHaveLength(1);
    expect(problems[0]?.message).toContain('did you mean `Oars::Action::"delete"`');
  });

  it("refuses empty bundles and ids that are not plain", () => {
    expect(codes(" // nothing\n")).toEqual(["POLICY_EMPTY"]);
    for (const id of ["__proto__", "a b", "pаypal", "1a", "a".repeat(101), "a\u200bb"])
      expect(codes(permit(id))).toContain("POLICY_ID_INVALID");
  });

  it("refuses approvals that no vote can satisfy", () => {
    const forbid = (annotation: string, unless: string) =>
      codes(`@id("a") ${annotation} forbid (principal, action, resource) ${unless};`);
    expect(forbid('@require_approval("a:1")', "")).toEqual(["POLICY_APPROVAL_UNREAD"]);
    expect(forbid('@require_approval("a:1")', "unless { context.approvals.count >= 2 }")).toEqual([
      "POLICY_QUORUM",
    ]);
    expect(forbid('@require_approval("a:1")', "unless { context.approvals.count > 1 }")).toEqual([
      "POLICY_QUORUM",
    ]);
    expect(forbid('@require_approval("a:2")', "unless { context.approvals.count >= 2 }")).toEqual([]);
    expect(forbid('@require_approval("a:1")', 'unless { context.approvals.roles.contains("a") }')).toEqual(
      [],
    );
  });

  it.each([
    ["parentheses", `${"(".repeat(5_000)}true${")".repeat(5_000)}`],
    ["negations", `${"!(".repeat(300)}true${")".repeat(300)}`],
    ["alternatives", Array(700).fill("context.risk > 1").join(" || ")],
    ["sums", `${Array(700).fill("context.risk").join(" + ")} > 1`],
    ["attributes", `context${".a".repeat(2_000)} == 1`],
    ["conditionals", `${"if true then true else ".repeat(600)}true`],
    ["sets", `${"[".repeat(200)}1${"]".repeat(200)} == [1]`],
  ])("refuses %s that would end the engine's stack, and the engine lives on", (_, condition) => {
    expect(codes(permit("deep", condition))).toContain("POLICY_DEPTH");
    expect(check(permit("plain"))).toEqual([]);
  });

  it("refuses hostile facts", () => {
    const fact = (name: string, type: string) =>
      check(permit("a"), [{ name, type: type as FactSpec["type"] }]);
    for (const name of ["__proto__", "__entity", "a b", 'a": Long}; //', "", "1a", "é"])
      expect(fact(name, "string")).toMatchObject([{ path: "facts.0.name", code: "FACT_NAME" }]);
    expect(fact("a", "constructor")).toMatchObject([{ path: "facts.0.type", code: "FACT_TYPE" }]);
    expect(
      check(permit("a"), [
        { name: "a", type: "string" },
        { name: "a", type: "integer" },
      ]),
    ).toMatchObject([{ code: "FACT_CONFLICT" }]);
    expect(fact("constructor", "string")).toEqual([]);
  });

  it("refuses a source of another shape and two cases of one name", () => {
    const of = (source: unknown) => drain(checkBundle(engine, source as BundleSource, [])).problems;
    expect(of({ cedar: 1 })).toMatchObject([{ path: "cedar", code: "POLICY_SOURCE" }]);
    expect(of({ cedar: permit("a"), extra: 1 })).toMatchObject([{ code: "POLICY_SOURCE" }]);
    const request = { principal: { kind: "agent" }, action: "read", tool: "a/b" };
    const golden = { name: "x", request, expect: "allow" };
    expect(of({ cedar: permit("a"), cases: [golden, golden] })).toMatchObject([{ path: "cases.1.name" }]);
    expect(
      of({ cedar: permit("a"), cases: [{ ...golden, request: { ...request, risk: 1.5 } }] }),
    ).toMatchObject([{ path: "cases.0.request.risk" }]);
  });

  it("names a bundle by its content", () => {
    const bundle = (cedar: string) => drain(checkBundle(engine, { cedar }, [])).bundle;
    expect(bundle(permit("a"))?.digest).toMatch(/^sha256:[0-9a-f]{64}$/);
    expect(bundle(permit("a"))?.digest).toBe(bundle(permit("a"))?.digest);
    expect(bundle(permit("a"))?.digest).not.toBe(bundle(permit("b"))?.digest);
  });
});
