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
});
