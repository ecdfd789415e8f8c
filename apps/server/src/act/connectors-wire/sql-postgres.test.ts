import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createDialer } from "#platform/net";
import { openTestDatabase, type TestDatabase } from "#testing";
import { sqlConnector } from "./sql-connector.ts";
import { type Wire, wireOf } from "./testing-wire.ts";

let database: TestDatabase;
let url: URL;

beforeAll(async () => {
  database = await openTestDatabase(
    "postgres",
    `create table goods (id int primary key, name text not null, price numeric, seen timestamptz, tags jsonb, big bigint);
     insert into goods values (1, 'nut', 1.10, '2026-01-02T03:04:05Z', '{"a": [1]}', 9007199254740993), (2, 'bolt', null, null, 'null', 5);
     create function sly() returns int language sql volatile as 'insert into goods values (99, ''sly'') returning id'`,
  );
  url = new URL(database.url ?? "");
});

afterAll(() => database.close());

const remote = (more: object = {}, password?: string): Wire =>
  wireOf(
    sqlConnector,
    {
      engine: "postgresql",
      host: url.hostname,
      port: Number(url.port),
      database: url.pathname.slice(1),
      user: decodeURIComponent(url.username),
      password: "vault:p",
      tls: "off",
      allow: ["read", "write", "ddl"],
      ...more,
    },
    { p: password ?? decodeURIComponent(url.password) },
  );

const count = async (): Promise<number> => {
  const outcome = await remote().act("sql.query", { statement: "select count(*)::int as n from goods" });
  if (outcome.status !== "completed") throw new Error(JSON.stringify(outcome));
  return (outcome.output as { rows: { n: number }[] }).rows[0]?.n ?? -1; // the connector's output
};

