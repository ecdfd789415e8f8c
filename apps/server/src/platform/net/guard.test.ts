import { createSocket } from "node:dgram";
import { promises as dns } from "node:dns";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, it } from "vitest";
import { createDialer, type DialerOptions } from "./dialer.ts";
import type { EgressRule } from "./egress.ts";
import type { Resolve } from "./resolve.ts";
import { deadPort, httpPeer, tcpPeer } from "./testing-peer.ts";

const dialerOf = (options: Partial<DialerOptions> = {}) =>
  createDialer({ allow: ["127.0.0.0/8"], maxResponseBytes: 10_000, connectTimeoutMs: 2_000, ...options });

const get = (url: string, tenantId = "t1", maxRedirects = 0) => ({
  method: "GET",
  url,
  headers: {},
  timeoutMs: 5_000,
  tenantId,
  maxRedirects,
});

/** A DNS server on loopback (RFC 1035) that gives each question the next of its answers, and the last for ever. */
async function nameServer(answers: readonly string[]) {
  const socket = createSocket("udp4");
  let asked = 0;
  socket.on("message", (question, from) => {
    const name = question.subarray(12, question.indexOf(0, 12) + 1);
    const type = question.readUInt16BE(12 + name.length);
    const address = answers[Math.min(asked, answers.length - 1)] ?? "";
    const records = type === 1 ? 1 : 0;
    if (records === 1) asked += 1;
    const head = Buffer.from([question[0] ?? 0, question[1] ?? 0, 0x81, 0x80, 0, 1, 0, records, 0, 0, 0, 0]);
    const record = Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, ...address.split(".").map(Number)]);
    const parts = [head, question.subarray(12, 16 + name.length), ...(records === 1 ? [record] : [])];
    socket.send(Buffer.concat(parts), from.port, from.address);
  });
  await new Promise<void>((ready) => socket.bind(0, "127.0.0.1", ready));
  const resolver = new dns.Resolver({ timeout: 1_000, tries: 2 });
  resolver.setServers([`127.0.0.1:${socket.address().port}`]);
  const resolve: Resolve = (host) => resolver.resolve4(host);
  return {
    resolve,
    asked: () => asked,
    [Symbol.asyncDispose]: () => new Promise<void>((done) => socket.close(() => done())),
  };
}

/** The same port on two loopback addresses: one that is open to tenants, one that is not. */
async function twoFaces() {
  const open = createServer((_request, response) => response.end("outside"));
  await new Promise<void>((ready) => open.listen(0, "127.0.0.2", ready));
  const { port } = open.address() as AddressInfo; // a listening TCP server has a port
  let reached = 0;
  const hidden = createServer((_request, response) => response.end("inside"));
  hidden.on("connection", () => {
    reached += 1;
  });
  await new Promise<void>((ready) => hidden.listen(port, "127.0.0.1", ready));
  return {
    port,
    reachedInside: () => reached,
    [Symbol.asyncDispose]: async () => {
      for (const server of [open, hidden]) {
        server.closeAllConnections();
        await new Promise((done) => server.close(done));
      }
    },
  };
}

describe("a name that changes its address (DNS rebinding)", () => {
  it("is looked up once for a request, and dialled at the address that was judged", async () => {
    await using faces = await twoFaces();
    await using names = await nameServer(["127.0.0.2", "127.0.0.1"]);
    await using dialer = dialerOf({ allow: ["127.0.0.2"], resolve: names.resolve, dnsTtlMs: 0 });
    const answer = await dialer.request(get(`http://rebind.test:${faces.port}/`));
    expect([Buffer.from(answer.body).toString(), answer.address, names.asked()]).toEqual([
      "outside",
      "127.0.0.2",
      1,
    ]);
    await expect(dialer.request(get(`http://rebind.test:${faces.port}/`))).rejects.toMatchObject({
      code: "NET_ADDRESS_FORBIDDEN",
      sent: false,
    });
    expect(faces.reachedInside()).toBe(0);
  });

  it("is judged again for a socket of another protocol", async () => {
    await using faces = await twoFaces();
    await using names = await nameServer(["127.0.0.2", "127.0.0.1"]);
    await using dialer = dialerOf({ allow: ["127.0.0.2"], resolve: names.resolve, dnsTtlMs: 0 });
    const asked = { host: "rebind.test", port: faces.port, timeoutMs: 2_000, tenantId: "t1" };
    const socket = await dialer.connect(asked);
    expect(socket.remoteAddress).toBe("127.0.0.2");
    socket.destroy();
    await expect(dialer.connect(asked)).rejects.toMatchObject({ code: "NET_ADDRESS_FORBIDDEN" });
    expect(faces.reachedInside()).toBe(0);
  });
});

