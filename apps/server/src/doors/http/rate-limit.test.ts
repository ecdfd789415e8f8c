import { afterEach, describe, expect, it } from "vitest";
import { testServer } from "./test-server.ts";

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
});
