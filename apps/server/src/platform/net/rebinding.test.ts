/** Names that lie: a real DNS server on loopback that changes its answers, asked over UDP. */
import { createSocket } from "node:dgram";
import { Resolver } from "node:dns/promises";
import type { AddressInfo } from "node:net";
import { describe, expect, it } from "vitest";
import { createDialer, type Dialer } from "./index.ts";
import { httpPeer } from "./testing-peer.ts";

/** Answers A questions with what `answer` says of the name; every record is valid for no time at all. */
async function nameServer(answer: (name: string, turn: number) => readonly string[]) {
  const socket = createSocket("udp4");
  let turn = 0;
  socket.on("message", (query, from) => {
    const end = query.indexOf(0, 12) + 5; // the name, its end, type and class
    const labels: string[] = [];
    for (let at = 12; query[at]; at += (query[at] ?? 0) + 1)
      labels.push(query.toString("latin1", at + 1, at + 1 + (query[at] ?? 0)));
    const isA = query.readUInt16BE(end - 4) === 1;
    const addresses = isA ? answer(labels.join("."), turn++) : [];
    const header = Buffer.from(query.subarray(0, 12));
    header.writeUInt16BE(0x8180, 2);
    header.writeUInt16BE(addresses.length, 6);
    header.writeUInt32BE(0, 8);
    const records = addresses.map((text) =>
      Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, ...text.split(".").map(Number)]),
    );
    socket.send(Buffer.concat([header, query.subarray(12, end), ...records]), from.port, from.address);
  });
  await new Promise<void>((ready) => socket.bind(0, "127.0.0.1", ready));
  const resolver = new Resolver({ timeout: 5_000, tries: 3 });
  resolver.setServers([`127.0.0.1:${(socket.address() as AddressInfo).port}`]);
  return {
    resolve: (host: string) => resolver.resolve4(host),
    turns: () => turn,
    [Symbol.asyncDispose]: () => new Promise<void>((done) => socket.close(done)),
  };
}

const get = (dialer: Dialer, url: string, more: object = {}) =>
  dialer.request({ method: "GET", url, headers: {}, timeoutMs: 5_000, tenantId: "t", ...more });

describe("a name that is bound anew", () => {
  it("is dialled at the address that was judged, not at the one it has a moment later", async () => {
    await using peer = await httpPeer((_request, response) => response.end("inside"));
    // public at first, then the loopback address at which something private listens
    await using names = await nameServer((_name, turn) => [turn === 0 ? "192.0.2.1" : "127.0.0.1"]);
    await using dialer = createDialer({
      allow: ["192.0.2.1"],
      maxResponseBytes: 1_000,
      connectTimeoutMs: 300,
      dnsTtlMs: 0,
      resolve: names.resolve,
    });
    const url = `http://rebind.test:${peer.port}/`;
    await expect(get(dialer, url, { timeoutMs: 600 })).rejects.toMatchObject({ sent: false });
    await expect(get(dialer, url)).rejects.toMatchObject({ code: "NET_ADDRESS_FORBIDDEN" });
    expect(names.turns()).toBeGreaterThan(1);
    expect(peer.connections()).toBe(0);
  });

  it("is refused as a whole when one of its addresses lies inside, also where a redirect leads to it", async () => {
    await using inside = await httpPeer((_request, response) => response.end("inside"));
    await using outside = await httpPeer((_request, response) => {
      response.writeHead(302, { location: `http://mixed.test:${inside.port}/admin` }).end();
    });
    await using names = await nameServer(() => ["127.0.0.2", "127.0.0.1"]);
    const dialerOf = (allow: string) =>
      createDialer({
        allow: [allow],
        maxResponseBytes: 1_000,
        connectTimeoutMs: 1_000,
        resolve: names.resolve,
      });
    const refused = { code: "NET_ADDRESS_FORBIDDEN" };
    await using half = dialerOf("127.0.0.2");
    await expect(get(half, `http://mixed.test:${inside.port}/`)).rejects.toMatchObject(refused);
    await using led = dialerOf("127.0.0.1"); // reaches the redirecting peer by its address
    await expect(get(led, outside.origin, { maxRedirects: 3 })).rejects.toMatchObject(refused);
    expect(inside.connections()).toBe(0);
  });
});

describe("a tenant's own hosts", () => {
  const dialerOf = (tenantRules: NonNullable<Parameters<typeof createDialer>[0]["tenantRules"]>) =>
    createDialer({ allow: ["127.0.0.1"], maxResponseBytes: 1_000, connectTimeoutMs: 1_000, tenantRules });

  it("hold for every call, by host and port, and for each step of a redirect", async () => {
    await using other = await httpPeer((_request, response) => response.end("other"));
    await using peer = await httpPeer((request, response) => {
      if (request.url === "/away") response.writeHead(302, { location: other.origin }).end();
      else response.end("ok");
    });
    await using dialer = dialerOf(() => [{ tenantId: null, host: "127.0.0.1", port: peer.port }]);
    expect((await get(dialer, peer.origin)).status).toBe(200);
    const refused = { code: "NET_EGRESS_FORBIDDEN" };
    await expect(get(dialer, other.origin)).rejects.toMatchObject(refused);
    await expect(get(dialer, `${peer.origin}/away`, { maxRedirects: 2 })).rejects.toMatchObject(refused);
    const socket = { host: "127.0.0.1", port: other.port, timeoutMs: 1_000, tenantId: "t" };
    await expect(dialer.connect(socket)).rejects.toMatchObject(refused);
    expect(other.connections()).toBe(0);
  });

  it("that cannot be read let nothing out", async () => {
    await using peer = await httpPeer((_request, response) => response.end("ok"));
    await using dialer = dialerOf(async () => {
      throw new Error("the database is away");
    });
    await expect(get(dialer, peer.origin)).rejects.toMatchObject({ code: "NET_UNREACHABLE", sent: false });
    expect(peer.connections()).toBe(0);
  });
});
