import { describe, expect, it } from "vitest";
import type { Connector, OperationOutcome } from "#act/connector-kit";
import { mcpPeers } from "#testing";
import { eventsOf } from "./json-rpc.ts";
import { createMcpConnector } from "./mcp-connector.ts";
import { paramHeaders } from "./mcp-params.ts";
import { createMcpSessions } from "./mcp-session.ts";
import { echo, localDialer, peer } from "./testing-connection.ts";
import { contextOf, testOf } from "./testing-site.ts";

const { legacyPeer, modernPeer } = await mcpPeers();

/** One connection that is used several times. */
function connectionTo(url: string, config: object = {}, connector: Connector = createMcpConnector()) {
  const dialer = localDialer();
  const context = { ...contextOf(connector, { url, ...config }, { t: "s3cret-token" }), dialer };
  return {
    act(name: string, input: object = {}, more: object = {}): Promise<OperationOutcome> {
      const operation = connector.operations[`mcp.${name}`];
      if (operation === undefined) throw new Error(`there is no ${name}`);
      const parsed = operation.input.parse({ connection: "remote", ...input });
      return operation.execute({ ...context, ...more }, parsed);
    },
    [Symbol.asyncDispose]: () => dialer[Symbol.asyncDispose](),
  };
}
const refund = { tool: "refund", arguments: { order: "7", amount: 12.5 } };
const rpc = (message: (id: string) => object | object[], status = 200) =>
  peer((request, response) => {
    let text = "";
    request.on("data", (chunk) => {
      text += chunk;
    });
    request.on("end", () => {
      const { id, method } = JSON.parse(text);
      const body =
        method === "server/discover"
          ? { jsonrpc: "2.0", id, result: { supportedVersions: ["2026-07-28"], capabilities: {} } }
          : message(id);
      response.writeHead(method === "server/discover" ? 200 : status, { "content-type": "application/json" });
      response.end(JSON.stringify(body));
    });
  });

describe("an MCP server of revision 2026-07-28", () => {
  it.each(["auto", "sse"] as const)("is called without a session, answers %s", async (mode) => {
    await using server = await modernPeer(mode);
    await using remote = connectionTo(server.url, { auth: { bearer: "vault:t" } });
    expect(await remote.act("call_tool", refund)).toMatchObject({
      status: "completed",
      output: {
        content: [{ type: "text", text: "refunded 12.5 for 7" }],
        structuredContent: { order: "7", amount: 12.5 },
      },
    });
    expect(server.heard.map((one) => one.method)).toEqual(["server/discover", "tools/call"]);
    expect(server.heard[1]).toMatchObject({
      headers: {
        authorization: "Bearer s3cret-token",
        "mcp-protocol-version": "2026-07-28",
        "mcp-method": "tools/call",
        "mcp-name": "refund",
      },
      params: {
        name: "refund",
        arguments: refund.arguments,
        _meta: { "io.modelcontextprotocol/protocolVersion": "2026-07-28" },
      },
    });
    expect(server.heard[1]?.headers["mcp-session-id"]).toBeUndefined();
  });

  it("is asked once what it speaks, and again when that is old", async () => {
    let now = 0;
    await using server = await modernPeer();
    const connector = createMcpConnector(createMcpSessions(() => now));
    await using remote = connectionTo(server.url, {}, connector);
    for (const _call of [1, 2]) await remote.act("call_tool", refund);
    now = 600_001;
    await remote.act("list_tools");
    expect(server.heard.map((one) => one.method)).toEqual([
      "server/discover",
      "tools/call",
      "tools/call",
      "server/discover",
      "tools/list",
    ]);
    expect(server.refunds()).toBe(2);
  });

  it("lists its tools; a tool's error and an unknown tool are failures", async () => {
    await using server = await modernPeer();
    await using remote = connectionTo(server.url);
    expect(await remote.act("list_tools")).toMatchObject({
      status: "completed",
      output: {
        tools: [{ name: "refund", inputSchema: { type: "object" } }, { name: "breaks" }, { name: "count" }],
      },
    });
    expect(await remote.act("call_tool", { tool: "breaks" })).toMatchObject({
      status: "failed",
      retryable: false,
      error: { code: "MCP_TOOL_ERROR", details: { content: [{ text: "the till is closed" }] } },
    });
    expect(await remote.act("call_tool", { tool: "none" })).toMatchObject({ status: "failed" });
  });
});

