import { afterEach, describe, expect, it } from "vitest";
import { createTelemetry } from "#platform/telemetry";
import { operationRoutes } from "./operation-routes.ts";
import { createServer } from "./server.ts";
import type { Services } from "./services.ts";
import { keysInMemory } from "./test-server.ts";

let app: Awaited<ReturnType<typeof createServer>>;
afterEach(() => app.close());

async function open(metricsToken: string | null): Promise<void> {
  const { log, metrics, registry } = createTelemetry({
    level: "silent",
    name: "test",
    processMetrics: false,
  });
  const services = { metricsToken, registry } as unknown as Services; // what the route calls
  app = await createServer({
    config: { corsOrigins: [], bodyLimit: 1024, rateLimit: { enabled: false, windowMs: 60_000, max: 1 } },
    log,
    metrics,
    access: { authenticate: () => Promise.reject(new Error("nobody is asked for")) },
    idempotency: keysInMemory(),
    services,
    routes: operationRoutes,
  });
}
const ask = (headers: Record<string, string> = {}) => app.inject({ url: "/metrics", headers });

describe("/metrics", () => {
  it("tells everybody where no token is set", async () => {
    await open(null);
    expect((await ask()).body).toContain("# TYPE oars_http_requests_total counter");
  });

  it("tells nothing without the token that is set", async () => {
    await open("a token of the scraper");
    expect((await ask({ authorization: "Bearer a token of the scraper" })).statusCode).toBe(200);
    for (const authorization of ["", "Bearer ", "Bearer another", "a token of the scraper"]) {
      const answer = await ask(authorization === "" ? {} : { authorization });
      expect(answer.json()).toMatchObject({ status: 401, code: "AUTH_REQUIRED" });
    }
  });
});
