/** Tools of an MCP server as governed actions, from the proposal to the receipts. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startTestApi, type TestApi } from "./testing/api.ts";
import { legacyPeer, type McpPeer, modernPeer } from "./testing/mcp-peers.ts";

const policy = `
@id("tools") permit (principal, action, resource);
@id("till") forbid (principal, action, resource)
  when { context.args has mcpTool && context.args.mcpTool == "breaks" };`;

describe("an action on an MCP server", () => {
  let api: TestApi;
  let modern: McpPeer;
  let legacy: McpPeer;
  beforeAll(async () => {
    api = await startTestApi("postgres");
    [modern, legacy] = await Promise.all([modernPeer(), legacyPeer()]);
    for (const [name, { url }] of [
      ["till", modern],
      ["oldtill", legacy],
    ] as const) {
      const put = await api.ask(
        "PUT",
        "/v1/connections/:name",
        { connector: "mcp", config: { url }, environment: "production", risk: 70 },
        { name },
      );
      expect(put.status).toBeLessThan(300);
    }
    const made = await api.ask("POST", "/v1/policies", { cedar: policy });
    const published = await api.ask("POST", "/v1/policies/:id/publish", {}, { id: made.json.id });
    expect(published.status).toBe(200);
  });
  afterAll(async () => {
    await api?.close();
    await modern?.[Symbol.asyncDispose]();
    await legacy?.[Symbol.asyncDispose]();
  });

  const call = (connection: string, tool: string, more: object = {}, key = "") =>
    api.ask(
      "POST",
      "/v1/actions",
      { connection, operation: "mcp.call_tool", input: { tool, ...more } },
      {},
      key === "" ? {} : { "idempotency-key": key },
    );
  const refund = { arguments: { order: "7", amount: 12.5 } };
  const receiptsOf = async (actionId: string): Promise<string[]> => {
    const { json } = await api.ask("GET", `/v1/receipts?action=${actionId}`);
    return json.items.map((one: { type: string }) => one.type);
  };

  it.each(["till", "oldtill"])("of %s is decided on, called once, and receipted", async (connection) => {
    const peer = connection === "till" ? modern : legacy;
    const first = await call(connection, "refund", refund, `refund-${connection}`);
    expect(first).toMatchObject({
      status: 200,
      json: {
        state: "completed",
        output: { structuredContent: { order: "7", amount: 12.5 } },
        receiptId: expect.stringMatching(/^rct_/),
      },
    });
    const again = await call(connection, "refund", refund, `refund-${connection}`);
    expect(again.json.id).toBe(first.json.id);
    expect(peer.refunds()).toBe(1);
    const shown = await api.ask("GET", "/v1/actions/:id", undefined, { id: first.json.id });
    expect(shown.json).toMatchObject({ target: expect.stringMatching(/\/mcp#refund$/) });
    expect(await receiptsOf(first.json.id)).toEqual(
      expect.arrayContaining(["action.decision", "execution.finished"]),
    );
  });

  it("that policy forbids for this tool alone reaches nobody", async () => {
    const before = [modern.heard.length, legacy.heard.length];
    for (const connection of ["till", "oldtill"]) {
      const { json } = await call(connection, "breaks");
      expect(json).toMatchObject({ state: "denied" });
      expect(await receiptsOf(json.id)).toContain("action.decision");
    }
    expect([modern.heard.length, legacy.heard.length]).toEqual(before);
  });

  it("is refused before any decision when the input is no tool call", async () => {
    const { status, json } = await call("till", "a b", { arguments: [] });
    expect(status).toBe(422);
    expect(json.errors.map((one: { path: string }) => one.path).sort()).toEqual([
      "input.arguments",
      "input.tool",
    ]);
  });
});
