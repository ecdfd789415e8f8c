import { describe, expect, it } from "vitest";
import { z } from "zod";
import * as contract from "./index.ts";

const id = "01j9zr3c4kf8w9m2x5q7t0v1ab";

describe("ids", () => {
  it("takes the id of its own kind only", () => {
    expect(contract.runId.safeParse(`run_${id}`).success).toBe(true);
    for (const text of [
      `act_${id}`,
      `run_8${id.slice(1)}`,
      `run_${id.toUpperCase()}`,
      `run_${id}x`,
      "run_",
      "",
    ]) {
      expect(contract.runId.safeParse(text).success).toBe(false);
    }
  });
});

describe("submitting an action", () => {
  const read = (body: unknown) => contract.submitActionRequest.safeParse(body);

  it("reads the direct form", () => {
    expect(read({ connection: "wms", operation: "http.request", input: { a: 1 } }).data).toEqual({
      connection: "wms",
      operation: "http.request",
      input: { a: 1 },
    });
  });

  it("reads the governed-tool form and its snake_case spellings into the same", () => {
    const camel = read({
      tenantId: `ten_${id}`,
      agentId: "a",
      userContext: { userId: "u", sessionId: "s" },
      context: { environment: "prod", dataTypes: ["pii"], requestedAt: "2026-01-01T00:00:00Z" },
      resource: { toolId: "wms/http.request", operation: "http.request", target: "t" },
      input: {},
    });
    const snake = read({
      tenant_id: `ten_${id}`,
      agent_id: "a",
      user_context: { user_id: "u", session_id: "s" },
      action_context: { env: "prod", data_types: ["pii"], requested_at: "2026-01-01T00:00:00Z" },
      resource: { tool_id: "wms/http.request", operation: "http.request", target: "t" },
      input: {},
    });
    expect(camel.success).toBe(true);
    expect(snake.data).toEqual(camel.data);
    expect(camel.data).toMatchObject({ connection: "wms", operation: "http.request", target: "t" });
  });

  it.each([
    [
      "an alias beside its field",
      { connection: "c", operation: "o", input: {}, agentId: "a", agent_id: "b" },
    ],
    [
      "two aliases of one field",
      { connection: "c", operation: "o", input: {}, actionContext: {}, action_context: {} },
    ],
    ["an unknown field", { connection: "c", operation: "o", input: {}, extra: 1 }],
    [
      "both forms at once",
      {
        connection: "c",
        operation: "o",
        resource: { toolId: "a/b", operation: "b", target: "t" },
        input: {},
      },
    ],
    [
      "an operation that its tool does not have",
      { resource: { toolId: "a/b", operation: "c", target: "t" }, input: {} },
    ],
    ["a tool without a connection", { resource: { toolId: "b", operation: "b", target: "t" }, input: {} }],
    ["no input", { connection: "c", operation: "o" }],
    ["a list", []],
  ])("refuses %s", (_what, body) => {
    expect(read(body).success).toBe(false);
  });

  it("leaves the spelling of the input's own fields alone", () => {
    expect(read({ connection: "c", operation: "o", input: { agent_id: 1 } }).data?.input).toEqual({
      agent_id: 1,
    });
  });
});

describe("verifying a receipt", () => {
  it.each([
    [{ receiptId: `rct_${id}` }, true],
    [{ receipt_id: `rct_${id}` }, true],
    [{ receipt: "a.b.c" }, true],
    [{}, false],
    [{ receiptId: `rct_${id}`, receipt: "a.b.c" }, false],
    [{ receiptId: `rct_${id}`, receipt_id: `rct_${id}` }, false],
  ])("reads %j: %s", (body, fits) => {
    expect(contract.verifyReceiptRequest.safeParse(body).success).toBe(fits);
  });
});

describe("the contract", () => {
  const schemas = Object.entries<unknown>(contract).flatMap(([name, value]) =>
    value instanceof z.ZodType ? [[name, value] as const] : [],
  );

  it("has a JSON Schema for every wire schema", () => {
    expect(schemas.length).toBeGreaterThan(60);
    for (const [name, schema] of schemas) {
      expect(() => z.toJSONSchema(schema, { io: "input", unrepresentable: "any" }), name).not.toThrow();
    }
  });

  it("takes no unknown field in a request", () => {
    const requests = schemas.filter(([name]) => /Request$|^policyBundle$|Filter$|^pageQuery$/.test(name));
    expect(requests.length).toBeGreaterThan(12);
    for (const [name, schema] of requests) {
      const { error } = schema.safeParse({ surprise: 1 });
      expect(JSON.stringify(error?.issues), name).toContain("unrecognized_keys");
    }
  });
});
