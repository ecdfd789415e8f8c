import { describe, expect, it } from "vitest";
import type { Sql } from "#platform/db";
import { newId } from "#platform/kernel";
import { until } from "#testing";
import { OutcomeWaits } from "./waiting.ts";

describe("requests that wait for outcomes", () => {
  const open = (most = 1_000) => {
    const ended = new Set<string>();
    const asked: Sql[] = [];
    const query = async (statement: Sql): Promise<never[]> => {
      asked.push(statement);
      const [, ids] = statement.values as [unknown, readonly string[]]; // tenants and ids
      return ids.filter((id) => ended.has(id)).map((id) => ({ id })) as never[];
    };
    const waits = new OutcomeWaits(
      { system: { query, tx: () => Promise.reject(new Error("unused")) } },
      most,
    );
    return { waits, ended, asked };
  };
  const forever = { withinMs: 3_600_000 };

  it("are told of an outcome in this process without a read", async () => {
    const { waits, asked } = open();
    const id = newId();
    const all = Array.from({ length: 100 }, () => waits.wait(newId(), id, forever));
    expect(waits.size).toBe(100);
    waits.told(id);
    await Promise.all(all);
    expect(waits.size).toBe(0);
    expect(asked).toEqual([]);
    waits.close();
  });

  it("learn of all others by one statement for all of them", async () => {
    const { waits, ended, asked } = open();
    const ids = Array.from({ length: 200 }, () => newId());
    const all = Promise.all(ids.map((id) => waits.wait(newId(), id, forever)));
    await until("two looks", () => asked.length > 1);
    for (const id of ids) ended.add(id);
    await all;
    const most = Math.max(...asked.map((one) => (one.values[1] as string[]).length)); // the ids of those that wait
    expect(most).toBeGreaterThan(100);
    expect(asked.length).toBeLessThan(20);
    waits.close();
  });

  it("stop when they have waited long enough, are gone, or the process stops", async () => {
    const { waits } = open();
    await waits.wait(newId(), newId(), { withinMs: 1 });
    const gone = new AbortController();
    const leaving = waits.wait(newId(), newId(), { ...forever, gone: gone.signal });
    gone.abort();
    await leaving;
    const last = waits.wait(newId(), newId(), forever);
    waits.close();
    await last;
    expect(waits.size).toBe(0);
    await waits.wait(newId(), newId(), forever);
  });

  it("are no more than may wait", () => {
    const { waits } = open(1);
    void waits.wait(newId(), newId(), forever);
    expect(() => waits.assertRoom()).toThrow(expect.objectContaining({ code: "SERVER_BUSY" }));
    waits.close();
  });
});
