import { afterEach, describe, expect, it } from "vitest";
import { type PlayedServer, playServer, type Reply } from "../testing/played-server.ts";
import { type ClientOptions, createClient } from "./client.ts";
import { OarsApiError, OarsClientError } from "./errors.ts";

let server: PlayedServer | undefined;
afterEach(() => server?.close());

const run = { id: "run_01j9zr3c4kf8w9m2x5q7t0v1ab", status: "queued" };
const id = run.id;

async function play(replies: readonly ((reply: Reply) => void)[], options: Partial<ClientOptions> = {}) {
  const played = await playServer((_, reply, turn) => (replies[turn] ?? replies.at(-1))?.(reply));
  server = played;
  return {
    asked: played.asked,
    client: createClient({ baseUrl: played.url, apiKey: "oars_key", ...options }),
  };
}

const fails = async (call: Promise<unknown>): Promise<OarsApiError> => {
  const error = await call.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof OarsApiError)) throw new Error(`no OarsApiError but ${String(error)}`);
  return error;
};

describe("a request", () => {
  it("carries the credential, the tenant and JSON, and encodes what stands in its path", async () => {
    const { asked, client } = await play([(r) => r.send(200, { name: "a b" })], { tenantId: "ten_x" });
    await client.connections.put("a/b ?", { connector: "http", config: {} });
    expect(asked[0]).toMatchObject({
      method: "PUT",
      url: "/v1/connections/a%2Fb%20%3F",
      headers: {
        authorization: "Bearer oars_key",
        "x-tenant-id": "ten_x",
        "content-type": "application/json",
      },
      body: '{"connector":"http","config":{}}',
    });
  });

  it.each(["", ".", ".."])("refuses %j as a name, which would be another path", async (name) => {
    const { asked, client } = await play([(r) => r.send(200, {})]);
    expect(() => client.secrets.delete(name)).toThrow(TypeError);
    expect(asked).toEqual([]);
  });

  it("asks the token function before every attempt", async () => {
    let count = 0;
    const token = () => `t${++count}`;
    const { asked, client } = await play(
      [(r) => r.problem(429, "REQUEST_RATE_LIMITED", { "retry-after": "0" }), (r) => r.send(200, {})],
      { apiKey: undefined, token },
    );
    await client.me.get();
    expect(asked.map((a) => a.headers.authorization)).toEqual(["Bearer t1", "Bearer t2"]);
  });

  it("sends YAML as it is", async () => {
    const { asked, client } = await play([(r) => r.send(201, {})]);
    await client.flows.publish("flow: a\n");
    expect(asked[0]).toMatchObject({ body: "flow: a\n", headers: { "content-type": "application/yaml" } });
  });

  it("keeps a path prefix of baseUrl", async () => {
    const { asked, client: _ } = await play([(r) => r.send(200, {})]);
    await createClient({ baseUrl: `${server?.url}/oars/` }).me.get();
    expect(asked[0]?.url).toBe("/oars/v1/me");
    expect(asked[0]?.headers.authorization).toBeUndefined();
  });

  it.each(["ftp://a", "a.example", "http://u:p@a", "http://a?x=1"])("refuses baseUrl %s", (baseUrl) => {
    expect(() => createClient({ baseUrl })).toThrow(TypeError);
  });
});