describe("statements on PostgreSQL", () => {
  it("read rows with parameters; values are JSON where that is exact, and text where it is not", async () => {
    const statement =
      "select id, name, price, seen at time zone 'UTC' as seen, tags, big, name = $1 as hit from goods order by id";
    expect(await remote({ literals: true }).act("sql.query", { statement, parameters: ["nut"] })).toEqual({
      status: "completed",
      output: {
        columns: ["id", "name", "price", "seen", "tags", "big", "hit"],
        rows: [
          {
            id: 1,
            name: "nut",
            price: "1.10",
            seen: "2026-01-02 03:04:05",
            tags: { a: [1] },
            big: "9007199254740993",
            hit: true,
          },
          { id: 2, name: "bolt", price: null, seen: null, tags: null, big: 5, hit: false },
        ],
        rowCount: 2,
        truncated: false,
      },
    });
  });

  it("take a value that looks like SQL as a value", async () => {
    const outcome = await remote().act("sql.query", {
      statement: "select id from goods where name = $1",
      parameters: ["nut'; drop table goods; --"],
    });
    expect(outcome).toMatchObject({ status: "completed", output: { rows: [] } });
    expect(await count()).toBeGreaterThan(0);
  });

  it("change rows and say how many, and give what they return", async () => {
    const before = await count();
    expect(
      await remote().act("sql.execute", {
        statement: "insert into goods (id, name) values ($1, $2) returning id",
        parameters: [10, "cog"],
      }),
    ).toMatchObject({ status: "completed", output: { rows: [{ id: 10 }], rowCount: 1 } });
    expect(await count()).toBe(before + 1);
  });

  it("that only read cannot change anything, even through a function", async () => {
    const before = await count();
    expect(await remote().act("sql.query", { statement: "select sly()" })).toMatchObject({
      status: "failed",
      retryable: false,
      error: { code: "SQL_25006" },
    });
    expect(await count()).toBe(before);
  });

  it("that lift their own read-only mode are refused by the database", async () => {
    const statement = "select set_config($1, $2, true), sly()";
    const parameters = ["transaction_read_only", "off"];
    expect(await remote().act("sql.query", { statement, parameters })).toMatchObject({ status: "failed" });
    expect(
      await remote().act("sql.query", { statement: "select id from goods where id = 99" }),
    ).toMatchObject({
      output: { rows: [] },
    });
  });

  it.each([
    ["sql.query", "delete from goods", ["read", "write"]],
    ["sql.execute", "select 1", ["read", "write"]],
    ["sql.execute", "delete from goods", ["read"]],
    ["sql.execute", "drop table goods", ["read", "write"]],
    ["sql.query", "select 1; delete from goods", ["read"]],
    ["sql.query", "select 'x'", ["read"]],
  ])("%s refuses %s when %j is allowed, before anything is called", async (name, statement, allow) => {
    expect(() => remote({ allow }).describe(name, { statement })).toThrow(
      expect.objectContaining({
        code: "ACTION_INVALID",
        errors: [expect.objectContaining({ path: "input.statement" })],
      }),
    );
  });

  it("run under the role of the connection", async () => {
    expect(
      await remote({ role: "pg_monitor" }).act("sql.query", { statement: "select id from goods" }),
    ).toMatchObject({
      status: "failed",
      error: { code: "SQL_42501" },
    });
  });

  it.each([
    [{ maxRows: 3 }, 3],
    [{ maxBytes: 1_000 }, 10],
  ])("give rows up to %o and say that there are more", async (caps, most) => {
    const statement = "select n, repeat($1, 80) as pad from generate_series(1, 1000000) n";
    const outcome = await remote(caps).act("sql.query", { statement, parameters: ["x"] });
    if (outcome.status !== "completed") throw new Error(JSON.stringify(outcome));
    const { rows, truncated } = outcome.output as { rows: unknown[]; truncated: boolean }; // the connector's output
    expect(truncated).toBe(true);
    expect(rows.length).toBeGreaterThan(0);
    expect(rows.length).toBeLessThanOrEqual(most);
  });

  it("that change more rows than are given back are committed all the same", async () => {
    const statement =
      "insert into goods (id, name) select n, $1 from generate_series(1001, 1020) n returning id";
    expect(
      await remote({ maxRows: 2 }).act("sql.execute", { statement, parameters: ["many"] }),
    ).toMatchObject({
      output: { rowCount: 20, truncated: true, rows: [{ id: 1001 }, { id: 1002 }] },
    });
    const statementOf = "select count(*)::int as n from goods where name = $1";
    expect(await remote().act("sql.query", { statement: statementOf, parameters: ["many"] })).toMatchObject({
      output: { rows: [{ n: 20 }] },
    });
  });

  it("that take too long failed, since nothing was committed", async () => {
    const before = await count();
    const statement = "insert into goods select 500, $1 from pg_sleep(30)";
    const outcome = await remote({ timeout: 300 }).act("sql.execute", { statement, parameters: ["slow"] });
    expect(outcome).toMatchObject({ status: "failed", retryable: true });
    expect(await count()).toBe(before);
  });

  it("that are wrong fail with the SQLSTATE and the place", async () => {
    expect(await remote().act("sql.query", { statement: "select nothing from goods" })).toMatchObject({
      status: "failed",
      retryable: false,
      error: { code: "SQL_42703", details: { position: 8 } },
    });
  });

  it("never show the password", async () => {
    const outcome = await remote({ user: "nobody_here" }, "s3cret-pass").act("sql.query", {
      statement: "select 1",
    });
    expect(outcome).toMatchObject({ status: "failed" });
    expect(JSON.stringify(outcome)).not.toContain("s3cret-pass");
  });

  it("reach no address that the dialer refuses", async () => {
    await using closed = createDialer({ allow: [], maxResponseBytes: 1, connectTimeoutMs: 500 });
    const config = { engine: "postgresql", host: "127.0.0.1", database: "d", user: "u", password: "vault:p" };
    expect(
      await wireOf(sqlConnector, config, {}, closed).act("sql.query", { statement: "select 1" }),
    ).toMatchObject({
      status: "failed",
      error: { code: "NET_ADDRESS_FORBIDDEN" },
    });
  });

  it("over TLS need a server that has it", async () => {
    expect(await remote({ tls: "verify" }).act("sql.query", { statement: "select 1" })).toMatchObject({
      status: "failed",
      error: { message: expect.stringContaining("SSL") },
    });
  });

  it("tell whether a connection works", async () => {
    expect(await remote().test()).toMatchObject({ ok: true });
    expect(await remote({ database: "nowhere" }).test()).toMatchObject({ ok: false, code: "SQL_3D000" });
  });
});
