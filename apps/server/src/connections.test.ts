/** Connections as a client sees them: the catalogue, tests and dry runs, on both databases. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { drivers } from "#testing";
import { startTestApi, type TestApi } from "./testing/api.ts";

describe.each(drivers)("connections over the API on %s", (driver) => {
  let api: TestApi;
  let outside: Server;
  let asked = 0;

  beforeAll(async () => {
    api = await startTestApi(driver);
    outside = createServer((_request, response) => {
      asked += 1;
      response.writeHead(200, { "content-type": "application/json" }).end('{"ok":true}');
    });
    await new Promise<void>((ready) => outside.listen(0, "127.0.0.1", ready));
    const policy = await api.ask("POST", "/v1/policies", {
      cedar: '@id("all") permit (principal, action, resource);',
    });
    await api.ask("POST", "/v1/policies/:id/publish", {}, { id: policy.json.id });
  });
  afterAll(async () => {
    outside?.close();
    await api?.close();
  });

  const put = (more: object = {}) => {
    const { port } = outside.address() as AddressInfo; // a listening TCP server has a port
    const config = { baseUrl: `http://127.0.0.1:${port}` };
    return api.ask("PUT", "/v1/connections/:name", { connector: "http", config, ...more }, { name: "wms" });
  };
  const act = () =>
    api.ask("POST", "/v1/actions", {
      connection: "wms",
      operation: "http.request",
      input: { path: "/x", body: { a: 1 } },
    });

  it("can be of every connector that the catalogue shows with its schemas", async () => {
    const { status, json } = await api.ask("GET", "/v1/connectors");
    expect(status).toBe(200);
    const names: string[] = json.items.map((one: { name: string }) => one.name);
    expect(names).toEqual(
      expect.arrayContaining(["http", "sql", "email", "sftp", "s3", "graphql", "soap", "slack"]),
    );
    for (const { config, operations } of json.items) {
      expect(JSON.stringify(config)).toContain('"properties"');
      expect(operations.length).toBeGreaterThan(0);
    }
  });

  it("are tested, and a test that fails is an answer", async () => {
    await put();
    const tested = await api.ask("POST", "/v1/connections/:name/test", undefined, { name: "wms" });
    expect(tested).toMatchObject({ status: 200, json: { ok: true, emulated: false } });
    await put({ config: { baseUrl: "http://10.255.255.1" } });
    const refused = await api.ask("POST", "/v1/connections/:name/test", undefined, { name: "wms" });
    expect(refused).toMatchObject({ status: 200, json: { ok: false, code: "NET_ADDRESS_FORBIDDEN" } });
  });

  it("that are emulated are decided on and receipted as ever, and call nothing", async () => {
    await put({ emulate: true });
    const before = asked;
    const { json } = await act();
    expect(json).toMatchObject({
      state: "completed",
      output: { status: 200, body: { a: 1 }, emulated: true },
    });
    expect(asked).toBe(before);
    await put();
    expect((await act()).json).toMatchObject({ state: "completed", output: { body: { ok: true } } });
    expect(asked).toBe(before + 1);
  });

  it("change the digest of an action when they become real: an approval of a dry run is not one of the effect", async () => {
    await put({ emulate: true });
    const dry = (await act()).json.digest;
    await put();
    const real = (await act()).json.digest;
    expect(dry).toBeTypeOf("string");
    expect(real).not.toBe(dry);
  });

  it("reach only the hosts that the tenant allows itself; each change leaves a receipt and takes what was read", async () => {
    await put();
    const start = await api.ask("GET", "/v1/egress");
    expect(start.json).toMatchObject({ hosts: null, revision: 0 });
    const set = (hosts: unknown, etag?: string) =>
      api.ask("PUT", "/v1/egress", { hosts }, {}, etag === undefined ? {} : { "if-match": `"${etag}"` });
    const narrow = await set(["API.example.com:443", "*.example.org"], start.json.etag);
    expect(narrow.json).toMatchObject({ hosts: ["api.example.com:443", "*.example.org"], revision: 1 });
    const before = asked;
    expect((await act()).json).toMatchObject({ state: "failed", error: { code: "NET_EGRESS_FORBIDDEN" } });
    expect(asked).toBe(before);
    expect((await set(null, start.json.etag)).status).toBe(412);
    expect((await set(["https://a.example.com"])).status).toBe(400);
    expect((await set(null, narrow.json.etag)).json).toMatchObject({ hosts: null });
    expect((await act()).json.state).toBe("completed");
    const { json } = await api.ask("GET", "/v1/receipts?type=tool.definition_changed");
    expect(json.items.length).toBeGreaterThan(2);
  });

  it("have revisions and tags: a change of what nobody read last is refused, and so is a delete while a flow needs it", async () => {
    const { json: first } = await put();
    const fresh = await api.ask("GET", "/v1/connections/:name", undefined, { name: "wms" });
    expect(fresh.headers.get("etag")).toBe(`"${first.etag}"`);
    const { json: second } = await put({ risk: 7 });
    expect(second.revision).toBe(first.revision + 1);
    const remove = (headers: Record<string, string> = {}, query = "") =>
      api.ask("DELETE", `/v1/connections/:name${query}`, undefined, { name: "wms" }, headers);
    expect((await remove({ "if-match": `"${first.etag}"` })).status).toBe(412);
    const flow =
      "flow: user-of-wms\nversion: 1.0.0\nsteps:\n  a:\n    use: http.request\n    with: { connection: wms, path: /x }\n";
    await api.ask("POST", "/v1/flows", flow, {}, { "content-type": "application/yaml" });
    expect((await remove()).json).toMatchObject({
      code: "CONNECTION_IN_USE",
      detail: expect.stringContaining("user-of-wms"),
    });
    const versions = await api.ask("GET", "/v1/connections/:name/versions?limit=1", undefined, {
      name: "wms",
    });
    expect(versions.json).toMatchObject({ items: [{ revision: second.revision, definition: { risk: 7 } }] });
    expect(versions.json.nextCursor).toBeTypeOf("string");
    expect((await remove({ "if-match": `"${second.etag}"` }, "?force=true")).status).toBe(204);
    expect((await api.ask("GET", "/v1/connections/:name", undefined, { name: "wms" })).status).toBe(404);
    const again = await put();
    expect(again.json).toMatchObject({ revision: 1 });
    expect(again.json.etag).not.toBe(first.etag);
  });

  it("that fail again and again are left alone for a while, which is shown", async () => {
    const dead = { config: { baseUrl: "http://127.0.0.1:9" } };
    await api.ask("PUT", "/v1/connections/:name", { connector: "http", ...dead }, { name: "gone" });
    const call = () =>
      api.ask("POST", "/v1/actions", {
        connection: "gone",
        operation: "http.request",
        input: { path: "/x" },
      });
    for (let i = 0; i < 10; i++) expect((await call()).json.error.code).toBe("NET_UNREACHABLE");
    expect((await call()).json.error).toMatchObject({ code: "CONNECTION_CIRCUIT_OPEN", retry: "retryable" });
    const { json } = await api.ask("GET", "/v1/connections/:name", undefined, { name: "gone" });
    expect(json.circuit).toMatchObject({ state: "open", failures: 10, lastCode: "NET_UNREACHABLE" });
  });
});
