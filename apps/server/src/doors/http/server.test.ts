import { afterEach, describe, expect, it } from "vitest";
import { formatId, newId } from "#platform/kernel";
import { testServer } from "./test-server.ts";

type Server = Awaited<ReturnType<typeof testServer>>;
let open: Server[] = [];
const start = async (...args: Parameters<typeof testServer>): Promise<Server> => {
  const server = await testServer(...args);
  open.push(server);
  return server;
};
afterEach(async () => {
  await Promise.all(open.map((s) => s.app.close()));
  open = [];
});

const alice = { authorization: "Bearer alice" };
const good = { name: "a", size: 1 };

describe("requests", () => {
  it("answers JSON with ISO dates and no caching", async () => {
    const { app } = await start();
    const res = await app.inject({ url: "/v1/runs?limit=3", headers: alice });
    expect(res.statusCode).toBe(200);
    expect(res.json()).toMatchObject({ query: { limit: 3 }, at: "1970-01-01T00:00:00.000Z" });
    expect(res.headers["content-type"]).toBe("application/json; charset=utf-8");
    expect(res.headers["cache-control"]).toBe("no-store");
    expect(res.headers["x-content-type-options"]).toBe("nosniff");
    expect(res.headers["x-frame-options"]).toBe("DENY");
  });

  it.each([
    "/api/v1/runs?limit=3",
    "/api/runs?limit=3",
    "/v1/orchestrations?limit=3",
    "/api/orchestrations?limit=3",
  ])("%s is /v1/runs", async (url) => {
    const { app } = await start();
    const res = await app.inject({ url, headers: alice });
    expect(res.json()).toMatchObject({ query: { limit: 3 } });
  });

  it.each([
    "/api/api/v1/runs",
    "/api/v1/v1/runs",
    "/%61pi/v1/runs",
    "/api%2fv1%2fruns",
    "//v1/runs",
    "/v1/runs/",
  ])("%s is no alias", async (url) => {
    const { app } = await start();
    expect((await app.inject({ url, headers: alice })).statusCode).toBe(404);
  });

  it("keeps a webhook's bytes exactly, whatever their type", async () => {
    const { app } = await start();
    const payload = Buffer.from([0, 255, 195, 40, 10]);
    for (const type of ["application/json", "application/x-strange", "text/plain; charset=latin1"]) {
      const res = await app.inject({
        method: "POST",
        url: "/api/webhook/orders",
        payload,
        headers: { "content-type": type },
      });
      expect(res.json()).toEqual({ hex: "00ffc3280a", type });
    }
  });

  it("reads YAML as text only where a route takes it", async () => {
    const { app } = await start();
    const headers = { ...alice, "content-type": "application/yaml; charset=utf-8" };
    const taken = await app.inject({ method: "POST", url: "/v1/text", payload: "flow: x\n", headers });
    expect(taken.json()).toEqual({ body: "flow: x\n" });
    const refused = await app.inject({ method: "POST", url: "/v1/runs", payload: "name: x\n", headers });
    expect(refused.json()).toMatchObject({ status: 415, code: "REQUEST_MEDIA_TYPE" });
    expect(refused.json().detail).toContain("send application/json");
  });
});

describe("order of checks", () => {
  it("asks who calls before it reads the body", async () => {
    const { app } = await start();
    const res = await app.inject({
      method: "POST",
      url: "/v1/runs",
      payload: "{not json",
      headers: { "content-type": "application/json" },
    });
    expect(res.json()).toMatchObject({ status: 401, code: "AUTH_REQUIRED" });
    expect(res.headers["www-authenticate"]).toContain("Bearer");
  });

  it("checks the permission before it reads the body", async () => {
    const { app } = await start();
    const res = await app.inject({
      method: "POST",
      url: "/v1/runs",
      payload: { nonsense: 1 },
      headers: { authorization: "Bearer bob" },
    });
    expect(res.json()).toMatchObject({ status: 403, code: "AUTH_FORBIDDEN" });
    expect(res.json().detail).toContain("runs:start");
  });

  it("names every fault of a body at once", async () => {
    const { app } = await start();
    const res = await app.inject({
      method: "POST",
      url: "/v1/runs?x=1",
      payload: { size: "big", extra: 1, more: 2 },
      headers: alice,
    });
    expect(res.json()).toMatchObject({ status: 400, code: "REQUEST_INVALID" });
    expect(
      res
        .json()
        .errors.map((e: { path: string; code: string }) => [e.path, e.code])
        .sort(),
    ).toEqual([
      ["extra", "unknown_field"],
      ["more", "unknown_field"],
      ["name", "required"],
      ["query.x", "unknown_field"],
      ["size", "invalid_type"],
    ]);
  });

  it("tells a badly formed id from an unknown one by nothing", async () => {
    const { app } = await start();
    const [bad, unknown] = await Promise.all(
      ["/v1/runs/nonsense", "/v1/runs/run_1"].map((url) =>
        app.inject({ url, headers: { ...alice, "x-request-id": "same" } }),
      ),
    );
    const shape = (body: Record<string, unknown> | undefined) => ({ ...body, instance: "" });
    expect(shape(bad?.json())).toEqual(shape(unknown?.json()));
    expect(bad?.json()).toMatchObject({ status: 404, code: "RUN_NOT_FOUND" });
  });
});