describe("a refusal", () => {
  it("becomes an error with everything that the problem says", async () => {
    const { client } = await play([(r) => r.problem(422, "RUN_PARAMS_INVALID")]);
    expect(await fails(client.runs.start({ flow: "f" }))).toMatchObject({
      name: "OarsApiError",
      code: "RUN_PARAMS_INVALID",
      status: 422,
      title: "RUN_PARAMS_INVALID",
      detail: "Detail of RUN_PARAMS_INVALID.",
      requestId: "req_played",
      errors: [{ path: "a.b", code: "wrong", message: "is wrong", line: 3, column: 7 }],
      message: "RUN_PARAMS_INVALID: Detail of RUN_PARAMS_INVALID.",
    });
  });

  it.each([
    [400, "REQUEST_INVALID"],
    [401, "AUTH_KEY_INVALID"],
    [403, "AUTH_FORBIDDEN"],
    [404, "RUN_NOT_FOUND"],
    [409, "RUN_ENDED"],
    [410, "WEBHOOK_GONE"],
    [412, "PRECONDITION_FAILED"],
    [422, "ACTION_INVALID"],
    [409, "IDEMPOTENCY_IN_PROGRESS"],
  ])("of %i %s without Retry-After is asked for once", async (status, code) => {
    const { asked, client } = await play([(r) => r.problem(status, code)]);
    expect(await fails(client.runs.get(id))).toMatchObject({ status, code });
    expect(asked).toHaveLength(1);
  });

  it("of 409 RUN_ENDED with Retry-After is asked for once too: waiting does not help", async () => {
    const { asked, client } = await play([(r) => r.problem(409, "RUN_ENDED", { "retry-after": "0" })]);
    await fails(client.runs.abort(id, "no longer needed"));
    expect(asked).toHaveLength(1);
  });

  it.each([
    ["a page of a proxy", "<html>Bad gateway</html>", 400, "HTTP_400"],
    ["an empty body", "", 403, "HTTP_403"],
    ["JSON of something else", '{"error":"x","errors":[1,{"path":1}]}', 404, "HTTP_404"],
  ])("by something else, with %s, is told by its status", async (_what, body, status, code) => {
    const { client } = await play([(r) => r.send(status, body)]);
    expect(await fails(client.runs.get(id))).toMatchObject({ status, code, errors: [], requestId: "" });
  });

  it("by a redirect names the address to use", async () => {
    const { client } = await play([(r) => r.send(308, "", { location: "https://new.example/" })]);
    expect((await fails(client.me.get())).detail).toContain("https://new.example/");
  });

  it("by a success that is not JSON says what baseUrl names", async () => {
    const { client } = await play([(r) => r.send(200, "<html>")]);
    await expect(client.me.get()).rejects.toMatchObject({ code: "CLIENT_ANSWER_INVALID" });
  });
});

describe("a repetition", () => {
  it.each([
    ["429 REQUEST_RATE_LIMITED", 429],
    ["409 IDEMPOTENCY_IN_PROGRESS", 409],
    ["409 RECEIPT_NOT_LOGGED", 409],
  ])("after %s waits for Retry-After and keeps the Idempotency-Key", async (name, status) => {
    const code = name.slice(4);
    const { asked, client } = await play([
      (r) => r.problem(status, code, { "retry-after": "1" }),
      (r) => r.send(202, run),
    ]);
    expect(await client.runs.start({ flow: "f" })).toEqual(run);
    expect(asked).toHaveLength(2);
    expect((asked[1]?.at ?? 0) - (asked[0]?.at ?? 0)).toBeGreaterThanOrEqual(990);
    const keys = asked.map((a) => a.headers["idempotency-key"]);
    expect(keys[0]).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(keys[1]).toBe(keys[0]);
  });

  it.each([408, 425, 429])("after %i without Retry-After comes after a pause", async (status) => {
    const { asked, client } = await play([
      (r) => r.problem(status, "REQUEST_TIMEOUT"),
      (r) => r.send(202, run),
    ]);
    expect(await client.runs.start({ flow: "f" })).toEqual(run);
    expect((asked[1]?.at ?? 0) - (asked[0]?.at ?? 0)).toBeGreaterThanOrEqual(90);
    expect(asked[1]?.headers["idempotency-key"]).toBe(asked[0]?.headers["idempotency-key"]);
  });

  it("reads Retry-After as an HTTP-date", async () => {
    const past = new Date(Date.now() - 60_000).toUTCString();
    const { asked, client } = await play([
      (r) => r.problem(429, "REQUEST_RATE_LIMITED", { "retry-after": past }),
      (r) => r.send(200, run),
    ]);
    await client.runs.get(id);
    expect(asked).toHaveLength(2);
  });

  it("does not wait for a Retry-After that is too long, and tells it", async () => {
    const { asked, client } = await play([
      (r) => r.problem(429, "REQUEST_RATE_LIMITED", { "retry-after": "600" }),
    ]);
    expect((await fails(client.runs.get(id))).retryAfterMs).toBe(600_000);
    expect(asked).toHaveLength(1);
  });

  it("after a connection that broke in mid-answer gives the whole answer, under the same key", async () => {
    const { asked, client } = await play([
      (r) => {
        r.raw.writeHead(202, { "content-type": "application/json", "content-length": "1000" });
        r.raw.write('{"id":', () => r.raw.destroy());
      },
      (r) => r.raw.destroy(),
      (r) => r.send(202, run),
    ]);
    expect(await client.runs.start({ flow: "f" })).toEqual(run);
    expect(new Set(asked.map((a) => a.headers["idempotency-key"])).size).toBe(1);
    expect(asked).toHaveLength(3);
  });

  it("uses a fresh key for every call, and the caller's where one is given", async () => {
    const { asked, client } = await play([(r) => r.send(202, run)]);
    await client.runs.start({ flow: "f" });
    await client.runs.start({ flow: "f" });
    await client.runs.start({ flow: "f" }, { idempotencyKey: "mine" });
    const keys = asked.map((a) => a.headers["idempotency-key"]);
    expect(new Set(keys).size).toBe(3);
    expect(keys[2]).toBe("mine");
  });

  it("of 5xx ends after `retries`, with the last answer", async () => {
    const { asked, client } = await play([(r) => r.problem(503, "SERVER_BUSY", { "retry-after": "0" })], {
      retries: 2,
    });
    expect((await fails(client.runs.get(id))).code).toBe("SERVER_BUSY");
    expect(asked).toHaveLength(3);
  });

  it("of a deletion that had been done is a success", async () => {
    const { asked, client } = await play([(r) => r.raw.destroy(), (r) => r.problem(404, "SECRET_NOT_FOUND")]);
    await client.secrets.delete("s");
    expect(asked).toHaveLength(2);
  });

  it("of nothing: a deletion of what is not there is refused", async () => {
    const { client } = await play([(r) => r.problem(404, "SECRET_NOT_FOUND")]);
    expect((await fails(client.secrets.delete("s"))).code).toBe("SECRET_NOT_FOUND");
  });
});

