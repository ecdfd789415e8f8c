import { describe, expect, it } from "vitest";
import { compileFlow } from "./compile.ts";
import { sampleKinds } from "./sample-kinds.ts";
import type { Scope } from "./template.ts";
import { validateDefinition } from "./validate.ts";

const params =
  "params: { list: { type: array }, customer: { type: string }, n: { type: integer }, order: { type: object } }\n";

function compiled(steps: string, top = "") {
  const source = `flow: a\nversion: 1.0.0\n${params}${top}steps:\n${steps}`;
  const result = validateDefinition(source, sampleKinds);
  if (!result.valid) throw new Error(JSON.stringify(result.problems));
  return compileFlow(result.definition, sampleKinds);
}

const step = (fields: string, value = "1") =>
  compiled(`  s: { use: map, with: { value: ${value} }, ${fields} }\n`).steps[0];

const scope = (more: Partial<Scope> = {}): Scope => ({
  params: { list: [{ id: "x", open: true }, { id: "y" }], customer: "c1", n: 7 },
  steps: {},
  run: { id: "r", flow: "a", version: "1.0.0", startedAt: "" },
  trigger: {},
  ...more,
});

describe("constructs of the language", () => {
  it("are absent where nothing is written", () => {
    const flow = compiled("  s: { use: map, with: { value: 1 } }\n");
    expect(flow).toMatchObject({ concurrency: null, maxRuns: null, priority: 0, labels: {}, webhooks: [] });
    expect([...flow.signals]).toEqual([]);
    expect(flow.steps[0]).toMatchObject({ forEach: null, gate: null, cache: null, skippable: false });
  });

  it("fill in their defaults", () => {
    const top =
      'concurrency: { key: all }\ntriggers: [ { webhook: { slug: in, auth: { hmac: { secret: "vault:key" } }, respond: { mode: sync } } } ]\n';
    const flow = compiled("  s: { use: map, with: { value: 1 } }\n", top);
    expect(flow.concurrency).toMatchObject({ limit: 1, mode: "queue" });
    expect(flow.webhooks[0]?.respond).toEqual({ mode: "sync", timeoutMs: 10_000 });
    expect(step('forEach: { items: "{{ params.list }}" }')?.forEach).toMatchObject({
      concurrency: 10,
      key: null,
      onItemError: "fail",
    });
    expect(step("gate: { question: Go? }")?.gate).toMatchObject({
      options: ["continue", "retry", "abort"],
      approvers: ["approver"],
      excludeRequester: true,
      timeoutMs: null,
      default: null,
    });
    expect(step("cache: {}")?.cache).toEqual({ ttlMs: 600_000, scope: "principal" });
  });

  it("keep what is written", () => {
    const top =
      'priority: -7\nlabels: { team: red }\nlimits: { runs: 50 }\nconcurrency: { key: "{{ params.n }}", limit: 2, mode: cancel-oldest }\ntriggers: [ { webhook: { slug: in, auth: { hmac: { secret: "vault:key" } } } } ]\n';
    const flow = compiled("  s: { use: map, with: { value: 1 } }\n", top);
    expect(flow).toMatchObject({ priority: -7, labels: { team: "red" }, maxRuns: 50 });
    expect(flow.concurrency).toMatchObject({ limit: 2, mode: "cancel-oldest" });
    expect(flow.webhooks[0]?.respond).toEqual({ mode: "accepted", timeoutMs: 10_000 });
    expect(
      step(
        "skippable: true, cache: { ttl: 15m, scope: tenant }, forEach: { items: [1], concurrency: 3, onItemError: continue }",
      ),
    ).toMatchObject({
      skippable: true,
      cache: { ttlMs: 900_000, scope: "tenant" },
      forEach: { concurrency: 3, onItemError: "continue" },
    });
    const gate =
      "gate: { question: Go?, options: [continue, abort], approvers: [operator, admin], excludeRequester: false, timeout: 1d, default: abort }";
    expect(step(gate)?.gate).toMatchObject({
      options: ["continue", "abort"],
      approvers: ["operator", "admin"],
      excludeRequester: false,
      timeoutMs: 86_400_000,
      default: "abort",
    });
  });

  it("[L7] give each item its own input", () => {
    const each = step(
      'forEach: { items: "{{ params.list }}", key: "{{ item.id }}" }',
      '["{{ item.id }}", "{{ index }}", "{{ key }}"]',
    );
    const one = scope({ item: { id: "x" }, index: 4, key: "x" });
    expect(each?.input.render(one)).toEqual({ value: ["x", 4, "x"] });
    expect(each?.forEach?.key?.render(one)).toBe("x");
  });

  it("make a list of what JSONata computes for the items, and leave a plain path as it is", async () => {
    const items = (expression: string) => step(`forEach: { items: "${expression}" }`)?.forEach?.items;
    expect(await items("{{ params.list[open].id }}")?.render(scope())).toEqual(["x"]);
    expect(await items("{{ params.list[id = 'z'] }}")?.render(scope())).toEqual([]);
    expect(await items("{{ params.list.id }}")?.render(scope())).toEqual(["x", "y"]);
    expect(items("{{ params.list }}")?.render(scope({ params: {} }))).toBeUndefined();
    expect(items("{{ params.order.lines }}")?.render(scope({ params: { order: { lines: 5 } } }))).toBe(5);
    const written = step('forEach: { items: ["{{ params.n }}", 8, "{{ 4 + 5 }}"] }')?.forEach?.items;
    expect(await written?.render(scope())).toEqual([7, 8, 9]);
  });

  it("render keys and questions to text, whatever they read", async () => {
    const key = (text: string) =>
      compiled("  s: { use: map, with: { value: 1 } }\n", `concurrency: { key: "${text}" }\n`).concurrency
        ?.key;
    expect(key("{{ params.n }}")?.render(scope())).toBe("7");
    expect(key("{{ params.nothing }}".replace("nothing", "customer"))?.render(scope({ params: {} }))).toBe(
      "",
    );
    expect(await key("{{ params.n + 1 }}")?.render(scope())).toBe("8");
    expect(key("c-{{ params.customer }}")?.render(scope())).toBe("c-c1");
    const { question } = step('gate: { question: "{{ output }}" }')?.gate ?? {};
    expect(question?.render(scope({ output: { a: 1 } }))).toBe('{"a":1}');
    const longer = step('gate: { question: "Send {{ output.a }} to {{ params.customer }}?" }')?.gate;
    expect(longer?.question.render(scope({ output: { a: 1 } }))).toBe("Send 1 to c1?");
  });

  it("tell which signals a run can be sent, with the schemas of their payloads", () => {
    const flow = compiled(
      "  a: { use: wait, with: { signal: paid, schema: { type: object } } }\n  b: { use: wait, with: { signal: paid } }\n  c: { use: wait, with: { signal: sent, schema: true } }\n  d: { use: wait, with: { for: 5m } }\n",
    );
    expect([...flow.signals]).toEqual([
      ["paid", [{ type: "object" }, null]],
      ["sent", [true]],
    ]);
  });

  it("may stand on a wait and on a sub-run, but for cache", () => {
    const flow = compiled(
      '  a: { use: wait, with: { for: "{{ item }}" }, forEach: { items: "{{ params.list }}" }, skippable: true }\n  b: { use: flow, with: { flow: other, params: { id: "{{ item.id }}" } }, forEach: { items: "{{ params.list }}" }, retry: {} }\n',
    );
    expect(flow.steps.map(({ forEach }) => forEach !== null)).toEqual([true, true]);
  });
});
