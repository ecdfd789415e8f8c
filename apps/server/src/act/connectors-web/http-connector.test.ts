import { describe, expect, it } from "vitest";
import type { Connection } from "#act/connector-kit";
import { OarsError } from "#platform/kernel";
import type { HttpSettings } from "./http-config.ts";
import {
  connectionTo,
  contextOf,
  echo,
  localDialer,
  httpRequest as operation,
  peer,
  run,
} from "./testing-connection.ts";

const describeIt = (connection: Connection<HttpSettings>, input: object) =>
  operation.describe(connection, operation.input.parse({ connection: "wms", path: "/shipments", ...input }));

const answering = (status: number, headers: Record<string, string> = {}, body = "") =>
  peer((_request, response) => response.writeHead(status, headers).end(body));

describe("what a request would do", () => {
  const connection = connectionTo("https://WMS.Example.com/v1/", {
    facts: [{ name: "amount", type: "long", path: "body.amount", required: true }],
  });

  it("is told with its target, facts and sensitivity from the connection", () => {
    expect(describeIt(connection, { body: { amount: 5 } })).toEqual({
      verb: "write",
      tool: "wms/http.request",
      target: "wms.example.com/v1/shipments",
      environment: "production",
      risk: 40,
      dataTypes: ["orders"],
      facts: { amount: 5, region: "eu" },
      idempotent: false,
    });
  });

  it.each([
    ["GET", "read", true],
    ["HEAD", "read", true],
    ["PUT", "write", true],
    ["DELETE", "delete", true],
    ["POST", "write", false],
    ["PATCH", "write", false],
  ])("%s is a %s; idempotent: %s, and always with an idempotency header", (method, verb, idempotent) => {
    expect(describeIt(connectionTo("https://a.test"), { method })).toMatchObject({ verb, idempotent });
    const keyed = connectionTo("https://a.test", { idempotencyHeader: "Idempotency-Key" });
    expect(describeIt(keyed, { method })).toMatchObject({ verb, idempotent: true });
  });

  it("is refused with every problem when facts are missing and the connection's headers are set", () => {
    const owned = connectionTo("https://a.test", {
      headers: { "x-client": "oars" },
      auth: { header: { name: "X-Auth", value: "vault:k" } },
      idempotencyHeader: "idempotency-key",
      facts: [{ name: "amount", type: "long", path: "body.amount", required: true }],
    });
    const headers = { "X-Client": "me", "x-auth": "me", "Idempotency-Key": "me", accept: "text/plain" };
    expect(() => describeIt(owned, { headers, body: {} })).toThrow(
      expect.objectContaining({
        code: "ACTION_INVALID",
        errors: [
          expect.objectContaining({ path: "input.headers.X-Client", code: "HEADER_OWNED" }),
          expect.objectContaining({ path: "input.headers.x-auth", code: "HEADER_OWNED" }),
          expect.objectContaining({ path: "input.headers.Idempotency-Key", code: "HEADER_OWNED" }),
          expect.objectContaining({ path: "input.body.amount", code: "FACT_MISSING" }),
        ],
      }),
    );
  });

  it("is refused on a connection of another connector", () => {
    expect(() => describeIt(connectionTo("https://a.test", {}, { connector: "sftp" }), {})).toThrow(
      expect.objectContaining({ code: "ACTION_INVALID" }),
    );
  });
});