describe("addresses that an answer or a header supplies", () => {
  it.each([
    "http://169.254.169.254/latest/meta-data",
    "http://[::ffff:10.0.0.1]/",
    "http://[64:ff9b::a00:1]/",
    "http://10.0.0.1/",
    "http://[fd00:ec2::254]/",
  ])("a redirect to %s is judged like any other address", async (location) => {
    await using peer = await httpPeer((_request, response) => response.writeHead(302, { location }).end());
    await using dialer = dialerOf();
    await expect(dialer.request(get(peer.origin, "t1", 5))).rejects.toMatchObject({
      code: "NET_ADDRESS_FORBIDDEN",
      sent: true,
    });
  });

  it.each(["location", "refresh", "link", "content-location", "alt-svc"])(
    "the URL in header %s of an answer is not called",
    async (name) => {
      await using other = await httpPeer((_request, response) => response.end());
      const value = name === "link" ? `<${other.origin}>; rel=next` : other.origin;
      await using peer = await httpPeer((_request, response) =>
        response.writeHead(200, { [name]: value }).end(),
      );
      await using dialer = dialerOf();
      expect((await dialer.request(get(peer.origin, "t1", 5))).status).toBe(200);
      expect(other.connections()).toBe(0);
    },
  );

  it("a caller's Host header cannot name another site", async () => {
    await using dialer = dialerOf();
    const request = { ...get("http://127.0.0.1:1/"), headers: { Host: "internal.example" } };
    await expect(dialer.request(request)).rejects.toMatchObject({ code: "NET_HEADER_INVALID", sent: false });
  });
});

describe("hosts and ports that a tenant may reach", () => {
  const rule = (host: string, port: number | null = null, tenantId: string | null = null): EgressRule => ({
    tenantId,
    host,
    port,
  });
  const forbidden = { code: "NET_EGRESS_FORBIDDEN", sent: false };

  it("are every host when there is no rule, and else those of the rules alone", async () => {
    await using peer = await httpPeer((_request, response) => response.end());
    await using open = dialerOf();
    expect((await open.request(get(peer.origin))).status).toBe(200);
    await using held = dialerOf({ egress: [rule("127.0.0.1", peer.port)] });
    expect((await held.request(get(peer.origin))).status).toBe(200);
    await expect(held.request(get("http://127.0.0.2/"))).rejects.toMatchObject(forbidden);
    await expect(held.request(get(`http://127.0.0.1:${peer.port + 1}/`))).rejects.toMatchObject(forbidden);
  });

  it("below a domain do not include look-alikes or the domain itself", async () => {
    await using peer = await httpPeer((_request, response) => response.end());
    await using dialer = dialerOf({ egress: [rule("*.example.com")], resolve: async () => ["127.0.0.1"] });
    const to = (host: string) => dialer.request(get(`http://${host}:${peer.port}/`));
    expect((await to("API.example.com")).status).toBe(200);
    for (const host of ["example.com", "badexample.com", "api.example.com.evil.test"])
      await expect(to(host)).rejects.toMatchObject(forbidden);
  });

  it("of a tenant with rules of its own are those, whatever is common", async () => {
    await using peer = await httpPeer((_request, response) => response.end());
    await using dialer = dialerOf({ egress: [rule("*"), rule("nowhere.test", null, "t2")] });
    expect((await dialer.request(get(peer.origin, "t1"))).status).toBe(200);
    await expect(dialer.request(get(peer.origin, "t2"))).rejects.toMatchObject(forbidden);
  });

  it("hold for each redirect and for sockets of other protocols", async () => {
    await using peer = await httpPeer((_request, response) =>
      response.writeHead(302, { location: "http://127.0.0.2/" }).end(),
    );
    await using dialer = dialerOf({ egress: [rule("127.0.0.1")] });
    await expect(dialer.request(get(peer.origin, "t1", 3))).rejects.toMatchObject({
      ...forbidden,
      sent: true,
    });
    const asked = { host: "127.0.0.2", port: 22, timeoutMs: 1_000, tenantId: "t1" };
    await expect(dialer.connect(asked)).rejects.toMatchObject(forbidden);
  });
});

describe("sockets for other protocols", () => {
  const asked = { host: "127.0.0.1", timeoutMs: 1_000, tenantId: "t1" };

  it("are connected and plain: the protocol's own client speaks over them", async () => {
    await using peer = await tcpPeer((socket, data) => socket.end(`got ${data}`));
    await using dialer = dialerOf();
    const socket = await dialer.connect({ ...asked, port: peer.port });
    socket.write("hello");
    const chunks: Buffer[] = [];
    for await (const chunk of socket) chunks.push(chunk as Buffer); // a socket without encoding gives buffers
    expect(Buffer.concat(chunks).toString()).toBe("got hello");
  });

  it("to a port on which nothing listens are refused, and nothing was sent", async () => {
    await using dialer = dialerOf();
    await expect(dialer.connect({ ...asked, port: await deadPort() })).rejects.toMatchObject({
      code: "NET_UNREACHABLE",
      sent: false,
      params: { reason: "nothing listens there" },
    });
  });

  it("go to the next address of a name when the first does not accept", async () => {
    await using peer = await tcpPeer((socket) => socket.end());
    await using dialer = dialerOf({ resolve: async () => ["127.0.0.9", "127.0.0.1"] });
    const socket = await dialer.connect({ ...asked, host: "two.test", port: peer.port });
    expect(socket.remoteAddress).toBe("127.0.0.1");
    socket.destroy();
  });

  it.each(["10.0.0.1", "169.254.169.254", "::1", "localhost", "::ffff:7f00:1"])(
    "to %s are refused when no range is open",
    async (host) => {
      await using dialer = dialerOf({ allow: [] });
      await expect(dialer.connect({ ...asked, host, port: 22 })).rejects.toMatchObject({
        code: "NET_ADDRESS_FORBIDDEN",
      });
    },
  );

  it("end with the caller's signal", async () => {
    await using dialer = dialerOf();
    const signal = AbortSignal.abort();
    await expect(dialer.connect({ ...asked, port: 9, signal })).rejects.toMatchObject({
      code: "NET_ABORTED",
    });
  });
});
