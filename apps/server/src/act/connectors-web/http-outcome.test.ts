import { describe, expect, it } from "vitest";
import { connectionTo, contextOf, localDialer, peer, run } from "./testing-connection.ts";

const answering = (status: number, headers: Record<string, string> = {}, body = "") =>
  peer((_request, response) => response.writeHead(status, headers).end(body));

describe("what an answer means", () => {
  const outcomeOf = async (
    status: number,
    headers: Record<string, string> = {},
    input: object = {},
    body = "",
  ) => {
    await using there = await answering(status, headers, body);
    await using dialer = localDialer();
    return await run(contextOf(connectionTo(there.origin), dialer), input);
  };

  it.each([200, 201, 202, 204, 299])("[H1] %i is completed", async (status) => {
    expect(await outcomeOf(status)).toMatchObject({
      status: "completed",
      http: status,
      output: { status, body: null },
    });
  });

  it("[H1] a status that the caller expects is completed, and one that it does not expect is not", async () => {
    expect(await outcomeOf(404, {}, { expect: { status: [200, 404] } })).toMatchObject({
      status: "completed",
      http: 404,
    });
    expect(await outcomeOf(202, {}, { expect: { status: [200] } })).toMatchObject({
      status: "failed",
      retryable: false,
    });
  });

  it.each([408, 425, 429, 500, 502, 503, 599])("[H2] %i failed and may be tried again", async (status) => {
    expect(await outcomeOf(status)).toMatchObject({
      status: "failed",
      http: status,
      retryable: true,
      error: { code: `HTTP_${status}`, retry: "retryable" },
    });
  });

  it.each([
    ["7", 7_000],
    ["0", 0],
    ["999999", 3_600_000],
    ["soon", undefined],
    ["-5", undefined],
  ])("[H2] Retry-After %s is honoured up to an hour", async (text, expected) => {
    const outcome = await outcomeOf(429, { "retry-after": text });
    expect(outcome).toMatchObject({ status: "failed" });
    expect("retryAfterMs" in outcome ? outcome.retryAfterMs : undefined).toBe(expected);
  });

  it("[H2] Retry-After may be an HTTP date", async () => {
    const outcome = await outcomeOf(503, { "retry-after": new Date(Date.now() + 60_000).toUTCString() });
    const wait = "retryAfterMs" in outcome ? (outcome.retryAfterMs ?? 0) : 0;
    expect(wait).toBeGreaterThan(50_000);
    expect(wait).toBeLessThanOrEqual(60_000);
    expect(await outcomeOf(503, { "retry-after": "Thu, 01 Jan 1970 00:00:00 GMT" })).toMatchObject({
      retryAfterMs: 0,
    });
  });

  it.each([400, 401, 403, 404, 409, 410, 422])(
    "[H3] %i failed for good, with what the other side said",
    async (status) => {
      expect(
        await outcomeOf(status, { "content-type": "application/json" }, {}, '{"error":"no"}'),
      ).toMatchObject({
        status: "failed",
        http: status,
        retryable: false,
        error: { retry: "terminal", details: { status, body: { error: "no" } } },
      });
    },
  );

  it("[H3] a redirect is not followed: it failed for good", async () => {
    expect(await outcomeOf(302, { location: "http://169.254.169.254/" })).toMatchObject({
      status: "failed",
      retryable: false,
      error: { message: expect.stringContaining("redirects are not followed") },
    });
  });

  it("an error shows at most the beginning of a long body", async () => {
    const outcome = await outcomeOf(400, {}, {}, "x".repeat(50_000));
    expect(JSON.stringify(outcome).length).toBeLessThan(3_000);
  });
});

describe("what the lack of an answer means", () => {
  const silent = () => peer(() => undefined);
  const closing = () => peer((request) => request.socket.destroy());
  const halfway = () =>
    peer((_request, response) => {
      response.writeHead(200, { "content-length": "100" });
      response.write("half", () => response.destroy());
    });
  const gateway = () => answering(504);
  const faults = [
    ["no answer", silent, "NET_TIMEOUT"],
    ["a connection that closes", closing, "NET_RESET"],
    ["half an answer", halfway, "NET_RESET"],
    ["a gateway's timeout", gateway, "HTTP_504"],
  ] as const;

  it.each(faults)("[H4] %s to a POST: unknown, never a silent repeat", async (_what, start, code) => {
    await using there = await start();
    await using dialer = localDialer();
    const context = contextOf(connectionTo(there.origin), dialer, {}, { timeoutMs: 200 });
    expect(await run(context, {})).toMatchObject({ status: "unknown", error: { code, retry: "terminal" } });
  });

  it.each(faults)(
    "[H4] %s to an effect that may be repeated: failed, may be tried again",
    async (_what, start, code) => {
      await using there = await start();
      await using dialer = localDialer();
      const plain = contextOf(connectionTo(there.origin), dialer, {}, { timeoutMs: 200 });
      const keyed = connectionTo(there.origin, { idempotencyHeader: "idempotency-key", timeout: "200ms" });
      for (const outcome of [
        await run(plain, { method: "GET" }),
        await run(plain, { method: "PUT" }),
        await run(plain, { method: "DELETE" }),
        await run(contextOf(keyed, dialer), {}),
      ]) {
        expect(outcome).toMatchObject({
          status: "failed",
          retryable: true,
          error: { code, retry: "retryable" },
        });
      }
    },
  );

  it("[H5] a refused connection: nothing was sent, so even a POST may be tried again", async () => {
    const there = await silent();
    await there[Symbol.asyncDispose]();
    await using dialer = localDialer();
    expect(await run(contextOf(connectionTo(there.origin), dialer), {})).toMatchObject({
      status: "failed",
      retryable: true,
      error: { code: "NET_UNREACHABLE", details: { sent: false } },
    });
  });

  it("[H5] a forbidden address failed for good", async () => {
    await using dialer = localDialer();
    expect(await run(contextOf(connectionTo("http://169.254.169.254"), dialer), {})).toMatchObject({
      status: "failed",
      retryable: false,
      error: { code: "NET_ADDRESS_FORBIDDEN" },
    });
  });

  it("an abort ends the attempt", async () => {
    const stop = new AbortController();
    await using there = await peer(() => stop.abort());
    await using dialer = localDialer();
    const context = contextOf(connectionTo(there.origin), dialer, {}, { signal: stop.signal });
    expect(await run(context, {})).toMatchObject({ status: "unknown", error: { code: "NET_ABORTED" } });
  });
});
