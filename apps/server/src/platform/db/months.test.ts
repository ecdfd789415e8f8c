import { PGlite } from "@electric-sql/pglite";
import pg from "pg";
import { afterAll, describe, expect, inject, it } from "vitest";
import { newId } from "#platform/kernel";
import { drivers, useDatabase } from "#testing";
import {
  dropMonth,
  listMonths,
  migrate,
  migrationsDir,
  openMonths,
  ownerOfPglite,
  readMigrations,
  sql,
} from "./index.ts";
import type { OwnerConnection } from "./migrate.ts";

/** An id of that time: `newId` never goes back. */
function at(iso: string): string {
  const ms = Date.parse(iso).toString(16).padStart(12, "0");
  return `${ms.slice(0, 8)}-${ms.slice(8)}${newId().slice(13)}`;
}

describe.each(drivers)("tables that are kept by month on %s", (driver) => {
  const db = useDatabase(driver);
  const tenant = newId();
  const insert = (runId: string, step = "a") =>
    db().system.query(sql`insert into journal (tenant_id, run_id, step, iteration, attempt, event, seq, at, ms)
      values (${tenant}, ${runId}, ${step}, 0, 1, 'completed', 1, now(), 1)`);
  const placeOf = async (runId: string): Promise<string[]> => {
    const rows = await db().system.query<{ place: string }>(
      sql`select tableoid::regclass::text as place from journal where run_id = ${runId}`,
    );
    return rows.map((r) => r.place);
  };
  const thisMonth = new Date().toISOString().slice(0, 7);

  it("have this month and the next from the start, and open each once", async () => {
    for (const table of ["journal", "action", "receipt"]) {
      const months = await listMonths(db(), table);
      expect(months.map((m) => m.month)).toContain(thisMonth);
      expect(months.some((m) => m.endedDaysAgo < -27)).toBe(true);
    }
    expect(await openMonths(db())).toEqual([]);
  });

  it("put a row where its id says, to the millisecond", async () => {
    const [first, last] = [at("2026-01-01T00:00:00.000Z"), at("2026-01-31T23:59:59.999Z")];
    const [before, after] = [at("2025-12-31T23:59:59.999Z"), at("2026-02-01T00:00:00.000Z")];
    const ids = [first, last, before, after];
    for (const id of ids) await insert(id);
    for (const id of ids) expect(await placeOf(id)).toEqual(["journal_default"]);
    expect((await openMonths(db())).sort()).toEqual([
      "journal_2025_12",
      "journal_2026_01",
      "journal_2026_02",
    ]);
    expect(await Promise.all(ids.map(placeOf))).toEqual([
      ["journal_2026_01"],
      ["journal_2026_01"],
      ["journal_2025_12"],
      ["journal_2026_02"],
    ]);
    const january = (await listMonths(db(), "journal")).find((m) => m.month === "2026-01");
    expect(january && january.firstId <= first && last < january.endId && before < january.firstId).toBe(
      true,
    );
    expect(january && after >= january.endId).toBe(true);
  });

  it("keep rows of ids that are no time in the default partition", async () => {
    const odd = "f0000000-0000-4000-8000-000000000000";
    await insert(odd);
    await openMonths(db());
    expect(await placeOf(odd)).toEqual(["journal_default"]);
  });

  it("refuse a second entry of the same key as before", async () => {
    const id = newId();
    await insert(id);
    await expect(insert(id)).rejects.toMatchObject({ code: "23505" });
  });

  it("lose a month with its rows, and nothing else, when it is dropped", async () => {
    const [gone, kept] = [at("2024-03-10T00:00:00Z"), at("2024-04-10T00:00:00Z")];
    await insert(gone);
    await insert(kept);
    await openMonths(db());
    await dropMonth(db(), "journal_2024_03");
    expect([await placeOf(gone), await placeOf(kept)]).toEqual([[], ["journal_2024_04"]]);
  });

  it.each(["run", "journal", "journal_default", "tenant", "journal_2000_01", 'x"; drop table run; --'])(
    "do not let the server drop %s",
    async (name) => {
      await expect(dropMonth(db(), name)).rejects.toMatchObject({ code: "42P01" });
      await db().system.query(sql`select count(*) from run`);
    },
  );

  it("are reached through the table alone, whoever asks", async () => {
    const month = `journal_${thisMonth.replace("-", "_")}`;
    const peek = { text: `select 1 from ${month}`, values: [] };
    const denied = { code: "42501" };
    await expect(db().read(tenant, (tx) => tx.query(peek))).rejects.toMatchObject(denied);
    if (driver === "postgres") await expect(db().system.query(peek)).rejects.toMatchObject(denied);
    await expect(db().tx(tenant, (tx) => tx.query(sql`select oars_open_months()`))).rejects.toMatchObject(
      denied,
    );
    await expect(db().tx(tenant, (tx) => tx.query(sql`select oars_drop_month('x')`))).rejects.toMatchObject(
      denied,
    );
  });

  it("show another tenant nothing, whichever month its rows are in", async () => {
    const id = at("2026-01-15T00:00:00Z");
    await insert(id);
    const count = (who: string) =>
      db().read(who, (tx) => tx.query(sql`select run_id from journal where run_id = ${id}`));
    expect(await count(tenant)).toHaveLength(1);
    expect(await count(newId())).toHaveLength(0);
  });
});

