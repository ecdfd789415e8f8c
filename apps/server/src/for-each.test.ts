/** Steps over many items: order, limits, failures, waiting, and what is sent outside. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { RunWithSteps } from "#orchestrate/runs";
import { sql } from "#platform/db";
import { drivers } from "#testing";
import { brokenInvariants } from "./testing/invariants.ts";
import { createGate } from "./testing/receiver.ts";
import { openStage, type Stage } from "./testing/stage.ts";
import { until } from "./testing/until.ts";

let flows = 0;
const flow = (steps: Record<string, unknown>, more: Record<string, unknown> = {}) =>
  JSON.stringify({ flow: `each-${++flows}`, version: "1.0.0", steps, ...more });
const list = { params: { list: { type: "array" } } };
const post = (body: unknown) => ({
  use: "http.request",
  with: { connection: "wms", method: "POST", path: "/orders", body },
});

describe.each(drivers)("forEach on %s", (driver) => {
  let stage: Stage;
  beforeAll(async () => {
    stage = await openStage(driver);
  });
  afterAll(async () => {
    const broken = () => brokenInvariants(stage.opened.database);
    await until("rest", async () => Object.keys(await broken()).length === 0, 3_000).catch(() => {});
    const left = await broken();
    await stage.close();
    expect(left).toEqual({});
  });
  const end = async (source: string, params: Record<string, unknown> = {}): Promise<RunWithSteps> =>
    stage.reach(await stage.run(source, params), "completed", "failed");

  it("[R7] gives the outputs in the order of the items, and the dependents read them", async () => {
    const each = { items: "{{ params.list }}", concurrency: 3, key: "{{ item.id }}" };
    const run = await end(
      flow(
        {
          each: { use: "noop", forEach: each, with: { output: "{{ item.n * 10 + index }}" } },
          sum: { use: "noop", needs: ["each"], with: { output: "{{ $sum(steps.each.output) }}" } },
        },
        {
          ...list,
          output: {
            each: "{{ steps.each.output }}",
            errors: "{{ steps.each.errors }}",
            sum: "{{ steps.sum.output }}",
          },
        },
      ),
      { list: [1, 2, 3, 4, 5].map((n) => ({ id: `k${n}`, n })) },
    );
    expect(run.error).toBeNull();
    expect(run.output).toEqual({ each: [10, 21, 32, 43, 54], errors: [], sum: 160 });
  });

  it("completes at once over no items, and skips with its condition", async () => {
    const run = await end(
      flow(
        {
          none: { use: "noop", forEach: { items: "{{ params.list }}" } },
          after: { use: "noop", needs: ["none"], with: { output: "{{ $count(steps.none.output) }}" } },
          off: {
            use: "noop",
            when: "{{ $count(params.list) > 0 }}",
            forEach: { items: "{{ params.list }}" },
          },
        },
        { ...list, output: { after: "{{ steps.after.output }}", off: "{{ steps.off.status }}" } },
      ),
      { list: [] },
    );
    expect(run.output).toEqual({ after: 0, off: "skipped" });
  });

  it.each([
    ["FOREACH_NOT_A_LIST", { list: [] }, { items: "{{ params.list[0] }}" }],
    ["FOREACH_KEY", { list: [1, 1] }, { items: "{{ params.list }}", key: "{{ item }}" }],
    ["FOREACH_TOO_MANY", { list: Array.from({ length: 10_001 }, () => 0) }, { items: "{{ params.list }}" }],
  ])("fails with %s where the items cannot be told", async (code, params, forEach) => {
    const run = await end(flow({ each: { use: "noop", forEach } }, list), params);
    expect(run.error).toMatchObject({ code, step: "each" });
  });

  it("[R7] never has more items under way than its concurrency, nor are the others held up by the flow's limit", async () => {
    const gate = createGate();
    let most = 0;
    let now = 0;
    stage.receiver.answer(async () => {
      most = Math.max(most, ++now);
      await gate.opened;
      now--;
      return { status: 201 };
    });
    const each = { items: "{{ params.list }}", concurrency: 5 };
    const id = await stage.run(
      flow({ each: { ...post({ n: "{{ item }}" }), forEach: each } }, { ...list, limits: { parallel: 1 } }),
      { list: Array.from({ length: 12 }, (_, n) => n) },
    );
    await until("five calls", async () => now === 5);
    gate.open();
    const run = await stage.reach(id, "completed");
    expect(most).toBe(5);
    expect(run.output).toHaveLength(12);
  });

  it("sends each item once, under a key of its own", async () => {
    const keys: string[] = [];
    stage.receiver.answer(async (request) => {
      keys.push(request.key);
      return { status: 201 };
    });
    const run = await end(
      flow({ each: { ...post({ n: "{{ item }}" }), forEach: { items: "{{ params.list }}" } } }, list),
      { list: [1, 2, 3, 4] },
    );
    expect(run.status).toBe("completed");
    expect(keys).toHaveLength(4);
    expect(new Set(keys).size).toBe(4);
  });

  it("fails with the first failure, begins no further item, and lets those under way end", async () => {
    const seen: number[] = [];
    stage.receiver.answer(async (request) => {
      const { n } = request.body as { n: number };
      seen.push(n);
      return { status: n === 2 ? 422 : 201 };
    });
    const each = { items: "{{ params.list }}", concurrency: 1, key: "{{ 'order-' & item }}" };
    const run = await end(flow({ each: { ...post({ n: "{{ item }}" }), forEach: each } }, list), {
      list: [1, 2, 3, 4],
    });
    expect(run.status).toBe("failed");
    expect(run.error).toMatchObject({ step: "each", index: 1, key: "order-2" });
    expect(seen).toEqual([1, 2]);
  });

  it("goes on past failures where it may, and tells which items they were", async () => {
    stage.receiver.answer(async (request) => {
      const { n } = request.body as { n: number };
      return { status: n % 2 === 0 ? 422 : 201 };
    });
    const each = { items: "{{ params.list }}", onItemError: "continue" };
    const run = await end(
      flow(
        { each: { ...post({ n: "{{ item }}" }), forEach: each } },
        { ...list, output: "{{ steps.each.errors.index }}" },
      ),
      { list: [1, 2, 3, 4] },
    );
    expect(run.status).toBe("completed");
    expect(run.output).toEqual([1, 3]);
  });

  it("tries an item again by itself", async () => {
    let calls = 0;
    stage.receiver.answer(async (request) => {
      const { n } = request.body as { n: number };
      return { status: n === 2 && ++calls < 3 ? 503 : 201 };
    });
    const step = {
      ...post({ n: "{{ item }}" }),
      forEach: { items: "{{ params.list }}" },
      retry: { attempts: 3, backoff: "fixed", initial: "10ms" },
    };
    const run = await end(flow({ each: step }, list), { list: [1, 2, 3] });
    expect(run.status).toBe("completed");
    expect(calls).toBe(3);
    const rows = await stage.opened.database.system.query<{ iteration: number; attempt: number }>(
      sql`select iteration, attempt from journal where event = 'completed' and iteration > 0 and run_id = (select max(id::text)::uuid from run) order by iteration`,
    );
    expect(rows).toEqual([
      { iteration: 1, attempt: 1 },
      { iteration: 2, attempt: 3 },
      { iteration: 3, attempt: 1 },
    ]);
  });

  it("[R4] holds no slot while its items wait, and goes on where each was", async () => {
    const id = await stage.run(
      flow(
        {
          each: {
            use: "wait",
            forEach: { items: "{{ params.list }}", concurrency: 2 },
            with: { for: "{{ item }}" },
          },
          after: { use: "noop", needs: ["each"], with: { output: "{{ $count(steps.each.output) }}" } },
        },
        list,
      ),
      { list: ["150ms", "200ms", "50ms", "10ms"] },
    );
    await stage.reach(id, "waiting", "completed");
    expect((await stage.reach(id, "completed")).output).toBe(4);
  });

  it("joins a thousand items", async () => {
    const run = await end(
      flow(
        {
          each: {
            use: "noop",
            durable: true,
            forEach: { items: "{{ params.list }}", concurrency: 100 },
            with: { output: "{{ item }}" },
          },
        },
        { ...list, output: "{{ $sum(steps.each.output) }}" },
      ),
      { list: Array.from({ length: 1000 }, (_, n) => n) },
    );
    expect(run.output).toBe(499_500);
  });
});