describe("what is sent", () => {
  it("carries method, path, query, headers, JSON body, credentials and the idempotency key", async () => {
    await using there = await echo();
    await using dialer = localDialer();
    const connection = connectionTo(`${there.origin}/v1`, {
      headers: { "X-Client": "oars" },
      auth: { header: { name: "X-Auth", value: "vault:wms" } },
      idempotencyHeader: "Idempotency-Key",
    });
    const outcome = await run(contextOf(connection, dialer, { wms: "s3cret-value" }), {
      query: { dry: true },
      headers: { "X-Mine": "1" },
      body: { sku: "ż" },
    });
    expect(outcome).toMatchObject({
      status: "completed",
      http: 200,
      output: {
        status: 200,
        headers: { "content-type": "application/json" },
        ms: expect.any(Number),
        body: {
          method: "POST",
          url: "/v1/shipments?dry=true",
          body: '{"sku":"ż"}',
          headers: {
            "x-client": "oars",
            "x-mine": "1",
            "x-auth": "[secret]",
            "idempotency-key": "effect-1",
            "content-type": "application/json",
          },
        },
      },
    });
  });

  it.each([
    [{ bearer: "vault:wms" }, "Bearer pa55word"],
    [{ basic: { username: "ann", password: "vault:wms" } }, "Basic YW5uOnBhNTV3b3Jk"],
  ])("%j authenticates the request", async (auth, expected) => {
    let seen: string | undefined;
    await using there = await peer((request, response) => {
      seen = request.headers.authorization;
      response.end();
    });
    await using dialer = localDialer();
    const outcome = await run(
      contextOf(connectionTo(there.origin, { auth }), dialer, { wms: "pa55word" }),
      {},
    );
    expect(outcome).toMatchObject({ status: "completed", output: { body: null } });
    expect(seen).toBe(expected);
  });

  it("reads send no idempotency key, and text goes as it is", async () => {
    await using there = await echo();
    await using dialer = localDialer();
    const connection = connectionTo(there.origin, { idempotencyHeader: "idempotency-key" });
    const read = await run(contextOf(connection, dialer), { method: "GET" });
    expect(JSON.stringify(read)).not.toContain("effect-1");
    const text = await run(contextOf(connection, dialer), {
      body: "<a/>",
      headers: { "content-type": "text/xml" },
    });
    expect(text).toMatchObject({
      output: { body: { body: "<a/>", headers: { "content-type": "text/xml" } } },
    });
  });

  it("a secret that cannot be read fails the attempt before anything is sent", async () => {
    await using dialer = localDialer();
    const connection = connectionTo("http://127.0.0.1:1", { auth: { bearer: "vault:gone" } });
    const context = contextOf(
      connection,
      dialer,
      {},
      {
        secrets: async (name) => {
          throw new OarsError("SECRET_NOT_FOUND", { name });
        },
      },
    );
    expect(await run(context, {})).toEqual({
      status: "failed",
      retryable: false,
      error: { code: "SECRET_NOT_FOUND", retry: "terminal", message: expect.stringContaining("gone") },
    });
  });

  it("a secret with a line break is refused by name, and its value is not told", async () => {
    await using dialer = localDialer();
    const connection = connectionTo("http://127.0.0.1:1", { auth: { bearer: "vault:wms" } });
    const outcome = await run(contextOf(connection, dialer, { wms: "s3cret-value\r\nx-admin: 1" }), {});
    expect(outcome).toMatchObject({
      status: "failed",
      retryable: false,
      error: { code: "NET_HEADER_INVALID" },
    });
    expect(JSON.stringify(outcome)).not.toContain("s3cret-value");
  });
});

describe("secrets do not come back", () => {
  const secret = 'p4ss"w/rd+ż';

  it.each([
    ["as it is", secret],
    ["JSON-escaped", JSON.stringify({ seen: secret })],
    ["unicode-escaped", '{"seen":"p4ss\\u0022w\\u002frd+\\u017c"}'],
    ["as a key", JSON.stringify({ [secret]: 1 })],
    ["percent-encoded", encodeURIComponent(secret)],
    ["in base64", Buffer.from(secret).toString("base64")],
    ["in Basic credentials", Buffer.from(`ann:${secret}`).toString("base64")],
  ])("%s, neither in outputs nor in errors", async (_how, body) => {
    for (const status of [200, 400, 500]) {
      await using there = await answering(
        status,
        { "content-type": "application/json", location: `/x?k=${encodeURIComponent(secret)}` },
        body,
      );
      await using dialer = localDialer();
      const connection = connectionTo(there.origin, {
        auth: { basic: { username: "ann", password: "vault:wms" } },
      });
      const outcome = await run(contextOf(connection, dialer, { wms: secret }), {});
      const told = JSON.stringify(outcome);
      expect(told).toContain("[secret]");
      for (const form of [
        secret,
        JSON.stringify(secret).slice(1, -1),
        encodeURIComponent(secret),
        Buffer.from(secret).toString("base64"),
      ]) {
        expect(told).not.toContain(form);
      }
    }
  });
});
