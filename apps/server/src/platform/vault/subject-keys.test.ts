import { describe, expect, it } from "vitest";
import { newId } from "#platform/kernel";
import { drivers, useDatabase } from "#testing";
import { createVault, type Vault } from "./index.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (opened: Uint8Array): string => Buffer.from(opened).toString();

describe.each(drivers)("keys of data subjects on %s", (driver) => {
  const db = useDatabase(driver);
  const open = (): Vault => createVault({ db: db(), kek: new Uint8Array(32).fill(5) });
  const sealFor = async (vault: Vault, tenantId: string, ...subjects: string[]): Promise<Uint8Array> =>
    (await vault.subjectSealer(tenantId, subjects)).seal("p", bytes("Ada"));

  it("[S1] opens what was sealed for a person, in this process and another, for its own purpose alone", async () => {
    const tenantId = newId();
    const sealed = await Promise.all(
      Array.from({ length: 4 }, () => sealFor(open(), tenantId, "customer:7")),
    );
    for (const one of sealed) expect(text(await open().open(tenantId, "p", one))).toBe("Ada");
    const [one = bytes("")] = sealed;
    await expect(open().open(tenantId, "q", one)).rejects.toMatchObject({ code: "SECRET_UNREADABLE" });
    await expect(open().open(newId(), "p", one)).rejects.toMatchObject({ code: "SECRET_ERASED" });
    const changed = Uint8Array.from(one);
    changed[changed.length - 1] = (changed.at(-1) ?? 0) ^ 1;
    await expect(open().open(tenantId, "p", changed)).rejects.toMatchObject({ code: "SECRET_UNREADABLE" });
  });

  it("[S2] cannot be read by anybody once the key of one of its people is deleted", async () => {
    const tenantId = newId();
    const [vault, elsewhere] = [open(), open()];
    const own = await sealFor(vault, tenantId, "a");
    const shared = await sealFor(vault, tenantId, "a", "b");
    const other = await sealFor(vault, tenantId, "b");
    expect(text(await elsewhere.open(tenantId, "p", shared))).toBe("Ada");
    const rolledBack = db().tx(tenantId, async (tx) => {
      await vault.eraseSubject(tx, tenantId, "a");
      throw new Error("no");
    });
    await expect(rolledBack).rejects.toThrow("no");
    expect(text(await elsewhere.open(tenantId, "p", own))).toBe("Ada");
    expect(await db().tx(tenantId, (tx) => vault.eraseSubject(tx, tenantId, "a"))).toBeDefined();
    expect(await db().tx(tenantId, (tx) => vault.eraseSubject(tx, tenantId, "a"))).toBeUndefined();
    for (const reader of [vault, elsewhere]) {
      for (const gone of [own, shared])
        await expect(reader.open(tenantId, "p", gone)).rejects.toMatchObject({ code: "SECRET_ERASED" });
      expect(text(await reader.open(tenantId, "p", other))).toBe("Ada");
    }
    // What comes later has a new key, and the old stays gone.
    const later = await sealFor(vault, tenantId, "a");
    expect(text(await elsewhere.open(tenantId, "p", later))).toBe("Ada");
    await expect(vault.open(tenantId, "p", own)).rejects.toMatchObject({ code: "SECRET_ERASED" });
  });
});
