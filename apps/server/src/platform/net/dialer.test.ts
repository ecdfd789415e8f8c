import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { describe, expect, it } from "vitest";
import { createDialer, type Dialer, type DialerOptions, type DialRequest } from "./dialer.ts";
import { deadPort, httpPeer, testTls } from "./testing-peer.ts";

const dialerOf = (options: Partial<DialerOptions> = {}): Dialer =>
  createDialer({ allow: ["127.0.0.0/8"], maxResponseBytes: 1_000_000, connectTimeoutMs: 2_000, ...options });

const get = (url: string, more: Partial<DialRequest> = {}): DialRequest => ({
  method: "GET",
  url,
  headers: {},
  timeoutMs: 5_000,
  tenantId: "t1",
  ...more,
});

const echo = () =>
  httpPeer((request, response) => {
    let body = "";
    request.on("data", (chunk) => {
      body += chunk;
    });
    request.on("end", () => {
      response.setHeader("content-type", "application/json");
      response.setHeader("set-cookie", ["a=1", "b=2"]);
      response.end(
        JSON.stringify({ method: request.method, url: request.url, headers: request.headers, body }),
      );
    });
  });

const text = (body: Uint8Array): string => Buffer.from(body).toString();

describe("what a request carries", () => {
  it("sends method, path, query, headers and body, and tells which address answered", async () => {
    await using peer = await echo();
    await using dialer = dialerOf();
    const answer = await dialer.request(
      get(`${peer.origin}/a/b?x=1&y=2`, { method: "POST", headers: { "x-a": "1" }, body: "héllo" }),
    );
    expect(answer).toMatchObject({
      status: 200,
      address: "127.0.0.1",
      headers: { "set-cookie": "a=1, b=2" },
    });
    expect(answer.ms).toBeGreaterThan(0);
    expect(JSON.parse(text(answer.body))).toMatchObject({
      method: "POST",
      url: "/a/b?x=1&y=2",
      body: "héllo",
      headers: { "x-a": "1", "content-length": "6", host: `127.0.0.1:${peer.port}` },
    });
  });

  it("reuses connections for the same tenant and opens another for another tenant", async () => {
    await using peer = await echo();
    await using dialer = dialerOf();
    for (let i = 0; i < 20; i++) await dialer.request(get(`${peer.origin}/${i}`));
    const before = peer.connections();
    expect(before).toBeLessThanOrEqual(2); // the next request may come before the last connection is free again
    await dialer.request(get(`${peer.origin}/`, { tenantId: "t2" }));
    expect(peer.connections()).toBe(before + 1);
  });

  it("refuses requests once it is closed", async () => {
    const dialer = dialerOf();
    await dialer.close();
    await expect(dialer.request(get("http://127.0.0.1:1/"))).rejects.toMatchObject({
      code: "NET_UNREACHABLE",
      sent: false,
    });
  });
});

