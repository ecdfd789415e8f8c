import { z } from "zod";
import { authSecrets } from "#act/connector-auth";
import {
  type CallContext,
  type Connector,
  connectionField,
  defineOperation,
  failed,
  isJson,
  type OperationOutcome,
} from "#act/connector-kit";
import type { Json } from "#platform/kernel";
import { type RpcReply, shown } from "./json-rpc.ts";
import { paramHeaders } from "./mcp-params.ts";
import { createMcpSessions, headerMismatch, type McpSessions, refused } from "./mcp-session.ts";
import { completed, fieldAt, textAt } from "./web-call.ts";
import { siteFields, siteOf } from "./web-site.ts";

const toolName = z.string().regex(/^[A-Za-z0-9_][A-Za-z0-9_.\-/]{0,127}$/, {
  error: "must be a tool's name: letters, digits, and _ - . /",
});

const config = z.strictObject({
  ...siteFields,
  /** Tools that change nothing: they may be repeated, and policy sees them as reads. The server's own hints are not believed. */
  reads: z.array(toolName).max(500).default([]),
});
type Settings = z.output<typeof config>;

const listInput = z.strictObject({ connection: connectionField });
const callInput = z.strictObject({
  connection: connectionField,
  tool: toolName,
  /** Goes to the tool as it is. */
  arguments: z
    .custom<Record<string, Json>>(
      (value) => isJson(value) && typeof value === "object" && value !== null && !Array.isArray(value),
      { error: "must be a JSON object" },
    )
    .default({}),
});
type Call = z.output<typeof callInput>;

const mostPages = 20;
const mostTools = 1_000;

async function listTools(sessions: McpSessions, context: CallContext<Settings>): Promise<OperationOutcome> {
  const { name } = context.connection;
  const tools: Json[] = [];
  const seen = new Set<string>();
  let cursor: string | undefined;
  for (let page = 0; page < mostPages; page++) {
    const reply = await sessions.ask(context, {
      method: "tools/list",
      params: cursor === undefined ? {} : { cursor },
      read: true,
    });
    if (reply.kind === "ended") return reply.outcome;
    if (reply.kind === "error") return refused(context, reply.error);
    const found = fieldAt(reply.result, "tools");
    if (!Array.isArray(found)) return failed("MCP_PROTOCOL", `${name} answered without a list of tools.`);
    tools.push(...(found as Json[])); // out of parsed JSON
    const next = fieldAt(reply.result, "nextCursor");
    if (tools.length > mostTools) break;
    if (typeof next !== "string" || next === "") return completed(reply.answer, { tools });
    if (seen.has(next)) return failed("MCP_PROTOCOL", `${name} gives the same page of tools again.`);
    seen.add(next);
    cursor = next;
  }
  return failed("MCP_TOO_MANY_TOOLS", `${name} has more than ${mostTools} tools or ${mostPages} pages.`);
}

/** What the answer to `tools/call` means for the effect. */
function outcomeOfCall(context: CallContext<Settings>, tool: string, reply: RpcReply): OperationOutcome {
  if (reply.kind === "ended") return reply.outcome;
  if (reply.kind === "error") return refused(context, reply.error);
  const { name } = context.connection;
  const { result, answer } = reply;
  const type = fieldAt(result, "resultType") ?? "complete";
  if (type === "input_required")
    return failed(
      "MCP_INPUT_REQUIRED",
      `${name} wants more input before ${tool} can end; nobody is asked here.`,
    );
  const content = fieldAt(result, "content");
  if (type !== "complete" || !Array.isArray(content)) {
    const message = `${name} answered ${tool} with a result that cannot be read.`;
    return { status: "unknown", error: { code: "MCP_PROTOCOL", message, retry: "terminal" } };
  }
  const structured = fieldAt(result, "structuredContent") as Json | undefined; // out of parsed JSON
  const output = {
    content: content as Json[], // out of parsed JSON
    ...(structured === undefined ? {} : { structuredContent: structured }),
  };
  if (fieldAt(result, "isError") !== true) return completed(answer, output);
  const text = content.map((one) => textAt(one, "text")).find((one) => one !== "") ?? "an error";
  return failed("MCP_TOOL_ERROR", `${name} answered for ${tool}: ${text.slice(0, 500)}.`, {
    details: shown(output),
  });
}

