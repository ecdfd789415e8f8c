import { describe, expect, it } from "vitest";
import { connectionTo, contextOf, localDialer, peer, run } from "./testing-connection.ts";

describe("answers of every kind can be stored", () => {
  const bodyOf = async (type: string, body: string | Buffer, config: object = {}, input: object = {}) => {
    await using there = await peer((_request, response) =>
      response.writeHead(200, { "content-type": type }).end(body),
    );
    await using dialer = localDialer();
    return await run(contextOf(connectionTo(there.origin, config), dialer), input);
  };

  const deep = "[".repeat(5_000) + "]".repeat(5_000);

  it.each([
    ["application/json; charset=utf-8", '{"a":[1,"ż"]}', { a: [1, "ż"] }],
    ["application/problem+json", '{"a":1}', { a: 1 }],
    ["application/json", "not json", "not json"],
    ["text/plain", '{"a":1}', '{"a":1}'],
    ["text/plain; charset=iso-8859-2", Buffer.from([0xbf]), "ż"],
    ["application/json", '"a\\u0000b\\ud800"', "a\ufffdb\ufffd"],
    ["application/json", '{"big":1e999}', { big: null }],
    ["application/json", deep, deep],
  ])("%s %.40s", async (type, body, expected) => {
    expect(await bodyOf(type, body)).toMatchObject({ status: "completed", output: { body: expected } });
  });

  it("bytes that are no text come as base64", async () => {
    expect(await bodyOf("image/png", Buffer.from([0x89, 0x50, 0xff]))).toMatchObject({
      output: { body: "iVD/", base64: true },
    });
  });

  it("a body larger than the cap: a read failed, an effect that was confirmed is completed without it", async () => {
    const large = "x".repeat(2_000);
    expect(await bodyOf("text/plain", large, { maxResponseBytes: 1_000 }, { method: "GET" })).toMatchObject({
      status: "failed",
      retryable: false,
      http: 200,
      error: { code: "NET_RESPONSE_TOO_LARGE" },
    });
    expect(await bodyOf("text/plain", large, { maxResponseBytes: 1_000 })).toMatchObject({
      status: "completed",
      http: 200,
      output: { status: 200, body: null, omitted: expect.stringContaining("1000 bytes") },
    });
  });
});
