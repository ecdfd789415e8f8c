/** Ways to say who a request is from that need no server but the one that is called. */
import { createHash, createHmac } from "node:crypto";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import type { TLSSocket } from "node:tls";
import { describe, expect, it } from "vitest";
import type { OperationOutcome } from "#act/connector-kit";
import { createDialer } from "#platform/net";
import { clientTls } from "./testing-certificate.ts";
import { connectionTo, contextOf, echo, localDialer, run } from "./testing-connection.ts";

const sent = (outcome: OperationOutcome) => {
  if (outcome.status !== "completed") throw new Error(JSON.stringify(outcome));
  return (outcome.output as { body: { url: string; headers: Record<string, string> } }).body;
};

const call = async (auth: object, secrets: Record<string, string>, input: object = {}) => {
  await using peer = await echo();
  await using dialer = localDialer();
  return await run(contextOf(connectionTo(peer.origin, { auth }), dialer, secrets), input);
};

describe("credentials of a connection", () => {
  it("go as an API key into a header with its prefix, or into the query, and never come back", async () => {
    const header = { header: { name: "X-Api-Key", value: "vault:key", prefix: "Token " } };
    expect(sent(await call(header, { key: "k-12345" })).headers["x-api-key"]).toBe("Token [secret]");
    const query = { query: { name: "api_key", value: "vault:key" } };
    const { url } = sent(await call(query, { key: "k-12345" }, { method: "GET", query: { a: "1" } }));
    expect(url).toBe("/shipments?a=1&api_key=[secret]");
  });

  it("sign the request as it is sent, in the canonical form that the connection says", async () => {
    const hmac = {
      secret: "vault:key",
      keyId: "oars-1",
      canonical: "{method}\n{path}\n{sortedQuery}\n{timestamp}\n{nonce}\n{bodySha256}\n{header.content-type}",
      header: "Authorization-Signature",
      value: "HMAC {keyId}:{signature}",
      encoding: "base64",
      timestamp: { header: "x-time", format: "unix" },
      nonceHeader: "x-nonce",
    };
    const body = { text: "{path} stays as it is" };
    const { headers } = sent(
      await call({ hmac }, { key: "shared secret" }, { body, query: { b: "2 3", a: "{nonce}" } }),
    );
    const sha256 = createHash("sha256").update(JSON.stringify(body)).digest("hex");
    const text = ["POST", "/shipments", "a=%7Bnonce%7D&b=2+3", headers["x-time"], headers["x-nonce"], sha256];
    const expected = createHmac("sha256", "shared secret")
      .update([...text, "application/json"].join("\n"))
      .digest("base64");
    expect(headers["authorization-signature"]).toBe(`HMAC oars-1:${expected}`);
    expect(Math.abs(Number(headers["x-time"]) - Date.now() / 1_000)).toBeLessThan(600);
  });

  it.each([
    ["two ways at once", { bearer: "vault:a", query: { name: "k", value: "vault:b" } }],
    ["a key in the query by value", { query: { name: "k", value: "abc" } }],
    ["an unknown placeholder", { hmac: { secret: "vault:a", canonical: "{everything}" } }],
    ["a time that nobody is told", { hmac: { secret: "vault:a" } }],
    [
      "a token endpoint in the clear",
      {
        oauth2: {
          grant: "client_credentials",
          tokenUrl: "http://idp.example.com/t",
          clientId: "a",
          clientSecret: "vault:a",
        },
      },
    ],
    [
      "a client that proves nothing",
      { oauth2: { grant: "client_credentials", tokenUrl: "https://idp.example.com/t", clientId: "a" } },
    ],
    [
      "a password in the clear",
      { session: { loginUrl: "https://a.example.com/", fields: { password: { secret: "x" } } } },
    ],
  ])("are refused with %s", (_, auth) => {
    expect(() => connectionTo("https://a.example.com", { auth })).toThrow();
  });
});

describe("a client certificate", () => {
  const auth = { mtls: { certificate: "vault:cert", key: "vault:key", ca: clientTls.cert } };

  async function guardedPeer() {
    const server = createServer(
      { ...clientTls, ca: clientTls.cert, requestCert: true, rejectUnauthorized: true },
      (request, response) => {
        const { subject } = (request.socket as TLSSocket).getPeerCertificate(); // of an https server
        response.setHeader("content-type", "application/json");
        response.end(JSON.stringify({ client: subject.CN }));
      },
    );
    server.on("tlsClientError", () => {});
    await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready));
    const { port } = server.address() as AddressInfo; // a listening TCP server has a port
    return {
      url: `https://api.oars.test:${port}`,
      [Symbol.asyncDispose]: async () => {
        server.closeAllConnections();
        await new Promise((done) => server.close(done));
      },
    };
  }
  const dialer = () =>
    createDialer({
      allow: ["127.0.0.1"],
      maxResponseBytes: 100_000,
      connectTimeoutMs: 5_000,
      resolve: async () => ["127.0.0.1"],
    });

  it("proves the connection to a server that asks for one; without it, or with another key, nothing is reached", async () => {
    await using peer = await guardedPeer();
    await using out = dialer();
    const secrets = { cert: clientTls.cert, key: clientTls.key };
    const good = await run(contextOf(connectionTo(peer.url, { auth }), out, secrets), { method: "GET" });
    expect(good).toMatchObject({ status: "completed", output: { body: { client: "oars.test" } } });
    const bare = { auth: { bearer: "vault:token" } };
    expect((await run(contextOf(connectionTo(peer.url, bare), out, {}), { method: "GET" })).status).toBe(
      "failed",
    );
    const broken = { ...secrets, key: "no key" };
    const wrong = await run(contextOf(connectionTo(peer.url, { auth }), out, broken), { method: "GET" });
    expect(wrong).toMatchObject({ status: "failed", error: { code: "NET_UNREACHABLE" } });
    expect(JSON.stringify(wrong)).not.toContain("no key");
  });
});