/** What the server's list says of the tool's arguments in headers; nothing when the list cannot be had. */
async function wantedHeaders(
  sessions: McpSessions,
  context: CallContext<Settings>,
  tool: string,
  given: Json,
): Promise<Record<string, string>> {
  const listed = await listTools(sessions, context);
  const tools = listed.status === "completed" ? fieldAt(listed.output, "tools") : [];
  const found = Array.isArray(tools) ? tools.find((one) => fieldAt(one, "name") === tool) : undefined;
  return paramHeaders(fieldAt(found, "inputSchema"), given);
}

const listOperation = (sessions: McpSessions) =>
  defineOperation<Settings, z.output<typeof listInput>>({
    name: "mcp.list_tools",
    title: "List tools",
    description: "Reads every tool that the MCP server offers, page by page.",
    verbs: ["read"],
    input: listInput,
    output: z.looseObject({ tools: z.array(z.json()) }),
    meaning: (settings) => ({ verb: "read", target: siteOf(settings.url), idempotent: true }),
    execute: (context) => listTools(sessions, context),
    emulate: () => ({ tools: [] }),
  });

const callOperation = (sessions: McpSessions) =>
  defineOperation<Settings, Call>({
    name: "mcp.call_tool",
    title: "Call a tool",
    description: "Calls one tool of the MCP server.",
    verbs: ["read", "execute"],
    input: callInput,
    output: z.looseObject({ content: z.array(z.json()), structuredContent: z.json().optional() }),
    meaning(settings, { tool }) {
      const read = settings.reads.includes(tool);
      return {
        verb: read ? "read" : "execute",
        target: `${siteOf(settings.url)}#${tool}`,
        idempotent: read,
        facts: { mcpTool: tool },
      };
    },
    async execute(context, { tool, arguments: given }) {
      const read = context.connection.settings.reads.includes(tool);
      const params = { name: tool, arguments: given };
      const request = { method: "tools/call", params, name: tool, read };
      const reply = await sessions.ask(context, request);
      if (reply.kind !== "error" || reply.error.code !== headerMismatch)
        return outcomeOfCall(context, tool, reply);
      const headers = await wantedHeaders(sessions, context, tool, given);
      if (Object.keys(headers).length === 0) return refused(context, reply.error);
      return outcomeOfCall(context, tool, await sessions.ask(context, { ...request, headers }));
    },
    emulate: (_connection, { tool, arguments: given }) => ({
      content: [{ type: "text", text: `${tool} was not called` }],
      structuredContent: given,
    }),
  });

/** Calls tools of one MCP server over Streamable HTTP. Remembers only which revision the server speaks. */
export function createMcpConnector(sessions: McpSessions = createMcpSessions()): Connector<Settings> {
  return {
    name: "mcp",
    title: "MCP server",
    description: "Lists and calls the tools of one MCP server over Streamable HTTP.",
    docs: "https://modelcontextprotocol.io/specification/2026-07-28",
    auth: ["none", "bearer", "basic", "header"],
    configSchema: config,
    operations: { "mcp.list_tools": listOperation(sessions), "mcp.call_tool": callOperation(sessions) },
    factSpecs: () => [{ name: "mcpTool", type: "string" }],
    secretNames: (settings) => authSecrets(settings.auth),
    async test(context) {
      const greeted = await sessions.greet(context);
      if ("revision" in greeted) {
        const who = greeted.serverName === "" ? siteOf(context.connection.settings.url) : greeted.serverName;
        return { ok: true, message: `${who} answered; it speaks MCP ${greeted.revision}.` };
      }
      if (greeted.status === "completed") throw new Error("a greeting has no outcome of its own");
      return { ok: false, code: greeted.error.code, message: greeted.error.message };
    },
    fixtures: {
      config: {
        url: "https://tools.example.com/mcp",
        auth: { bearer: "vault:tools-token" },
        reads: ["find_order"],
      },
      inputs: {
        "mcp.list_tools": [{ input: {}, shape: { verb: "read", target: "tools.example.com/mcp" } }],
        "mcp.call_tool": [
          {
            input: { tool: "refund", arguments: { order: "7", amount: 12.5 } },
            shape: {
              verb: "execute",
              target: "tools.example.com/mcp#refund",
              idempotent: false,
              facts: { mcpTool: "refund" },
            },
          },
          {
            input: { tool: "find_order", arguments: { order: "7" } },
            shape: { verb: "read", target: "tools.example.com/mcp#find_order", idempotent: true },
          },
        ],
      },
    },
  };
}
