import { request } from "node:http";
import type { AddressInfo } from "node:net";
import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { maxDepth } from "./json-body.ts";
import { testServer } from "./test-server.ts";

let server: Awaited<ReturnType<typeof testServer>>;
beforeAll(async () => {
  server = await testServer();
});
afterAll(() => server.app.close());

const post = (payload: string | Buffer, type = "application/json") =>
  server.app.inject({
    method: "POST",
    url: "/v1/runs",
    payload,
    headers: { authorization: "Bearer alice", "content-type": type },
  });

const nested = (depth: number): string =>
  `{"name":"a","size":1,"inner":${"[".repeat(depth)}${"]".repeat(depth)}}`;

describe("hostile bodies", () => {
  it("refuses 10 MB with 413 and the limit", async () => {
    const res = await post(`{"name":"${"a".repeat(10_000_000)}"}`);
    expect(res.json()).toMatchObject({ status: 413, code: "REQUEST_TOO_LARGE" });
    expect(res.json().detail).toContain("1048576");
  });

  it("reads JSON as deep as allowed and refuses one level more, however deep", async () => {
    expect((await post(nested(maxDepth - 1))).statusCode).toBe(201);
    expect((await post(nested(maxDepth))).json()).toMatchObject({ code: "REQUEST_MALFORMED" });
    expect((await post("[".repeat(1_000_000))).json()).toMatchObject({
      status: 400,
      code: "REQUEST_MALFORMED",
    });
    expect((await post('{"a":'.repeat(200_000))).json()).toMatchObject({
      status: 400,
      code: "REQUEST_MALFORMED",
    });
  });

  it("does not count brackets inside strings", async () => {
    const text = '[{"\\'.repeat(500);
    expect((await post(JSON.stringify({ name: text, size: 1 }))).statusCode).toBe(201);
  });

  it.each([
    '{"name":"a","size":1,"__proto__":{"admin":true}}',
    '{"name":"a","size":1,"inner":[{"__proto__":{"admin":true}}]}',
    '{"name":"a","size":1,"inner":{"\\u005f\\u005Fproto__":1}}',
    '{"name":"a","size":1,"inner":{"__\\u0070roto__":1}}',
  ])("refuses %s", async (body) => {
    const res = await post(body);
    expect(res.json()).toMatchObject({ status: 400, code: "REQUEST_MALFORMED" });
    expect(Reflect.get({}, "admin")).toBeUndefined();
  });

  it("takes __proto__ as a value, and constructor as a key", async () => {
    const body = '{"name":"__proto__","size":1,"inner":{"constructor":{"prototype":"car"}}}';
    const res = await post(body);
    expect(res.body).toBe(body);
  });

  it("refuses bytes that are not UTF-8 instead of replacing them", async () => {
    const res = await post(Buffer.from('{"name":"\xff\xfe","size":1}', "latin1"));
    expect(res.json()).toMatchObject({ status: 400, code: "REQUEST_MALFORMED" });
    expect(res.json().detail).toContain("UTF-8");
  });

  it("says where JSON breaks and repeats nothing of it", async () => {
    const res = await post('{\n  "name": "a",\n  "size": hunter2 }');
    expect(res.json().detail).toContain("line 3, column 11");
    expect(res.body).not.toContain("hunter2");
  });

  it.each(["", " ", "null", "[]", '"a"', "NaN", "{", '{"name":"a"}{}', "\uFEFF{}"])(
    "refuses the body %j",
    async (body) => {
      const res = await post(body);
      expect(res.statusCode).toBe(400);
      expect(res.headers["content-type"]).toContain("application/problem+json");
    },
  );

  it.each([
    "text/plain",
    "application/xml",
    "multipart/form-data",
    "nonsense",
    "application/json; charset=utf-16",
    "",
  ])("refuses content type %j with 415 and what is accepted", async (type) => {
    const res = await post('{"name":"a","size":1}', type);
    expect(res.json()).toMatchObject({ status: 415, code: "REQUEST_MEDIA_TYPE" });
  });
});

describe("hostile connections", () => {
  beforeAll(() => server.app.listen({ host: "127.0.0.1", port: 0 }));
  const port = (): number => (server.app.server.address() as AddressInfo).port; // listening on TCP

  const raw = (bytes: string): Promise<string> =>
    new Promise((resolve, reject) => {
      const socket = connect(port(), "127.0.0.1", () => socket.write(bytes));
      let answer = "";
      socket.on("data", (chunk) => {
        answer += chunk.toString("latin1");
      });
      socket.on("close", () => resolve(answer));
      socket.on("error", (error) => (answer === "" ? reject(error) : resolve(answer)));
    });

  it("answers a flood of headers with 431 and a problem document", async () => {
    const answer = await raw(`GET /health/live HTTP/1.1\r\nhost: x\r\n${"x-a: b\r\n".repeat(20_000)}\r\n`);
    expect(answer).toMatch(/^HTTP\/1\.1 431 /);
    expect(answer).toContain('"code":"REQUEST_HEADERS_TOO_LARGE"');
  });

  it("answers what is not HTTP with 400 and a problem document", async () => {
    const answer = await raw("\x16\x03\x01 nonsense\r\n\r\n");
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect(answer).toContain('"code":"REQUEST_MALFORMED"');
  });

  it("takes a header sent twice for no request id", async () => {
    const answer = await raw(
      "GET /health/live HTTP/1.1\r\nhost: x\r\nx-request-id: a\r\nx-request-id: b\r\nconnection: close\r\n\r\n",
    );
    expect(answer).toMatch(/x-request-id: req_/i);
  });

  it("outlives a client that breaks off in the middle of its body", async () => {
    await new Promise<void>((resolve) => {
      const req = request({
        port: port(),
        method: "POST",
        path: "/v1/runs",
        headers: {
          authorization: "Bearer alice",
          "content-type": "application/json",
          "content-length": 1000,
        },
      });
      req.on("error", () => resolve());
      req.write('{"name":');
      setImmediate(() => req.destroy());
    });
    expect((await server.app.inject("/health/live")).statusCode).toBe(200);
    expect(server.lines.filter((line) => "incident" in line)).toEqual([]);
  });
});
