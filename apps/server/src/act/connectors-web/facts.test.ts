import { describe, expect, it } from "vitest";
import { readFacts } from "./facts.ts";
import type { FactRule } from "./http-config.ts";
import { type HttpInput, httpInput } from "./http-input.ts";

const rule = (name: string, type: FactRule["type"], path: string, required = false): FactRule => ({
  name,
  type,
  path,
  required,
});
const input = (fields: object): HttpInput =>
  httpInput.parse({ connection: "wms", path: "/orders/7", ...fields });

describe("facts of a request", () => {
  it("are read from method, path, query, headers and body, by own fields alone", () => {
    const rules = [
      rule("method", "string", "method"),
      rule("path", "string", "path"),
      rule("dry", "bool", "query.dryRun"),
      rule("page", "long", "query.page"),
      rule("region", "string", "headers.X-Region"),
      rule("total", "long", "body.order.total"),
      rule("first", "string", "body.lines.0.sku"),
      rule("proto", "string", "body.constructor.name"),
    ];
    const read = readFacts(
      rules,
      input({
        query: { dryRun: "true", page: 3 },
        headers: { "x-region": "eu" },
        body: { order: { total: 1200 }, lines: [{ sku: "A1" }] },
      }),
    );
    expect(read).toEqual({
      facts: {
        method: "POST",
        path: "/orders/7",
        dry: true,
        page: 3,
        region: "eu",
        total: 1200,
        first: "A1",
      },
      problems: [],
    });
  });

  it.each([
    ["a fraction", 12.5],
    ["beyond 2^53 - 1", 2 ** 53],
    ["text", "1200"],
    ["a list", [1200]],
    ["an object", { amount: 1200 }],
    ["a boolean", true],
  ])("a long in the wrong form is a problem and never passes as absent: %s", (_what, amount) => {
    const read = readFacts([rule("amount", "long", "body.amount")], input({ body: { amount } }));
    expect(read.facts).toEqual({});
    expect(read.problems).toEqual([
      expect.objectContaining({ path: "input.body.amount", code: "FACT_TYPE" }),
    ]);
  });

  it.each(["007", "1e3", "1.0", " 1", "0x10", "9007199254740993", "-0", ""])(
    "query text %j is not a long",
    (n) => {
      expect(readFacts([rule("n", "long", "query.n")], input({ query: { n } })).problems).toHaveLength(1);
    },
  );

  it("a parameter given several times is a problem: servers disagree on which one counts", () => {
    const read = readFacts([rule("n", "string", "query.n")], input({ query: { n: ["1", "2"] } }));
    expect(read.problems).toEqual([expect.objectContaining({ code: "FACT_TYPE" })]);
  });

  it("a required fact that is missing is a problem, an optional one is absent", () => {
    const rules = [
      rule("a", "long", "body.a", true),
      rule("b", "long", "body.b"),
      rule("c", "long", "body.c", true),
    ];
    expect(readFacts(rules, input({ body: { c: null } }))).toEqual({
      facts: {},
      problems: [
        { path: "input.body.a", code: "FACT_MISSING", message: "is required: it is fact a" },
        { path: "input.body.c", code: "FACT_MISSING", message: "is required: it is fact c" },
      ],
    });
  });

  it("a body sent as text cannot hide its facts", () => {
    const read = readFacts(
      [rule("amount", "long", "body.amount")],
      input({ body: '{"amount":1,"amount":9999}' }),
    );
    expect(read.problems).toEqual([expect.objectContaining({ path: "input.body", code: "FACT_BODY_TEXT" })]);
  });

  it("text longer than 500 characters is no fact", () => {
    expect(
      readFacts([rule("t", "string", "body.t")], input({ body: { t: "x".repeat(501) } })).problems,
    ).toHaveLength(1);
  });
});