describe("an argument that a tool wants in a header", () => {
  it.each(["Lyon", "Köln", " x ", "=?base64?eA==?="])("is repeated there: %j", async (shop) => {
    await using server = await modernPeer();
    await using remote = connectionTo(server.url);
    expect(await remote.act("call_tool", { tool: "count", arguments: { shop } })).toMatchObject({
      status: "completed",
      output: { content: [{ text: `counted ${shop}` }] },
    });
    expect(server.heard.map((one) => one.method)).toEqual([
      "server/discover",
      "tools/call",
      "tools/list",
      "tools/call",
    ]);
  });

  it("reaches no other header, and no value that JSON cannot give exactly", () => {
    const property = (header: unknown) => ({ type: "string", "x-mcp-header": header });
    const schema = {
      properties: {
        a: property("Authorization"),
        b: property("x\r\ny"),
        c: property(7),
        d: { type: "object", properties: { e: property("Deep"), f: property("Gone") } },
        g: property("Big"),
      },
    };
    const given = { a: "v", b: "v", c: "v", d: { e: true }, g: 2 ** 60 };
    expect(paramHeaders(schema, given)).toEqual({ "mcp-param-authorization": "v", "mcp-param-deep": "true" });
  });
});

describe("an MCP server of revision 2025-11-25", () => {
  it("is called in a session that serves several calls", async () => {
    await using server = await legacyPeer();
    await using remote = connectionTo(server.url);
    expect(await remote.act("call_tool", refund)).toMatchObject({
      status: "completed",
      output: { structuredContent: { order: "7", amount: 12.5 } },
    });
    expect(await remote.act("list_tools")).toMatchObject({ output: { tools: [{ name: "refund" }, {}] } });
    expect(await remote.act("call_tool", { tool: "breaks" })).toMatchObject({
      error: { code: "MCP_TOOL_ERROR" },
    });
    expect(server.heard.map((one) => one.method)).toEqual([
      "server/discover",
      "initialize",
      "notifications/initialized",
      "tools/call",
      "tools/list",
      "tools/call",
    ]);
    expect(server.heard[3]?.headers).toMatchObject({
      "mcp-protocol-version": "2025-11-25",
      "mcp-session-id": expect.stringMatching(/^[0-9a-f-]{36}$/),
    });
    expect(server.heard[3]?.params).not.toHaveProperty("_meta");
  });

  it("that lost the session gets a new one once, and the call runs once", async () => {
    await using server = await legacyPeer();
    await using remote = connectionTo(server.url);
    await remote.act("list_tools");
    server.forget();
    expect(await remote.act("call_tool", refund)).toMatchObject({ status: "completed" });
    expect(server.refunds()).toBe(1);
    expect(server.heard.filter((one) => one.method === "initialize")).toHaveLength(2);
  });

  it("that loses every session is not asked for ever", async () => {
    let calls = 0;
    await using server = await peer((request, response) => {
      let text = "";
      request.on("data", (chunk) => {
        text += chunk;
      });
      request.on("end", () => {
        const { id, method } = JSON.parse(text);
        const result = { protocolVersion: "2025-06-18", capabilities: {}, serverInfo: { name: "x" } };
        if (method === "tools/call") calls++;
        if (method === "initialize")
          return void response
            .writeHead(200, { "content-type": "application/json", "mcp-session-id": "s3ssion" })
            .end(JSON.stringify({ jsonrpc: "2.0", id, result }));
        response.writeHead(method.startsWith("notifications/") ? 202 : 404).end();
      });
    });
    await using remote = connectionTo(server.origin);
    const outcome = await remote.act("call_tool", refund);
    expect(outcome).toMatchObject({ status: "failed", error: { code: "HTTP_404" } });
    expect(JSON.stringify(outcome)).not.toContain("s3ssion");
    expect(calls).toBe(2);
  });
});

describe("a connection to an MCP server", () => {
  it("is tested by finding out what it speaks; nothing is called", async () => {
    await using modern = await modernPeer();
    await using legacy = await legacyPeer();
    const connector = createMcpConnector();
    expect(await testOf(connector, { url: modern.url })).toEqual({
      ok: true,
      message: "till answered; it speaks MCP 2026-07-28.",
    });
    expect(await testOf(connector, { url: legacy.url })).toMatchObject({
      ok: true,
      message: "old till answered; it speaks MCP 2025-11-25.",
    });
    await using other = await echo();
    expect(await testOf(connector, { url: other.origin })).toMatchObject({
      ok: false,
      code: "RPC_NO_ANSWER",
    });
    expect([...modern.heard, ...legacy.heard].filter((one) => one.method.startsWith("tools/"))).toEqual([]);
  });

  it("shows policy the tool, and takes a tool for a read only when the connection says so", () => {
    const connector = createMcpConnector();
    const operation = connector.operations["mcp.call_tool"];
    const { connection } = contextOf(connector, { url: "https://a.test/mcp", reads: ["find"] });
    const shape = (tool: string) => operation?.describe(connection, { tool, arguments: {} });
    expect(shape("find")).toMatchObject({ verb: "read", target: "a.test/mcp#find", idempotent: true });
    expect(shape("refund")).toMatchObject({
      verb: "execute",
      target: "a.test/mcp#refund",
      idempotent: false,
      facts: { mcpTool: "refund" },
    });
    for (const tool of ["", "a b", "x\r\ny: z", "é", "a#b"])
      expect(operation?.input.safeParse({ connection: "c", tool }).success).toBe(false);
  });
});

