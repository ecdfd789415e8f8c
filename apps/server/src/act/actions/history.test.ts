import { describe, expect, it } from "vitest";
import { sql } from "#platform/db";
import { idAt, newId } from "#platform/kernel";
import { drivers, useDatabase } from "#testing";
import { createActionHistory } from "./history.ts";

describe.each(drivers)("what counters are made from, on %s", (driver) => {
  const db = useDatabase(driver);
  const noon = Date.UTC(2026, 10, 20, 12);
  const [tenantId, ana] = [newId(), newId()];

  const act = (at: number, amount: number | null, effect = "allow", tenant = tenantId) =>
    db().system.query(sql`insert into action (tenant_id, id, state, connection, operation, tool, verb, target, environment,
        digest, facts, input, principal_id, effect_key, idempotent, timeout_ms, decision, created_at)
      values (${tenant}, ${idAt(at).slice(0, 24) + newId().slice(24)}, 'completed', 'bank', 'http.request', 'bank/http.request', 'pay',
        't', 'test', 'd', ${JSON.stringify(amount === null ? { note: "5" } : { amount, note: "5" })}::jsonb, ${Buffer.from("x")}, ${ana}, 'k', true, 1,
        ${JSON.stringify({ effect, reasons: [], message: "" })}::jsonb, ${new Date(at).toISOString()}::timestamptz)`);

  it("[Q3] groups by part of time with calls and sums of whole numbers, of what was allowed or held, of the tenant alone", async () => {
    await act(noon + 1_000, 10);
    await act(noon + 59_000, 20, "require_approval");
    await act(noon + 61_000, null);
    await act(noon + 2_000, 1_000, "deny");
    await act(noon + 3_000, 1_000, "allow", newId());
    await act(noon - 1, 1_000);
    const history = createActionHistory(db());
    const range = { from: noon, before: noon + 3_600_000 };
    const groups = await history.groups(tenantId, range, 60_000, ["amount", "note", "none"]);
    const about = { principalId: ana, tool: "bank/http.request", verb: "pay" };
    expect(groups.toSorted((a, b) => a.at - b.at)).toEqual([
      { ...about, at: noon, calls: 2, sums: { amount: 30 } },
      { ...about, at: noon + 60_000, calls: 1, sums: {} },
    ]);
    const recent = await history.since(tenantId, noon + 60_000);
    expect(recent).toMatchObject([{ ...about, at: noon + 61_000, facts: { note: "5" } }]);
    expect(await history.since(newId(), 0)).toEqual([]);
  });
});
