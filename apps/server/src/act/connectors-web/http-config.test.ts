import { describe, expect, it } from "vitest";
import { problemsOf } from "#act/connector-kit";
import { httpConfig } from "./http-config.ts";
import { httpInput } from "./http-input.ts";

const baseUrl = "https://wms.example.com/api";

const problems = (config: unknown) => {
  const parsed = httpConfig.safeParse(config);
  return parsed.success ? [] : problemsOf(parsed.error, "config");
};

const inputProblems = (input: object) => {
  const parsed = httpInput.safeParse({ connection: "wms", path: "/x", ...input });
  return parsed.success ? [] : problemsOf(parsed.error, "input");
};

describe("the config of an http connection", () => {
  it("is read with its defaults", () => {
    expect(
      httpConfig.parse({
        baseUrl: "https://WMS.example.com/api/",
        headers: { "X-Client": "oars" },
        auth: { bearer: "vault:wms-token" },
        idempotencyHeader: "Idempotency-Key",
        timeout: "5s",
        facts: [{ name: "amount", type: "long", path: "body.amount" }],
      }),
    ).toMatchObject({
      origin: "https://wms.example.com",
      basePath: "/api",
      host: "wms.example.com",
      headers: { "x-client": "oars" },
      auth: { bearer: "wms-token" },
      idempotencyHeader: "idempotency-key",
      timeout: 5_000,
      owned: new Set(["x-client", "authorization", "idempotency-key"]),
      facts: [{ name: "amount", type: "long", path: "body.amount", required: false }],
    });
  });

  it.each([
    ["a token", { bearer: "s3cret-value" }, "config.auth.bearer"],
    ["a password", { basic: { username: "ann", password: "s3cret-value" } }, "config.auth.basic.password"],
    [
      "a header's value",
      { header: { name: "x-api-key", value: "s3cret-value" } },
      "config.auth.header.value",
    ],
  ])("refuses a literal secret: %s, with advice and without repeating it", (_what, auth, path) => {
    const found = problems({ baseUrl, auth });
    expect(found).toEqual([
      expect.objectContaining({ path, message: expect.stringContaining("vault:wms-token") }),
    ]);
    expect(JSON.stringify(found)).not.toContain("s3cret-value");
  });

  it.each([
    ["Authorization", "Bearer s3cret-value"],
    ["x-api-key", "s3cret-value"],
    ["X-Auth-Token", "s3cret-value"],
    ["cookie", "sid=s3cret-value"],
    ["x-custom", "Bearer s3cret-value"],
  ])("refuses a credential among the plain headers: %s", (name, value) => {
    const found = problems({ baseUrl, headers: { [name]: value } });
    expect(found).toEqual([
      expect.objectContaining({ path: `config.headers.${name}`, message: expect.stringContaining("auth") }),
    ]);
    expect(JSON.stringify(found)).not.toContain("s3cret-value");
  });

  it.each([
    ["no URL", "wms.example.com"],
    ["another scheme", "ftp://wms.example.com"],
    ["credentials", "https://ann:s3cret-value@wms.example.com"],
    ["a query", "https://wms.example.com/?key=1"],
    ["a double slash", "https://wms.example.com//api"],
  ])("refuses a base URL with %s", (_what, url) => {
    const found = problems({ baseUrl: url });
    expect(found).toEqual([expect.objectContaining({ path: "config.baseUrl" })]);
    expect(JSON.stringify(found)).not.toContain("s3cret-value");
  });

  it("tells all problems at once", () => {
    expect(
      problems({
        baseUrl: "x",
        auth: { bearer: "vault:a", basic: { username: "a:b", password: "vault:b" } },
        idempotencyHeader: "host",
        timeout: "soon",
        maxResponseBytes: 0,
        facts: [
          { name: "a", type: "long", path: "body.a" },
          { name: "a", type: "float", path: "body" },
          { name: "1a", type: "long", path: "cookies.x" },
        ],
        colour: "red",
      }).map((problem) => problem.path),
    ).toEqual(
      expect.arrayContaining([
        "config.baseUrl",
        "config.auth.basic.username",
        "config.idempotencyHeader",
        "config.timeout",
        "config.maxResponseBytes",
        "config.facts.1.type",
        "config.facts.1.path",
        "config.facts.2.name",
        "config.facts.2.path",
        "config.colour",
      ]),
    );
    expect(
      problems({ baseUrl, auth: { bearer: "vault:a", header: { name: "x", value: "vault:b" } } }),
    ).toEqual([
      expect.objectContaining({ path: "config.auth", message: expect.stringContaining("exactly one") }),
    ]);
    const twice = { name: "a", type: "long", path: "body.a" };
    expect(problems({ baseUrl, facts: [twice, twice] })).toEqual([
      expect.objectContaining({ path: "config.facts.1.name", message: "fact a is declared twice" }),
    ]);
  });
});

describe("the input of http.request", () => {
  it("is a POST unless it says otherwise", () => {
    expect(httpInput.parse({ connection: "wms", path: "/x" })).toEqual({
      connection: "wms",
      method: "POST",
      path: "/x",
    });
  });

  it.each([
    ["an unknown field", { url: "https://evil.example" }, "input.url"],
    ["another method", { method: "TRACE" }, "input.method"],
    ["a path that climbs", { path: "/../x" }, "input.path"],
    ["a line break in a header", { headers: { "x-a": "1\r\nx-b: 2" } }, "input.headers.x-a"],
    ["a credential header", { headers: { Authorization: "Bearer abc" } }, "input.headers.Authorization"],
    [
      "a header that poses as another method",
      { headers: { "X-HTTP-Method-Override": "DELETE" } },
      "input.headers.X-HTTP-Method-Override",
    ],
    [
      "a header that poses as another path",
      { headers: { "x-original-url": "/admin" } },
      "input.headers.x-original-url",
    ],
    ["another host", { headers: { host: "internal" } }, "input.headers.host"],
    ["a body with GET", { method: "GET", body: {} }, "input.body"],
    ["a body that is no JSON", { body: { at: new Date() } }, "input.body"],
    ["a number that is no JSON", { body: { x: Number.NaN } }, "input.body"],
  ])("refuses %s", (_what, input, path) => {
    expect(inputProblems(input).map((problem) => problem.path)).toEqual([path]);
  });

  it("refuses a body nested deeper than anything can walk", () => {
    let body: unknown = 1;
    for (let i = 0; i < 50_000; i++) body = [body];
    expect(inputProblems({ body })).toEqual([expect.objectContaining({ path: "input.body" })]);
  });
});
