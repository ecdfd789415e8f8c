import { connect, type Socket } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { until } from "#testing";
import { type Route, routeFor } from "./route.ts";
import { type TestServices, testRoutes, testServer } from "./test-server.ts";

let server: Awaited<ReturnType<typeof testServer>>;
const sockets: Socket[] = [];
let release = (): void => {};
afterEach(async () => {
  release();
  for (const socket of sockets.splice(0)) socket.destroy();
  await server.app.close();
});

const route = routeFor<TestServices>();

/** A server whose POST /v1/work answers once `release` is called. */
async function open(config: Parameters<typeof testServer>[0] = {}): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<void>();
  release = resolve;
  const work = (path: string, startsWork: boolean): Route<TestServices> =>
    route({
      method: "POST",
      path,
      access: "anonymous",
      tag: "test",
      summary: "Works until it is released",
      ...(startsWork ? { startsWork: true as const } : {}),
      body: z.unknown(),
      answer: { status: 200, body: z.unknown() },
      handle: async ({ calls }) => {
        calls.push(path);
        await promise;
        return {};
      },
    });
  server = await testServer({
    routes: [...testRoutes, work("/v1/work", true), work("/v1/care", false)],
    ...config,
  });
  return server.app.listen({ host: "127.0.0.1", port: 0 });
}

const post = (base: string, path: string, body = "{}"): Promise<Response> =>
  fetch(base + path, { method: "POST", headers: { "content-type": "application/json" }, body });

describe("room for requests", () => {
  it("refuses with 503 and a time to wait what starts work once so many are under way, before its body is read", async () => {
    const base = await open({ maxRequests: 16 });
    const held = Array.from({ length: 16 }, () => post(base, "/v1/work"));
    await until("they are under way", () => server.calls.length === 16);
    const refused = await post(base, "/v1/work", "no json at all");
    expect(refused.status).toBe(503);
    expect(refused.headers.get("retry-after")).toBe("1");
    expect(await refused.json()).toMatchObject({ code: "SERVER_BUSY" });
    release();
    for (const answer of await Promise.all(held)) expect(answer.status).toBe(200);
    expect((await post(base, "/v1/work")).status).toBe(200);
  });

  it("keeps a quarter for those who look and operate, and always answers the probe", async () => {
    const base = await open({ maxRequests: 16 });
    const held = Array.from({ length: 16 }, () => post(base, "/v1/work"));
    await until("they are under way", () => server.calls.length === 16);
    const kept = Array.from({ length: 4 }, () => post(base, "/v1/care"));
    await until("there is room for four more", () => server.calls.length === 20);
    expect((await post(base, "/v1/care")).status).toBe(503);
    expect((await fetch(`${base}/health/live`)).status).toBe(200);
    release();
    await Promise.all([...held, ...kept]);
  });

  it("counts bodies by the length that they announce, and gives the room back when the sender goes away", async () => {
    const mib = 1024 * 1024;
    const base = await open({ bodyLimit: 40 * mib }); // four times the largest body may be under way
    for (let i = 0; i < 4; i++) {
      const socket = connect(Number(new URL(base).port), "127.0.0.1");
      sockets.push(socket);
      socket.write(
        `POST /v1/care HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${40 * mib}\r\n\r\n{`,
      );
    }
    await until("there is no room", async () => (await post(base, "/v1/care", "{ ")).status === 503);
    for (const socket of sockets.splice(0)) socket.destroy();
    release();
    await until("there is room again", async () => (await post(base, "/v1/care")).status === 200);
  });

  it("starts nothing while the process is at its limit, and serves everything else", async () => {
    let overloaded = true;
    const base = await open({ isOverloaded: () => overloaded });
    release();
    expect((await post(base, "/v1/work")).status).toBe(503);
    expect((await post(base, "/v1/care")).status).toBe(200);
    overloaded = false;
    expect((await post(base, "/v1/work")).status).toBe(200);
  });
});
