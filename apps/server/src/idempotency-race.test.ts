/** Identical requests at once, at a real server on PostgreSQL: each runs once, and all get the same answer. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { sql } from "#platform/db";
import { newId } from "#platform/kernel";
import { type Deeds, openDeeds } from "./testing/deeds.ts";
import { jitter } from "./testing/until.ts";

const rounds = 20;
const at = 20;

describe("20 requests with one Idempotency-Key at once", () => {
  let deeds: Deeds;
  beforeAll(async () => {
    deeds = await openDeeds("postgres");
  });
  afterAll(() => deeds.close());

  it("[X2] send one action, and each of them gets its output: 20 times", async () => {
    deeds.receiver.answer(async () => {
      await jitter(8);
      return { status: 201, body: { number: deeds.receiver.received.length } };
    });
    const before = deeds.receiver.received.length;
    for (let round = 0; round < rounds; round++) {
      const idempotencyKey = newId();
      const all = await Promise.all(
        Array.from({ length: at }, () => deeds.propose({ round }, { idempotencyKey })),
      );
      expect(new Set(all.map((one) => JSON.stringify([one.status, one.json.id, one.json.output]))).size).toBe(
        1,
      );
      expect(all[0]?.json).toMatchObject({ state: "completed" });
      const other = await deeds.propose({ round, other: true }, { idempotencyKey });
      expect(other).toMatchObject({ status: 409, json: { code: "IDEMPOTENCY_CONFLICT" } });
    }
    expect(deeds.receiver.received.length - before).toBe(rounds);
  });

  it("make one of anything else, and each of them gets it: 20 times", async () => {
    const { api } = deeds;
    for (let round = 0; round < rounds; round++) {
      const headers = { "idempotency-key": newId() };
      const body = { name: `once-${round}`, kind: "agent", roles: ["agent"] };
      const all = await Promise.all(
        Array.from({ length: at }, () => api.ask("POST", "/v1/principals", body, {}, headers)),
      );
      expect(new Set(all.map((one) => `${one.status} ${one.text}`)).size).toBe(1);
      expect(all[0]?.status).toBe(201);
      const other = await api.ask("POST", "/v1/principals", { ...body, name: "another" }, {}, headers);
      expect(other).toMatchObject({ status: 409, json: { code: "IDEMPOTENCY_CONFLICT" } });
    }
    const [made] = await api.app.db.system.query<{ n: number }>(
      sql`select count(*)::int4 as n from principal where name like 'once-%'`,
    );
    expect(made?.n).toBe(rounds);
    const [left] = await api.app.db.system.query<{ n: number }>(
      sql`select count(*)::int4 as n from idempotency where effect_at is null or status is null`,
    );
    expect(left?.n, "every reservation was marked with its effect and answered").toBe(0);
  });

  it("get the first answer also when the connection is another one by now", async () => {
    const idempotencyKey = newId();
    const first = await deeds.propose({ n: 1 }, { idempotencyKey });
    await deeds.api.ask(
      "PUT",
      "/v1/connections/:name",
      { connector: "http", config: { baseUrl: deeds.receiver.url }, environment: "production" },
      { name: "wms" },
    );
    const again = await deeds.propose({ n: 1 }, { idempotencyKey });
    expect(again.json).toMatchObject({ id: first.json.id, output: first.json.output });
  });
});