describe("a hostile MCP server", () => {
  it("that answers another request's id, or nothing of the protocol, leaves a call unknown and a read failed", async () => {
    for (const message of [
      () => ({ jsonrpc: "2.0", id: "another", result: { content: [] } }),
      () => ({ hello: "world" }),
      (id: string) => ({ jsonrpc: "2.0", id, result: { content: "none" } }),
    ]) {
      await using server = await rpc(message);
      await using remote = connectionTo(server.origin);
      expect(await remote.act("call_tool", refund)).toMatchObject({ status: "unknown" });
      expect(await remote.act("list_tools")).toMatchObject({ status: "failed" });
    }
  });

  it("that wants input, or refuses, did not act: the call failed", async () => {
    await using asks = await rpc((id) => ({ jsonrpc: "2.0", id, result: { resultType: "input_required" } }));
    await using first = connectionTo(asks.origin);
    expect(await first.act("call_tool", refund)).toMatchObject({
      status: "failed",
      error: { code: "MCP_INPUT_REQUIRED" },
    });
    const error = { code: -32_602, message: "no such tool" };
    await using refuses = await rpc((id) => ({ jsonrpc: "2.0", id, error }));
    await using second = connectionTo(refuses.origin);
    expect(await second.act("call_tool", refund)).toMatchObject({
      status: "failed",
      error: { code: "MCP_REFUSED", message: "remote refused: no such tool." },
    });
  });

  it("that gives pages without end is left", async () => {
    let page = 0;
    const list = (next: () => string) => (id: string) => ({
      jsonrpc: "2.0",
      id,
      result: { tools: [{ name: "t" }], nextCursor: next() },
    });
    await using same = await rpc(list(() => "again"));
    await using first = connectionTo(same.origin);
    expect(await first.act("list_tools")).toMatchObject({
      status: "failed",
      error: { code: "MCP_PROTOCOL" },
    });
    await using fresh = await rpc(list(() => `c${page++}`));
    await using second = connectionTo(fresh.origin);
    expect(await second.act("list_tools")).toMatchObject({ error: { code: "MCP_TOO_MANY_TOOLS" } });
    expect(page).toBe(20);
  });

  it.each([
    ["a stream without end", "text/event-stream", ": still here\n\n"],
    ["a huge body", "application/json", "x".repeat(10_000)],
  ])("that sends %s is cut off, and the call is unknown", async (_what, type, chunk) => {
    await using server = await rpcStream(type, chunk);
    await using remote = connectionTo(server.origin);
    expect(await remote.act("call_tool", refund)).toMatchObject({ status: "unknown" });
    expect(await remote.act("list_tools")).toMatchObject({ status: "failed" });
  });

  it("cannot lead to another address", async () => {
    await using server = await peer((_request, response) => {
      response.writeHead(307, { location: "http://169.254.169.254/latest/meta-data" }).end();
    });
    await using remote = connectionTo(server.origin);
    expect(await remote.act("call_tool", refund)).toMatchObject({
      status: "failed",
      error: { code: "HTTP_307" },
    });
  });

  it("that goes away after the call left is unknown", async () => {
    await using server = await rpcStream("application/json", undefined);
    await using remote = connectionTo(server.origin);
    expect(await remote.act("call_tool", refund)).toMatchObject({ status: "unknown" });
  });
});

/** Answers discovery, then writes `chunk` until the other side leaves; undefined: breaks the connection. */
const rpcStream = (type: string, chunk: string | undefined) =>
  peer((request, response) => {
    let text = "";
    request.on("data", (part) => {
      text += part;
    });
    request.on("end", () => {
      const { id, method } = JSON.parse(text);
      if (method === "server/discover") {
        const result = { supportedVersions: ["2026-07-28"] };
        response.writeHead(200, { "content-type": "application/json" });
        return void response.end(JSON.stringify({ jsonrpc: "2.0", id, result }));
      }
      if (chunk === undefined) return void request.socket.destroy();
      response.writeHead(200, { "content-type": type });
      const write = (): void => {
        while (!response.destroyed && response.write(chunk));
      };
      response.on("drain", write);
      write();
    });
  });

it("server-sent events are read with any line ends, and what is no JSON is left out", () => {
  const stream = '\ufeffid: 1\ndata: {"a":\ndata: 1}\n\n: c\n\ndata: no\r\n\r\ndata:{"b":2}\r\r';
  expect(eventsOf(stream)).toEqual([{ a: 1 }, { b: 2 }]);
});
