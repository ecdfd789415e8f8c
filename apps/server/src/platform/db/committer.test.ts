import { describe, expect, it } from "vitest";
import { newId } from "#platform/kernel";
import { drivers, useDatabase } from "#testing";
import { applyWrites, defineWrite, FenceLost, sql, WriteSet } from "./index.ts";

const schema = `create table item (tenant_id uuid not null, id uuid not null, note text, body jsonb, raw bytea,
  at timestamptz not null, epoch int not null default 0, constraint item__tenant_id__id primary key (tenant_id, id));
  select oars_tenant_table('item');`;

interface Item {
  tenant_id: string;
  id: string;
  note: string | null;
  body: string | null;
  raw: Uint8Array | null;
  at: Date;
}
const insertItem = defineWrite<Item>({
  name: "test.insertItem",
  order: 20,
  columns: { tenant_id: "uuid", id: "uuid", note: "text", body: "jsonb", raw: "bytea", at: "timestamptz" },
  text: "/* test.insertItem */ insert into item (tenant_id, id, note, body, raw, at) select b.tenant_id, b.id, b.note, b.body, b.raw, b.at from batch b",
});
const bump = defineWrite<{ tenant_id: string; id: string; epoch: number }>({
  name: "test.bump",
  order: 10,
  guard: true,
  columns: { tenant_id: "uuid", id: "uuid", epoch: "int4" },
  text: "/* test.bump */ update item i set epoch = i.epoch + 1 from batch b where i.tenant_id = b.tenant_id and i.id = b.id and i.epoch = b.epoch returning 1",
});

describe.each(drivers)("the committer on %s", (driver) => {
  const db = useDatabase(driver, schema);
  const tenant = newId();
  const item = (over: Partial<Item> = {}): Item => ({
    tenant_id: tenant,
    id: newId(),
    note: null,
    body: null,
    raw: null,
    at: new Date(0),
    ...over,
  });
  const find = (id: string) =>
    db().system.query<Item & { epoch: number }>(
      sql`/* test.find */ select id, note, body, raw, at, epoch from item where tenant_id = ${tenant} and id = ${id}`,
    );

  it("[C1] keeps values of every type exactly, hostile text included", async () => {
    const note = `"quotes" \\back {braces},comma NULL é 你 \n\t'`;
    const row = item({
      note,
      body: JSON.stringify({ a: [1, null, note] }),
      raw: new Uint8Array([0, 255, 92]),
      at: new Date(1234),
    });
    const empty = item();
    expect(await db().committer.commit(new WriteSet().add(insertItem, row).add(insertItem, empty))).toEqual({
      ok: true,
    });
    const [read] = await find(row.id);
    expect(read).toMatchObject({ note, body: { a: [1, null, note] }, at: new Date(1234) });
    expect([...(read?.raw ?? [])]).toEqual([0, 255, 92]);
    expect((await find(empty.id))[0]).toMatchObject({ note: null, body: null, raw: null });
  });

  it("[C2][C3] refuses the set whose guard does not hold, and only that one", async () => {
    const rows = Array.from({ length: 20 }, () => item());
    await Promise.all(rows.map((r) => db().committer.commit(new WriteSet().add(insertItem, r))));
    const extras = rows.map(() => item());
    const results = await Promise.all(
      rows.map((r, i) =>
        db().committer.commit(
          new WriteSet()
            .add(bump, { tenant_id: tenant, id: r.id, epoch: i % 5 === 0 ? 7 : 0 })
            .add(insertItem, extras[i] as Item), // same length
        ),
      ),
    );
    expect(results.map((r) => r.ok)).toEqual(rows.map((_, i) => i % 5 !== 0));
    expect(results[0]).toEqual({ ok: false, fence: "test.bump" });
    const written = await Promise.all(extras.map(async (e) => (await find(e.id)).length));
    expect(written).toEqual(rows.map((_, i) => (i % 5 === 0 ? 0 : 1)));
  });

  it("[C3] reports a database error to its caller alone", async () => {
    const twice = item();
    await db().committer.commit(new WriteSet().add(insertItem, twice));
    const good = item();
    const results = await Promise.allSettled([
      db().committer.commit(new WriteSet().add(insertItem, twice)),
      db().committer.commit(new WriteSet().add(insertItem, good)),
    ]);
    expect(results.map((r) => r.status)).toEqual(["rejected", "fulfilled"]);
    expect(await find(good.id)).toHaveLength(1);
  });

  it("[C1] runs callbacks of committed sets only", async () => {
    const seen: string[] = [];
    const missing = { tenant_id: tenant, id: newId(), epoch: 0 };
    await Promise.all([
      db().committer.commit(new WriteSet().add(insertItem, item()).onCommit(() => seen.push("kept"))),
      db().committer.commit(new WriteSet().add(bump, missing).onCommit(() => seen.push("refused"))),
    ]);
    expect(seen).toEqual(["kept"]);
  });

  it("[C3] tells a callback that throws to its caller, whose rows are durable all the same, and to no other", async () => {
    const [bad, good] = [item(), item()];
    const throws = (): never => {
      throw new Error("a callback of the test");
    };
    const results = await Promise.allSettled([
      db().committer.commit(new WriteSet().add(insertItem, bad).onCommit(throws)),
      db().committer.commit(new WriteSet().add(insertItem, good)),
    ]);
    expect(results.map((r) => r.status)).toEqual(["rejected", "fulfilled"]);
    expect(await find(bad.id)).toHaveLength(1);
    expect(await find(good.id)).toHaveLength(1);
  });

  it("writes the same set inside a caller's transaction, whole or not at all", async () => {
    const row = item();
    const set = new WriteSet().add(insertItem, row).add(bump, { tenant_id: tenant, id: newId(), epoch: 0 });
    await expect(db().tx(tenant, (tx) => applyWrites(tx, set))).rejects.toBeInstanceOf(FenceLost);
    expect(await find(row.id)).toHaveLength(0);
  });

  it("shows a tenant its own rows only, and nothing without a tenant", async () => {
    const row = item();
    await db().committer.commit(new WriteSet().add(insertItem, row));
    const count = (t: string) =>
      db().read(t, (d) =>
        d.query<{ n: number }>(
          sql`/* test.count */ select count(*)::int4 as n from item where id = ${row.id}`,
        ),
      );
    expect(await count(tenant)).toEqual([{ n: 1 }]);
    expect(await count(newId())).toEqual([{ n: 0 }]);
    await expect(
      db().tx(newId(), (tx) =>
        tx.query(
          sql`/* test.steal */ insert into item (tenant_id, id, at) values (${tenant}, ${newId()}, now())`,
        ),
      ),
    ).rejects.toThrow(/row-level security/);
  });

  it("tidies tables by name, and nothing that is not a name", async () => {
    await expect(db().tidy(["item"])).resolves.toBeUndefined();
    if (driver === "pglite")
      await expect(db().tidy(["item; drop table item"])).rejects.toThrow("no table name");
  });
});