describe("the address that was judged is the address that is dialled", () => {
  it.each([
    "http://127.0.0.1/",
    "http://2130706433/",
    "http://0x7f.1/",
    "http://0177.0.0.1/",
    "http://[::1]/",
    "http://[::ffff:127.0.0.1]/",
    "http://localhost/",
    "http://localhost./",
    "http://a.localhost/",
    "http://169.254.169.254/latest/meta-data",
    "http://[fd00:ec2::254]/",
    "http://10.0.0.1/",
  ])("refuses %s without sending anything when no range is open", async (url) => {
    await using dialer = dialerOf({ allow: [] });
    await expect(dialer.request(get(url))).rejects.toMatchObject({
      code: "NET_ADDRESS_FORBIDDEN",
      sent: false,
    });
  });

  it("refuses a name that points inside, without connecting", async () => {
    await using peer = await echo();
    await using dialer = dialerOf({ allow: [], resolve: async () => ["127.0.0.1"] });
    await expect(dialer.request(get(`http://inside.test:${peer.port}/`))).rejects.toMatchObject({
      code: "NET_ADDRESS_FORBIDDEN",
      params: { host: "inside.test", address: "127.0.0.1" },
    });
    expect(peer.connections()).toBe(0);
  });

  it("refuses a name with one public and one private address", async () => {
    await using dialer = dialerOf({ allow: [], resolve: async () => ["8.8.8.8", "10.0.0.1"] });
    await expect(dialer.request(get("http://mixed.test/"))).rejects.toMatchObject({
      code: "NET_ADDRESS_FORBIDDEN",
    });
  });

  it("a name that rebinds after its check gains nothing: each lookup is judged, and its answer is dialled", async () => {
    await using peer = await echo();
    const answers = [["127.0.0.1"], ["10.0.0.1"], ["127.0.0.1"]];
    const asked: string[] = [];
    const resolve = async (host: string) => {
      asked.push(host);
      return answers[asked.length - 1] ?? [];
    };
    await using dialer = dialerOf({ resolve, dnsTtlMs: 0 });
    const url = `http://rebind.test:${peer.port}/`;
    expect(await dialer.request(get(url))).toMatchObject({ status: 200, address: "127.0.0.1" });
    await expect(dialer.request(get(url))).rejects.toMatchObject({
      code: "NET_ADDRESS_FORBIDDEN",
      sent: false,
    });
    expect(await dialer.request(get(url))).toMatchObject({ status: 200 });
    expect(asked).toEqual(["rebind.test", "rebind.test", "rebind.test"]);
  });

  it("asks once for requests that come together and within the answer's time", async () => {
    await using peer = await echo();
    let asked = 0;
    const resolve = async () => {
      asked += 1;
      return ["127.0.0.1"];
    };
    await using dialer = dialerOf({ resolve });
    const url = `http://api.test:${peer.port}/`;
    await Promise.all([1, 2, 3].map(() => dialer.request(get(url))));
    await dialer.request(get(url));
    expect(asked).toBe(1);
  });

  it("tries the next address when one does not accept, and remembers which one did", async () => {
    await using peer = await echo();
    await using dialer = dialerOf({ resolve: async () => ["127.0.0.9", "127.0.0.1"] });
    const url = `http://two.test:${peer.port}/`;
    expect((await dialer.request(get(url))).address).toBe("127.0.0.1");
    expect((await dialer.request(get(url))).address).toBe("127.0.0.1");
  });

  it("says that nothing was sent when no address accepts or the name is unknown", async () => {
    const port = await deadPort();
    await using dialer = dialerOf({
      resolve: async (host) => {
        if (host === "gone.test") throw Object.assign(new Error("no such name"), { code: "ENOTFOUND" });
        return host === "empty.test" ? [] : ["127.0.0.1", "127.0.0.2"];
      },
    });
    for (const host of ["dead.test", "gone.test", "empty.test"]) {
      await expect(
        dialer.request(get(`http://${host}:${port}/`, { method: "POST", body: "x" })),
      ).rejects.toMatchObject({
        code: "NET_UNREACHABLE",
        sent: false,
      });
    }
  });

  it("checks the certificate for the name of the URL while it dials the judged address", async () => {
    const server = createTlsServer(testTls, (request, response) => response.end(request.headers.host));
    await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready));
    const { port } = server.address() as AddressInfo; // a listening TCP server has a port
    await using dialer = dialerOf({ resolve: async () => ["127.0.0.1"], ca: testTls.cert });
    const answer = await dialer.request(get(`https://api.oars.test:${port}/`));
    expect(text(answer.body)).toBe(`api.oars.test:${port}`);
    await expect(dialer.request(get(`https://other.oars.test:${port}/`))).rejects.toMatchObject({
      code: "NET_UNREACHABLE",
      sent: false,
      message: expect.stringContaining("certificate is for another name"),
    });
    await using stranger = dialerOf({ resolve: async () => ["127.0.0.1"] });
    await expect(stranger.request(get(`https://api.oars.test:${port}/`))).rejects.toMatchObject({
      sent: false,
    });
    await dialer.close();
    server.close();
  });
});

