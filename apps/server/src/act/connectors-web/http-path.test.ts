import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { httpConfig } from "./http-config.ts";
import { normalPath, pathProblem } from "./http-path.ts";
import { targetOf, urlOf } from "./http-request.ts";

const settings = httpConfig.parse({ baseUrl: "https://WMS.example.com:8443/api/v1/" });

describe("paths below a base URL", () => {
  it.each([
    "shipments",
    "",
    "//evil.example/x",
    "/a//b",
    "/../admin",
    "/a/../../admin",
    "/a/..",
    "/./a",
    "/%2e%2e/admin",
    "/%2E%2e/admin",
    "/.%2e/admin",
    "/%252e%252e/admin",
    "/%25252e%25252e/admin",
    "/%25ff/%252e%252e/admin",
    "/..;/admin",
    "/..;x=1/admin",
    "/a\\..\\b",
    "/a%5cb",
    "/..%2fadmin",
    "/a%2Fb",
    "/a%252fb",
    "/a?x=1",
    "/a#x",
    "/a b",
    "/a\tb",
    "/a\r\nx-admin: 1",
    "/a%0d%0ab",
    "/a%00",
    "/100%",
    "/%ff",
    `/${"a".repeat(2_000)}`,
  ])("refuses %j", (path) => expect(pathProblem(path)).toEqual(expect.any(String)));

  it.each([
    "/",
    "/shipments",
    "/a/b.c/d..e",
    "/a/...",
    "/100%25",
    "/a%20b",
    "/żółw",
    "/a;v=1/b",
    "/a:b@c",
    "/~x/$y",
  ])("takes %j", (path) => expect(pathProblem(path)).toBeUndefined());

  it("dials and shows one form of a path: unreserved escapes are undone", () => {
    expect(normalPath("/%61dmin/%c5%bc")).toBe("/admin/%C5%BC");
    expect(targetOf(settings, { connection: "wms", method: "GET", path: "/%61dmin" })).toBe(
      "wms.example.com:8443/api/v1/admin",
    );
    expect(urlOf(settings, { path: "/%61dmin", query: { a: [1, "x&y"], b: true } }).href).toBe(
      "https://wms.example.com:8443/api/v1/admin?a=1&a=x%26y&b=true",
    );
  });

  it("whatever passes stays below the base URL, and the target is where it goes", () => {
    const pieces = fc.constantFrom(
      "/",
      ".",
      "..",
      "%2e",
      "%252e",
      "%2f",
      "%5c",
      "\\",
      ";",
      "a",
      "%61",
      "//",
      "@",
      ":",
      "ż",
      "%25",
    );
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 12 }), (parts) => {
        const path = `/${parts.join("")}`;
        if (pathProblem(path) !== undefined) return;
        const url = urlOf(settings, { path, query: undefined });
        expect(url.origin).toBe("https://wms.example.com:8443");
        expect(url.pathname.startsWith("/api/v1/")).toBe(true);
        expect(decodeURIComponent(url.pathname)).not.toMatch(/\/\.{1,2}(?:[/;]|$)|\/\/|\\/);
      }),
      { numRuns: 3_000 },
    );
  });
});
