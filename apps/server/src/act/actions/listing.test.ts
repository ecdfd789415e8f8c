/** Lists of many actions: what they find, and how little of the table they look at. */
import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Db, type Sql, sql } from "#platform/db";
import { idAt, newId } from "#platform/kernel";
import { drivers, openTestDatabase, type TestDatabase } from "#testing";
import { type ActionFilter, listActions } from "./listing-store.ts";

const minute = 60_000;
const began = Date.UTC(2026, 10, 1);
const rows = 24_000;

/** Action n was proposed in minute n; every 1,000th was denied by `no-pay`. */
const fill = (
  tenantId: string,
  people: readonly string[],
): Sql => sql`insert into action (tenant_id, id, state, connection,
    operation, tool, verb, target, environment, digest, facts, input, principal_id, effect_key, idempotent, timeout_ms,
    decision, error, target_key, created_at, ended_at)
  select ${tenantId}::uuid, (substr(base.id, 1, 14) || '7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid,
    case when n % 1000 = 0 then 'denied' else 'completed' end, 'c' || n % 3,
    case when n % 2 = 0 then 'http.request' else 'http.list' end,
    'c' || n % 3 || '/' || case when n % 2 = 0 then 'http.request' else 'http.list' end, 'write',
    'host/orders/' || n % 500, 'test', 'sha256:0', '{}', '\\x00', (${[...people]}::uuid[])[1 + n % ${people.length}::int4],
    'k', true, 1000,
    jsonb_build_object('effect', 'allow', 'message', 'm', 'policy', (n / 12000)::text,
      'reasons', jsonb_build_array(case when n % 1000 = 0 then 'no-pay' else 'all' end)),
    case when n = 777 then '{"code":"NET_RESET","message":"The Warehouse hung up"}'::jsonb end,
    hashtextextended('host/orders/' || n % 500, 0), to_timestamp((${began}::float8 + n * ${minute}::float8) / 1000), now()
  from generate_series(1, ${rows}::int4) n, lateral (select
    substr(lpad(to_hex((${began}::bigint + n * ${minute}::bigint)), 12, '0'), 1, 8) || '-' ||
    substr(lpad(to_hex((${began}::bigint + n * ${minute}::bigint)), 12, '0'), 9, 4) || '-' as id) base`;