describe("redirects", () => {
  const redirecting = (location: string, status = 302) =>
    httpPeer((_request, response) => response.writeHead(status, { location }).end());

  it("are answers like any other unless the caller allows them", async () => {
    await using peer = await redirecting("http://10.0.0.1/");
    await using dialer = dialerOf();
    expect(await dialer.request(get(peer.origin))).toMatchObject({
      status: 302,
      headers: { location: "http://10.0.0.1/" },
    });
  });

  it.each(["http://10.0.0.1/", "http://169.254.169.254/", "http://[::ffff:a00:1]/", "//10.0.0.1/x"])(
    "a redirect to %s is judged like a first request, and counts as sent",
    async (location) => {
      await using peer = await redirecting(location);
      await using dialer = dialerOf();
      await expect(dialer.request(get(peer.origin, { maxRedirects: 3 }))).rejects.toMatchObject({
        code: "NET_ADDRESS_FORBIDDEN",
        sent: true,
      });
    },
  );

  it("across origins only harmless headers go along; on one origin all do", async () => {
    await using there = await echo();
    await using here = await httpPeer((request, response) => {
      if (request.url === "/end") response.end(JSON.stringify({ headers: request.headers }));
      else response.writeHead(307, { location: request.url === "/away" ? `${there.origin}/` : "/end" }).end();
    });
    await using dialer = dialerOf();
    const headers = {
      authorization: "Bearer s",
      cookie: "c=1",
      "x-api-key": "k",
      "x-mine": "m",
      accept: "text/plain",
    };
    const away = JSON.parse(
      text((await dialer.request(get(`${here.origin}/away`, { headers, maxRedirects: 1 }))).body),
    );
    expect(away.headers.accept).toBe("text/plain");
    expect(Object.keys(away.headers)).not.toEqual(
      expect.arrayContaining([expect.stringMatching(/authorization|cookie|x-api-key|x-mine/)]),
    );
    const same = JSON.parse(
      text((await dialer.request(get(`${here.origin}/stay`, { headers, maxRedirects: 1 }))).body),
    );
    expect(same.headers).toMatchObject({ authorization: "Bearer s", "x-mine": "m" });
  });

  it.each([
    [303, "POST", "GET", ""],
    [302, "POST", "GET", ""],
    [301, "PUT", "PUT", "b"],
    [307, "POST", "POST", "b"],
    [308, "PATCH", "PATCH", "b"],
  ])("%i after %s continues as %s", async (status, method, expected, body) => {
    await using there = await echo();
    await using here = await redirecting(`${there.origin}/next`, status);
    await using dialer = dialerOf();
    const answer = await dialer.request(
      get(here.origin, { method, body: "b", headers: { "content-type": "text/plain" }, maxRedirects: 1 }),
    );
    expect(JSON.parse(text(answer.body))).toMatchObject({ method: expected, body, url: "/next" });
  });

  it("stops after the allowed number of hops", async () => {
    await using peer = await redirecting("/again");
    await using dialer = dialerOf();
    await expect(dialer.request(get(peer.origin, { maxRedirects: 3 }))).rejects.toMatchObject({
      code: "NET_REDIRECT_REFUSED",
      sent: true,
    });
  });

  it.each(["ftp://example.com/", "http://u:p@127.0.0.1/", "http://[", ""])(
    "does not follow %j",
    async (location) => {
      await using peer = await httpPeer((_request, response) =>
        response.writeHead(302, location === "" ? {} : { location }).end(),
      );
      await using dialer = dialerOf();
      await expect(dialer.request(get(peer.origin, { maxRedirects: 1 }))).rejects.toMatchObject({
        code: "NET_REDIRECT_REFUSED",
      });
    },
  );
});