describe("problems", () => {
  it("is a complete RFC 9457 document", async () => {
    const { app } = await start();
    const res = await app.inject({
      method: "POST",
      url: "/v1/runs?",
      payload: { ...good, name: "refuse" },
      headers: { ...alice, "x-request-id": "r-1" },
    });
    expect(res.headers["content-type"]).toBe("application/problem+json; charset=utf-8");
    expect(res.json()).toEqual({
      type: "urn:oars:problem:RUN_ENDED",
      title: "Run ended",
      status: 409,
      detail: "The run is failed already.",
      instance: "/v1/runs",
      code: "RUN_ENDED",
      requestId: "r-1",
      runId: expect.stringMatching(/^run_[0-9a-z]{26}$/),
      errors: [],
    });
  });

  it("answers a bug with an incident id, logs it once, and shows none of it", async () => {
    const { app, lines } = await start();
    const res = await app.inject({
      method: "POST",
      url: "/v1/runs",
      payload: { ...good, name: "explode" },
      headers: alice,
    });
    expect(res.json()).toMatchObject({ status: 500, code: "SERVER_FAILED" });
    expect(res.body).not.toMatch(/select|secret|Error|\.ts/);
    const incident = /inc_[0-9a-z]{26}/.exec(res.json().detail)?.[0];
    const logged = lines.filter((line) => line.incident === incident);
    expect(logged).toHaveLength(1);
    expect(JSON.stringify(logged[0])).toContain("table_of_secrets");
  });

  it("answers an unknown route with 404 and a wrong method with 405 and Allow", async () => {
    const { app } = await start();
    const unknown = await app.inject({ url: "/v1/nowhere?secret=1" });
    expect(unknown.json()).toMatchObject({ status: 404, code: "ROUTE_NOT_FOUND", instance: "/v1/nowhere" });
    expect(unknown.body).not.toContain("secret");
    for (const payload of ["{not json", "x".repeat(2_000_000)]) {
      const headers = { "content-type": "application/x-strange" };
      const res = await app.inject({ method: "POST", url: "/v1/nowhere", payload, headers });
      expect(res.statusCode).toBe(404);
    }
    const wrong = await app.inject({ method: "GET", url: "/api/webhook/orders" });
    expect(wrong.json()).toMatchObject({ status: 405, code: "REQUEST_METHOD" });
    expect(wrong.headers.allow).toBe("POST");
  });

  it.each(["/v1/runs/%", "/v1/runs/%ff%fe", `/v1/runs/${"a".repeat(5000)}`])(
    "answers the unreadable path %.20s",
    async (url) => {
      const { app } = await start();
      const res = await app.inject({ url, headers: alice });
      expect(res.json()).toMatchObject({ status: 404, code: expect.stringMatching(/NOT_FOUND/) });
    },
  );
});

it("names the run that the path is about", async () => {
  const { app } = await start();
  const id = formatId("run", newId());
  const forbidden = await app.inject({ url: `/v1/runs/${id}`, headers: { authorization: "Bearer bob" } });
  expect(forbidden.json()).toMatchObject({ status: 403, runId: id });
  const unknown = await app.inject({ url: `/v1/runs/${id}`, headers: alice });
  expect(unknown.json().runId).toBeUndefined();
});

describe("request ids", () => {
  it("echoes a sane id and puts it in the document and in every line", async () => {
    const { app, lines } = await start();
    const res = await app.inject({ url: "/v1/nowhere", headers: { "x-request-id": "trace.1:a-B_2" } });
    expect(res.headers["x-request-id"]).toBe("trace.1:a-B_2");
    expect(res.json().requestId).toBe("trace.1:a-B_2");
    expect(lines.length).toBeGreaterThan(0);
    expect(lines.every((line) => line.requestId === "trace.1:a-B_2")).toBe(true);
  });

  it.each(["", "a b", 'x"; drop', "ü", "a".repeat(129), "a\\nb", "{}"])(
    "makes its own in place of %j",
    async (given) => {
      const { app } = await start();
      const res = await app.inject({ url: "/v1/runs", headers: { ...alice, "x-request-id": given } });
      expect(res.headers["x-request-id"]).toMatch(/^req_[0-9a-z]{26}$/);
      expect(res.json().requestId).toBe(res.headers["x-request-id"]);
    },
  );

  it("logs the route's pattern, status, time and tenant, and no path", async () => {
    const { app, lines } = await start();
    await app.inject({ url: "/v1/runs/run_private", headers: alice });
    const line = lines.find((l) => l.msg === "request");
    expect(line).toMatchObject({
      method: "GET",
      route: "/v1/runs/:id",
      status: 404,
      tenantId: expect.stringMatching(/^ten_/),
    });
    expect(line?.ms).toEqual(expect.any(Number));
    expect(JSON.stringify(lines)).not.toContain("run_private");
  });
});

describe("origins", () => {
  it("allows no other origin by default", async () => {
    const { app } = await start();
    const res = await app.inject({ url: "/health/live", headers: { origin: "https://evil.example" } });
    expect(res.headers["access-control-allow-origin"]).toBeUndefined();
  });

  it("allows the configured origins alone", async () => {
    const { app } = await start({ corsOrigins: ["https://console.example"] });
    const ask = (origin: string) =>
      app.inject({
        method: "OPTIONS",
        url: "/v1/runs",
        headers: { origin, "access-control-request-method": "POST" },
      });
    expect((await ask("https://console.example")).headers["access-control-allow-origin"]).toBe(
      "https://console.example",
    );
    expect((await ask("https://evil.example")).headers["access-control-allow-origin"]).toBeUndefined();
  });
});