describe.each(drivers)("lists of actions on %s", (driver) => {
  let opened: TestDatabase;
  const db = () => opened.database;
  const tenantId = newId();
  const people = [newId(), newId(), newId(), newId()] as const;
  const [boss] = people;

  beforeAll(async () => {
    opened = await openTestDatabase(driver);
    const { system } = db();
    await system.query(sql`insert into tenant (id, name) values (${tenantId}, 'T')`);
    for (const [n, id] of people.entries()) {
      await db().tx(tenantId, (tx) =>
        tx.query(sql`insert into principal (tenant_id, id, kind, name, owner_id)
          values (${tenantId}, ${id}, ${n === 0 ? "user" : "agent"}, ${`p${n}`}, ${n === 1 ? boss : null})`),
      );
    }
    for (const name of ["c0", "c1", "c2"]) {
      await db().tx(tenantId, (tx) =>
        tx.query(sql`insert into connection (tenant_id, id, name, connector, config, environment, risk, data_types, facts)
          values (${tenantId}, ${newId()}, ${name}, 'http', '{}', 'test', 1, '{}', '{}')`),
      );
    }
    await system.query(fill(tenantId, people));
    if (opened.url === null) return void (await db().tidy(["action"]));
    const owner = new pg.Client({ connectionString: opened.url });
    await owner.connect();
    await owner.query("analyze action");
    await owner.end();
  });
  afterAll(() => opened.close());

  const find = (filter: Partial<ActionFilter>) =>
    db().read(tenantId, (reader) => listActions(reader, tenantId, { limit: 50, ...filter }));

  /** Page after page to the end. */
  const all = async (filter: Partial<ActionFilter>): Promise<string[]> => {
    const ids: string[] = [];
    for (let before: string | undefined; ; ) {
      const { items, next } = await find({ limit: 200, ...filter, before });
      ids.push(...items.map((one) => one.id));
      if (next === null) return ids;
      expect(before === undefined || next < before, "goes on").toBe(true);
      before = next;
    }
  };
  const count = async (where: Sql): Promise<number> => {
    const [row] = await db().system.query<{ n: number }>(
      sql`select count(*)::int4 as n from action a where a.tenant_id = ${tenantId} and ${where}`,
    );
    return row?.n ?? -1;
  };

  it.each<[string, Partial<ActionFilter>, Sql]>([
    ["state", { state: "denied" }, sql`a.state = 'denied'`],
    [
      "agent and state",
      { agentId: people[0], state: "denied" },
      sql`a.principal_id = ${people[0]} and a.state = 'denied'`,
    ],
    [
      "tool",
      { tool: "c1/http.list", from: new Date(began + 20_000 * minute) },
      sql`a.tool = 'c1/http.list' and a.created_at >= ${new Date(began + 20_000 * minute)}`,
    ],
    [
      "operation",
      { operation: "http.list", to: new Date(began + 900 * minute) },
      sql`a.operation = 'http.list' and a.created_at < ${new Date(began + 900 * minute)}`,
    ],
    ["target", { target: "host/orders/7" }, sql`a.target = 'host/orders/7'`],
    ["rule", { rule: "no-pay" }, sql`a.decision -> 'reasons' @> '["no-pay"]'`],
    ["policy version and text", { policyVersion: "0", text: "warehouse HUNG" }, sql`a.error is not null`],
    [
      "actor, with what their agents did",
      { actorId: people[0], to: new Date(began + 2_000 * minute) },
      sql`a.principal_id = any(${[people[0], people[1]]}::uuid[]) and a.created_at < ${new Date(began + 2_000 * minute)}`,
    ],
  ])("by %s give all there are, each once, newest first", async (_name, filter, where) => {
    const found = await all(filter);
    expect(found).toEqual([...found].sort().reverse());
    expect(new Set(found).size).toBe(found.length);
    expect(found.length).toBe(await count(where));
    expect(found.length).toBeGreaterThan(0);
  });

  it("with nothing to find end, and text is taken literally", async () => {
    expect(await all({ state: "quarantined" })).toEqual([]);
    expect(await all({ state: "executing" })).toEqual([]);
    for (const text of ["%", "_", "host.orders", "' or true --"]) {
      expect(await all({ text, from: new Date(began + 23_900 * minute) }), text).toEqual([]);
    }
  });

  it("of a rare kind come with pages that may be short, each after a bounded look", async () => {
    const first = await find({ rule: "no-such-rule" });
    expect(first.items).toEqual([]);
    expect(first.next).not.toBeNull();
    expect(first.next).toBe((await find({ before: idAt(began + 19_002 * minute), limit: 2 })).items[0]?.id);
  });

  describe("look at little of the table", () => {
    const explained = async (filter: Partial<ActionFilter>): Promise<{ plan: string; read: number }> => {
      const seen: Sql[] = [];
      const recorder: Db = {
        query: async (statement) => {
          seen.push(statement);
          return [];
        },
      };
      await listActions(recorder, tenantId, { limit: 50, ...filter });
      const [statement] = seen;
      if (!statement) throw new Error("a list asks the database");
      const explain = {
        text: `explain (analyze, costs off, timing off) ${statement.text}`,
        values: statement.values,
      };
      const lines = await db().read(tenantId, (reader) =>
        reader.query<Record<string, string>>(explain as Sql),
      );
      const plan = lines.map((line) => Object.values(line)[0]).join("\n");
      const scans = [...plan.matchAll(/Scan[^\n]*?rows=([\d.]+) loops=(\d+)/g)];
      const removed = [...plan.matchAll(/Rows Removed by [^:]+: (\d+)/g)].map(([, n]) => Number(n));
      const read = [...scans.map(([, n, loops]) => Number(n) * Number(loops)), ...removed];
      return { plan, read: read.reduce((a, b) => a + b, 0) };
    };

    it.each<[string, Partial<ActionFilter>]>([
      ["nothing", {}],
      ["agent", { agentId: people[2] }],
      ["tool", { tool: "c1/http.list" }],
      ["operation", { operation: "http.list" }],
      ["actor", { actorId: people[0] }],
      ["target", { target: "host/orders/7" }],
      ["state", { state: "denied" }],
      ["a state that nobody is in", { state: "executing" }],
      ["a time", { from: new Date(began), to: new Date(began + 60 * minute) }],
    ])("when asked by %s", async (_name, filter) => {
      const { plan, read } = await explained(filter);
      expect(read, plan).toBeLessThan(1_000);
    });
  });
});