describe("a schema that was upgraded", () => {
  const closing: (() => Promise<unknown>)[] = [];
  afterAll(async () => {
    for (const close of closing.reverse()) await close();
  });
  /** An empty database, as its owner opens it. */
  const open: Record<(typeof drivers)[number], () => Promise<OwnerConnection>> = {
    pglite: async () => {
      const pglite = await PGlite.create();
      closing.push(() => pglite.close());
      return ownerOfPglite(pglite);
    },
    postgres: async () => {
      const base = inject("databases").postgres;
      const admin = new pg.Client({ connectionString: `${base}postgres` });
      await admin.connect();
      const name = `upgrade_${newId().replaceAll("-", "")}`;
      await admin.query(`create database ${name}`);
      const client = new pg.Client({ connectionString: `${base}${name}` });
      await client.connect();
      closing.push(async () => {
        await client.end();
        await admin.query(`drop database ${name} with (force)`);
        await admin.end();
      });
      return {
        exec: async (text) => {
          await client.query(text);
        },
        query: async <Row>(text: string, values?: unknown[]) =>
          (await client.query(text, values)).rows as Row[],
      };
    },
  };
  const shape = `
    select 'column' as kind, c.relname || '.' || a.attname as name, format_type(a.atttypid, a.atttypmod) || ' ' || a.attnotnull ||
      coalesce(' ' || pg_get_expr(d.adbin, d.adrelid), '') as what
      from pg_attribute a join pg_class c on c.oid = a.attrelid left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
      where c.relkind in ('r', 'p') and c.relnamespace = 'public'::regnamespace and a.attnum > 0 and not a.attisdropped
    union all select 'index', x.relname, pg_get_indexdef(x.oid) from pg_class x where x.relkind in ('i', 'I') and x.relnamespace = 'public'::regnamespace
    union all select 'constraint', c.relname || '.' || k.conname, pg_get_constraintdef(k.oid) from pg_constraint k
      join pg_class c on c.oid = k.conrelid where k.contype <> 'n' and c.relnamespace = 'public'::regnamespace
    union all select 'table', c.relname, c.relkind::text || c.relrowsecurity || c.relforcerowsecurity || coalesce(c.reloptions::text, '') ||
      coalesce(c.relacl::text, '') || coalesce(pg_get_expr(c.relpartbound, c.oid), '') from pg_class c
      where c.relkind in ('r', 'p') and c.relnamespace = 'public'::regnamespace
    union all select 'policy', tablename || '.' || policyname, roles::text || qual || with_check from pg_policies
    order by 1, 2, 3`;

  it.each(drivers)(
    "with rows of earlier versions is the fresh one on %s, and has them all",
    async (driver) => {
      const all = await readMigrations(migrationsDir);
      const [fresh, old] = [await open[driver](), await open[driver]()];
      await migrate(fresh, all);
      await migrate(
        old,
        all.filter((m) => m.number < 71),
      );
      const tenant = newId();
      const [january, now, odd] = [
        at("2026-01-10T00:00:00Z"),
        newId(),
        "f0000000-0000-4000-8000-000000000000",
      ];
      for (const id of [january, now, odd]) {
        await old.exec(`
        set role oars_system;
        insert into journal (tenant_id, run_id, step, iteration, attempt, event, seq, output, at, ms)
          values ('${tenant}', '${id}', 'a', 0, 1, 'completed', 1, '{"n": 1}', now(), 1);
        insert into action (tenant_id, id, state, connection, operation, tool, verb, target, environment, digest, facts, input,
          principal_id, reservation, effect_key, idempotent, timeout_ms, decision)
          values ('${tenant}', '${id}', 'denied', 'c', 'o', 't', 'v', 't', 'e', 'd', '{}', '', '${tenant}', '\\x${id.slice(-12)}', 'k', true, 1, '{}');
        insert into receipt (tenant_id, id, type, jws, created_at) values ('${tenant}', '${id}', 't', 'j', now());
        reset role`);
      }
      await migrate(old, all);
      for (const table of ["journal", "action", "receipt"]) {
        const rows = await old.query<{ place: string }>(
          `select tableoid::regclass::text as place from ${table} where tenant_id = $1 order by 1`,
          [tenant],
        );
        const month = new Date().toISOString().slice(0, 7).replace("-", "_");
        expect(rows.map((r) => r.place)).toEqual(
          [`${table}_2026_01`, `${table}_${month}`, `${table}_default`].sort(),
        );
      }
      const reserved = await old.query("select action_id from action_reservation where tenant_id = $1", [
        tenant,
      ]);
      expect(reserved).toHaveLength(new Set([january, now, odd].map((id) => id.slice(-12))).size);
      for (const table of ["journal", "action", "receipt"])
        await old.exec(`select oars_drop_month('${table}_2026_01')`);
      expect(await old.query(shape)).toEqual(await fresh.query(shape));
    },
  );
});