describe("time", () => {
  it("ends an attempt that gets no answer, and says so", async () => {
    const { asked, client } = await play([() => {}], { timeoutMs: 60, retries: 1 });
    await expect(client.runs.get(id)).rejects.toMatchObject({ code: "CLIENT_TIMEOUT" });
    expect(asked).toHaveLength(2);
  });

  it("ends an attempt whose body does not come", async () => {
    const { client } = await play([(r) => void r.raw.writeHead(200, { "content-length": "9" }).write("{")], {
      timeoutMs: 60,
      retries: 0,
    });
    await expect(client.runs.get(id)).rejects.toMatchObject({ code: "CLIENT_TIMEOUT" });
  });

  it("after a timeout fetches the answer of the same submission", async () => {
    const { asked, client } = await play([() => {}, (r) => r.send(202, { state: "completed" })], {
      timeoutMs: 60,
    });
    const request = { connection: "c", operation: "o", input: {} };
    const done = await client.actions.submit(request, { timeoutMs: 60 });
    expect(done.state).toBe("completed");
    expect(asked[1]?.headers["idempotency-key"]).toBe(asked[0]?.headers["idempotency-key"]);
  });

  it("belongs to the caller: a signal ends a call and its waiting with its own reason", async () => {
    const busy = (r: Reply) => r.problem(503, "SERVER_BUSY", { "retry-after": "20" });
    const { asked, client } = await play([busy]);
    const reason = new Error("changed my mind");
    const abort = new AbortController();
    const call = client.runs.get(id, { signal: abort.signal });
    while (asked.length === 0) await new Promise((next) => setImmediate(next));
    abort.abort(reason);
    await expect(call).rejects.toBe(reason);
    await expect(client.runs.get(id, { signal: abort.signal })).rejects.toBe(reason);
    expect(asked).toHaveLength(1);
  });
});

it("a server that is not there is CLIENT_UNREACHABLE, with the system's reason and without the key", async () => {
  const gone = await playServer(() => {});
  await gone.close();
  const client = createClient({ baseUrl: gone.url, apiKey: "oars_very_secret", retries: 1 });
  const error = await client.me.get().catch((thrown: unknown) => thrown);
  if (!(error instanceof OarsClientError)) throw error;
  expect(error.code).toBe("CLIENT_UNREACHABLE");
  expect(error.message).toBe(`${gone.url} gave no answer (ECONNREFUSED)`);
  expect(JSON.stringify([error.message, error.stack])).not.toContain("secret");
});
