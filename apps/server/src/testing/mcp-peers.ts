/** MCP servers of both kinds, as their SDKs make them, on loopback. */
import { randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { McpServer as LegacyServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";
import { createMcpHandler, McpServer } from "@modelcontextprotocol/server";
import { z } from "zod";

/** One request as it reached the server. */
export interface Heard {
  readonly method: string;
  readonly headers: IncomingMessage["headers"];
  readonly params: Record<string, unknown>;
}

export interface McpPeer extends AsyncDisposable {
  readonly url: string;
  readonly heard: Heard[];
  /** How often the tool `refund` was run. */
  readonly refunds: () => number;
  /** Makes the server forget its sessions. */
  readonly forget: () => void;
}

const refundFields = { order: z.string(), amount: z.number() };
const refunded = (order: string, amount: number) => ({
  content: [{ type: "text" as const, text: `refunded ${amount} for ${order}` }],
  structuredContent: { order, amount },
});
const broken = async () => ({
  isError: true,
  content: [{ type: "text" as const, text: "the till is closed" }],
});

/** Listens on loopback; a handler that throws ends its connection. */
async function serve(handle: (request: IncomingMessage, response: ServerResponse) => Promise<void>) {
  const server = createServer((request, response) => {
    handle(request, response).catch(() => request.socket.destroy());
  });
  await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready));
  const { port } = server.address() as AddressInfo; // a listening TCP server has a port
  return {
    url: `http://127.0.0.1:${port}/mcp`,
    close: () =>
      new Promise<void>((done) => {
        server.close(() => done());
        server.closeAllConnections();
      }),
  };
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer); // no encoding is set
  return Buffer.concat(chunks).toString();
}

function note(heard: Heard[], request: IncomingMessage, text: string): void {
  if (text === "") return;
  const { method, params = {} } = JSON.parse(text);
  heard.push({ method, headers: request.headers, params });
}

export async function modernPeer(responseMode: "auto" | "sse" = "auto"): Promise<McpPeer> {
  const heard: Heard[] = [];
  let refunds = 0;
  const handler = createMcpHandler(
    () => {
      const server = new McpServer({ name: "till", version: "1.0.0" }, { capabilities: { tools: {} } });
      server.registerTool(
        "refund",
        { description: "Pays back", inputSchema: z.object(refundFields) },
        async ({ order, amount }) => {
          refunds++;
          return refunded(order, amount);
        },
      );
      server.registerTool("breaks", { description: "Always fails" }, broken);
      const shop = z.string().meta({ "x-mcp-header": "Shop" });
      server.registerTool(
        "count",
        { description: "Counts", inputSchema: z.object({ shop }) },
        async (given) => ({
          content: [{ type: "text" as const, text: `counted ${given.shop}` }],
        }),
      );
      return server;
    },
    { legacy: "reject", responseMode },
  );
  const served = await serve(async (request, response) => {
    const body = await bodyOf(request);
    note(heard, request, body);
    const headers = new Headers(Object.entries(request.headers) as [string, string][]); // no header repeats here
    const answer = await handler.fetch(
      new Request(`http://127.0.0.1${request.url}`, { method: request.method ?? "POST", headers, body }),
    );
    response.writeHead(answer.status, Object.fromEntries(answer.headers));
    response.end(Buffer.from(await answer.arrayBuffer()));
  });
  return {
    url: served.url,
    heard,
    refunds: () => refunds,
    forget: () => {},
    [Symbol.asyncDispose]: () => served.close(),
  };
}

export async function legacyPeer(): Promise<McpPeer> {
  const heard: Heard[] = [];
  const sessions = new Map<string, StreamableHTTPServerTransport>();
  let refunds = 0;
  const begin = async (): Promise<StreamableHTTPServerTransport> => {
    const transport = new StreamableHTTPServerTransport({
      sessionIdGenerator: randomUUID,
      onsessioninitialized: (id) => {
        sessions.set(id, transport);
      },
    });
    const server = new LegacyServer({ name: "old till", version: "1.0.0" });
    server.registerTool(
      "refund",
      { description: "Pays back", inputSchema: refundFields },
      async ({ order, amount }) => {
        refunds++;
        return refunded(order, amount);
      },
    );
    server.registerTool("breaks", { description: "Always fails" }, broken);
    await server.connect(transport as Parameters<LegacyServer["connect"]>[0]); // its getters are optional in one type only
    return transport;
  };
  const served = await serve(async (request: IncomingMessage, response: ServerResponse) => {
    const text = await bodyOf(request);
    note(heard, request, text);
    const id = request.headers["mcp-session-id"];
    if (typeof id === "string" && !sessions.has(id)) {
      const error = { jsonrpc: "2.0", error: { code: -32_001, message: "Session not found" }, id: null };
      response.writeHead(404, { "content-type": "application/json" }).end(JSON.stringify(error));
      return;
    }
    const transport = (typeof id === "string" ? sessions.get(id) : undefined) ?? (await begin());
    await transport.handleRequest(request, response, JSON.parse(text));
  });
  return {
    url: served.url,
    heard,
    refunds: () => refunds,
    forget: () => sessions.clear(),
    [Symbol.asyncDispose]: async () => {
      await Promise.all([...sessions.values()].map((one) => one.close()));
      await served.close();
    },
  };
}
