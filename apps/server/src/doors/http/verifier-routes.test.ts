import { createHash } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Route } from "./route.ts";
import { type TestServices, testServer } from "./test-server.ts";
import { verifierRoutes } from "./verifier-routes.ts";

describe("GET /verify", () => {
  let server: Awaited<ReturnType<typeof testServer>>;
  beforeAll(async () => {
    server = await testServer({ routes: verifierRoutes as unknown as Route<TestServices>[] }); // it uses no service
  });
  afterAll(() => server.app.close());

  it("gives anybody the page, whose policy lets it reach nothing", async () => {
    const res = await server.app.inject({ url: "/verify" });
    expect(res.statusCode).toBe(200);
    expect(res.headers["content-type"]).toBe("text/html; charset=utf-8");
    const policy = String(res.headers["content-security-policy"]).split("; ");
    expect(policy).toEqual(
      expect.arrayContaining(["default-src 'none'", "connect-src 'none'", "frame-ancestors 'none'"]),
    );
    const script = /<script>([\s\S]*)<\/script>/.exec(res.body)?.[1] ?? "";
    const digest = createHash("sha256").update(script).digest("base64");
    expect(script.length).toBeGreaterThan(10_000);
    expect(policy).toContain(`script-src 'sha256-${digest}'`);
  });

  it("sends it once to who keeps it", async () => {
    const first = await server.app.inject({ url: "/verify" });
    expect(first.headers["cache-control"]).toBe("public, no-cache");
    const etag = String(first.headers.etag);
    const again = await server.app.inject({ url: "/verify", headers: { "if-none-match": `W/${etag}` } });
    expect([again.statusCode, again.body, again.headers.etag]).toEqual([304, "", etag]);
    const other = await server.app.inject({ url: "/verify", headers: { "if-none-match": '"old"' } });
    expect(other.statusCode).toBe(200);
  });
});
