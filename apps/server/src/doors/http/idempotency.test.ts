import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { routeFor } from "./route.ts";
import { type TestServices, testRoutes, testServer } from "./test-server.ts";

let server: Awaited<ReturnType<typeof testServer>>;
let finish: () => void = () => {};

const slow = routeFor<TestServices>()({
  method: "POST",
  path: "/v1/slow",
  access: "authenticated",
  tag: "test",
  summary: "Waits to be let go",
  answer: { status: 200, body: z.unknown() },
  idempotency: "door",
  replayable: (body) => ({ ...(body as object), key: null }), // the handler below answers an object
  handle: async ({ calls }) => {
    calls.push("slow");
    await new Promise<void>((resolve) => {
      finish = resolve;
    });
    return { key: "shown once", n: calls.length };
  },
});

beforeEach(async () => {
  server = await testServer({ routes: [...testRoutes, slow] });
});
afterEach(() => server.app.close());

const post = (url: string, payload: object | undefined, key: string, who = "alice") =>
  server.app.inject({
    method: "POST",
    url,
    ...(payload === undefined ? {} : { payload }),
    headers: { authorization: `Bearer ${who}`, "idempotency-key": key },
  });

describe("Idempotency-Key", () => {
  it("runs a request once and replays its answer, also through an alias and in another order of fields", async () => {
    const first = await post("/v1/runs", { name: "a", size: 1 }, "k1");
    const again = await post("/api/v1/runs", { size: 1, name: "a" }, "k1");
    expect([first.statusCode, again.statusCode]).toEqual([201, 201]);
    expect(again.json()).toEqual(first.json());
    expect(first.headers["idempotency-replayed"]).toBeUndefined();
    expect(again.headers["idempotency-replayed"]).toBe("true");
    expect(server.calls).toEqual(["a"]);
  });

  it("refuses another request under the same key", async () => {
    await post("/v1/runs", { name: "a", size: 1 }, "k2");
    const other = await post("/v1/runs", { name: "a", size: 2 }, "k2");
    expect(other.json()).toMatchObject({ status: 409, code: "IDEMPOTENCY_CONFLICT" });
    expect(server.calls).toEqual(["a"]);
  });

  it("runs concurrent duplicates once; the others wait for its answer, and are told to come back when it takes long", async () => {
    const first = post("/v1/slow", undefined, "k3");
    while (server.calls.length === 0) await new Promise(setImmediate);
    const second = await post("/v1/slow", undefined, "k3");
    expect(second.json()).toMatchObject({ status: 409, code: "IDEMPOTENCY_IN_PROGRESS" });
    expect(second.headers["retry-after"]).toBe("1");
    const third = post("/v1/slow", undefined, "k3");
    finish();
    expect((await first).json()).toEqual({ key: "shown once", n: 1 });
    expect((await third).json()).toEqual({ key: null, n: 1 });
    expect((await post("/v1/slow", undefined, "k3")).json()).toEqual({ key: null, n: 1 });
    expect(server.calls).toEqual(["slow"]);
  });

  it("keeps nothing of a request that failed", async () => {
    await post("/v1/runs", { name: "refuse", size: 1 }, "k4");
    await post("/v1/runs", { name: "refuse", size: 1 }, "k4");
    await post("/v1/runs", { name: "explode", size: 1 }, "k5");
    await post("/v1/runs", { name: "explode", size: 1 }, "k5");
    expect(server.calls).toEqual(["refuse", "refuse", "explode", "explode"]);
  });

  it("keeps the keys of two principals apart", async () => {
    const run = async (who: string) => {
      const answer = post("/v1/slow", undefined, "k6", who);
      const before = server.calls.length;
      while (server.calls.length === before) await new Promise(setImmediate);
      finish();
      return (await answer).json();
    };
    expect(await run("alice")).toMatchObject({ n: 1 });
    expect(await run("bob")).toMatchObject({ n: 2 });
  });

  it.each(["", "a b", "ü", "x".repeat(256)])("refuses the key %j", async (key) => {
    const res = await post("/v1/runs", { name: "a", size: 1 }, key);
    expect(res.json()).toMatchObject({ status: 400, errors: [{ path: "header.idempotency-key" }] });
    expect(server.calls).toEqual([]);
  });
});
