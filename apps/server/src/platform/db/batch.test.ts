import { beforeAll, describe, expect, it } from "vitest";
import { type DriverName, drivers, openTestDatabase, type TestDatabase } from "#testing";
import { sql, sqlState } from "./index.ts";
import type { BatchStatement } from "./port.ts";

const schema = `
  create table item (id int not null, note text, constraint item__id primary key (id) deferrable initially immediate);
  create table late (id int not null, constraint late__id unique (id) deferrable initially deferred);
  create table part (at int not null, note text) partition by range (at);
  create table part_1 partition of part for values from (0) to (10);
  create function loud(x int) returns int language plpgsql as 'begin raise notice ''loud''; return x; end';
  grant all on item, late, part to oars_system;`;

const put = (id: number, note: string | null = null): BatchStatement => ({
  name: "test.put",
  text: "/* test.put */ insert into item (id, note) values ($1, $2)",
  values: [id, note],
});
const touch = (note: string): BatchStatement => ({
  name: "test.touch",
  text: "/* test.touch */ update item set note = $1",
  values: [note],
});
const statement = (name: string, text: string, ...values: (string | number)[]): BatchStatement => ({
  name,
  text: `/* ${name} */ ${text}`,
  values,
});

const prepare = (driver: DriverName) => {
  let opened: TestDatabase;
  beforeAll(async () => {
    opened = await openTestDatabase(driver, schema);
    return () => opened.close();
  });
  return {
    driver: () => opened.driver,
    database: () => opened.database,
    batch: (...statements: BatchStatement[]) => opened.driver.batch(0, statements),
    /** The notes of items, by id. */
    items: async (...ids: number[]): Promise<(string | null)[]> => {
      const rows = await opened.database.system.query<{ note: string | null }>(
        sql`/* test.items */ select note from item where id = any(${ids}) order by id`,
      );
      return rows.map((row) => row.note);
    },
  };
};

describe.each(drivers)("a batch on %s", (name) => {
  const { batch, items, database, driver } = prepare(name);

  it("[L1] is written whole, or not at all when a statement in its middle fails, which it names", async () => {
    await batch(put(1, "é 'q' \\ \n"), put(2));
    expect(await items(1, 2)).toEqual(["é 'q' \\ \n", null]);
    const failing = statement("test.fails", "select 1 / $1::int", 0);
    const never = statement("test.never", "insert into item (id) values ($1)", 4);
    await expect(batch(put(3), failing, never)).rejects.toMatchObject({
      code: "22012",
      statement: "test.fails",
    });
    await batch(never, statement("test.fails", "select 1 / $1::int", 1));
    expect(await items(3)).toEqual([]);
    expect(await items(4)).toEqual([null]);
  });

  it("fails when a statement cannot be prepared, and the next one is as if nothing had been", async () => {
    const wrong = statement("test.wrong", "insert into nowhere (id) values ($1)", 1);
    for (let i = 0; i < 2; i++)
      await expect(batch(put(10), wrong)).rejects.toMatchObject({ code: "42P01", statement: "test.wrong" });
    await batch(put(10, "kept"));
    expect(await items(10)).toEqual(["kept"]);
  });

  it("[L1] fails when its commit fails, after every statement was answered", async () => {
    const twice = statement("test.late", "insert into late (id) values ($1)", 1);
    const failed = batch(put(20), twice, twice);
    await expect(failed).rejects.toMatchObject({ code: "23505", statement: undefined });
    expect(await items(20)).toEqual([]);
    await batch(put(20), twice);
    expect(await items(20)).toEqual([null]);
  });

  it("takes no notice, no row and no empty statement for an end", async () => {
    await batch(
      statement("test.loud", "select loud(g) from generate_series(1, $1::int) as g", 100),
      statement("test.empty", ""),
      put(30, "x"),
    );
    expect(await items(30)).toEqual(["x"]);
  });

  it("prepares again what the session has forgotten, once, and writes each row once", async () => {
    await batch(put(40));
    await batch(statement("test.forget", "deallocate all"));
    await batch(put(41), put(42), touch("all"));
    await batch(put(43), statement("test.forget", "deallocate all"));
    await batch(put(44), touch("again"));
    expect(await items(40, 41, 42, 43, 44)).toEqual(Array(5).fill("again"));
  });

  it("prepares again what a migration has changed the columns of", async () => {
    const read = statement("test.read", "select item.* from item where id = $1", 50);
    await batch(put(50), read);
    await alter(database(), "alter table item add column more text");
    await batch(put(51), read);
    await alter(database(), "alter table item alter column more type int using null");
    await batch(read, put(52));
    expect(await items(50, 51, 52)).toHaveLength(3);
  });

  it("goes on over partitions that come and go", async () => {
    const add = (at: number) => statement("test.part", "insert into part (at, note) values ($1, 'x')", at);
    const set = statement("test.set", "update part set note = 'y' where at = $1", 15);
    for (let i = 0; i < 7; i++) await batch(add(i), set); // past the point where plans become generic
    await expect(batch(add(15))).rejects.toMatchObject({ code: "23514" });
    await alter(database(), "create table part_2 partition of part for values from (10) to (20)");
    await batch(add(15), set);
    await alter(database(), "drop table part_1");
    await batch(set, add(16));
    const rows = await database().system.query(sql`/* test.parts */ select at, note from part order by at`);
    expect(rows).toEqual([
      { at: 15, note: "y" },
      { at: 16, note: "x" },
    ]);
  });

  it("runs the text that it is given, also under a name that was another's", async () => {
    const as = (note: string) =>
      statement("test.same", `insert into item (id, note) values ($1, '${note}')`, 0);
    await batch({ ...as("a"), values: [60] }, { ...as("b"), values: [61] });
    await batch({ ...as("a"), values: [62] });
    expect(await items(60, 61, 62)).toEqual(["a", "b", "a"]);
  });

  it("stands apart from a transaction that is open at the same time and rolls back", async () => {
    let written: Promise<void> | undefined;
    const failed = database().system.tx(async (tx) => {
      await tx.query(sql`/* test.open */ insert into item (id) values (70)`);
      written = batch(put(71));
      await tx.query(sql`/* test.on */ select 1 / 0`);
    });
    await expect(failed).rejects.toMatchObject({ code: "22012" });
    await written;
    expect(await items(70, 71)).toEqual([null]);
  });

  it("leaves the settings of other statements as they are", async () => {
    await batch(put(80));
    const [row] = await database().system.query<{ on: string }>(
      sql`/* test.setting */ select current_setting('enable_seqscan') as on`,
    );
    expect(row?.on).toBe("on");
  });

  it("is refused after the end", async () => {
    await database().close();
    const error = await driver()
      .batch(0, [put(90)])
      .catch((e: unknown) => e);
    expect(error).toBeInstanceOf(Error);
    expect(sqlState(error)).toBeUndefined();
  });
});

/** As the owner of the schema does, who is neither of the two roles. */
async function alter(db: TestDatabase["database"], text: string): Promise<void> {
  await db.system.tx(async (tx) => {
    await tx.query(sql`/* test.owner */ select set_config('role', 'none', true)`);
    await tx.query({ text, values: [] });
  });
}
