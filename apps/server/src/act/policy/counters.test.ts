import { describe, expect, it } from "vitest";
import { type ActionHistory, type CountedAction, createCounters } from "./counters.ts";
import type { CounterSpec } from "./domain.ts";
import { sampleRequest } from "./samples.ts";

const tenantId = sampleRequest().tenantId;
const hour = 3_600_000;
const specs: readonly CounterSpec[] = [
  { name: "calls", window: "PT1H", per: ["principal"] },
  { name: "paid", sum: "amount", window: "PT24H", per: [], verbs: ["pay"] },
];

/** Rows as a database has them: what is durable, and every process reads. */
function rows() {
  const list: CountedAction[] = [];
  const history: ActionHistory = {
    groups: async (_tenant, { from, before }, partMs, sums) =>
      list
        .filter(({ at }) => at >= from && at < before)
        .map(({ id: _, facts, ...one }) => ({
          ...one,
          at: Math.floor(one.at / partMs) * partMs,
          calls: 1,
          sums: Object.fromEntries(sums.map((name) => [name, Number(facts[name] ?? 0)])),
        })),
    since: async (_tenant, from) => list.filter(({ at }) => at >= from),
  };
  return { list, history };
}

const row = (at: number, more: Partial<CountedAction> = {}): CountedAction => ({
  id: `${at}-${Math.random()}`,
  principalId: sampleRequest().principal.id,
  tool: "bank/http.request",
  verb: "pay",
  facts: { amount: 10 },
  at,
  ...more,
});

describe("counters", () => {
  const start = Date.UTC(2026, 10, 20, 12);
  const process = (history: ActionHistory) => {
    const clock = { at: start };
    return { clock, counters: createCounters({ history, now: () => clock.at }) };
  };
  const q = (actionId: string) => sampleRequest({ actionId, facts: { amount: 10 } });

  it("[Q3] begin with what the rows say, each in its own window, scope and verbs", async () => {
    const { list, history } = rows();
    list.push(row(start - 10_000), row(start - 2 * hour), row(start - 30 * hour), row(start - 1_000));
    list.push(row(start - 60_000, { principalId: "other" }), row(start - 60_000, { verb: "read" }));
    const { counters } = process(history);
    await counters.ready(tenantId, specs);
    expect(counters.values(q("new"), specs)).toEqual({ calls: 3, paid: 40 });
  });

  it("[Q1] count what this process decided at once, and forget it when it was not made", async () => {
    const { counters } = process(rows().history);
    await counters.ready(tenantId, specs);
    for (const id of ["a", "b"]) counters.count(q(id));
    counters.count(q("a")); // decided again, as after an approval
    expect(counters.values(q("c"), specs)).toEqual({ calls: 2, paid: 20 });
    expect(counters.values(q("a"), specs), "an action does not stand in its own way").toEqual({
      calls: 1,
      paid: 10,
    });
    counters.withdraw(tenantId, "b");
    counters.withdraw(tenantId, "never");
    expect(counters.values(q("c"), specs)).toEqual({ calls: 1, paid: 10 });
  });

  it("[Q2] follow other processes within a second, and count what came back once", async () => {
    const { list, history } = rows();
    const { counters, clock } = process(history);
    await counters.ready(tenantId, specs);
    counters.count(q("mine"));
    list.push(row(start, { id: "mine" }), row(start, { id: "theirs" }));
    expect(counters.values(q("c"), specs).calls, "not yet").toBe(1);
    clock.at += 1_000;
    await counters.ready(tenantId, specs);
    expect(counters.values(q("c"), specs).calls).toBe(2);
    clock.at += 1_000;
    await counters.ready(tenantId, specs);
    expect(counters.values(q("c"), specs).calls).toBe(2);
  });

  it("[Q4] let a window pass, and never early", async () => {
    const { counters, clock } = process(rows().history);
    await counters.ready(tenantId, specs);
    counters.count(q("a"));
    clock.at += hour - 1;
    expect(counters.values(q("b"), specs).calls).toBe(1);
    clock.at += 60_001;
    expect(counters.values(q("b"), specs)).toEqual({ calls: 0, paid: 10 });
    clock.at += 25 * hour;
    await counters.ready(tenantId, specs);
    expect(counters.values(q("b"), specs)).toEqual({ calls: 0, paid: 0 });
  });

  it("lose nothing that is decided while the rows are read for other counters", async () => {
    const { history } = rows();
    let go = (): void => {};
    const gate = new Promise<void>((done) => {
      go = done;
    });
    let slow = false;
    const slowly: ActionHistory = {
      ...history,
      since: async (...of) => {
        if (slow) await gate;
        return history.since(...of);
      },
    };
    const { counters } = process(slowly);
    await counters.ready(tenantId, specs);
    slow = true;
    const next = counters.ready(tenantId, specs.slice(0, 1));
    counters.count(q("a"));
    go();
    await next;
    expect(counters.values(q("b"), specs.slice(0, 1))).toEqual({ calls: 1 });
  });

  it("say so when the rows cannot be read", async () => {
    const { counters } = process({ groups: () => Promise.reject(new Error("down")), since: async () => [] });
    await expect(counters.ready(tenantId, specs)).rejects.toThrow("down");
  });
});
