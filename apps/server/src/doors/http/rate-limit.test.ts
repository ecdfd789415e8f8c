import { afterEach, describe, expect, it } from "vitest";
import { OarsError } from "#platform/kernel";
import { until } from "#testing";
import { testRoutes, testServer } from "./test-server.ts";

let server: Awaited<ReturnType<typeof testServer>>;
afterEach(() => server.app.close());

const limited = async (max: number): Promise<void> => {
  server = await testServer({ rateLimit: { enabled: true, windowMs: 60_000, max } });
};
const get = (headers: Record<string, string>, remoteAddress = "198.51.100.1", url = "/v1/runs") =>
  server.app.inject({ url, headers, remoteAddress });

describe("rate limit", () => {
  it("counts a principal whatever key it uses and wherever it comes from", async () => {
    await limited(3);
    const keys = ["Bearer alice", "Bearer alice-again", "Bearer alice", "Bearer alice-again"];
    const answers = [];
    for (const [i, authorization] of keys.entries())
      answers.push(await get({ authorization }, `198.51.100.${i}`));
    expect(answers.map((a) => a.statusCode)).toEqual([200, 200, 200, 429]);
    expect(answers.map((a) => a.headers["x-ratelimit-remaining"])).toEqual(["2", "1", "0", "0"]);
    expect(answers[3]?.json()).toMatchObject({ code: "REQUEST_RATE_LIMITED", status: 429 });
    expect(Number(answers[3]?.headers["retry-after"])).toBeGreaterThan(0);
  });

  it("[W56] counts unknown credentials by the peer, so new tokens open no new allowance", async () => {
    await limited(3);
    const answers = [];
    for (let i = 0; i < 20; i++) {
      const headers = { authorization: `Bearer random-${i}`, "x-forwarded-for": `203.0.113.${i}` };
      answers.push((await get(headers)).statusCode);
    }
    expect(answers).toEqual([401, 401, 401, ...Array(17).fill(429)]);
  });

  it("does not lock out a known caller behind a peer that used up its allowance", async () => {
    await limited(2);
    for (let i = 0; i < 5; i++) await get({ authorization: "Bearer wrong" });
    expect((await get({ authorization: "Bearer alice" })).statusCode).toBe(200);
  });

  it("counts unknown routes and takes one IPv6 network for one peer", async () => {
    await limited(2);
    const codes = [];
    for (const host of ["1", "2", "3"])
      codes.push((await get({}, `2001:db8::${host}`, "/v1/nowhere")).statusCode);
    expect(codes).toEqual([404, 404, 429]);
    expect((await get({}, "2001:db8:0:1::1", "/v1/nowhere")).statusCode).toBe(404);
  });

  it("lets one principal's flood pass by the others, and never counts the probe", async () => {
    await limited(1);
    await get({ authorization: "Bearer alice" });
    expect((await get({ authorization: "Bearer alice" })).statusCode).toBe(429);
    expect((await get({ authorization: "Bearer bob" })).statusCode).toBe(403);
    for (let i = 0; i < 5; i++) expect((await get({}, "198.51.100.9", "/health/live")).statusCode).toBe(200);
  });

  it("refuses the 31st request of a tenant in a second, whoever of it calls, and no request of another one", async () => {
    server = await testServer({ tenantPerSecond: 30 });
    const keys = ["Bearer alice", "Bearer bob", "Bearer alice-again"];
    const answers = [];
    for (let i = 0; i < 31; i++) answers.push(await get({ authorization: keys[i % 3] ?? "" }));
    expect(answers.slice(0, 30).filter((a) => a.statusCode === 429)).toEqual([]);
    expect(answers[30]?.json()).toMatchObject({ status: 429, code: "REQUEST_RATE_LIMITED" });
    expect(answers[30]?.headers["retry-after"]).toBe("1");
    expect((await get({ authorization: "Bearer carol" })).statusCode).toBe(200);
    await until(
      "a second is over",
      async () => (await get({ authorization: "Bearer alice" })).statusCode === 200,
    );
  });

  it("believes X-Forwarded-For of a trusted proxy alone", async () => {
    server = await testServer({
      rateLimit: { enabled: true, windowMs: 60_000, max: 1 },
      trustedProxies: ["10.0.0.0/8"],
    });
    const from = (forwarded: string, peer: string) =>
      get({ "x-forwarded-for": forwarded }, peer).then((a) => a.statusCode);
    expect(await from("203.0.113.1", "10.1.2.3")).toBe(401);
    expect(await from("203.0.113.2", "10.1.2.3")).toBe(401);
    expect(await from("203.0.113.1", "10.9.9.9")).toBe(429);
    expect(await from("6.6.6.6, 203.0.113.2", "10.1.2.3")).toBe(429); // what the sender wrote itself counts for nothing
    expect(await from("203.0.113.7", "198.51.100.7")).toBe(401);
    expect(await from("203.0.113.8", "198.51.100.7")).toBe(429);
  });

  it("counts a signed request by its peer only where its proof fails", async () => {
    const routes = testRoutes.map((r) =>
      r.path === "/api/webhook/:slug"
        ? {
            ...r,
            signed: true as const,
            handle: ({ calls }: { calls: string[] }) => {
              calls.push("delivery");
              if (calls.length > 10) throw new OarsError("WEBHOOK_SIGNATURE_INVALID");
              return {};
            },
          }
        : r,
    );
    server = await testServer({ rateLimit: { enabled: true, windowMs: 60_000, max: 2 }, routes });
    const send = () =>
      server.app
        .inject({ method: "POST", url: "/api/webhook/x", payload: "x", remoteAddress: "198.51.100.3" })
        .then((a) => a.statusCode);
    const codes = [];
    for (let i = 0; i < 14; i++) codes.push(await send());
    expect(codes).toEqual([...Array(10).fill(202), 401, 401, 429, 429]);
  });
});
