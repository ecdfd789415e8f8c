import { describe, expect, it } from "vitest";
import { createDialer, type Dialer, type DialRequest } from "./dialer.ts";
import { isNetError } from "./failure.ts";
import { httpPeer, tcpPeer } from "./testing-peer.ts";

const dialerOf = (): Dialer =>
  createDialer({ allow: ["127.0.0.0/8"], maxResponseBytes: 10_000, connectTimeoutMs: 2_000 });

const post = (url: string, more: Partial<DialRequest> = {}): DialRequest => ({
  method: "POST",
  url,
  headers: {},
  body: "{}",
  timeoutMs: 10_000,
  tenantId: "t1",
  ...more,
});

const head = (length: number) => `HTTP/1.1 200 OK\r\ncontent-length: ${length}\r\n\r\n`;

describe("peers that fail: a caller learns whether the peer may have acted", () => {
  it("a peer that never answers: timeout, sent", async () => {
    await using peer = await tcpPeer(() => undefined);
    await using dialer = dialerOf();
    await expect(dialer.request(post(peer.origin, { timeoutMs: 80 }))).rejects.toMatchObject({
      code: "NET_TIMEOUT",
      sent: true,
      params: { ms: 80 },
    });
  });

  it("headers that trickle in do not extend the total timeout", async () => {
    await using peer = await tcpPeer((socket) => {
      const piece = setInterval(() => socket.write("x"), 10);
      socket.write("HTTP/1.1 200 OK\r\nx-slow: ");
      socket.on("close", () => clearInterval(piece));
    });
    await using dialer = dialerOf();
    await expect(dialer.request(post(peer.origin, { timeoutMs: 100 }))).rejects.toMatchObject({
      code: "NET_TIMEOUT",
      sent: true,
    });
  });

  it("a body that trickles in does not extend the total timeout; the status that came is told", async () => {
    await using peer = await tcpPeer((socket) => {
      const piece = setInterval(() => socket.write("x"), 10);
      socket.write(head(5_000));
      socket.on("close", () => clearInterval(piece));
    });
    await using dialer = dialerOf();
    await expect(dialer.request(post(peer.origin, { timeoutMs: 100 }))).rejects.toMatchObject({
      code: "NET_TIMEOUT",
      sent: true,
      httpStatus: 200,
    });
  });

  it("a peer that closes after it read the request: reset, sent", async () => {
    await using peer = await tcpPeer((socket) => socket.destroy());
    await using dialer = dialerOf();
    await expect(dialer.request(post(peer.origin))).rejects.toMatchObject({ code: "NET_RESET", sent: true });
  });

  it("a peer that closes in the middle of its answer: reset, sent", async () => {
    await using peer = await tcpPeer((socket) => socket.end(`${head(100)}half`));
    await using dialer = dialerOf();
    await expect(dialer.request(post(peer.origin))).rejects.toMatchObject({
      code: "NET_RESET",
      sent: true,
      httpStatus: 200,
    });
  });

  it("an answer that is not HTTP: invalid, sent", async () => {
    await using peer = await tcpPeer((socket) => socket.end("SSH-2.0-OpenSSH_9.9\r\n"));
    await using dialer = dialerOf();
    await expect(dialer.request(post(peer.origin))).rejects.toMatchObject({
      code: "NET_RESPONSE_INVALID",
      sent: true,
    });
  });

  it("a lookup that hangs: timeout, nothing sent", async () => {
    await using dialer = createDialer({
      allow: [],
      maxResponseBytes: 1,
      connectTimeoutMs: 1_000,
      resolve: () => new Promise(() => undefined),
    });
    await expect(dialer.request(post("http://slow.test/", { timeoutMs: 50 }))).rejects.toMatchObject({
      code: "NET_TIMEOUT",
      sent: false,
    });
  });

  it("a request that waits for a free connection until its time is over was not sent", async () => {
    await using peer = await tcpPeer(() => undefined);
    await using dialer = createDialer({
      allow: ["127.0.0.1"],
      maxResponseBytes: 1,
      connectTimeoutMs: 1_000,
      maxConnections: 1,
    });
    const blocking = dialer.request(post(peer.origin, { timeoutMs: 300 }));
    const waiting = dialer.request(post(peer.origin, { timeoutMs: 100 }));
    await expect(waiting).rejects.toMatchObject({ code: "NET_TIMEOUT", sent: false });
    await expect(blocking).rejects.toMatchObject({ code: "NET_TIMEOUT", sent: true });
  });
});

