import { describe, expect, it } from "vitest";
import { a2aConnector } from "./a2a-connector.ts";
import { agentPeer } from "./testing-a2a.ts";
import { peer } from "./testing-connection.ts";
import { act, site, testOf } from "./testing-site.ts";

const on = (url: string, name: string, input: object, more: object = {}) =>
  act(a2aConnector, { url, ...more }, `a2a.${name}`, input, { t: "s3cret-token" });
const say = (url: string, text: string, more: object = {}) =>
  on(url, "send_message", { parts: [{ text }], ...more });

describe("an A2A agent", () => {
  it("gets a message with parts and credentials, and its own message comes back", async () => {
    await using agent = await agentPeer("s3cret-token");
    const input = { parts: [{ text: "hello" }, { data: { order: 7 } }], metadata: { case: 1 } };
    expect(await on(agent.url, "send_message", input, { auth: { bearer: "vault:t" } })).toMatchObject({
      status: "completed",
      output: { state: null, message: { role: "ROLE_AGENT", parts: [{ text: "hello yourself" }] } },
    });
    expect(agent.heard).toMatchObject([
      {
        method: "SendMessage",
        params: {
          message: { messageId: expect.stringMatching(/^[0-9a-f]{32}$/), role: "ROLE_USER", ...input },
          configuration: { returnImmediately: false },
        },
      },
    ]);
  });

  it("is sent the same message id in every attempt of one effect", async () => {
    await using agent = await agentPeer();
    for (const _attempt of [1, 2]) await say(agent.url, "hello");
    const ids = agent.heard.map(({ params }) => (params.message as { messageId: string }).messageId); // as sent
    expect(new Set(ids).size).toBe(1);
  });

  it.each([
    ["COMPLETED", "completed"],
    ["INPUT_REQUIRED", "input_required"],
    ["AUTH_REQUIRED", "auth_required"],
  ])("that ends in %s says so in the output", async (word, state) => {
    await using agent = await agentPeer();
    expect(await say(agent.url, word)).toMatchObject({
      status: "completed",
      output: {
        state,
        taskId: expect.any(String),
        contextId: expect.any(String),
        task: { status: { message: { parts: [{ text: `now ${word}` }] } } },
      },
    });
  });

  it.each(["FAILED", "REJECTED"])(
    "that ends in %s has failed what was asked; reading that is no failure",
    async (word) => {
      await using agent = await agentPeer();
      const outcome = await say(agent.url, word);
      expect(outcome).toMatchObject({
        status: "failed",
        retryable: false,
        error: {
          code: `A2A_TASK_${word}`,
          message: expect.stringContaining(`now ${word}`),
          details: { taskId: expect.any(String) },
        },
      });
      const { taskId } = (outcome as unknown as { error: { details: { taskId: string } } }).error.details; // held above
      expect(await on(agent.url, "get_task", { taskId })).toMatchObject({
        status: "completed",
        output: { state: word.toLowerCase(), taskId },
      });
    },
  );

  it("is asked for a task and to cancel it; what it refuses failed", async () => {
    await using agent = await agentPeer();
    const sent = await say(agent.url, "WORKING", { returnImmediately: true });
    expect(sent).toMatchObject({ output: { state: "working" } });
    const { taskId } = (sent as unknown as { output: { taskId: string } }).output; // held above
    expect(await on(agent.url, "get_task", { taskId })).toMatchObject({
      output: { state: "working", taskId },
    });
    expect(await on(agent.url, "cancel_task", { taskId })).toMatchObject({
      status: "completed",
      output: { state: "canceled", taskId },
    });
    expect(await on(agent.url, "get_task", { taskId: "none" })).toMatchObject({
      status: "failed",
      error: { code: "A2A_REFUSED", details: { code: -32_001 } },
    });
  });

  it("is tested by its card; another kind of card, and a refused credential, are told", async () => {
    await using agent = await agentPeer("s3cret-token");
    const config = { url: agent.url, auth: { bearer: "vault:t" } };
    expect(await testOf(a2aConnector, config, { t: "s3cret-token" })).toEqual({
      ok: true,
      message: "Clerk answered with its card.",
    });
    expect(await testOf(a2aConnector, config, { t: "bad-token" })).toMatchObject({
      ok: false,
      code: "HTTP_401",
    });
    expect(agent.heard).toEqual([]);
    const card = (protocolVersion: string) => ({
      body: {
        name: "Old",
        supportedInterfaces: [{ url: "https://b.test", protocolBinding: "JSONRPC", protocolVersion }],
      },
    });
    await using old = await site(() => card("0.3"));
    expect(await testOf(a2aConnector, { url: old.origin })).toMatchObject({
      ok: false,
      code: "A2A_INTERFACE",
    });
    await using elsewhere = await site(() => card("1.0"));
    expect(await testOf(a2aConnector, { url: elsewhere.origin })).toMatchObject({
      ok: true,
      message: expect.stringContaining("another URL"),
    });
  });
});

describe("a hostile A2A agent", () => {
  it.each([
    ["another request's answer", { jsonrpc: "2.0", id: "x", result: { task: { id: "t" } } }],
    ["no JSON-RPC", { hello: 1 }],
    ["text", "hello"],
  ])("that gives %s leaves what was sent unknown, and a read failed", async (_what, body) => {
    await using agent = await site(() => ({ body }));
    expect(await say(agent.origin, "hello")).toMatchObject({ status: "unknown" });
    expect(await on(agent.origin, "cancel_task", { taskId: "t" })).toMatchObject({ status: "unknown" });
    expect(await on(agent.origin, "get_task", { taskId: "t" })).toMatchObject({ status: "failed" });
  });

  it("that answers with neither task nor message, or leaves, is unknown", async () => {
    await using empty = await site((asked) => ({
      body: { jsonrpc: "2.0", id: (asked.body as { id: string }).id, result: { status: {} } }, // what was sent
    }));
    expect(await say(empty.origin, "hello")).toMatchObject({
      status: "unknown",
      error: { code: "A2A_PROTOCOL" },
    });
    await using gone = await peer((request) => request.socket.destroy());
    expect(await say(gone.origin, "hello")).toMatchObject({ status: "unknown" });
  });

  it("cannot lead to another address", async () => {
    await using agent = await site(() => ({ status: 308, headers: { location: "http://10.0.0.1/" } }));
    expect(await say(agent.origin, "hello")).toMatchObject({ status: "failed", error: { code: "HTTP_308" } });
  });
});
