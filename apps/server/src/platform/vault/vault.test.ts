import { describe, expect, it } from "vitest";
import { type Database, type Sql, sql } from "#platform/db";
import { newId } from "#platform/kernel";
import { drivers, useDatabase } from "#testing";
import { createVault, localKeys, type Vault } from "./index.ts";

const kek = new Uint8Array(32).fill(5);
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

describe.each(drivers)("vault on %s", (driver) => {
  const db = useDatabase(driver);
  const vaultOf = (key = kek): Vault => createVault({ db: db(), kek: key });
  const put = (vault: Vault, tenantId: string, name: string, value: string) =>
    db().tx(tenantId, (tx) => vault.putSecret(tx, tenantId, name, value));
  const asSystem = (database: Database, statement: Sql): Promise<unknown[]> =>
    database.system.query(statement);

  it("gives back the secret that was put, in this process and another", async () => {
    const tenantId = newId();
    const vault = vaultOf();
    const info = await put(vault, tenantId, "wms-token", "s3cret ünïcode");
    expect(info).toMatchObject({ name: "wms-token", version: 1, createdBy: null });
    expect(await vault.readSecret(tenantId, "wms-token")).toBe("s3cret ünïcode");
    expect(await vaultOf().readSecret(tenantId, "wms-token")).toBe("s3cret ünïcode");
  });

  it("replaces a value under a new version, remembers who, and this process sees it at once", async () => {
    const tenantId = newId();
    const [alice, bob] = [newId(), newId()];
    const vault = vaultOf();
    const first = await db().tx(tenantId, (tx) => vault.putSecret(tx, tenantId, "a", "one", alice));
    expect(await vault.readSecret(tenantId, "a")).toBe("one");
    const second = await db().tx(tenantId, (tx) => vault.putSecret(tx, tenantId, "a", "two", bob));
    expect(second).toMatchObject({ id: first.id, version: 2, createdBy: alice, updatedBy: bob });
    expect(await vault.readSecret(tenantId, "a")).toBe("two");
  });

  it("lists names and never values", async () => {
    const tenantId = newId();
    const vault = vaultOf();
    await put(vault, tenantId, "b", "value-of-b");
    await put(vault, tenantId, "a", "value-of-a");
    const list = await vault.listSecrets(tenantId);
    expect(list.map((s) => s.name)).toEqual(["a", "b"]);
    expect(JSON.stringify(list)).not.toContain("value-of");
    expect(await vault.listSecrets(newId())).toEqual([]);
  });

  it("stores nothing readable", async () => {
    const tenantId = newId();
    await put(vaultOf(), tenantId, "plain", "needle-in-the-table");
    const rows = await db().system.query<{ sealed: Uint8Array }>(sql`select sealed from secret`);
    expect(rows.length).toBeGreaterThan(0);
    for (const row of rows) expect(Buffer.from(row.sealed).includes("needle")).toBe(false);
  });

  it("deletes, and says so when there is nothing", async () => {
    const tenantId = newId();
    const vault = vaultOf();
    await put(vault, tenantId, "gone", "x");
    await vault.readSecret(tenantId, "gone");
    await db().tx(tenantId, (tx) => vault.deleteSecret(tx, tenantId, "gone"));
    const missing = { code: "SECRET_NOT_FOUND", params: { name: "gone" } };
    await expect(vault.readSecret(tenantId, "gone")).rejects.toMatchObject(missing);
    await expect(db().tx(tenantId, (tx) => vault.deleteSecret(tx, tenantId, "gone"))).rejects.toMatchObject(
      missing,
    );
  });

  it("refuses names that cannot stand in a URL", async () => {
    const tenantId = newId();
    await expect(put(vaultOf(), tenantId, "../a", "x")).rejects.toMatchObject({ code: "REQUEST_INVALID" });
  });

  it("another tenant sees no secret of the same name", async () => {
    const vault = vaultOf();
    await put(vault, newId(), "shared-name", "mine");
    await expect(vault.readSecret(newId(), "shared-name")).rejects.toMatchObject({
      code: "SECRET_NOT_FOUND",
    });
  });

  it("answers SECRET_UNREADABLE under another key-encryption key", async () => {
    const tenantId = newId();
    await put(vaultOf(), tenantId, "a", "x");
    const stranger = vaultOf(new Uint8Array(32).fill(6));
    const refusal = stranger.readSecret(tenantId, "a");
    await expect(refusal).rejects.toMatchObject({ code: "SECRET_UNREADABLE" });
    await expect(stranger.seal(tenantId, "p", bytes("x"))).rejects.toMatchObject({
      code: "SECRET_UNREADABLE",
    });
  });

  it("does not open a row that was moved to another name or tenant", async () => {
    const [tenantId, thief] = [newId(), newId()];
    const vault = vaultOf();
    await put(vault, tenantId, "high", "crown jewels");
    await put(vault, tenantId, "low", "nothing");
    await put(vault, thief, "high", "nothing");
    const sealed = sql`(select sealed from secret where tenant_id = ${tenantId} and name = 'high')`;
    await asSystem(
      db(),
      sql`update secret set sealed = ${sealed}
          where (tenant_id = ${tenantId} and name = 'low') or (tenant_id = ${thief} and name = 'high')`,
    );
    const unreadable = (name: string) => ({ code: "SECRET_UNREADABLE", params: { name } });
    await expect(vault.readSecret(tenantId, "low")).rejects.toMatchObject(unreadable("low"));
    await expect(vault.readSecret(thief, "high")).rejects.toMatchObject(unreadable("high"));
    expect(await vault.readSecret(tenantId, "high")).toBe("crown jewels");
  });

  it("does not open a data key that was moved to another tenant", async () => {
    const [tenantId, thief] = [newId(), newId()];
    await put(vaultOf(), tenantId, "a", "x");
    await asSystem(
      db(),
      sql`insert into data_key (tenant_id, number, kek_id, wrapped)
          select ${thief}::uuid, number, kek_id, wrapped from data_key where tenant_id = ${tenantId}`,
    );
    await expect(vaultOf().seal(thief, "p", bytes("x"))).rejects.toMatchObject({ code: "SECRET_UNREADABLE" });
  });

  it("no flipped byte goes unnoticed: format, key number, nonce, tag or text", async () => {
    const tenantId = newId();
    const vault = vaultOf();
    const sealed = await vault.seal(tenantId, "receipt/1", bytes("ten bytes!"));
    expect(Buffer.from(await vault.open(tenantId, "receipt/1", sealed)).toString()).toBe("ten bytes!");
    for (let i = 0; i < sealed.length; i++) {
      const bent = sealed.map((byte, at) => (at === i ? byte ^ 1 : byte));
      await expect(vault.open(tenantId, "receipt/1", bent)).rejects.toMatchObject({
        code: "SECRET_UNREADABLE",
      });
    }
    await expect(vault.open(tenantId, "receipt/2", sealed)).rejects.toMatchObject({
      code: "SECRET_UNREADABLE",
    });
    await expect(vault.open(newId(), "receipt/1", sealed)).rejects.toMatchObject({
      code: "SECRET_UNREADABLE",
    });
    for (const short of [0, 1, 5, 44]) {
      const cut = sealed.subarray(0, short);
      await expect(vault.open(tenantId, "receipt/1", cut)).rejects.toMatchObject({
        code: "SECRET_UNREADABLE",
      });
    }
  });

  it("many first users of a tenant, in several processes, end with one data key", async () => {
    const tenantId = newId();
    const vaults = [vaultOf(), vaultOf(), vaultOf()];
    const sealed = await Promise.all(
      Array.from(
        { length: 12 },
        (_, i) => vaults[i % 3]?.seal(tenantId, "p", bytes(`${i}`)) ?? new Uint8Array(),
      ),
    );
    const opened = await Promise.all(sealed.map((s) => vaultOf().open(tenantId, "p", s)));
    expect(opened.map((o) => Buffer.from(o).toString())).toEqual(sealed.map((_, i) => `${i}`));
    const keys = await asSystem(db(), sql`select number from data_key where tenant_id = ${tenantId}`);
    expect(keys).toHaveLength(1);
  });

  it("a data key that was rolled back seals nothing", async () => {
    const tenantId = newId();
    const vault = vaultOf();
    const abandoned = db().tx(tenantId, async (tx) => {
      await vault.putSecret(tx, tenantId, "a", "x");
      throw new Error("abandoned");
    });
    await expect(abandoned).rejects.toThrow("abandoned");
    const sealed = await vault.seal(tenantId, "p", bytes("kept"));
    expect(Buffer.from(await vaultOf().open(tenantId, "p", sealed)).toString()).toBe("kept");
  });

  it("a sealer works without waiting, also when it is first asked for inside a transaction", async () => {
    const tenantId = newId();
    const vault = vaultOf();
    const sealed = await db().tx(tenantId, async (tx) => {
      const sealer = await vault.sealer(tenantId, tx);
      return sealer.seal("p", bytes("now"));
    });
    const sealer = await vault.sealer(tenantId);
    expect(Buffer.from(sealer.open("p", sealed)).toString()).toBe("now");
    expect(() => sealer.open("q", sealed)).toThrow(expect.objectContaining({ code: "SECRET_UNREADABLE" }));
  });

  it("opens what a newer data key of another process sealed", async () => {
    const tenantId = newId();
    const [old, fresh] = [vaultOf(), vaultOf()];
    const first = await old.seal(tenantId, "p", bytes("one"));
    const { kekId, wrapped } = await localKeys(kek).wrap(tenantId, 2, new Uint8Array(32).fill(3));
    await asSystem(
      db(),
      sql`insert into data_key (tenant_id, number, kek_id, wrapped) values (${tenantId}, 2, ${kekId}, ${wrapped})`,
    );
    const second = await fresh.seal(tenantId, "p", bytes("two"));
    expect(second[4]).toBe(2);
    expect(Buffer.from(await old.open(tenantId, "p", second)).toString()).toBe("two");
    expect(Buffer.from(await fresh.open(tenantId, "p", first)).toString()).toBe("one");
  });

  it("refuses a key-encryption key of another length", () => {
    expect(() => vaultOf(new Uint8Array(31))).toThrow(expect.objectContaining({ code: "VAULT_KEY_INVALID" }));
  });
});