describe("the caller's own limits", () => {
  it("a body announced too large is refused before it is read", async () => {
    await using peer = await tcpPeer((socket) => socket.write(head(10_001)));
    await using dialer = dialerOf();
    await expect(dialer.request(post(peer.origin))).rejects.toMatchObject({
      code: "NET_RESPONSE_TOO_LARGE",
      sent: true,
      httpStatus: 200,
      params: { limit: 10_000 },
    });
  });

  it("an endless body is cut while it streams, and the connection is closed", async () => {
    let closed: () => void = () => undefined;
    const end = new Promise<void>((resolve) => {
      closed = resolve;
    });
    await using peer = await httpPeer((_request, response) => {
      const piece = setInterval(() => response.write("x".repeat(1_000)), 1);
      response.on("close", () => {
        clearInterval(piece);
        closed();
      });
    });
    await using dialer = dialerOf();
    await expect(dialer.request(post(peer.origin))).rejects.toMatchObject({ code: "NET_RESPONSE_TOO_LARGE" });
    await end;
  });

  it("one request may set its own cap; an answer of exactly that size passes", async () => {
    await using peer = await httpPeer((_request, response) => response.end("12345"));
    await using dialer = dialerOf();
    await expect(dialer.request(post(peer.origin, { maxResponseBytes: 4 }))).rejects.toMatchObject({
      params: { limit: 4 },
    });
    expect((await dialer.request(post(peer.origin, { maxResponseBytes: 5 }))).body.length).toBe(5);
  });

  it("a HEAD answer announces a size and is not held against the cap", async () => {
    await using peer = await httpPeer((_request, response) =>
      response.writeHead(200, { "content-length": 99_999 }).end(),
    );
    await using dialer = dialerOf();
    expect(await dialer.request(post(peer.origin, { method: "HEAD", body: undefined }))).toMatchObject({
      status: 200,
      headers: { "content-length": "99999" },
    });
  });

  it("an abort signal ends the request at once, before and after it left", async () => {
    let arrived: () => void = () => undefined;
    const there = new Promise<void>((resolve) => {
      arrived = resolve;
    });
    await using peer = await tcpPeer(() => arrived());
    await using dialer = dialerOf();
    const late = new AbortController();
    const running = dialer.request(post(peer.origin, { signal: late.signal }));
    const ended = expect(running).rejects.toMatchObject({ code: "NET_ABORTED", sent: true });
    await there;
    late.abort();
    await ended;
    await expect(dialer.request(post(peer.origin, { signal: AbortSignal.abort() }))).rejects.toMatchObject({
      code: "NET_ABORTED",
      sent: false,
    });
    expect(peer.connections()).toBe(1);
  });

  it("a failure is told apart from other errors by isNetError", async () => {
    await using dialer = dialerOf();
    const error = await dialer.request(post("http://10.0.0.1/")).catch((reason: unknown) => reason);
    expect(isNetError(error)).toBe(true);
    expect(isNetError(new Error("x"))).toBe(false);
  });

  it("after a failure the next request gets a fresh connection and succeeds", async () => {
    let count = 0;
    await using peer = await httpPeer((request, response) => {
      count += 1;
      if (count === 1) request.socket.destroy();
      else response.end("ok");
    });
    await using dialer = dialerOf();
    await expect(dialer.request(post(peer.origin))).rejects.toMatchObject({ code: "NET_RESET" });
    expect((await dialer.request(post(peer.origin))).status).toBe(200);
    expect(count).toBe(2);
  });
});
